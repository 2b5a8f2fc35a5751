"""Hours of sidereal time: an epoch has the same groups of sky every day, so that a source gets the same weights.

The sky over the meridian at a moment is at right ascension = sidereal time, so a group spans as much right ascension as
its length in sidereal time, and an epoch's number counts the hours that the sky has turned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dsa110_contimg.telescope.transits import SIDEREAL_DAY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsa110_contimg.mosaic.inputs import Input

# Earth rotation angle at J2000.0 (IERS Conventions 2010, equation 5.15) [turns], and that moment [MJD].
_ERA_J2000, _MJD_J2000 = 0.7790572732640, 51544.5


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
    middle = turned_hours(one.header.middle_mjd, longitude_deg)
    # The image is where its phase centre is: the whole turns are from the clock, the rest from the sky.
    middle = one.plane.ra_deg / 15.0 + 24.0 * round((middle - one.plane.ra_deg / 15.0) / 24.0)
    half = 12.0 * (one.header.end_mjd - one.header.start_mjd) / SIDEREAL_DAY
    first, last = int(np.floor(middle - half)), int(np.floor(middle + half))
    return [Epoch(number) for number in range(first, last + 1)]


def in_epoch(inputs: Sequence[Input], epoch: Epoch, longitude_deg: float) -> list[Input]:
    """Choose the images that overlap an epoch."""
    return [one for one in inputs if epoch in epochs_of(one, longitude_deg)]


def in_range(inputs: Sequence[Input], start_mjd: float, end_mjd: float) -> list[Input]:
    """Choose the images of which the middle is in a range of time."""
    return [one for one in inputs if start_mjd <= one.header.middle_mjd <= end_mjd]
