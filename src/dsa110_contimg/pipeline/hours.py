"""Hours of sidereal time as groups are published: which strips and hours there are, and which are due to be made.

What is due follows from the ledger alone: the images that there are, with their checksums, against those that went
into what is published, or into what failed. So nothing has to be remembered, and late or recalibrated groups are like
any other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dsa110_contimg.ledger.epoch_states import THIN
from dsa110_contimg.ledger.epochs import EpochSeen
from dsa110_contimg.ledger.records import mjd_of, utc_of
from dsa110_contimg.mosaic.epochs import Epoch as Hour
from dsa110_contimg.mosaic.epochs import epoch_start, is_near, turned_hours
from dsa110_contimg.naming import epoch_id, strip_name
from dsa110_contimg.telescope.band import HEADER_SITE, INTEGRATION_S, INTEGRATIONS_PER_GROUP
from dsa110_contimg.telescope.transits import SIDEREAL_DAY

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime

    from dsa110_contimg.ledger.epoch_states import Epoch, EpochGroup
    from dsa110_contimg.ledger.ledger import Ledger

GROUP_D = INTEGRATION_S * INTEGRATIONS_PER_GROUP / 86400.0
"""Length of a group [days]."""
HOUR_D = SIDEREAL_DAY / 24.0
"""Length of an hour of sidereal time [days]."""
_PASSED_S = 60.0
_MOST_LOOKS = 100
_NEWEST = 4


class Next(Enum):
    """What is to be done about an epoch now."""

    NOTHING = "nothing"
    WAIT = "wait"
    THIN = "thin"
    MAKE = "make"


class Due(NamedTuple):
    """An epoch that is to be made, of these groups."""

    epoch: Epoch
    groups: tuple[EpochGroup, ...]

    @property
    def inputs(self) -> dict[str, str]:
        """Checksums of the images, by group."""
        return inputs_of(self.groups)

    @property
    def size_bytes(self) -> int:
        """Size of the images [bytes]."""
        return sum(group.size_bytes for group in self.groups)


class Rules(NamedTuple):
    """When an hour closes, and with how few images it is not made; of ``[epochs]``."""

    wait_s: float
    least_images: int


def inputs_of(groups: Iterable[EpochGroup]) -> dict[str, str]:
    """Give the checksums of the images of groups that have some."""
    return {group.id: group.checksum for group in groups if group.images is not None}


def judge(epoch: Epoch, groups: Sequence[EpochGroup], now: datetime, rules: Rules, *, passed: bool) -> Next:
    """Say what is to be done about an epoch.

    Parameters
    ----------
    epoch : Epoch
    groups : sequence of EpochGroup
        All that overlap its hour and may be of its strip.
    now : datetime
    rules : Rules
    passed : bool
        Whether data from after the hour have been seen.
    """
    inputs = inputs_of(groups)
    settled = all(group.finished for group in groups)
    pause = epoch.not_before_utc is not None and epoch.not_before_utc > now
    if epoch.current_attempt is not None:
        return Next.WAIT
    if epoch.again:
        if not inputs:
            return Next.THIN if settled else Next.WAIT
        return Next.WAIT if pause or not settled else Next.MAKE
    if epoch.given_up and epoch.tried == inputs:
        return Next.NOTHING
    if epoch.published_utc is not None and not is_outdated(epoch, inputs):
        return Next.NOTHING
    if pause or not settled or now < _closes(epoch, groups, rules.wait_s, passed=passed):
        return Next.WAIT
    return Next.MAKE if len(inputs) >= rules.least_images else Next.THIN


def is_outdated(epoch: Epoch, inputs: dict[str, str]) -> bool:
    """Whether there are other images now, and none of those that went in is gone: with fewer it would be worse."""
    changed = any(epoch.inputs.get(group) != checksum for group, checksum in inputs.items())
    return changed and epoch.retired_utc is None and not set(epoch.inputs) - set(inputs)


def will_be_made(epoch: Epoch, inputs: dict[str, str]) -> bool:
    """Whether an epoch will be made, or made again, of these images unless they change."""
    if epoch.again or epoch.current_attempt is not None:
        return True
    if epoch.retired_utc is not None or (epoch.given_up and epoch.tried == inputs):
        return False
    return epoch.published_utc is None or is_outdated(epoch, inputs)


def _closes(epoch: Epoch, groups: Sequence[EpochGroup], wait_s: float, *, passed: bool) -> datetime:
    """Say when an hour closes of which all groups are finished: at once when later data are there, else after a while.

    One that is published waits that while anyhow, so that several groups which change have it made again once.
    """
    last = [group.published_utc for group in groups if group.published_utc is not None]
    if epoch.published_utc is None and passed:
        return max(last, default=utc_of(epoch.end_mjd)) + timedelta(seconds=min(wait_s, _PASSED_S))
    return max([*last, utc_of(epoch.end_mjd)]) + timedelta(seconds=wait_s)


@dataclass
class Hours:
    """Finds the epochs that are due.

    Parameters
    ----------
    ledger : Ledger
    rules : Rules
    strips : list of str
        Strips that are known from elsewhere: of which there are light curves.
    """

    ledger: Ledger
    rules: Rules
    strips: list[str] = field(default_factory=list)
    _seen: int = 0
    _known: set[str] = field(default_factory=set)
    _open: dict[str, None] = field(default_factory=dict)  # in turn: those that were looked at last come last

    def __post_init__(self) -> None:
        known = self.ledger.epoch_strips()
        self._known = set(known)
        self.strips = list(dict.fromkeys([*known.values(), *sorted(self.strips)]))

    def all_done(self) -> bool:
        """Whether there is no epoch about which something will be done if no group changes any more."""
        self.notice()
        return not any(all(group.finished for group in self.groups(self.ledger.epoch(name))) for name in self._open)

    def notice(self) -> None:
        """Take in the images that were published since the last time, and what operators want again."""
        new: list[EpochSeen] = []
        for product_id, _group, start_mjd, dec_deg in self.ledger.images_since(self._seen):
            self._seen = product_id
            strip = self._strip_of(dec_deg)
            for hour in hours_of(start_mjd):
                new += self._note(hour, strip)
        self.ledger.note_epochs(new)
        self._open |= dict.fromkeys(self.ledger.asked_again())

    def _note(self, hour: Hour, strip: str) -> list[EpochSeen]:
        """Take an hour to be looked at; give it if it is new."""
        start = epoch_start(hour, HEADER_SITE.longitude_deg)
        name = epoch_id(start, strip)
        self._open[name] = None
        if name in self._known:
            return []
        self._known.add(name)
        end = epoch_start(Hour(hour.number + 1), HEADER_SITE.longitude_deg)
        return [EpochSeen(name, strip, mjd_of(start), mjd_of(end))]

    def _strip_of(self, dec_deg: float) -> str:
        """Name the strip of a pointing: the first that was near enough, so that it stays the same; or a new one."""
        near = next((strip for strip in self.strips if is_near(strip, dec_deg)), None)
        if near is not None:
            return near
        self.strips.append(strip_name(dec_deg))
        return self.strips[-1]

    def groups(self, epoch: Epoch) -> list[EpochGroup]:
        """List the groups that overlap an epoch's hour and are of its strip, or may turn out to be."""
        found = self.ledger.epoch_groups(epoch.start_mjd - GROUP_D, epoch.end_mjd)
        # Of a group without images it may not be known yet where it points; it is waited for.
        return [
            group
            for group in found
            if (group.images is None if group.dec_deg is None else self._strip_of(group.dec_deg) == epoch.strip)
        ]

    def due(self, now: datetime, busy: Collection[str] = ()) -> Due | None:
        """Find an epoch to make; the newest hours first, and of the others some each time, in turn.

        Parameters
        ----------
        now : datetime
        busy : collection of str
            Strips at which an attempt is under way.
        """
        newest = sorted(self._open, reverse=True)[:_NEWEST]
        looked = [*newest, *islice((name for name in self._open if name not in newest), _MOST_LOOKS - _NEWEST)]
        for name in looked:
            del self._open[name]
            epoch = self.ledger.epoch(name)
            if epoch.strip in busy:
                self._open[name] = None
                continue
            groups = self.groups(epoch)
            what = judge(epoch, groups, now, self.rules, passed=self.ledger.is_passed(epoch.end_mjd))
            if what is Next.THIN:
                inputs = inputs_of(groups)
                self.ledger.note_untried(name, THIN, inputs, too_few(len(inputs), self.rules.least_images))
            elif what is not Next.NOTHING:
                self._open[name] = None
            if what is Next.MAKE:
                return Due(epoch, tuple(group for group in groups if group.images is not None))
        return None


def too_few(n_images: int, least_images: int) -> str:
    """Say why an hour is not made."""
    return f"{n_images} images, and {least_images} are the least (epochs.least_images)"


def hours_of(start_mjd: float) -> list[Hour]:
    """Name the hours that a group overlaps which begins at a time [MJD, UTC]."""
    first, last = (
        int(np.floor(turned_hours(mjd, HEADER_SITE.longitude_deg))) for mjd in (start_mjd, start_mjd + GROUP_D)
    )
    return [Hour(number) for number in range(first, last + 1)]
