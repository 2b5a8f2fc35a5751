"""How an attempt ends that made no product: alike for groups and epochs, within a transaction of the caller's."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa

from dsa110_contimg.ledger.events import add_event
from dsa110_contimg.ledger.records import Stage
from dsa110_contimg.ledger.rows import ended
from dsa110_contimg.ledger.states import FailureKind

_FIRST_BACKOFF_S = 10.0
_COUNTED = {FailureKind.TRANSIENT, FailureKind.MEMORY}


class Ending(NamedTuple):
    """What is said of an attempt that made no product; see `Attempts.end_attempt`."""

    kind: FailureKind | None
    message: str
    exit_code: int | None
    stages: Sequence[Stage]
    retry_after_s: float | None
    when: datetime


def end_in_vain(
    connection: sa.Connection, attempts: sa.Table, attempt_id: int, row: Any, ending: Ending
) -> dict[str, Any]:
    """Write down that an attempt made no product, and give what that changes about its group or epoch.

    Parameters
    ----------
    connection : sqlalchemy.Connection
    attempts : sqlalchemy.Table
        That of the attempts at groups, or at epochs.
    attempt_id : int
    row : row
        Of the group or the epoch, as it was.
    ending : Ending

    Returns
    -------
    dict
        By column of the table of groups, or of epochs.
    """
    kind, when, wait_s = ending.kind, ending.when, ending.retry_after_s
    values = ended(when, ending.message, ending.exit_code, ending.stages) | {"failure_kind": kind}
    connection.execute(attempts.update().where(attempts.c.id == attempt_id).values(values))
    said = ending.message or "an attempt ended without a product"
    add_event(connection, kind.value if kind else "interrupted", said, row.id, when)
    if wait_s is None and kind in _COUNTED:
        wait_s = _FIRST_BACKOFF_S * 4.0**row.n_transient
    return {
        "current_attempt": None,
        "n_transient": row.n_transient + (kind in _COUNTED),
        "last_failure": kind or row.last_failure,
        "not_before_utc": None if wait_s is None else when + timedelta(seconds=wait_s),
        "reason": ending.message if kind else row.reason,
    }
