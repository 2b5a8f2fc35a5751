"""From hours that have closed to attempts at epochs, and back: one at a time of a strip."""

from __future__ import annotations

import logging
import os
import platform
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from dsa110_contimg.config.changes import with_changes
from dsa110_contimg.errors import AttemptRunningError, NamingError
from dsa110_contimg.ledger.epoch_states import BY_HAND
from dsa110_contimg.naming import epoch_directory_name, in_paths, strip_dec
from dsa110_contimg.pipeline.description import JobDescription
from dsa110_contimg.pipeline.epoch_commit import commit_epoch
from dsa110_contimg.pipeline.hours import Hours, Rules
from dsa110_contimg.pipeline.space import TIMES_OUTPUT
from dsa110_contimg.pipeline.stages import EPOCH, EPOCH_STAGE
from dsa110_contimg.pipeline.under_way import AttemptsUnderWay

if TYPE_CHECKING:
    from collections.abc import Sequence
    from enum import StrEnum

    from dsa110_contimg.config.settings import Settings
    from dsa110_contimg.ledger.epoch_states import EpochState
    from dsa110_contimg.ledger.ledger import Ledger
    from dsa110_contimg.ledger.records import Attempt
    from dsa110_contimg.pipeline.description import Manifest
    from dsa110_contimg.pipeline.epoch_keeping import EpochKeeper
    from dsa110_contimg.pipeline.hours import Due
    from dsa110_contimg.pipeline.under_way import Ending, Shared, UnderWay

log = logging.getLogger(__name__)

_OUTPUT_OVER_INPUT = 0.5
_LOOK_S = 2.0


class EpochDispatcher(AttemptsUnderWay):
    """Starts attempts at epochs, and takes in how they end.

    Parameters
    ----------
    ledger : Ledger
    settings : Settings
    shared : Shared
    keeper : EpochKeeper
        Makes what is published part of the light curves; before it has, no other epoch of the strip is begun.
    wait_s : float
        How long an hour waits for further groups [s].
    """

    def __init__(self, ledger: Ledger, settings: Settings, shared: Shared, keeper: EpochKeeper, wait_s: float) -> None:
        super().__init__(ledger, settings, shared)
        self._keeper = keeper
        strips = strips_below(settings.lightcurves_directory)
        self._hours = Hours(ledger, Rules(wait_s, settings.epochs.least_images), strips)
        self._looked = -_LOOK_S
        self.groups_begun = 0  # attempts at groups when an epoch was last begun: they take turns

    @property
    def idle(self) -> bool:
        """Whether nothing is under way, nor will be as things are."""
        if not self._settings.epochs.enabled:
            return not self.under_way
        return not self.under_way and not self._keeper.busy() and self._hours.all_done()

    def start_due(self) -> bool:
        """Start an attempt, if an hour is due, a worker is free and there is room; say whether."""
        now = time.monotonic()
        if not self._settings.epochs.enabled or now - self._looked < _LOOK_S:
            return False
        self._looked = now
        self._hours.notice()
        self._keeper.look()
        if len(self._health.running) >= self._settings.stream.workers:
            return False
        due = self._hours.due(datetime.now(UTC), {*self.under_way, *self._keeper.busy()})
        if due is None:
            return False
        shortage = self._space.shortage(_need_bytes(due))
        if shortage:
            log.warning("%s: not begun: %s", due.epoch.id, shortage)
            self._looked = now + 60.0
            return False
        if due.epoch.published_utc is None and self._is_there(due):
            return False
        try:
            self._start(due)
        except AttemptRunningError as error:
            log.debug("%s", error)
            return False
        return True

    def _is_there(self, due: Due) -> bool:
        """Whether somebody else has made an epoch already: over that nothing is published, so nothing is tried."""
        directory = self._settings.paths.ms.absolute() / epoch_directory_name(due.epoch.id)
        if not directory.exists():
            return False
        reason = f"{directory} is there already, and the stream did not make it"
        log.warning("%s: left as it is: %s. Move it away, then epochs retry", due.epoch.id, reason)
        self._ledger.note_untried(due.epoch.id, BY_HAND, due.inputs, reason)
        return True

    def _start(self, due: Due) -> None:
        attempt = self._ledger.begin_epoch_attempt(due.epoch.id, due.inputs, host=platform.node())
        description = self._describe(due, attempt)
        self._ledger.note_epoch_process(attempt.id, pid=os.getpid(), log_path=Path(description.log_path))
        log.info("%s: attempt %d begins, of %d images", due.epoch.id, attempt.number, len(due.inputs))
        self.run(due.epoch.strip, attempt, description, due.size_bytes, _need_bytes(due))

    def _describe(self, due: Due, attempt: Attempt) -> JobDescription:
        settings, stream = self._settings, self._settings.stream
        timeout_s = stream.timeouts_s.get(EPOCH, EPOCH_STAGE.timeout_s)
        name = f"{in_paths(due.epoch.id)}-{attempt.id}"
        paths = with_changes(settings, paths={"ms": settings.paths.ms.absolute()})
        return JobDescription(
            group=due.epoch.id,
            attempt_id=attempt.id,
            start_mjd=due.epoch.start_mjd,
            files={},
            set_aside=(),
            output=str(settings.paths.ms.absolute()),
            scratch=str(settings.paths.scratch.absolute()) if settings.paths.scratch else None,
            stages=(EPOCH,),
            timeouts_s={EPOCH: timeout_s},
            deadline_s=timeout_s + 120.0,
            heartbeat_s=stream.heartbeat_s,
            memory_cap_bytes=int(stream.memory_share_bytes),
            threads=max(1, settings.convert.n_workers // stream.workers),
            log_path=str(settings.paths.state.absolute() / "logs" / name[:8] / f"{name}.log"),
            jobs=str(settings.paths.state.absolute() / "jobs"),
            options={
                EPOCH: {
                    "images": [str(group.images) for group in due.groups],
                    "lightcurves": str(paths.lightcurves_directory.absolute()),
                    "settings": paths.model_dump(mode="json"),
                },
                "logging": {"json": settings.logging.format == "json"},
            },
            inputs=due.inputs,
        )

    def _commit(self, item: UnderWay, manifest: Manifest) -> EpochState:
        return commit_epoch(self._ledger, item.attempt, manifest, Path(item.description.output))

    def _published(self, item: UnderWay, manifest: Manifest, state: StrEnum) -> None:
        self._health.n_epochs += 1
        log.info("%s: %s, %d images", item.attempt.group_id, state.value, len(manifest.inputs))
        self._keeper.look()

    def _before(self, unit: str) -> tuple[int, Sequence[Attempt]]:
        return self._ledger.epoch(unit).n_transient, self._ledger.epoch_attempts(unit)

    def _end(self, item: UnderWay, ending: Ending) -> EpochState:
        result = ending.result
        return self._ledger.end_epoch_attempt(
            item.attempt.id,
            ending.kind,
            result.message,
            exit_code=result.exit_code,
            stages=ending.stages,
            retry_after_s=ending.retry_after_s,
        )


def strips_below(lightcurves: Path) -> list[str]:
    """List the strips that have light curves: a ledger may be younger than they."""
    found = []
    try:
        places = sorted(lightcurves.iterdir()) if lightcurves.is_dir() else []
    except OSError as error:
        log.warning("%s: its strips cannot be listed: %s", lightcurves, error.strerror or error)
        places = []
    for place in places:
        try:
            strip_dec(place.name)
        except NamingError:
            continue
        found.append(place.name)
    return found


def _need_bytes(due: Due) -> int:
    return int(TIMES_OUTPUT * _OUTPUT_OVER_INPUT * due.size_bytes)
