"""How it goes with epochs, in one look at the ledger, with the standard library's sqlite3 as in `summary`."""

import json
import sqlite3
from collections import Counter
from datetime import datetime
from typing import NamedTuple

from dsa110_contimg.ledger.epoch_states import EpochState, epoch_state

_N_NEWEST = 3
_N_FAILURES = 10


class EpochLine(NamedTuple):
    """An epoch in a line: its state, what it is worth and why, of how many images; `when_utc`: of its publication."""

    id: str
    state: EpochState
    verdict: str
    reasons: tuple[str, ...]
    n_images: int
    when_utc: datetime | None


class EpochSummary(NamedTuple):
    """How it goes with epochs.

    Attributes
    ----------
    states : dict of str to int
        Epochs in each state; every state is named, if there are any at all.
    n_unkept : int
        Published, and not part of the light curves yet.
    newest : list of EpochLine
        The newest that are published.
    failures : list of EpochLine
        The newest that failed, with the reason.
    running : list of str
        Those that are being made.
    """

    states: dict[str, int]
    n_unkept: int
    newest: list[EpochLine]
    failures: list[EpochLine]
    running: list[str]


NO_EPOCHS = EpochSummary({}, 0, [], [], [])


def summarize_epochs(rows: sqlite3.Connection) -> EpochSummary:
    """Look at the epochs of a ledger; one that is older than epochs has none."""
    if not rows.execute("SELECT 1 FROM sqlite_master WHERE name = 'epochs'").fetchall():
        return NO_EPOCHS
    counts: Counter[EpochState] = Counter()
    running: list[str] = []
    failed: list[sqlite3.Row] = []
    query = "SELECT id, current_attempt, published_utc, verdict, last_failure, n_transient, reason, tried FROM epochs"
    published = "WHERE published_utc NOT NULL AND current_attempt IS NULL"
    for verdict, count in rows.execute(f"SELECT verdict, count(*) FROM epochs {published} GROUP BY verdict"):  # noqa: S608
        counts[EpochState.BAD if verdict == "bad" else EpochState.DONE] += count
    others = f"{query} WHERE published_utc IS NULL OR current_attempt NOT NULL ORDER BY start_mjd DESC"
    for row in rows.execute(others):
        state = _state(row)
        counts[state] += 1
        if state is EpochState.RUNNING:
            running.append(row["id"])
        if state is EpochState.FAILED:
            failed.append(row)
    (n_unkept,) = rows.execute(
        "SELECT count(*) FROM epochs WHERE published_utc IS NOT NULL AND kept_utc IS NULL AND retired_utc IS NULL"
    ).fetchone()
    newest = rows.execute(f"SELECT * FROM epochs {published} ORDER BY start_mjd DESC LIMIT {_N_NEWEST}")  # noqa: S608
    return EpochSummary(
        {state.value: counts[state] for state in EpochState} if counts else {},
        n_unkept,
        [_line(row) for row in newest],
        [
            EpochLine(row["id"], EpochState.FAILED, "", (row["reason"],), len(json.loads(row["tried"])), None)
            for row in failed[:_N_FAILURES]
        ],
        running,
    )


def _state(row: sqlite3.Row) -> EpochState:
    return epoch_state(
        row["current_attempt"], row["published_utc"], row["verdict"], row["last_failure"], row["n_transient"]
    )


def _line(row: sqlite3.Row) -> EpochLine:
    reasons = tuple(json.loads(row["facts"]).get("reasons", ()))
    when = datetime.fromisoformat(row["published_utc"])
    return EpochLine(row["id"], _state(row), row["verdict"], reasons, len(json.loads(row["inputs"])), when)
