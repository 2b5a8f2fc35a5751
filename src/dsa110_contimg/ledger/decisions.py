"""What operators decide: it wins over all that the pipeline does, and outlives the ledger."""

import json
import os
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa

from dsa110_contimg.errors import AttemptRunningError, LedgerError
from dsa110_contimg.ledger import schema
from dsa110_contimg.ledger.connection import Connected, utc_now
from dsa110_contimg.ledger.events import add_event
from dsa110_contimg.ledger.records import Decision
from dsa110_contimg.ledger.rows import group_row
from dsa110_contimg.ledger.state_sql import facts_of
from dsa110_contimg.ledger.states import DecisionKind, GroupState, Wanted, derive_state
from dsa110_contimg.naming import parse_utc

T = TypeVar("T")

_AFRESH = {"published": None, "standing": None, "last_failure": None, "n_transient": 0, "not_before_utc": None}
"""What a group is told to forget when it is to be done again."""
_VALUES: dict[DecisionKind, dict[str, Any]] = {
    DecisionKind.RETRY: {"wanted": Wanted.PRODUCTS, **_AFRESH, "reason": ""},
    DecisionKind.IGNORE: {"wanted": Wanted.NOTHING},
    DecisionKind.QUARANTINE: {"wanted": Wanted.QUARANTINED},
    DecisionKind.RETIRE: {"wanted": Wanted.NOTHING},
}
_column = schema.groups.c
_MORE_COMPLETE = (
    sa.text("late != 0 AND redone = 0"),  # as in the index
    _column.published.is_not(None),
    _column.late.op("&")(_column.published) != _column.late,
    _column.current_attempt.is_(None),
    _column.wanted == Wanted.PRODUCTS.value,
)


class Decisions(Connected):
    """The part of a ledger that keeps decisions."""

    def decide(
        self, group_id: str, what: DecisionKind, who: str, why: str, *, now: datetime | None = None
    ) -> GroupState:
        """Take an operator's decision about a group, and give the group's state.

        It is also written beside the products, before it takes effect here. What an attempt that is under way makes is
        not published, unless the decision is taken back before it ends.

        Raises
        ------
        AttemptRunningError
            It is to be tried again, and is being tried.
        UnknownGroupError
            There is no such group.
        LedgerError
            The decision cannot be written beside the products.
        """
        decision = Decision(group_id, what, who, now or utc_now(), why)
        with self.writing() as connection:
            row = group_row(connection, group_id)
            running = row.current_attempt is not None and row.wanted == Wanted.PRODUCTS
            if what is DecisionKind.RETRY and running:
                raise AttemptRunningError(f"an attempt at {group_id} is running (attempt {row.n_attempts})")
            take_decision(connection, decision, self.decisions_path)
            return derive_state(facts_of(group_row(connection, group_id)), decision.when_utc)

    def restore_decisions(self, decisions: list[Decision]) -> int:
        """Take decisions that were read from beside the products (`rebuild`); those on unknown groups are left."""
        known = 0
        with self.writing() as connection:
            for decision in decisions:
                query = sa.select(schema.groups.c.id).where(schema.groups.c.id == decision.group_id)
                if connection.execute(query).first() is not None:
                    apply_decision(connection, decision)
                    known += 1
        return known

    def request_redo(self, group_id: str, *, now: datetime | None = None) -> bool:
        """Have a published group done again because late files make it more complete; once, ever.

        If that fails for good, what is published stands.

        Returns
        -------
        bool
            Whether it will be: it is published and wanted, not running, and was not redone before.
        """
        column, when = schema.groups.c, now or utc_now()
        change = schema.groups.update().where(column.id == group_id, *_MORE_COMPLETE)
        change = change.values({**_AFRESH, "standing": column.published, "redone": True})
        with self.writing() as connection:
            done = connection.execute(change).rowcount == 1
            if done:
                add_event(connection, "redo", "late files make it more complete", group_id, when)
        return done

    def late_groups(self, limit: int = 100) -> list[str]:
        """List the published groups that `request_redo` would have done again, the oldest first."""
        query = sa.select(schema.groups.c.id).where(*_MORE_COMPLETE).order_by(schema.groups.c.start_mjd).limit(limit)
        with self.reading() as connection:
            return list(connection.scalars(query))

    def decisions(self, group_id: str | None = None) -> list[Decision]:
        """List decisions, the oldest first."""
        query = schema.decisions.select().order_by(schema.decisions.c.id)
        if group_id is not None:
            query = query.where(schema.decisions.c.group_id == group_id)
        with self.reading() as connection:
            return [decision_of(row) for row in connection.execute(query)]


def take_decision(connection: sa.Connection, decision: Decision, decisions_path: Path | None) -> None:
    """Let a decision take effect, once it is also written beside the products; within the caller's transaction."""
    apply_decision(connection, decision)
    if decisions_path is not None:
        append_decision(decisions_path, decision)


def apply_decision(connection: sa.Connection, decision: Decision) -> None:
    """Let a decision take effect; within the caller's transaction."""
    gid, what, when = decision.group_id, decision.what, decision.when_utc
    values = _VALUES[what] if what is DecisionKind.RETRY else _VALUES[what] | {"reason": decision.why}
    connection.execute(schema.groups.update().where(schema.groups.c.id == gid).values(values))
    if what is DecisionKind.RETIRE:
        column = schema.products.c
        live = schema.products.update().where(column.group_id == gid, column.retired_utc.is_(None))
        connection.execute(live.values(retired_utc=when))
    connection.execute(schema.decisions.insert(), decision._asdict())
    add_event(connection, what.value, f"{decision.who}: {decision.why}", gid, when)


def decision_of(row: Any) -> Decision:
    """Make a decision of a row of its table."""
    return Decision(row.group_id, DecisionKind(row.what), row.who, row.when_utc, row.why)


def epochs_file(decisions: Path) -> Path:
    """Name the file of the decisions about epochs: beside that of those about groups, and of the same form."""
    return decisions.with_name("epoch-decisions.jsonl")


def append_decision(path: Path, decision: Decision) -> None:
    """Add a decision to the file beside the products; errors as of `append_line`."""
    append_line(path, decision._asdict() | {"what": decision.what.value, "when_utc": decision.when_utc.isoformat()})


def append_line(path: Path, facts: dict[str, Any]) -> None:
    """Add a decision's facts to a file beside the products: one line, in one write, flushed.

    Raises
    ------
    LedgerError
        It cannot be written.
    """
    line = json.dumps(facts, ensure_ascii=False) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            os.write(fd, line.encode())
            os.fsync(fd)
        finally:
            os.close(fd)
    except OSError as error:
        raise LedgerError(
            f"the decision cannot be kept beside the products ({error.strerror})",
            path=path,
            remedy="It was not taken. Look after the disk, and say it again.",
        ) from error


def read_decisions(path: Path) -> Iterator[Decision | str]:
    """Read what `append_decision` wrote; a line that cannot be understood is given as it is. No file: nothing."""
    return read_lines(
        path,
        lambda said: Decision(
            said["group_id"], DecisionKind(said["what"]), said["who"], parse_utc(said["when_utc"]), said["why"]
        ),
    )


def read_lines(path: Path, understand: Callable[[dict[str, Any]], T]) -> Iterator[T | str]:
    """Read lines that `append_line` wrote; one that cannot be understood is given as it is. No file: nothing."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return
    for line in filter(None, lines):
        try:
            yield understand(json.loads(line))
        except (ValueError, KeyError, TypeError):
            yield line
