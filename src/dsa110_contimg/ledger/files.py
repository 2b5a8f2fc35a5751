"""Registering what was seen: subband files and the groups that they make."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from dsa110_contimg.ledger import schema
from dsa110_contimg.ledger.connection import Connected
from dsa110_contimg.ledger.records import GOOD, LATE, FileSeen, GroupSeen

T = TypeVar("T")

_CHUNK = 500
"""Values in one statement."""


def _batched(values: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(values)
    while some := list(islice(iterator, _CHUNK)):
        yield some


def recount(connection: sa.Connection, group_ids: Iterable[str]) -> None:
    """Derive the masks of groups anew from their files, after those have changed."""
    files, groups = schema.files.c, schema.groups
    bit = sa.literal_column("1").op("<<")(files.subband)

    def mask(*outcomes: str) -> sa.ScalarSelect[int]:
        # The sum of distinct powers of two is their bitwise or.
        return (
            sa.select(sa.func.coalesce(sa.func.sum(bit.distinct()), 0))
            .where(files.group_id == groups.c.id, files.outcome.in_(outcomes))
            .scalar_subquery()
        )

    for some in _batched(sorted(set(group_ids))):
        connection.execute(
            groups.update().where(groups.c.id.in_(some)).values(subbands=mask(GOOD, LATE), late=mask(LATE))
        )


class Files(Connected):
    """The part of a ledger that knows what was seen."""

    def register(self, groups: Iterable[GroupSeen], files: Iterable[FileSeen]) -> int:
        """Register groups and files, all or nothing.

        A group that is known keeps when it was first seen, its deadline and its minimum. A file that is known keeps
        when it was first seen; the rest is what is said last. A good file of a subband that its group's product lacks
        gets the outcome ``"late"``.

        Returns
        -------
        int
            Number of files that were said, new or known.
        """
        new_groups = [group._asdict() for group in groups]
        seen = [file._asdict() | {"path": str(file.path)} for file in files]
        touched = {file["group_id"] for file in seen if file["group_id"] is not None}
        with self.writing() as connection:
            if new_groups:
                connection.execute(insert(schema.groups).on_conflict_do_nothing(), new_groups)
            if seen:
                touched |= self._former_groups(connection, [file["path"] for file in seen])
                upsert = insert(schema.files)
                changed = {
                    key: upsert.excluded[key] for key in FileSeen._fields if key not in {"path", "first_seen_utc"}
                }
                connection.execute(upsert.on_conflict_do_update(index_elements=["path"], set_=changed), seen)
                self._mark_late(connection, touched)
                recount(connection, touched)
        return len(seen)

    def add_groups(self, groups: Iterable[GroupSeen]) -> None:
        """Register groups alone."""
        self.register(groups, ())

    def add_files(self, files: Iterable[FileSeen]) -> int:
        """Register files alone; their groups, if they have any, are known."""
        return self.register((), files)

    def set_outcomes(self, outcomes: Mapping[Path, tuple[str, str]]) -> None:
        """Say (outcome, reason) of files that are known: a job found zeros in one, say."""
        with self.writing() as connection:
            set_outcomes(connection, outcomes)

    def known_files(self, paths: Iterable[Path]) -> dict[Path, tuple[int, int]]:
        """Give (size in bytes, mtime in ns) of those of the files that are known, to see which are new or changed."""
        column = schema.files.c
        query = sa.select(column.path, column.size_bytes, column.mtime_ns)
        known: dict[Path, tuple[int, int]] = {}
        with self.reading() as connection:
            for some in _batched(paths):
                rows = connection.execute(query.where(column.path.in_([str(path) for path in some])))
                known |= {Path(row.path): (row.size_bytes, row.mtime_ns) for row in rows}
        return known

    def group_files(self, group_id: str) -> dict[int, Path]:
        """Give the good files of a group by subband, ascending: what a job is made of. Of duplicates the first."""
        column = schema.files.c
        query = (
            sa.select(column.subband, column.path)
            .where(column.group_id == group_id, column.outcome.in_([GOOD, LATE]))
            .order_by(column.subband, column.path.desc())
        )
        with self.reading() as connection:
            return {row.subband: Path(row.path) for row in connection.execute(query)}

    @staticmethod
    def _former_groups(connection: sa.Connection, paths: list[str]) -> set[str]:
        """Find the groups that the files were in until now."""
        column = schema.files.c
        query = sa.select(column.group_id).distinct().where(column.group_id.is_not(None))
        found: set[str] = set()
        for some in _batched(paths):
            found.update(connection.scalars(query.where(column.path.in_(some))))
        return found

    @staticmethod
    def _mark_late(connection: sa.Connection, group_ids: Iterable[str]) -> None:
        for some in _batched(sorted(group_ids)):
            mark_late(connection, some)


def set_outcomes(connection: sa.Connection, outcomes: Mapping[Path, tuple[str, str]]) -> None:
    """Say (outcome, reason) of files within a transaction."""
    column = schema.files.c
    touched: set[str] = set()
    for path, (outcome, reason) in outcomes.items():
        change = schema.files.update().where(column.path == str(path)).values(outcome=outcome, reason=reason)
        found = connection.execute(change.returning(column.group_id)).scalar()
        if found is not None:
            touched.add(found)
    recount(connection, touched)


def mark_late(connection: sa.Connection, group_ids: Iterable[str]) -> None:
    """Call those good files late whose subband the product of their group lacks."""
    files, groups = schema.files.c, schema.groups.c
    lacks = (
        sa.select(groups.id)
        .where(
            groups.id == files.group_id,
            groups.published.is_not(None),
            groups.published.op(">>")(files.subband).op("&")(1) == 0,
        )
        .exists()
    )
    connection.execute(
        schema.files.update()
        .where(files.group_id.in_(list(group_ids)), files.outcome == GOOD, lacks)
        .values(outcome=LATE)
    )
