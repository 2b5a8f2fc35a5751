"""What goes into the ledger and comes out of it: plain values, times aware and UTC."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from dsa110_contimg.ledger.states import DecisionKind, FailureKind, GroupFacts, GroupState, Wanted

GOOD = "good"
"""Outcome of a file that is used."""
LATE = "late"
"""Outcome of a good file that came after its group was published."""


_EPOCH = datetime.fromisoformat("1858-11-17T00:00:00Z")


def mjd_of(time: datetime) -> float:
    """Modified Julian Date of an aware time [MJD, UTC]."""
    return (time - _EPOCH) / timedelta(days=1)


def utc_of(mjd: float) -> datetime:
    """Time of a Modified Julian Date (UTC)."""
    return _EPOCH + timedelta(days=mjd)


def utc_text(time: datetime) -> str:
    """Write an aware time as the ledger keeps it, so that text sorts as times do: ``2025-10-05T12:30:00.000000Z``."""
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def mask_of(subbands: Iterable[int]) -> int:
    """Give subbands as a mask: bit n is subband n."""
    mask = 0
    for subband in subbands:
        mask |= 1 << subband
    return mask


def subbands_of(mask: int) -> tuple[int, ...]:
    """Undo `mask_of`."""
    return tuple(subband for subband in range(mask.bit_length()) if mask >> subband & 1)


class FileSeen(NamedTuple):
    """A subband file, as it was when it was judged.

    `outcome` is `GOOD`, or the slug of the `InputError` that says what is wrong with it; `start_mjd` [MJD, UTC] and
    `group_id` are None where the data cannot be placed.
    """

    path: Path
    subband: int
    size_bytes: int
    mtime_ns: int
    first_seen_utc: datetime
    group_id: str | None = None
    start_mjd: float | None = None
    outcome: str = GOOD
    reason: str = ""


class GroupSeen(NamedTuple):
    """A group when its first file was seen. The deadline of one that is known is not moved."""

    id: str
    start_mjd: float
    first_seen_utc: datetime
    deadline_utc: datetime
    min_subbands: int = 12


class Stage(NamedTuple):
    """How long one stage of an attempt took, and what it moved."""

    name: str
    seconds: float
    bytes_in: int = 0
    bytes_out: int = 0


class Attempt(NamedTuple):
    """One attempt at a group. `replaces`: the group had products before, retired or not, which give way to its own.

    `ended_utc` None: it is under way. Ended, not committed and without a `failure_kind`: it was interrupted.
    """

    id: int
    group_id: str
    number: int
    started_utc: datetime
    ended_utc: datetime | None = None
    committed: bool = False
    replaces: bool = False
    pid: int | None = None
    host: str = ""
    exit_code: int | None = None
    failure_kind: FailureKind | None = None
    message: str = ""
    log_path: Path | None = None
    stages: tuple[Stage, ...] = ()


class Product(NamedTuple):
    """A published file or directory; `checksum` is of the manifest's making."""

    path: Path
    kind: str
    checksum: str
    size_bytes: int
    attempt_id: int | None = None
    published_utc: datetime | None = None
    retired_utc: datetime | None = None


class Decision(NamedTuple):
    """What an operator decided about a group."""

    group_id: str
    what: DecisionKind
    who: str
    when_utc: datetime
    why: str


class Event(NamedTuple):
    """Something that happened, for people to read."""

    id: int
    when_utc: datetime
    group_id: str | None
    kind: str
    text: str


class Failure(NamedTuple):
    """A group at which an attempt failed, or that has too few data, and why."""

    group_id: str
    state: GroupState
    kind: FailureKind | None
    reason: str
    when_utc: datetime
    log_path: Path | None


class Group(NamedTuple):
    """A group with its state, in short."""

    id: str
    state: GroupState
    start_mjd: float
    first_seen_utc: datetime
    deadline_utc: datetime
    wanted: Wanted
    min_subbands: int
    present: tuple[int, ...]
    missing: tuple[int, ...]
    n_attempts: int
    reason: str


class GroupHistory(NamedTuple):
    """All that the ledger knows of a group."""

    group: Group
    facts: GroupFacts
    files: tuple[FileSeen, ...]
    attempts: tuple[Attempt, ...]
    products: tuple[Product, ...]
    decisions: tuple[Decision, ...]
    events: tuple[Event, ...]
