"""From groups that are ready to attempts under way, and back."""

from __future__ import annotations

import logging
import os
import platform
import time
from concurrent.futures import CancelledError
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dsa110_contimg.errors import ContimgError, GroupStateError, LedgerError, StaleAttemptError
from dsa110_contimg.ledger.records import GOOD, LATE, Stage
from dsa110_contimg.ledger.states import FailureKind
from dsa110_contimg.naming import compact
from dsa110_contimg.pipeline.calibration_inputs import TransitsAhead, calibration_options
from dsa110_contimg.pipeline.commit import commit, discard
from dsa110_contimg.pipeline.description import AttemptResult, BadFile, JobDescription
from dsa110_contimg.pipeline.failures import RESOURCE, TRANSIENT, kind_of, message_of
from dsa110_contimg.pipeline.imaging_inputs import imaging_options
from dsa110_contimg.pipeline.space import TIMES_OUTPUT
from dsa110_contimg.pipeline.stages import STAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from concurrent.futures import Future
    from datetime import datetime

    from dsa110_contimg.config.settings import Settings
    from dsa110_contimg.ledger.ledger import Ledger
    from dsa110_contimg.ledger.records import Attempt, GroupHistory
    from dsa110_contimg.pipeline.executors import Runner
    from dsa110_contimg.pipeline.health import Health
    from dsa110_contimg.pipeline.space import Space

log = logging.getLogger(__name__)

_OUTPUT_OVER_INPUT = 0.6
_LONGEST_S = 86400.0
_LONGEST_WAIT_S = 3600.0
_LOOK_AHEAD = 50
_MOST_READY = 1_000_000


class UnderWay(NamedTuple):
    """An attempt, and the promise of its end."""

    attempt: Attempt
    description: JobDescription
    future: Future[AttemptResult]
    bytes_in: int


class Dispatcher:
    """Starts attempts while there are workers and room, and takes in how they end."""

    def __init__(self, ledger: Ledger, settings: Settings, runner: Runner, space: Space, health: Health) -> None:
        self._ledger = ledger
        self._settings = settings
        self._runner = runner
        self._space = space
        self._health = health
        self._ratio = _OUTPUT_OVER_INPUT
        self._paused_until = 0.0
        self._transits = TransitsAhead(settings.sets.least_flux_jy)
        self.under_way: dict[str, UnderWay] = {}
        self.n_begun = 0
        self.on_done: Callable[[], object] = lambda: None  # the daemon's bell

    def start_ready(
        self, since: datetime | None = None, until: datetime | None = None, among: Collection[str] | None = None
    ) -> None:
        """Start what is ready, live groups first, while there are workers and room.

        Parameters
        ----------
        since, until : datetime, optional
            Only groups that began from `since` to `until`.
        among : collection of str, optional
            Only these groups.
        """
        free = self._settings.stream.workers - len(self._health.running)  # epochs are under way, too
        if free <= 0:
            return
        if time.monotonic() < self._paused_until or not self._has_room(0):
            return
        ready = self._next(free, since, until) if among is None else self._next_of(among, free)
        for gid in ready:
            history = self._ledger.group(gid)
            size = sum(file.size_bytes for file in history.files if file.outcome in {GOOD, LATE})
            if not self._has_room(self._need_bytes(size)):
                return
            try:
                self._start(history, size)
            except GroupStateError as error:
                log.debug("%s", error)  # an operator was faster

    def _next(self, free: int, since: datetime | None, until: datetime | None) -> list[str]:
        """List the groups to start; those first on which solutions for others may be found."""
        if "solve" not in self._settings.stream.stages:
            return self._ledger.ready_groups(limit=free, since=since, until=until)
        ready = self._ledger.ready_groups(limit=max(free, _LOOK_AHEAD), since=since, until=until)
        return self._transits.first(ready, self._ledger.last_observing())[:free]

    def _next_of(self, among: Collection[str], free: int) -> list[str]:
        """List the groups to start, of those that are named."""
        all_of_them = self._ledger.ready_groups(limit=_MOST_READY)
        return [gid for gid in all_of_them if gid in among][:free]

    def _need_bytes(self, bytes_in: int) -> int:
        return int(TIMES_OUTPUT * self._ratio * bytes_in)

    def _has_room(self, nbytes: int) -> bool:
        """Whether there is room for a job that needs so much; a change of that is said loudly."""
        shortage = self._space.shortage(nbytes)
        self._pause(shortage)
        return not shortage

    def _pause(self, reason: str) -> None:
        if reason and not self._health.paused:
            log.error("paused: %s. Jobs start again by themselves when there is room", reason)
            self._ledger.record_event("paused", reason)
        elif not reason and self._health.paused:
            log.warning("resumed: there is room again")
            self._ledger.record_event("resumed", "there is room again")
        self._health.paused = reason

    def _start(self, history: GroupHistory, bytes_in: int) -> None:
        gid = history.group.id
        attempt = self._ledger.begin_attempt(gid, host=platform.node())
        description = self._describe(history, attempt)
        self._ledger.note_process(
            attempt.id, pid=os.getpid(), host=platform.node(), log_path=Path(description.log_path)
        )
        self._space.reserve(attempt.id, self._need_bytes(bytes_in))
        log.info("%s: attempt %d begins", gid, attempt.number, extra={"group": gid, "attempt": attempt.id})
        future = self._runner.submit(description)
        self.n_begun += 1
        self.under_way[gid] = UnderWay(attempt, description, future, bytes_in)
        self._health.running[gid] = time.time()
        future.add_done_callback(lambda _: self.on_done())

    def _describe(self, history: GroupHistory, attempt: Attempt) -> JobDescription:
        settings, stream = self._settings, self._settings.stream
        gid = attempt.group_id
        timeouts_s = {name: stream.timeouts_s.get(name, STAGES[name].timeout_s) for name in stream.stages}
        name = f"{compact(gid)}-{attempt.id}"
        bad = [file for file in history.files if file.outcome not in {GOOD, LATE}]
        return JobDescription(
            group=gid,
            attempt_id=attempt.id,
            start_mjd=history.group.start_mjd,
            files={subband: str(path) for subband, path in self._ledger.group_files(gid).items()},
            set_aside=tuple(BadFile(str(file.path), file.outcome, file.reason) for file in bad),
            output=str(settings.paths.ms.absolute()),
            scratch=str(settings.paths.scratch.absolute()) if settings.paths.scratch else None,
            stages=stream.stages,
            timeouts_s=timeouts_s,
            deadline_s=min(_LONGEST_S, sum(timeouts_s.values()) + 120.0),
            heartbeat_s=stream.heartbeat_s,
            memory_cap_bytes=int(stream.memory_share_bytes),
            threads=max(1, settings.convert.n_workers // stream.workers),
            log_path=str(settings.paths.state.absolute() / "logs" / name[:8] / f"{name}.log"),
            jobs=str(settings.paths.state.absolute() / "jobs"),
            options={
                "convert": {
                    "writer": settings.convert.writer,
                    "phase_centre": settings.convert.phase_centre,
                    "min_subbands": history.group.min_subbands,
                    "antenna_positions": _text(settings.telescope.antenna_positions),
                },
                "logging": {"json": settings.logging.format == "json"},
                **calibration_options(self._ledger, settings, history.group.start_mjd),
                **imaging_options(settings),
            },
        )

    def take_results(self) -> None:
        """Take in the attempts that have ended."""
        for gid in [gid for gid, item in self.under_way.items() if item.future.done()]:
            item = self.under_way.pop(gid)
            self._health.running.pop(gid, None)
            self._space.release(item.attempt.id)
            result = result_of(item.future)
            self._health.count(result)
            self._settle(item, result)

    def _settle(self, item: UnderWay, result: AttemptResult) -> None:
        gid, manifest = item.attempt.group_id, result.manifest
        extra = {"group": gid, "attempt": item.attempt.id}
        if manifest is not None:
            try:
                state = commit(self._ledger, item.attempt, manifest, Path(item.description.output))
            except StaleAttemptError as error:
                result = AttemptResult(None, None, message_of(error), result.exit_code, manifest.stages)
            except LedgerError:
                raise  # what is published is recorded when the ledger can be written again
            except (ContimgError, OSError) as error:
                result = AttemptResult(None, kind_of(error), message_of(error), result.exit_code, manifest.stages)
            else:
                self._ratio = max(0.05, sum(made.size_bytes for made in manifest.products) / max(1, item.bytes_in))
                self._health.n_published += 1
                log.info("%s: %s", gid, state.value, extra=extra)
                return
        self._fail(item, result)

    def _fail(self, item: UnderWay, result: AttemptResult) -> None:
        gid = item.attempt.group_id
        if result.exit_code is not None:
            discard(item.attempt, Path(item.description.output), self._settings.paths.scratch)
        item.description.path.unlink(missing_ok=True)  # its supervisor may be dead
        kind = FailureKind(result.failure) if result.failure else None
        retry_s = self._settings.stream.retry_s
        history = self._ledger.group(gid)
        state = self._ledger.end_attempt(
            item.attempt.id,
            kind,
            result.message,
            exit_code=result.exit_code,
            stages=[Stage(*stage) for stage in result.stages],
            retry_after_s=patience_s(kind, retry_s, history.facts.n_transient, history.attempts),
        )
        level = logging.ERROR if kind in {FailureKind.BUG, FailureKind.RESOURCE} else logging.WARNING
        log.log(
            level, "%s: %s (%s): it is %s; log: %s",
            *(gid, result.message, kind or "interrupted", state.value, item.description.log_path),
            extra={"group": gid, "attempt": item.attempt.id},
        )  # fmt: skip
        if kind is FailureKind.RESOURCE and not result.alone:
            self._paused_until = time.monotonic() + retry_s
            self._pause(result.message)

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


def patience_s(kind: FailureKind | None, retry_s: float, n_transient: int, attempts: Sequence[Attempt]) -> float | None:
    """Say how long to wait after a failure [s], given those before; None: no longer than otherwise."""
    if kind is FailureKind.TRANSIENT:
        return retry_s * 4.0**n_transient
    if kind is FailureKind.RESOURCE:
        return min(_LONGEST_WAIT_S, retry_s * 2.0 ** n_starved(attempts))
    return None


def n_starved(attempts: Sequence[Attempt]) -> int:
    """Count the attempts that found no room since the last that failed otherwise, or did not."""
    ended = [attempt.failure_kind for attempt in attempts if attempt.ended_utc is not None]
    return len(list(takewhile(lambda kind: kind is FailureKind.RESOURCE, reversed(ended))))


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path.absolute())
