"""Hours of sidereal time: an epoch has the same groups of sky every day, so that a source gets the same weights.

The sky over the meridian at a moment is at right ascension = sidereal time, so a group spans as much right ascension as
its length in sidereal time, and an epoch's number counts the hours that the sky has turned.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dsa110_contimg.errors import MosaicError
from dsa110_contimg.mosaic.inputs import STRIP_DEG
from dsa110_contimg.naming import epoch_id, strip_dec, strip_name
from dsa110_contimg.telescope.geometry import apparent_directions
from dsa110_contimg.telescope.transits import SIDEREAL_DAY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dsa110_contimg.mosaic.inputs import Input
    from dsa110_contimg.telescope.site import Site

# Earth rotation angle at J2000.0 (IERS Conventions 2010, equation 5.15) [turns], and that moment [MJD].
_ERA_J2000, _MJD_J2000 = 0.7790572732640, 51544.5
_MJD_ZERO = datetime(1858, 11, 17, tzinfo=UTC)
_HOUR = 1.0 / 24.0
# A window that begins so much before an image's middle has it: a thousandth of a second, in days.
_ROUNDING = 1e-8


class Epoch(NamedTuple):
    """An hour of sidereal time.

    Attributes
    ----------
    number : int
        Hours since the sky was at 0h over Greenwich on the day of J2000.0; 24 a sidereal day.
    """

    number: int

    @property
    def hour(self) -> int:
        """Its hour of right ascension, 0 to 23."""
        return self.number % 24


def turned_hours(mjd: float, longitude_deg: float) -> float:
    """Hours that the sky has turned over a meridian until a moment, whole turns counted: sidereal time, unwrapped.

    Parameters
    ----------
    mjd : float
        The moment [MJD, UTC]; UT1 is taken to be UTC, which is right within a second.
    longitude_deg : float
        Of the meridian, east positive [deg].
    """
    return 24.0 * (_ERA_J2000 + (mjd - _MJD_J2000) / SIDEREAL_DAY + longitude_deg / 360.0)


def epoch_at(mjd: float, longitude_deg: float) -> Epoch:
    """Name the epoch of a moment."""
    return Epoch(int(np.floor(turned_hours(mjd, longitude_deg))))


def epochs_of(one: Input, longitude_deg: float) -> list[Epoch]:
    """Name the epochs that an image overlaps: one, or two if it spans a full hour."""
    middle = _middle_hours(one, longitude_deg)
    half = 12.0 * (one.header.end_mjd - one.header.start_mjd) / SIDEREAL_DAY
    first, last = int(np.floor(middle - half)), int(np.floor(middle + half))
    return [Epoch(number) for number in range(first, last + 1)]


def epoch_start(epoch: Epoch, longitude_deg: float) -> datetime:
    """Say when an epoch begins: UTC, to the second."""
    turns = epoch.number / 24.0 - longitude_deg / 360.0
    mjd = _MJD_J2000 + (turns - _ERA_J2000) * SIDEREAL_DAY
    return _MJD_ZERO + timedelta(seconds=round(mjd * 86400.0))


def strip_of(inputs: Sequence[Input], site: Site, known: Iterable[str] = ()) -> str:
    """Name the strip of images by the apparent declination of their pointing.

    The telescope points at a declination of date; the ICRS declination of its images changes along a strip by the
    precession since J2000.0, by 0.14 degrees to either side in 2025, and would give one strip several names.

    Parameters
    ----------
    inputs : sequence of Input
        Images; the median counts.
    site : Site
        Of the telescope.
    known : iterable of str
        Strips that there are: the nearest of them is it, if it is as near as images of one strip are.
    """
    decs = [
        np.degrees(np.arcsin(apparent_directions(one.plane.ra_deg, one.plane.dec_deg, one.header.middle_mjd, site)))[
            0, 0, 2
        ]
        for one in inputs
    ]
    return strip_at(float(np.median(decs)), known)


def strip_at(dec_deg: float, known: Iterable[str] = ()) -> str:
    """Name the strip of an apparent declination [deg]; see `strip_of`."""
    near = [strip for strip in known if is_near(strip, dec_deg)]
    return min(near, key=lambda strip: abs(strip_dec(strip) - dec_deg)) if near else strip_name(dec_deg)


def is_near(strip: str, dec_deg: float) -> bool:
    """Whether an apparent declination [deg] may belong to a strip."""
    return abs(strip_dec(strip) - dec_deg) <= STRIP_DEG


def common_epoch(inputs: Sequence[Input], longitude_deg: float) -> Epoch:
    """Find the epoch that all images overlap; of two, the one in which more of their middles are.

    Raises
    ------
    MosaicError
        There is none.
    """
    overlapped = [set(epochs_of(one, longitude_deg)) for one in inputs]
    common = set.intersection(*overlapped) if overlapped else set()
    if not common:
        raise MosaicError("the images are not of one hour of sidereal time", remedy="Say which: --hour.")
    middles = [int(np.floor(turned_hours(one.header.middle_mjd, longitude_deg))) for one in inputs]
    return max(sorted(common), key=lambda epoch: middles.count(epoch.number))


def name_epoch(inputs: Sequence[Input], epoch: Epoch, site: Site, known: Iterable[str] = ()) -> str:
    """Give the id of an epoch, of a strip that the images tell; see `strip_of`."""
    return epoch_id(epoch_start(epoch, site.longitude_deg), strip_of(inputs, site, known))


def epoch_of(one: Input, longitude_deg: float) -> Epoch:
    """Name the epoch in which the middle of an image is."""
    return Epoch(int(np.floor(_middle_hours(one, longitude_deg))))


def _middle_hours(one: Input, longitude_deg: float) -> float:
    """Hours that the sky has turned until the middle of an image: whole turns by the clock, the rest by the sky."""
    ra_hours = one.plane.ra_deg / 15.0
    return ra_hours + 24.0 * round((turned_hours(one.header.middle_mjd, longitude_deg) - ra_hours) / 24.0)


def in_epoch(inputs: Sequence[Input], epoch: Epoch, longitude_deg: float) -> list[Input]:
    """Choose the images that overlap an epoch."""
    return [one for one in inputs if epoch in epochs_of(one, longitude_deg)]


def in_range(inputs: Sequence[Input], start_mjd: float, end_mjd: float) -> list[Input]:
    """Choose the images of which the middle is in a range of time."""
    return [one for one in inputs if start_mjd <= one.header.middle_mjd <= end_mjd]


def in_utc_hour(inputs: Sequence[Input], mjd: float) -> list[Input]:
    """Choose the images of which the middle is in the hour of UTC of a moment [MJD]."""
    hour = np.floor(mjd * 24.0 + _ROUNDING)
    return [one for one in inputs if np.floor(one.header.middle_mjd * 24.0 + _ROUNDING) == hour]


def windows(inputs: Sequence[Input], hours: float, step_hours: float) -> Iterator[list[Input]]:
    """Slide a window over images: those of which the middle is in it, then the next that are others.

    Parameters
    ----------
    inputs : sequence of Input
        The oldest first.
    hours, step_hours : float
        Length of the window, and how far it is moved [h, UTC]. The first begins with the first image.
    """
    if not inputs:
        return
    middles = np.array([one.header.middle_mjd for one in inputs])
    before: list[int] = []
    start = middles[0]
    while start <= middles[-1] + _ROUNDING:
        end = start + hours * _HOUR
        chosen = [int(k) for k in np.flatnonzero((middles >= start - _ROUNDING) & (middles < end - _ROUNDING))]
        # A window that has lost some, and gained none, has nothing new.
        if chosen and not set(chosen) <= set(before):
            yield [inputs[k] for k in chosen]
            before = chosen
        start += step_hours * _HOUR
