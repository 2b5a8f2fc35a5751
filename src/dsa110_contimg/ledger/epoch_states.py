"""What an epoch is, in the ledger's words: plain values, and the state that follows from them."""

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from dsa110_contimg.ledger.states import TRANSIENT_RETRIES, FailureKind, GroupState

THIN = "thin"
"""In place of a kind of failure: the hour has too few images, and nothing was tried."""
BY_HAND = "by-hand"
"""Likewise: its directory is there, and is not of the stream's making."""
_UNTRIED = {THIN, BY_HAND}
_FINAL = {*_UNTRIED, FailureKind.BAD_DATA.value, FailureKind.BUG.value}
_UNFINISHED = {GroupState.COLLECTING, GroupState.READY, GroupState.RUNNING}


class EpochState(StrEnum):
    """The state of an epoch, derived and never set."""

    OPEN = "open"  # its hour goes on, or its groups are being worked on; or it is about to be made, or tried again
    RUNNING = "running"  # an attempt is under way
    DONE = "done"  # published, and part of the light curves or about to be
    BAD = "bad"  # published, and kept apart: its quality is not what it should be
    THIN = "thin"  # its hour has closed with too few images
    BY_HAND = "by-hand"  # its directory is there, made by somebody else: the stream leaves it as it is
    FAILED = "failed"  # a bug, bad images, or a failure that did not pass


class Epoch(NamedTuple):
    """An epoch, as the ledger knows it.

    Attributes
    ----------
    id, strip : str
        As ``naming`` writes them.
    state : EpochState
    start_mjd, end_mjd : float
        The hour [MJD, UTC].
    published_utc, kept_utc, retired_utc : datetime or None
        When it was published, became part of the light curves, and was removed.
    path : Path or None
        Its directory.
    size_bytes : int
    inputs : dict of str to str
        Checksums of the images that went into it, by group; `tried`: of those of the last attempt.
    verdict : str
        ``good``, ``usable`` or ``bad``; nothing as long as there is none.
    facts : dict
        What else is known of it: the ``reasons`` of the verdict, the numbers of images, sources and measurements.
    n_attempts : int
    not_before_utc : datetime or None
        It is not tried before.
    again : bool
        An operator wants it done again.
    given_up : bool
        Whether what was `tried` last failed for good.
    reason : str
        Why the last attempt failed, or none was made.
    """

    id: str
    strip: str
    state: EpochState
    start_mjd: float
    end_mjd: float
    published_utc: datetime | None
    kept_utc: datetime | None
    retired_utc: datetime | None
    path: Path | None
    checksum: str
    size_bytes: int
    inputs: dict[str, str]
    tried: dict[str, str]
    verdict: str
    facts: dict[str, Any]
    current_attempt: int | None
    n_attempts: int
    n_transient: int
    not_before_utc: datetime | None
    again: bool
    given_up: bool
    reason: str


class EpochGroup(NamedTuple):
    """A group that may be part of an epoch.

    Attributes
    ----------
    id : str
    start_mjd : float
        [MJD, UTC]
    state : GroupState
    dec_deg : float or None
        Apparent declination of the pointing; None: it is not known (yet).
    images : Path or None
        The directory of its images, if there is one; `checksum` and `size_bytes`: of that.
    published_utc : datetime or None
        When its images were published.
    """

    id: str
    start_mjd: float
    state: GroupState
    dec_deg: float | None
    images: Path | None
    checksum: str
    size_bytes: int
    published_utc: datetime | None

    @property
    def finished(self) -> bool:
        """Whether nothing more comes of it by itself."""
        return self.state not in _UNFINISHED


def given_up(last_failure: str | None, n_transient: int) -> bool:
    """Whether what was tried is not tried again by itself."""
    return last_failure in _FINAL or n_transient > TRANSIENT_RETRIES


def epoch_state(
    current_attempt: int | None, published: object, verdict: str, last_failure: str | None, n_transient: int
) -> EpochState:
    """Derive the state of an epoch. What is published stands, whatever became of an attempt to do it again."""
    if current_attempt is not None:
        return EpochState.RUNNING
    if published is not None:
        return EpochState.BAD if verdict == "bad" else EpochState.DONE
    if last_failure in _UNTRIED:
        return EpochState(last_failure)
    return EpochState.FAILED if given_up(last_failure, n_transient) else EpochState.OPEN
