"""What is wanted of a group, what it has, and the state that follows."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from dsa110_contimg.naming import N_SUBBANDS

ALL_SUBBANDS = (1 << N_SUBBANDS) - 1
"""Every subband, as a mask: bit n is subband n."""
TRANSIENT_RETRIES = 3
"""So often a group is tried again after failures that may pass, for want of memory included."""


class Wanted(StrEnum):
    """What is wanted of a group."""

    PRODUCTS = "products"
    NOTHING = "nothing"
    QUARANTINED = "quarantined"


class GroupState(StrEnum):
    """The state of a group, derived and never set."""

    COLLECTING = "collecting"  # its deadline has not passed, and subbands are missing
    READY = "ready"  # all subbands, or at least the minimum at the deadline; or to be tried again
    RUNNING = "running"  # an attempt is under way
    DONE = "done"  # published, with all subbands
    PARTIAL = "partial"  # published, with some missing
    FAILED = "failed"  # a bug, or a failure that did not pass
    QUARANTINED = "quarantined"  # bad or too few data, or an operator said so
    IGNORED = "ignored"  # an operator wants nothing of it


class FailureKind(StrEnum):
    """Why an attempt failed, and so what follows."""

    TRANSIENT = "transient"  # again, after a while, `TRANSIENT_RETRIES` times
    RESOURCE = "resource"  # no room on a disk, or killed by somebody: again, however often
    MEMORY = "memory"  # it took more than its share, or more than there is: again as after a transient failure
    BAD_DATA = "bad-data"  # never again, unless an operator says so
    BUG = "bug"  # likewise, and the evidence is kept


class DecisionKind(StrEnum):
    """What an operator may decide about a group."""

    RETRY = "retry"  # forget its failures and, once the new ones are there, its products
    IGNORE = "ignore"  # want nothing of it
    QUARANTINE = "quarantine"  # keep it from being tried
    RETIRE = "retire"  # want nothing of it, and count its products as gone


@dataclass(frozen=True, slots=True)
class GroupFacts:
    """All that the state of a group depends on, besides the time.

    Attributes
    ----------
    wanted : Wanted
    deadline_utc : datetime
        After it the group makes do with `min_subbands` (UTC).
    min_subbands : int
    subbands : int
        Mask of the subbands that have a good file.
    running : bool
        Whether an attempt is under way.
    published : int or None
        Mask of the subbands in its product; None: it has none, or is to be done again.
    last_failure : FailureKind or None
        How the last attempt failed, since it was last told to begin afresh; None: it did not.
    n_transient : int
        Transient failures since then, those for want of memory included.
    """

    wanted: Wanted
    deadline_utc: datetime
    min_subbands: int
    subbands: int = 0
    running: bool = False
    published: int | None = None
    last_failure: FailureKind | None = None
    n_transient: int = 0


def derive_state(facts: GroupFacts, now: datetime) -> GroupState:
    """Derive the state of a group; `state_sql.state_case` says the same in SQL.

    A decision comes first, even while an attempt is under way: what that makes is not published.
    """
    decided = {Wanted.NOTHING: GroupState.IGNORED, Wanted.QUARANTINED: GroupState.QUARANTINED}
    if facts.wanted in decided:
        return decided[facts.wanted]
    if facts.running:
        return GroupState.RUNNING
    if facts.published is not None:
        return GroupState.DONE if facts.published == ALL_SUBBANDS else GroupState.PARTIAL
    if facts.last_failure is FailureKind.BAD_DATA:
        return GroupState.QUARANTINED
    if facts.last_failure is FailureKind.BUG or facts.n_transient > TRANSIENT_RETRIES:
        return GroupState.FAILED
    return _from_files(facts, now)


def _from_files(facts: GroupFacts, now: datetime) -> GroupState:
    if facts.subbands == ALL_SUBBANDS:
        return GroupState.READY
    if now < facts.deadline_utc:
        return GroupState.COLLECTING
    return GroupState.READY if facts.subbands.bit_count() >= facts.min_subbands else GroupState.QUARANTINED


def too_few(facts: GroupFacts, state: GroupState) -> str:
    """Say why a group that nobody quarantined is quarantined."""
    if state is not GroupState.QUARANTINED:
        return ""
    n_good = facts.subbands.bit_count()
    return f"only {n_good} good subbands at its deadline, and {facts.min_subbands} are the minimum"
