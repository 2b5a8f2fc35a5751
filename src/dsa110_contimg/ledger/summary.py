"""How it goes, in one look at the ledger: newest data, lag, groups by state, rate, failures.

Read with the standard library's sqlite3 alone, since who asks should not wait for SQLAlchemy to be imported.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from dsa110_contimg.errors import LedgerError
from dsa110_contimg.ledger.epoch_summary import NO_EPOCHS, EpochSummary, summarize_epochs
from dsa110_contimg.ledger.file_system import require_local, require_there
from dsa110_contimg.ledger.records import Attempt, Event, Failure, Stage, utc_of, utc_text
from dsa110_contimg.ledger.states import (
    ALL_SUBBANDS,
    FailureKind,
    GroupFacts,
    GroupState,
    Wanted,
    derive_state,
    too_few,
)

RATE_OVER = timedelta(hours=1)
"""The rate is that of the last hour."""
FILL_OVER = timedelta(days=1)
"""How fast the disks fill is seen over the last day."""
_FILL_ROWS = 10_000  # files or products; a day has half of that
_FILL_LEAST = timedelta(hours=1)
_BUSY_S = 5.0
_GIVEN_UP = {GroupState.FAILED, GroupState.QUARANTINED}


class Summary(NamedTuple):
    """How it goes.

    Attributes
    ----------
    newest_data_utc, newest_product_utc : datetime or None
        Start of the newest group that has a good file, and of the newest that is published.
    lag_s : float or None
        Time since the start of the newest published group: how far the products are behind the sky [s].
    groups : dict of GroupState to int
        Groups in each state; every state is named.
    groups_per_hour : float
        Groups published in the last hour.
    failed_attempts : dict of FailureKind to int
        Attempts that failed, ever; every kind is named.
    failures : list of Failure
        Groups that are not tried again by themselves, the newest first.
    waiting : list of Failure
        Groups that are to be tried again after a failure, the newest first; `when_utc`: not before.
    attempts : list of Attempt
        Those under way.
    last_event : Event or None
    epochs : EpochSummary
        The same of epochs.
    raw_bytes_per_day, product_bytes_per_day : float
        What came in, and what was published, in the last day (or since the first, if that was later).
    """

    newest_data_utc: datetime | None
    newest_product_utc: datetime | None
    lag_s: float | None
    groups: dict[GroupState, int]
    groups_per_hour: float
    failed_attempts: dict[FailureKind, int]
    failures: list[Failure]
    waiting: list[Failure]
    attempts: list[Attempt]
    last_event: Event | None
    raw_bytes_per_day: float
    product_bytes_per_day: float
    epochs: EpochSummary = NO_EPOCHS

    @property
    def backlog(self) -> int:
        """Groups that are not finished."""
        return sum(self.groups[state] for state in (GroupState.COLLECTING, GroupState.READY, GroupState.RUNNING))


def summarize(ledger: Path, now: datetime | None = None, limit: int = 10) -> Summary:
    """Look at a ledger, which is not changed.

    Parameters
    ----------
    ledger : Path
        The SQLite file.
    now : datetime, optional
        The time; today's by default.
    limit : int
        List at most so many failures.

    Raises
    ------
    LedgerPlaceError
        There is none, or it cannot be read.
    LedgerError
        It is something else.
    """
    now = now or datetime.now(UTC)
    with _reading(ledger.absolute()) as rows:
        newest_data = _utc_of_mjd(rows, "SELECT max(start_mjd) FROM groups WHERE subbands != 0")
        newest_product = _utc_of_mjd(rows, "SELECT max(start_mjd) FROM groups WHERE published IS NOT NULL")
        open_groups = [
            (row, facts, derive_state(facts, now))
            for row in rows.execute(f"SELECT * FROM groups WHERE NOT ({_SETTLED}) ORDER BY start_mjd DESC")  # noqa: S608
            for facts in [_facts(row)]
        ]
        counts = Counter(state for _, _, state in open_groups)
        for published, count in rows.execute(
            f"SELECT published, count(*) FROM groups WHERE {_SETTLED} GROUP BY published"  # noqa: S608
        ):
            counts[GroupState.DONE if published == ALL_SUBBANDS else GroupState.PARTIAL] += count
        given_up = [item for item in open_groups if item[2] in _GIVEN_UP]
        again = [item for item in open_groups if item[2] is GroupState.READY and item[1].last_failure is not None]
        published_since = "SELECT count(*) FROM attempts WHERE ended_utc >= ? AND committed"
        (published,) = rows.execute(published_since, (utc_text(now - RATE_OVER),)).fetchone()
        failed = "SELECT failure_kind, count(*) FROM attempts WHERE failure_kind NOT NULL GROUP BY failure_kind"
        kinds = dict(rows.execute(failed).fetchall())
        return Summary(
            newest_data,
            newest_product,
            None if newest_product is None else (now - newest_product).total_seconds(),
            {state: counts[state] for state in GroupState},
            published / (RATE_OVER / timedelta(hours=1)),
            {kind: kinds.get(kind.value, 0) for kind in FailureKind},
            [_failure(rows, *item) for item in given_up[:limit]],
            [_waiting(*item, now) for item in again[:limit]],
            [_attempt(row) for row in rows.execute("SELECT * FROM attempts WHERE ended_utc IS NULL ORDER BY id")],
            next(map(_event, rows.execute("SELECT * FROM events ORDER BY id DESC LIMIT 1")), None),
            _bytes_per_day(rows, "SELECT first_seen_utc, size_bytes FROM files", now),
            _bytes_per_day(rows, "SELECT published_utc, size_bytes FROM products", now),
            summarize_epochs(rows),
        )


# Published, wanted and left alone: their state is that of what is published. All others are derived one by one.
_SETTLED = "published IS NOT NULL AND wanted = 'products' AND current_attempt IS NULL"


def _bytes_per_day(rows: sqlite3.Connection, query: str, now: datetime) -> float:
    """Sum up the newest rows of a table, each with a time and a size [bytes a day]."""
    newest = rows.execute(f"{query} ORDER BY id DESC LIMIT {_FILL_ROWS}").fetchall()
    since = utc_text(now - FILL_OVER)
    recent = [(when, size) for when, size in newest if when >= since]
    if not recent:
        return 0.0
    # A short history is not multiplied into a long one: an hour's worth is the least that a rate is made of.
    began = datetime.fromisoformat(min(when for when, _ in recent))
    cut_short = len(recent) == len(newest)
    span = max(now - began, _FILL_LEAST) if cut_short else FILL_OVER
    return float(sum(size for _, size in recent)) / (span / timedelta(days=1))


@contextmanager
def _reading(ledger: Path) -> Iterator[sqlite3.Connection]:
    """See one moment of a ledger."""
    require_local(ledger)
    require_there(ledger)
    try:
        with closing(sqlite3.connect(f"file:{quote(str(ledger))}?mode=ro", uri=True, timeout=_BUSY_S)) as connection:
            connection.row_factory = sqlite3.Row
            connection.isolation_level = None
            connection.execute("BEGIN")
            yield connection
    except sqlite3.Error as error:
        raise LedgerError(f"the ledger cannot be read ({error})", path=ledger) from error


def _utc_of_mjd(rows: sqlite3.Connection, query: str) -> datetime | None:
    (mjd,) = rows.execute(query).fetchone()
    return None if mjd is None else utc_of(mjd)


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _facts(row: sqlite3.Row) -> GroupFacts:
    return GroupFacts(
        wanted=Wanted(row["wanted"]),
        deadline_utc=datetime.fromisoformat(row["deadline_utc"]),
        min_subbands=row["min_subbands"],
        subbands=row["subbands"],
        running=row["current_attempt"] is not None,
        published=row["published"],
        last_failure=FailureKind(row["last_failure"]) if row["last_failure"] else None,
        n_transient=row["n_transient"],
    )


def _failure(rows: sqlite3.Connection, row: sqlite3.Row, facts: GroupFacts, state: GroupState) -> Failure:
    found = rows.execute(
        "SELECT log_path, ended_utc FROM attempts WHERE group_id = ? AND number = ?", (row["id"], row["n_attempts"])
    ).fetchone()
    log_path, ended = found or (None, None)
    when = _time(ended) or facts.deadline_utc
    reason = row["reason"] or too_few(facts, state)
    return Failure(row["id"], state, facts.last_failure, reason, when, Path(log_path) if log_path else None)


def _waiting(row: sqlite3.Row, facts: GroupFacts, state: GroupState, now: datetime) -> Failure:
    return Failure(row["id"], state, facts.last_failure, row["reason"], _time(row["not_before_utc"]) or now, None)


def _attempt(row: sqlite3.Row) -> Attempt:
    values = {key: row[key] for key in Attempt._fields}
    values |= {key: bool(row[key]) for key in ("committed", "replaces")}
    values |= {
        "started_utc": _time(row["started_utc"]),
        "ended_utc": None,
        "log_path": Path(row["log_path"]) if row["log_path"] else None,
        "stages": tuple(Stage(**stage) for stage in json.loads(row["stages"])),
    }
    return Attempt(**values)


def _event(row: sqlite3.Row) -> Event:
    return Event(row["id"], datetime.fromisoformat(row["when_utc"]), row["group_id"], row["kind"], row["text"])
