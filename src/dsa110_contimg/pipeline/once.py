"""Every group of a directory through the stages, once, without a daemon; groups with a calibrator's transit first.

It keeps a ledger as the daemon does, and publishes through the same functions: killed at any moment, it goes on where
it was when it is called again.
"""

from __future__ import annotations

import logging
import shutil
import threading
from typing import TYPE_CHECKING, NamedTuple

from dsa110_contimg.config.changes import with_changes
from dsa110_contimg.conversion.grouping import find_groups
from dsa110_contimg.errors import NoGroupsError
from dsa110_contimg.ledger.opening import open_ledger
from dsa110_contimg.ledger.records import GOOD
from dsa110_contimg.ledger.states import DecisionKind, GroupState, Wanted
from dsa110_contimg.naming import DECISIONS_NAME, LEDGER_NAME
from dsa110_contimg.pipeline.commit import recover
from dsa110_contimg.pipeline.dispatch import Dispatcher
from dsa110_contimg.pipeline.executors import make_runner
from dsa110_contimg.pipeline.health import Health
from dsa110_contimg.pipeline.register import register
from dsa110_contimg.pipeline.sightings import FileSighted, GroupSighted, Sightings
from dsa110_contimg.pipeline.space import Space
from dsa110_contimg.pipeline.stages import check_stages
from dsa110_contimg.pipeline.under_way import Shared
from dsa110_contimg.storage.publish import require_writable

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime
    from pathlib import Path

    from dsa110_contimg.config.settings import Settings
    from dsa110_contimg.conversion.listing import GroupListing, SubbandGroup
    from dsa110_contimg.ledger.ledger import Ledger

log = logging.getLogger(__name__)

_TICK_S = 0.5
_RETRY_S = 1.0
_UNFINISHED = frozenset((GroupState.COLLECTING, GroupState.READY, GroupState.RUNNING))
_GIVEN_UP = frozenset((GroupState.FAILED, GroupState.QUARANTINED))


class Outcome(NamedTuple):
    """What became of a group: its state, why if that is not plain, and its products."""

    group: str
    state: GroupState
    reason: str
    products: tuple[Path, ...]

    @property
    def failed(self) -> bool:
        """Whether it has no products, and gets none by itself."""
        return self.state in _GIVEN_UP


def run_once(
    settings: Settings,
    since: datetime | None = None,
    until: datetime | None = None,
    *,
    who: str = "run",
) -> list[Outcome]:
    """Take every group of the input directory through the stages of the stream, and end.

    What was published before is left alone; what failed before is tried again.

    Parameters
    ----------
    settings : Settings
        As of the stream.
    since, until : datetime, optional
        Only groups that began from `since` to `until` (UTC).
    who : str
        Who decides that groups which failed are tried again.

    Returns
    -------
    list of Outcome
        One for each group, in order of time.

    Raises
    ------
    NoGroupsError
        There are none.
    LedgerLockedError
        A daemon, or another run, owns the ledger.
    LedgerPlaceError, OutputError
        The state, product or scratch directory cannot be used.
    """
    check_stages(settings.stream.stages)
    # Nobody mends anything between two tries of a run.
    settings = with_changes(settings, stream={"retry_s": min(settings.stream.retry_s, _RETRY_S)})
    paths, convert = settings.paths, settings.convert
    listing = find_groups(paths.input, since, until, tolerance_s=convert.tolerance_s, min_subbands=convert.min_subbands)
    listing.require_groups()
    groups = sorted(listing.groups, key=lambda group: group.start_mjd)
    with (
        open_ledger(paths.state / LEDGER_NAME, decisions=paths.ms / DECISIONS_NAME) as ledger,
        ledger.lock("run"),
    ):
        for place in _places(settings):
            require_writable(place)
        recover(ledger, paths.ms.absolute(), paths.scratch)
        shutil.rmtree(paths.state / "jobs", ignore_errors=True)
        register(ledger, [_sightings(listing)], 0.0, convert.min_subbands)
        names = [group.id for group in groups]
        _try_again(ledger, names, who)
        first = _with_transit(groups, settings)
        with _Once(ledger, settings) as once:
            for turn in (first, names):
                once.finish(turn)
        return [_outcome(ledger, gid) for gid in names]


class _Once:
    """The loop: attempts are started and taken in until some groups have come to an end."""

    def __init__(self, ledger: Ledger, settings: Settings) -> None:
        stream = settings.stream
        self._ledger = ledger
        self._wake = threading.Event()
        self._space = Space(_places(settings), int(stream.reserve_gb * 1e9))
        self._space.start()
        self._runner = make_runner(stream.executor, stream.workers, stream.dask_address)
        self._dispatcher = Dispatcher(ledger, settings, Shared(self._runner, self._space, Health(stream.workers)))
        self._dispatcher.on_done = self._wake.set

    def __enter__(self) -> _Once:
        return self

    def __exit__(self, *_: object) -> None:
        self._dispatcher.give_up()
        self._runner.close()
        self._space.stop()

    def finish(self, names: Collection[str]) -> None:
        """Work until these groups have come to an end."""
        while True:
            self._dispatcher.take_results()
            self._dispatcher.start_ready(among=names)
            if not self._dispatcher.under_way and not _unfinished(self._ledger, names):
                return
            self._wake.wait(_TICK_S)
            self._wake.clear()


def _places(settings: Settings) -> tuple[Path, ...]:
    paths = settings.paths
    return tuple(dict.fromkeys((paths.ms, paths.scratch or paths.ms)))


def _sightings(listing: GroupListing) -> Sightings:
    """Say what is there as the lookout of the daemon does."""
    groups = [
        GroupSighted(
            group.id,
            group.start_mjd,
            (
                *(_sighted(path, GOOD, "") for path in group.files.values()),
                *(_sighted(item.path, item.outcome, item.reason) for item in group.set_aside),
            ),
        )
        for group in listing.groups
    ]
    home = {item.path for group in listing.groups for item in group.set_aside}
    strays = [_sighted(item.path, item.outcome, item.reason) for item in listing.set_aside if item.path not in home]
    return Sightings(tuple(groups), tuple(strays))


def _sighted(path: Path, outcome: str, reason: str) -> FileSighted:
    try:
        status = path.stat()
    except FileNotFoundError:
        return FileSighted(str(path.absolute()), 0, 0, outcome, reason)
    return FileSighted(str(path.absolute()), status.st_size, status.st_mtime_ns, outcome, reason)


def _try_again(ledger: Ledger, names: Sequence[str], who: str) -> None:
    """Forget the failures of an earlier run; what operators decided stands."""
    for gid in names:
        group = ledger.group(gid).group
        if group.state in _GIVEN_UP and group.wanted is Wanted.PRODUCTS and group.n_attempts:
            ledger.decide(gid, DecisionKind.RETRY, who, f"run again; before: {group.reason}")


def _with_transit(groups: Sequence[SubbandGroup], settings: Settings) -> list[str]:
    """List the groups on which solutions for the others may be found."""
    if "solve" not in settings.stream.stages:
        return []
    # Imported here: a run that solves nothing does without.
    from dsa110_contimg.calibration.choice import crossing
    from dsa110_contimg.conversion.calibrators import point_groups

    least_jy = settings.sets.least_flux_jy
    try:
        strips = point_groups(groups)
    except NoGroupsError as error:
        log.warning("%s: the conversion says what is wrong with them", error)
        return []
    found = [
        group.id
        for strip, members in strips
        for group in members
        if crossing(strip, group.start_mjd, group.end_mjd, least_jy)
    ]
    log.info("a calibrator transits in %s", ", ".join(found) or "none of the groups")
    return found


def _unfinished(ledger: Ledger, names: Collection[str]) -> bool:
    return any(group.id in names for group in ledger.groups(_UNFINISHED))


def _outcome(ledger: Ledger, gid: str) -> Outcome:
    history = ledger.group(gid)
    products = tuple(item.path for item in history.products if item.retired_utc is None and item.path.exists())
    return Outcome(gid, history.group.state, history.group.reason, tuple(dict.fromkeys(products)))
