"""`states.derive_state` in SQL, to count and to find groups by state; a property test keeps the two alike."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement

from dsa110_contimg.ledger.schema import groups
from dsa110_contimg.ledger.states import ALL_SUBBANDS, TRANSIENT_RETRIES, FailureKind, GroupFacts, GroupState, Wanted
from dsa110_contimg.naming import N_SUBBANDS

FACTS = (
    groups.c.wanted,
    groups.c.deadline_utc,
    groups.c.min_subbands,
    groups.c.subbands,
    groups.c.current_attempt,
    groups.c.published,
    groups.c.last_failure,
    groups.c.n_transient,
)
"""The columns that `facts_of` needs."""


def facts_of(row: Any) -> GroupFacts:
    """Take the facts of a group from a row that has the columns `FACTS`."""
    return GroupFacts(
        wanted=Wanted(row.wanted),
        deadline_utc=row.deadline_utc,
        min_subbands=row.min_subbands,
        subbands=row.subbands,
        running=row.current_attempt is not None,
        published=row.published,
        last_failure=None if row.last_failure is None else FailureKind(row.last_failure),
        n_transient=row.n_transient,
    )


def count_bits(mask: ColumnElement[int]) -> ColumnElement[int]:
    """Count the subbands of a mask: SQLite has no such function."""
    return sum((mask.op(">>")(bit).op("&")(1) for bit in range(1, N_SUBBANDS)), mask.op("&")(1))


def state_case(now: datetime) -> ColumnElement[str]:
    """Give the state of a row of `groups`."""
    column = groups.c
    return sa.case(
        (column.wanted == Wanted.NOTHING.value, GroupState.IGNORED.value),
        (column.wanted == Wanted.QUARANTINED.value, GroupState.QUARANTINED.value),
        (column.current_attempt.is_not(None), GroupState.RUNNING.value),
        (column.published == ALL_SUBBANDS, GroupState.DONE.value),
        (column.published.is_not(None), GroupState.PARTIAL.value),
        (column.last_failure == FailureKind.BAD_DATA.value, GroupState.QUARANTINED.value),
        (column.last_failure == FailureKind.BUG.value, GroupState.FAILED.value),
        (column.n_transient > TRANSIENT_RETRIES, GroupState.FAILED.value),
        (column.subbands == ALL_SUBBANDS, GroupState.READY.value),
        (column.deadline_utc > now, GroupState.COLLECTING.value),
        (count_bits(column.subbands) >= column.min_subbands, GroupState.READY.value),
        else_=GroupState.QUARANTINED.value,
    )
