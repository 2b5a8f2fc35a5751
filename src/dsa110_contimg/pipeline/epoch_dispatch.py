"""From hours that have closed to attempts at epochs, and back: one at a time of a strip."""

from __future__ import annotations

import logging
import os
import platform
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dsa110_contimg.config.changes import with_changes
from dsa110_contimg.errors import AttemptRunningError, ContimgError, LedgerError, NamingError, StaleAttemptError
from dsa110_contimg.ledger.records import Stage
from dsa110_contimg.ledger.states import FailureKind
from dsa110_contimg.naming import in_paths, strip_dec
from dsa110_contimg.pipeline.commit import discard
from dsa110_contimg.pipeline.description import AttemptResult, JobDescription
from dsa110_contimg.pipeline.dispatch import UnderWay, patience_s, result_of
from dsa110_contimg.pipeline.epoch_commit import commit_epoch
from dsa110_contimg.pipeline.failures import kind_of, message_of
from dsa110_contimg.pipeline.hours import Hours, Rules
from dsa110_contimg.pipeline.space import TIMES_OUTPUT
from dsa110_contimg.pipeline.stages import EPOCH, EPOCH_STAGE

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsa110_contimg.config.settings import Settings
    from dsa110_contimg.ledger.ledger import Ledger
    from dsa110_contimg.ledger.records import Attempt
    from dsa110_contimg.pipeline.epoch_keeping import EpochKeeper
    from dsa110_contimg.pipeline.executors import Runner
    from dsa110_contimg.pipeline.health import Health
    from dsa110_contimg.pipeline.hours import Due
    from dsa110_contimg.pipeline.space import Space

log = logging.getLogger(__name__)

_OUTPUT_OVER_INPUT = 0.5
_LOOK_S = 2.0


class Shared(NamedTuple):
    """What attempts at epochs share with those at groups: where they run, room, and what is said of them."""

    runner: Runner
    space: Space
    health: Health


class EpochDispatcher:
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
        self._ledger = ledger
        self._settings = settings
        self._runner, self._space, self._health = shared
        self._keeper = keeper
        strips = strips_below(settings.lightcurves_directory)
        self._hours = Hours(ledger, Rules(wait_s, settings.epochs.least_images), strips)
        self._looked = -_LOOK_S
        self.under_way: dict[str, UnderWay] = {}
        self.groups_begun = 0  # attempts at groups when an epoch was last begun: they take turns
        self.on_done: Callable[[], object] = lambda: None  # the daemon's bell

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
        try:
            self._start(due)
        except AttemptRunningError as error:
            log.debug("%s", error)
            return False
        return True

    def _start(self, due: Due) -> None:
        attempt = self._ledger.begin_epoch_attempt(due.epoch.id, due.inputs, host=platform.node())
        description = self._describe(due, attempt)
        self._ledger.note_epoch_process(attempt.id, pid=os.getpid(), log_path=Path(description.log_path))
        self._space.reserve(-attempt.id, _need_bytes(due))
        log.info("%s: attempt %d begins, of %d images", due.epoch.id, attempt.number, len(due.inputs))
        future = self._runner.submit(description)
        self.under_way[due.epoch.strip] = UnderWay(attempt, description, future, due.size_bytes)
        self._health.running[due.epoch.id] = time.time()
        future.add_done_callback(lambda _: self.on_done())

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

    def take_results(self) -> None:
        """Take in the attempts that have ended."""
        for strip in [strip for strip, item in self.under_way.items() if item.future.done()]:
            item = self.under_way.pop(strip)
            self._health.running.pop(item.attempt.group_id, None)
            self._space.release(-item.attempt.id)
            result = result_of(item.future)
            self._health.count(result)
            self._settle(item, result)

    def _settle(self, item: UnderWay, result: AttemptResult) -> None:
        epoch, manifest = item.attempt.group_id, result.manifest
        if manifest is not None:
            try:
                state = commit_epoch(self._ledger, item.attempt, manifest, Path(item.description.output))
            except StaleAttemptError as error:
                result = AttemptResult(None, None, message_of(error), result.exit_code, manifest.stages)
            except LedgerError:
                raise  # what is published is recorded when the ledger can be written again
            except (ContimgError, OSError) as error:
                result = AttemptResult(None, kind_of(error), message_of(error), result.exit_code, manifest.stages)
            else:
                self._health.n_epochs += 1
                log.info("%s: %s, %d images", epoch, state.value, len(manifest.inputs))
                self._keeper.look()
                return
        self._fail(item, result)

    def _fail(self, item: UnderWay, result: AttemptResult) -> None:
        epoch = item.attempt.group_id
        if result.exit_code is not None:
            discard(item.attempt, Path(item.description.output), self._settings.paths.scratch)
        item.description.path.unlink(missing_ok=True)  # its supervisor may be dead
        kind = FailureKind(result.failure) if result.failure else None
        n_transient = self._ledger.epoch(epoch).n_transient
        attempts = self._ledger.epoch_attempts(epoch)
        state = self._ledger.end_epoch_attempt(
            item.attempt.id,
            kind,
            result.message,
            exit_code=result.exit_code,
            stages=[Stage(*stage) for stage in result.stages],
            retry_after_s=patience_s(kind, self._settings.stream.retry_s, n_transient, attempts),
        )
        level = logging.ERROR if kind in {FailureKind.BUG, FailureKind.RESOURCE} else logging.WARNING
        said = (epoch, result.message, kind or "interrupted", state.value, item.description.log_path)
        log.log(level, "%s: %s (%s): it is %s; log: %s", *said)

    def give_up(self) -> None:
        """End all attempts that are under way, as interrupted; the runner is closed."""
        self.take_results()
        for item in self.under_way.values():
            self._fail(item, AttemptResult(None, None, "interrupted: the daemon stops"))
        self.under_way.clear()


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
