"""The orientation of the Earth, from the table that came with the installation: nothing is ever fetched."""

from __future__ import annotations

import logging
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import astropy_iers_data
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

log = logging.getLogger(__name__)

_ARCSEC = np.pi / 180 / 3600
# Columns of the IERS file finals2000A.all (its readme.finals2000A): MJD; then from Bulletin A the flag of UT1-UTC
# (I measured, P predicted), x and y of the pole ["] and UT1-UTC [s]; then the same three from Bulletin B.
_MJD = slice(7, 15)
_FLAG = 57
_BULLETIN_A = (slice(18, 27), slice(37, 46), slice(58, 68))
_BULLETIN_B = (slice(134, 144), slice(144, 154), slice(154, 165))


class EarthOrientation(NamedTuple):
    """UT1-UTC and the pole at some moments, and how they are known.

    Attributes
    ----------
    ut1_utc_s : (T,) float64
        UT1-UTC [s].
    pole_x_rad, pole_y_rad : (T,) float64
        Position of the pole [rad].
    quality : str
        The worst of the moments': ``"measured"``, ``"predicted"``, or ``"outside the table"``: then the values at its
        nearest end are held, and right ascensions are wrong by 15" for each second that UT1 has moved since.
    """

    ut1_utc_s: NDArray[np.float64]
    pole_x_rad: NDArray[np.float64]
    pole_y_rad: NDArray[np.float64]
    quality: str


class _Table(NamedTuple):
    mjd: NDArray[np.float64]
    ut1_tai_s: NDArray[np.float64]
    leap_s: NDArray[np.float64]
    pole_x: NDArray[np.float64]
    pole_y: NDArray[np.float64]
    last_measured: float


def earth_orientation(mjd: ArrayLike) -> EarthOrientation:
    """Interpolate the Earth's orientation at some moments (linearly, as astropy does).

    Parameters
    ----------
    mjd : (T,) array_like
        Moments [MJD, UTC].
    """
    table = _read_table()
    times = np.atleast_1d(np.asarray(mjd, dtype=np.float64))
    # A leap second is a step of UT1-UTC at midnight: interpolate what has no step, and give the day's step back.
    day = np.clip(np.searchsorted(table.mjd, times, side="right") - 1, 0, table.mjd.size - 1)
    ut1_utc = np.interp(times, table.mjd, table.ut1_tai_s) + table.leap_s[day]
    x, y = (np.interp(times, table.mjd, values) * _ARCSEC for values in (table.pole_x, table.pole_y))
    if times.min() < table.mjd[0] or times.max() > table.mjd[-1]:
        quality = "outside the table"
    else:
        quality = "measured" if times.max() <= table.last_measured else "predicted"
    return EarthOrientation(ut1_utc, x, y, quality)


def warn_if_stale(orientation: EarthOrientation, what: str) -> None:
    """Log a warning where the Earth's orientation is not known at the time of what is being processed."""
    if orientation.quality == "outside the table":
        log.warning(
            "%s: no Earth-orientation data for its date: UT1-UTC is held at %.3f s and right ascensions may be off by "
            "some arcseconds; upgrade the package astropy-iers-data",
            what,
            orientation.ut1_utc_s[0],
        )


@cache
def _read_table() -> _Table:
    # Read with numpy: astropy's own reader takes 1.6 s, a third of a whole conversion.
    lines = Path(astropy_iers_data.IERS_A_FILE).read_text("ascii").splitlines()
    # The last lines are dates without values.
    lines = [line for line in lines if line[_BULLETIN_A[2]].strip()]
    mjd = np.array([float(line[_MJD]) for line in lines])
    values = np.array([_best(line) for line in lines])
    # Steps of UT1-UTC from one day to the next are leap seconds; the Earth itself gains milliseconds.
    leap_s = np.concatenate([[0.0], np.cumsum(np.rint(np.diff(values[:, 2])))])
    measured = [day for day, line in zip(mjd, lines, strict=True) if line[_FLAG] == "I"]
    return _Table(mjd, values[:, 2] - leap_s, leap_s, values[:, 0], values[:, 1], max(measured))


def _best(line: str) -> tuple[float, ...]:
    """Pole and UT1-UTC of one day, from Bulletin B where it has them."""
    columns = _BULLETIN_B if line[_BULLETIN_B[2]].strip() else _BULLETIN_A
    return tuple(float(line[column]) for column in columns)
