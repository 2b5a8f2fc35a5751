"""The daemon: it owns the ledger, sees files come, has groups worked on, and publishes what comes of them.

One loop does all of it in turn and waits for nobody: the lookout and the jobs are processes of their own, and the disks
are asked by threads. What it knows is in the ledger, so that it may die at any moment.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import threading
import time
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from dsa110_contimg.errors import ContimgError, LedgerFullError
from dsa110_contimg.ledger.opening import open_ledger
from dsa110_contimg.ledger.states import GroupState
from dsa110_contimg.naming import DECISIONS_NAME, LEDGER_NAME
from dsa110_contimg.pipeline.commit import clear_left_over, recover
from dsa110_contimg.pipeline.dispatch import Dispatcher
from dsa110_contimg.pipeline.epoch_commit import recover_epochs
from dsa110_contimg.pipeline.epoch_dispatch import EpochDispatcher
from dsa110_contimg.pipeline.epoch_keeping import EpochKeeper, keep_in, tidy_up
from dsa110_contimg.pipeline.executors import make_runner
from dsa110_contimg.pipeline.health import Health
from dsa110_contimg.pipeline.leftover_watch import LeftoverWatch
from dsa110_contimg.pipeline.lookout_orders import Orders
from dsa110_contimg.pipeline.register import register
from dsa110_contimg.pipeline.sightings import Lookout
from dsa110_contimg.pipeline.space import Space
from dsa110_contimg.pipeline.stages import check_stages
from dsa110_contimg.pipeline.systemd import notify
from dsa110_contimg.pipeline.under_way import Shared
from dsa110_contimg.storage.mounts import warn_of_fuse
from dsa110_contimg.storage.publish import require_writable

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from dsa110_contimg.config.settings import Settings
    from dsa110_contimg.ledger.ledger import Ledger

log = logging.getLogger(__name__)

DRAIN_S = 25.0
"""After SIGTERM jobs may go on for so long; with what else there is to do that stays below 30 s."""
EXIT_DRAINED = 3
"""Status after `drain`, on which systemd does not start the daemon again."""
_TICK_S = 0.5
_LATE_LOOK_S = 2.0
_HOUSEKEEPING_S = 3600.0
_EVENTS_KEPT = timedelta(days=90)
_REPLAY_DEADLINE_S = 5.0


class Stop(Enum):
    """Whether and how the daemon is to end."""

    NO = "no"
    TERM = "term"  # within 30 s
    DRAIN = "drain"  # when what is under way is done
    IDLE = "idle"  # a replay has come to its end


class Work(NamedTuple):
    """What starts attempts and takes them in: at groups, and at epochs."""

    groups: Dispatcher
    epochs: EpochDispatcher

    @property
    def under_way(self) -> bool:
        """Whether attempts are."""
        return bool(self.groups.under_way or self.epochs.under_way)

    def take_results(self) -> None:
        """Take in the attempts that have ended."""
        self.groups.take_results()
        self.epochs.take_results()

    def start(self, since: datetime | None, until: datetime | None) -> None:
        """Start what is ready: an epoch in its turn, groups, and an epoch if a worker is still free."""
        if self.groups.n_begun > self.epochs.groups_begun and self.epochs.start_due():
            self.epochs.groups_begun = self.groups.n_begun
        self.groups.start_ready(since, until)
        if self.epochs.start_due():
            self.epochs.groups_begun = self.groups.n_begun

    def give_up(self) -> None:
        """End all attempts that are under way, as interrupted."""
        self.groups.give_up()
        self.epochs.give_up()


class Daemon:
    """The stream.

    Parameters
    ----------
    settings : Settings
    since, until : datetime, optional
        Replay: only groups that began from `since` to `until` (UTC). If `until` has passed, it ends when all is done.
    """

    def __init__(self, settings: Settings, since: datetime | None = None, until: datetime | None = None) -> None:
        check_stages(settings.stream.stages)
        self.settings = settings
        self.since, self.until = since, until
        self.health = Health(settings.stream.workers)
        self.stop = Stop.NO
        self._wake = threading.Event()
        self._late: dict[str, float] = {}
        self._late_looked = self._housekept = time.monotonic()
        self._housekeeper = threading.Thread(target=lambda: None)

    def run(self, beside: AbstractContextManager[object] | None = None) -> int:
        """Run until told to stop; give the exit status.

        Parameters
        ----------
        beside : context manager, optional
            What is to run while the ledger is owned: the server of health and metrics.

        Raises
        ------
        LedgerLockedError
            Another daemon owns the ledger.
        LedgerPlaceError, OutputError
            The state, product or scratch directory cannot be used.
        """
        paths = self.settings.paths
        with (
            open_ledger(paths.state / LEDGER_NAME, decisions=paths.ms / DECISIONS_NAME) as ledger,
            ledger.lock("stream"),
        ):
            for place in self._places():
                require_writable(place)
                warn_of_fuse(place)
            with beside or nullcontext():
                while True:
                    try:
                        recover_epochs(ledger, paths.ms.absolute())
                        recover(ledger, paths.ms.absolute(), paths.scratch)
                        shutil.rmtree(paths.state / "jobs", ignore_errors=True)
                        return self._run(ledger)
                    except LedgerFullError as error:
                        self._wait_for_room(ledger, error)

    def _wait_for_room(self, ledger: Ledger, error: LedgerFullError) -> None:
        """Wait until the ledger can be written again; what was under way then is concluded as after a crash.

        Raises
        ------
        LedgerFullError
            The daemon is told to stop first.
        """
        self.health.running.clear()
        self.health.paused = str(error)
        log.error("paused: %s. It goes on by itself when there is room", error)
        while self.stop is Stop.NO:
            self.health.write(self.settings.paths.state)
            notify(WATCHDOG=1, STATUS=self.health.paused)
            self._wake.wait(1.0)
            try:
                ledger.record_event("resumed", "there is room for the ledger again")
            except LedgerFullError:
                continue
            log.warning("resumed: there is room for the ledger again")
            self.health.paused = ""
            return
        raise error

    def _places(self) -> tuple[Path, ...]:
        paths = self.settings.paths
        return tuple(dict.fromkeys((paths.ms, paths.scratch or paths.ms)))

    def _watched(self) -> tuple[Path, ...]:
        paths = self.settings.paths
        return (*self._places(), paths.input, paths.qa, paths.state)

    def _run(self, ledger: Ledger) -> int:
        stream = self.settings.stream
        space = Space(self._places(), int(stream.reserve_gb * 1e9))
        space.start()
        leftovers = LeftoverWatch(self._watched(), self.settings.housekeeping.watch_s)
        leftovers.start()
        runner = make_runner(stream.executor, stream.workers, stream.dask_address)
        shared = Shared(runner, space, self.health)
        dispatcher = Dispatcher(ledger, self.settings, shared)
        keeper = EpochKeeper(ledger, keep_in(self.settings), tidy_up(self.settings))
        epochs = EpochDispatcher(ledger, self.settings, shared, keeper, self._wait_s(self.settings.epochs.wait_s))
        dispatcher.on_done = epochs.on_done = self._wake.set
        work = Work(dispatcher, epochs)
        lookout = Lookout(self._orders(), self._wake.set)
        log.info("watching %s; products go to %s", self.settings.paths.input, self.settings.paths.ms)
        notify(READY=1)
        try:
            self._loop(ledger, work, lookout, space, leftovers)
            notify(STOPPING=1)
            work.give_up()
        finally:
            lookout.close()
            runner.close()
            keeper.stop()
            space.stop()
            leftovers.stop()
        return EXIT_DRAINED if self.stop is Stop.DRAIN else 0

    def _orders(self) -> Orders:
        stream, convert, paths = self.settings.stream, self.settings.convert, self.settings.paths
        return Orders(
            directory=str(paths.input.absolute()),
            ledger=str((paths.state / LEDGER_NAME).absolute()),
            settle_s=stream.settle_s,
            poll=stream.poll,
            poll_s=stream.poll_s,
            since=self.since.isoformat() if self.since else None,
            until=self.until.isoformat() if self.until else None,
            tolerance_s=convert.tolerance_s,
            min_subbands=convert.min_subbands,
        )

    def _loop(self, ledger: Ledger, work: Work, lookout: Lookout, space: Space, leftovers: LeftoverWatch) -> None:
        stopped_at = None
        while True:
            begun = time.monotonic()
            work.take_results()
            if self.stop is Stop.NO:
                self._take_in(ledger, lookout)
                work.start(self.since, self.until)
                self._look_for_end(ledger, work, lookout)
            if self.stop is not Stop.NO:
                stopped_at = stopped_at or begun
                waited_s = begun - stopped_at
                if not work.under_way or (self.stop is Stop.TERM and waited_s > DRAIN_S):
                    return
            self.health.leftovers = leftovers.totals()
            self._tell(lookout, space, time.monotonic() - begun)
            self._wake.wait(_TICK_S)
            self._wake.clear()

    def _take_in(self, ledger: Ledger, lookout: Lookout) -> None:
        seen = lookout.take()
        if seen:
            register(ledger, seen, self._deadline_s, self.settings.convert.min_subbands)
        now = time.monotonic()
        if now - self._late_looked > _LATE_LOOK_S:
            self._late_looked = now
            self._redo_late(ledger, now)
        if now - self._housekept > _HOUSEKEEPING_S and not self._housekeeper.is_alive():
            self._housekept = now
            # A thread: it looks at the disks.
            self._housekeeper = threading.Thread(target=self._keep_house, args=(ledger,), daemon=True)
            self._housekeeper.start()

    def _keep_house(self, ledger: Ledger) -> None:
        paths = self.settings.paths
        try:
            ledger.forget_events(datetime.now(UTC) - _EVENTS_KEPT)
            clear_left_over(ledger, paths.ms.absolute(), paths.scratch)
        except (ContimgError, OSError) as error:
            log.warning("housekeeping: %s", error)

    @property
    def _deadline_s(self) -> float:
        """How long a new group waits."""
        return self._wait_s(self.settings.stream.deadline_s)

    def _wait_s(self, usual_s: float) -> float:
        """Say how long to wait for more data: in a replay all files are there already."""
        return min(usual_s, _REPLAY_DEADLINE_S) if self.until and self.until < datetime.now(UTC) else usual_s

    def _redo_late(self, ledger: Ledger, now: float) -> None:
        """Redo groups once that late files make more complete: when all are there, or no more have come for a while."""
        if self.settings.stream.late != "redo":
            return
        waiting = ledger.late_groups()
        self._late = {gid: self._late.get(gid, now) for gid in waiting}
        for gid, first in self._late.items():
            whole = not ledger.group(gid).group.missing
            if (whole or now - first >= self._deadline_s) and ledger.request_redo(gid):
                log.info("%s: late files make it more complete: it is done again", gid, extra={"group": gid})

    def _look_for_end(self, ledger: Ledger, work: Work, lookout: Lookout) -> None:
        """See whether a replay has come to its end."""
        if self.until is None or self.until >= datetime.now(UTC) or work.under_way:
            return
        if not lookout.caught_up or lookout.pending or lookout.trouble:
            return
        unfinished = (GroupState.COLLECTING, GroupState.READY, GroupState.RUNNING)
        if self._late or ledger.groups(unfinished, since=self.since, until=self.until, limit=1):
            return
        if work.epochs.idle:
            self.stop = Stop.IDLE

    def _tell(self, lookout: Lookout, space: Space, seconds: float) -> None:
        health = self.health
        health.loop_seconds += seconds
        health.trouble, health.draining = lookout.trouble, self.stop is not Stop.NO
        health.free_bytes = space.free_bytes()
        health.write(self.settings.paths.state)
        notify(WATCHDOG=1, STATUS=health.paused or health.trouble or f"{len(health.running)} jobs under way")

    def on_signal(self, number: int, _frame: object) -> None:
        """Take SIGTERM, SIGINT (a second one ends at once) and SIGUSR1 (drain)."""
        if number == signal.SIGUSR1:
            self.stop = Stop.DRAIN if self.stop is Stop.NO else self.stop
        elif self.stop is Stop.TERM:
            os._exit(128 + number)  # jobs die with their lifelines
        else:
            self.stop = Stop.TERM
        self._wake.set()

    def take_signals(self) -> None:
        """Have the process's signals come to `on_signal`."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
            signal.signal(number, self.on_signal)
