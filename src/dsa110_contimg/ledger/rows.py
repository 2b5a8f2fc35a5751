"""Rows of groups and attempts, within a transaction of the caller's."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from dsa110_contimg.errors import StaleAttemptError, UnknownGroupError
from dsa110_contimg.ledger import schema
from dsa110_contimg.ledger.records import Attempt, Stage
from dsa110_contimg.ledger.states import FailureKind

_groups, _attempts = schema.groups.c, schema.attempts.c


def attempt_of(row: Any) -> Attempt:
    """Make an attempt of a row of its table."""
    values = {key: getattr(row, key) for key in Attempt._fields}
    values["failure_kind"] = None if row.failure_kind is None else FailureKind(row.failure_kind)
    values["log_path"] = None if row.log_path is None else Path(row.log_path)
    values["stages"] = tuple(Stage(**stage) for stage in row.stages)
    return Attempt(**values)


def group_row(connection: sa.Connection, group_id: str) -> Any:
    """Find a group's row.

    Raises
    ------
    UnknownGroupError
        There is none.
    """
    row = connection.execute(schema.groups.select().where(_groups.id == group_id)).one_or_none()
    if row is None:
        raise UnknownGroupError(
            f"the ledger knows no group {group_id}", remedy="Those that there are: dsa110-contimg groups list."
        )
    return row


def current_group(connection: sa.Connection, attempt_id: int) -> Any:
    """Find the group whose current attempt this is.

    Raises
    ------
    StaleAttemptError
        It is not, or no longer, the current attempt of any.
    """
    query = sa.select(schema.groups).join(schema.attempts, _attempts.group_id == _groups.id)
    query = query.where(_attempts.id == attempt_id, _groups.current_attempt == attempt_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise StaleAttemptError(f"attempt {attempt_id} is not the current one of its group")
    return row


def update_group(connection: sa.Connection, group_id: str, **values: object) -> None:
    """Change columns of a group."""
    connection.execute(schema.groups.update().where(_groups.id == group_id).values(values))


def ended(now: datetime, message: str, exit_code: int | None, stages: Sequence[Stage]) -> dict[str, Any]:
    """Give the columns of an attempt that tell of its end."""
    return {
        "ended_utc": now,
        "message": message,
        "exit_code": exit_code,
        "stages": [stage._asdict() for stage in stages],
    }
