"""Whether the ledger agrees with itself: what `groups` and `epochs` keep for speed, against files and attempts."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from dsa110_contimg.ledger import schema
from dsa110_contimg.ledger.connection import Connected
from dsa110_contimg.ledger.records import GOOD, LATE


class Consistency(Connected):
    """The part of a ledger that checks it."""

    def inconsistencies(self) -> list[str]:
        """Say, a line each, where the ledger contradicts itself or is damaged; nothing: it is sound."""
        with self.reading() as connection:
            said = list(connection.exec_driver_sql("PRAGMA quick_check").scalars())
            if said != ["ok"]:
                return [f"SQLite finds damage: {line}" for line in said]
            lines = [f"{row.id}: {line}" for row in _rows(connection) for line in _contradictions(row)]
            return lines + [f"{row.id}: {line}" for row in _epoch_rows(connection) for line in _of_attempts(row)]


def _rows(connection: sa.Connection) -> sa.CursorResult[Any]:
    """Give each group with the same facts, counted from its files and attempts."""
    files, attempts, groups = schema.files.c, schema.attempts.c, schema.groups
    bit = sa.literal_column("1").op("<<")(files.subband).distinct()
    masks = (
        sa.select(
            files.group_id,
            sa.func.sum(bit).filter(files.outcome.in_([GOOD, LATE])).label("subbands"),
            sa.func.sum(bit).filter(files.outcome == LATE).label("late"),
        )
        .group_by(files.group_id)
        .subquery()
    )
    tries = (
        sa.select(
            attempts.group_id,
            sa.func.count().label("n_attempts"),
            sa.func.max(attempts.id).filter(attempts.ended_utc.is_(None)).label("current_attempt"),
            sa.func.count().filter(attempts.committed).label("n_commits"),
        )
        .group_by(attempts.group_id)
        .subquery()
    )
    return connection.execute(
        sa.select(
            groups,
            sa.func.coalesce(masks.c.subbands, 0).label("files_subbands"),
            sa.func.coalesce(masks.c.late, 0).label("files_late"),
            sa.func.coalesce(tries.c.n_attempts, 0).label("counted_attempts"),
            tries.c.current_attempt.label("open_attempt"),
            sa.func.coalesce(tries.c.n_commits, 0).label("n_commits"),
        )
        .outerjoin(masks, masks.c.group_id == groups.c.id)
        .outerjoin(tries, tries.c.group_id == groups.c.id)
        .order_by(groups.c.id)
    )


def _epoch_rows(connection: sa.Connection) -> sa.CursorResult[Any]:
    """Give each epoch with what is counted from its attempts."""
    epochs, attempts = schema.epochs, schema.epoch_attempts.c
    tries = (
        sa.select(
            attempts.epoch_id,
            sa.func.count().label("n_attempts"),
            sa.func.max(attempts.id).filter(attempts.ended_utc.is_(None)).label("current_attempt"),
        )
        .group_by(attempts.epoch_id)
        .subquery()
    )
    query = sa.select(
        epochs.c.id,
        epochs.c.n_attempts,
        epochs.c.current_attempt,
        sa.func.coalesce(tries.c.n_attempts, 0).label("counted_attempts"),
        tries.c.current_attempt.label("open_attempt"),
    )
    return connection.execute(query.outerjoin(tries, tries.c.epoch_id == epochs.c.id).order_by(epochs.c.id))


def _contradictions(row: Any) -> Iterator[str]:
    if (row.subbands, row.late) != (row.files_subbands, row.files_late):
        yield "its subbands are not those of its files"
    yield from _of_attempts(row)
    if row.published is not None and not row.n_commits:
        yield "it is published, and no attempt was committed"


def _of_attempts(row: Any) -> Iterator[str]:
    if row.n_attempts != row.counted_attempts:
        yield f"it counts {row.n_attempts} attempts, and has {row.counted_attempts}"
    if row.current_attempt != row.open_attempt:
        yield "its current attempt is not the one that has not ended"
