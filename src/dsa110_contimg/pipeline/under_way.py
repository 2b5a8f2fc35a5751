"""Attempts under way, at groups or at epochs: handing them to what runs them, and taking in how they end."""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from concurrent.futures import CancelledError
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dsa110_contimg.errors import ContimgError, LedgerError, StaleAttemptError
from dsa110_contimg.ledger.records import Stage
from dsa110_contimg.ledger.states import FailureKind
from dsa110_contimg.pipeline.commit import discard
from dsa110_contimg.pipeline.description import AttemptResult
from dsa110_contimg.pipeline.failures import RESOURCE, TRANSIENT, kind_of, message_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future
    from enum import StrEnum

    from dsa110_contimg.config.settings import Settings
    from dsa110_contimg.ledger.ledger import Ledger
    from dsa110_contimg.ledger.records import Attempt
    from dsa110_contimg.pipeline.description import JobDescription, Manifest
    from dsa110_contimg.pipeline.executors import Runner
    from dsa110_contimg.pipeline.health import Health
    from dsa110_contimg.pipeline.space import Space

log = logging.getLogger(__name__)

_LONGEST_WAIT_S = 3600.0

MEMORY_REMEDY = "raise stream.memory_gb, lower stream.workers, or make images smaller (image.size)"
"""What to do about a job that needs more memory than it may have."""


class Shared(NamedTuple):
    """What attempts at epochs share with those at groups: where they run, room, and what is said of them."""

    runner: Runner
    space: Space
    health: Health


class UnderWay(NamedTuple):
    """An attempt, and the promise of its end."""

    attempt: Attempt
    description: JobDescription
    future: Future[AttemptResult]
    bytes_in: int


class Ending(NamedTuple):
    """How an attempt ended that made no product."""

    kind: FailureKind | None
    result: AttemptResult
    retry_after_s: float | None

    @property
    def stages(self) -> list[Stage]:
        """What it did, as the ledger has it."""
        return [Stage(*stage) for stage in self.result.stages]


class AttemptsUnderWay(ABC):
    """Has attempts run, and takes in how they end; what is recorded of that differs between groups and epochs.

    Parameters
    ----------
    ledger : Ledger
    settings : Settings
    shared : Shared

    Attributes
    ----------
    under_way : dict of str to UnderWay
        By what there may be one attempt of at a time: a group, or a strip.
    on_done : callable
        The daemon's bell.
    """

    def __init__(self, ledger: Ledger, settings: Settings, shared: Shared) -> None:
        self._ledger = ledger
        self._settings = settings
        self._runner, self._space, self._health = shared
        self.under_way: dict[str, UnderWay] = {}
        self.on_done: Callable[[], object] = lambda: None

    @abstractmethod
    def _commit(self, item: UnderWay, manifest: Manifest) -> StrEnum:
        """Publish what an attempt made, and record it; give the state."""

    @abstractmethod
    def _published(self, item: UnderWay, manifest: Manifest, state: StrEnum) -> None:
        """Take note that it was published."""

    @abstractmethod
    def _before(self, unit: str) -> tuple[int, Sequence[Attempt]]:
        """Give the number of transient failures so far, and the attempts."""

    @abstractmethod
    def _end(self, item: UnderWay, ending: Ending) -> StrEnum:
        """Record that an attempt made no product; give the state."""

    def run(self, key: str, attempt: Attempt, description: JobDescription, bytes_in: int, need_bytes: int) -> None:
        """Have an attempt run.

        Parameters
        ----------
        key : str
            Its place in `under_way`.
        attempt : Attempt
        description : JobDescription
        bytes_in : int
            Size of its inputs.
        need_bytes : int
            What is set aside for it on the disks.
        """
        self._space.reserve(attempt.group_id, need_bytes)
        future = self._runner.submit(description)
        self.under_way[key] = UnderWay(attempt, description, future, bytes_in)
        self._health.running[attempt.group_id] = time.time()
        future.add_done_callback(lambda _: self.on_done())

    def take_results(self) -> None:
        """Take in the attempts that have ended."""
        for key in [key for key, item in self.under_way.items() if item.future.done()]:
            item = self.under_way.pop(key)
            self._health.running.pop(item.attempt.group_id, None)
            self._space.release(item.attempt.group_id)
            result = result_of(item.future)
            self._health.count(result, kind_recorded(result))
            self._settle(item, result)

    def _settle(self, item: UnderWay, result: AttemptResult) -> None:
        manifest = result.manifest
        if manifest is None:
            self._fail(item, result)
            return
        try:
            state = self._commit(item, manifest)
        except StaleAttemptError as error:
            self._fail(item, AttemptResult(None, None, message_of(error), result.exit_code, manifest.stages))
        except LedgerError:
            raise  # what is published is recorded when the ledger can be written again
        except (ContimgError, OSError) as error:
            self._fail(item, AttemptResult(None, kind_of(error), message_of(error), result.exit_code, manifest.stages))
        else:
            self._published(item, manifest, state)

    def _fail(self, item: UnderWay, result: AttemptResult) -> None:
        unit = item.attempt.group_id
        if result.exit_code is not None:
            discard(item.attempt, Path(item.description.output), self._settings.paths.scratch)
        item.description.path.unlink(missing_ok=True)  # its supervisor may be dead
        kind = kind_recorded(result)
        wait_s = patience_s(kind, self._settings.stream.retry_s, *self._before(unit))
        if kind is FailureKind.MEMORY:
            result = replace(result, message=f"{result.message}: {MEMORY_REMEDY}")
        state = self._end(item, Ending(kind, result, wait_s))
        level = logging.WARNING if kind in {FailureKind.TRANSIENT, FailureKind.BAD_DATA, None} else logging.ERROR
        log.log(
            level, "%s: %s (%s): it is %s; log: %s",
            *(unit, result.message, kind or "interrupted", state.value, item.description.log_path),
            extra={"group": unit, "attempt": item.attempt.id},
        )  # fmt: skip

    def give_up(self) -> None:
        """End all attempts that are under way, as interrupted."""
        self._runner.close()
        self.take_results()
        for item in self.under_way.values():
            self._fail(item, AttemptResult(None, None, "interrupted: the daemon stops"))
        self.under_way.clear()


def result_of(future: Future[AttemptResult]) -> AttemptResult:
    """Say how an attempt ended, be it that its supervisor died."""
    try:
        return future.result()
    except CancelledError:
        return AttemptResult(None, None, "interrupted: the daemon stops")
    except Exception as error:  # noqa: BLE001 - whatever a cluster says, the group runs again
        kind = RESOURCE if type(error).__name__ == "KilledWorker" else TRANSIENT
        return AttemptResult(None, kind, f"the worker was lost ({message_of(error)})", exit_code=-9, alone=True)


def kind_recorded(result: AttemptResult) -> FailureKind | None:
    """Say as what a failure is recorded: want of memory has a name of its own, as it is not waited for for ever."""
    if result.failure == RESOURCE and result.starved:
        return FailureKind.MEMORY
    return FailureKind(result.failure) if result.failure else None


def patience_s(kind: FailureKind | None, retry_s: float, n_transient: int, attempts: Sequence[Attempt]) -> float | None:
    """Say how long to wait after a failure [s], given those before; None: no longer than otherwise."""
    if kind is FailureKind.TRANSIENT:
        return retry_s * 4.0**n_transient
    if kind is FailureKind.MEMORY:
        # It may be others who take it, and they may take longer: 10 s, 3 min, 43 min.
        return min(_LONGEST_WAIT_S, retry_s * 16.0**n_transient)
    if kind is FailureKind.RESOURCE:
        return min(_LONGEST_WAIT_S, retry_s * 2.0 ** n_starved(attempts))
    return None


def n_starved(attempts: Sequence[Attempt]) -> int:
    """Count the attempts that found no room since the last that failed otherwise, or did not."""
    ended = [attempt.failure_kind for attempt in attempts if attempt.ended_utc is not None]
    return len(list(takewhile(lambda kind: kind is FailureKind.RESOURCE, reversed(ended))))
