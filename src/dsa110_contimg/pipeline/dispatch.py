"""From groups that are ready to attempts under way, and back."""

from __future__ import annotations

import logging
import os
import platform
import time
from pathlib import Path
from typing import TYPE_CHECKING

from dsa110_contimg.errors import GroupStateError
from dsa110_contimg.ledger.records import GOOD, LATE
from dsa110_contimg.ledger.states import FailureKind
from dsa110_contimg.naming import compact
from dsa110_contimg.pipeline.calibration_inputs import TransitsAhead, calibration_options
from dsa110_contimg.pipeline.commit import commit
from dsa110_contimg.pipeline.description import BadFile, JobDescription
from dsa110_contimg.pipeline.imaging_inputs import imaging_options
from dsa110_contimg.pipeline.space import TIMES_OUTPUT
from dsa110_contimg.pipeline.stages import STAGES
from dsa110_contimg.pipeline.under_way import AttemptsUnderWay

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime
    from enum import StrEnum

    from dsa110_contimg.config.settings import Settings
    from dsa110_contimg.ledger.ledger import Ledger
    from dsa110_contimg.ledger.records import Attempt, GroupHistory
    from dsa110_contimg.ledger.states import GroupState
    from dsa110_contimg.pipeline.description import Manifest
    from dsa110_contimg.pipeline.under_way import Ending, Shared, UnderWay

log = logging.getLogger(__name__)

_OUTPUT_OVER_INPUT = 0.6
_LONGEST_S = 86400.0
_LOOK_AHEAD = 50
_MOST_READY = 1_000_000


class Dispatcher(AttemptsUnderWay):
    """Starts attempts at groups while there are workers and room, and takes in how they end."""

    def __init__(self, ledger: Ledger, settings: Settings, shared: Shared) -> None:
        super().__init__(ledger, settings, shared)
        self._ratio = _OUTPUT_OVER_INPUT
        self._paused_until = 0.0
        self._transits = TransitsAhead(settings.sets.least_flux_jy)
        self.n_begun = 0

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
        log.info("%s: attempt %d begins", gid, attempt.number, extra={"group": gid, "attempt": attempt.id})
        self.run(gid, attempt, description, bytes_in, self._need_bytes(bytes_in))
        self.n_begun += 1

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

    def _commit(self, item: UnderWay, manifest: Manifest) -> GroupState:
        return commit(self._ledger, item.attempt, manifest, Path(item.description.output))

    def _published(self, item: UnderWay, manifest: Manifest, state: StrEnum) -> None:
        gid = item.attempt.group_id
        self._ratio = max(0.05, sum(made.size_bytes for made in manifest.products) / max(1, item.bytes_in))
        self._health.n_published += 1
        log.info("%s: %s", gid, state.value, extra={"group": gid, "attempt": item.attempt.id})

    def _before(self, unit: str) -> tuple[int, Sequence[Attempt]]:
        history = self._ledger.group(unit)
        return history.facts.n_transient, history.attempts

    def _end(self, item: UnderWay, ending: Ending) -> GroupState:
        result = ending.result
        state = self._ledger.end_attempt(
            item.attempt.id,
            ending.kind,
            result.message,
            exit_code=result.exit_code,
            stages=ending.stages,
            retry_after_s=ending.retry_after_s,
        )
        if ending.kind is FailureKind.RESOURCE and not result.alone:
            self._paused_until = time.monotonic() + self._settings.stream.retry_s
            self._pause(result.message)
        return state


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path.absolute())
