"""Names of sources made of their coordinates, and what positions such a name can mean.

``HHMM+DDd`` (``0137+331``) is the VLA's way, ``HHMM+DDMM`` (``J0137+3309``) the IAU's, ``HHMM+DD`` that of older
lists. Digits are cut off, not rounded, though not everybody did so. J or nothing before it stands for J2000, B or
nothing for B1950.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import erfa
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_NAME = re.compile(r"(?P<equinox>[JB]?)(?P<hh>\d{2})(?P<mm>\d{2})(?P<sign>[+-])(?P<dec>\d{2,4})")
_MINUTES = 24 * 60


class CoordinateName(NamedTuple):
    """What a name says of a position.

    Attributes
    ----------
    equinox : {"J", "B", ""}
        J2000, B1950, or not said.
    ra_min : int
        Right ascension in minutes of time, cut off.
    sign : {1, -1}
        Of the declination.
    dec : int
        Absolute declination in units of 1 deg, 0.1 deg or 1', cut off.
    per_deg : {1, 10, 60}
        Such units in a degree.
    """

    equinox: str
    ra_min: int
    sign: int
    dec: int
    per_deg: int

    def means(self, ra_deg: ArrayLike, dec_deg: ArrayLike) -> NDArray[np.bool_]:
        """Whether these positions [deg], of the name's equinox, have this name."""
        ra_min, sign, dec = self._cut(ra_deg, dec_deg)
        return np.asarray((ra_min == self.ra_min) & (sign == self.sign) & (dec == self.dec))

    def may_mean(self, ra_deg: ArrayLike, dec_deg: ArrayLike) -> NDArray[np.bool_]:
        """Whether they have it, or one of which the last digit of either coordinate differs by one."""
        ra_min, sign, dec = self._cut(ra_deg, dec_deg)
        away = (ra_min - self.ra_min + _MINUTES // 2) % _MINUTES - _MINUTES // 2
        return np.asarray((abs(away) <= 1) & (abs(sign * dec - self.sign * self.dec) <= 1))

    def _cut(self, ra_deg: ArrayLike, dec_deg: ArrayLike) -> tuple[NDArray[np.int64], ...]:
        ra, dec = np.asarray(ra_deg, np.float64), np.asarray(dec_deg, np.float64)
        # A micro-unit keeps what lies on a digit's edge from being lost to rounding.
        ra_min = np.floor(ra % 360.0 * 4.0 + 1e-6).astype(np.int64) % _MINUTES
        return ra_min, np.where(dec < 0, -1, 1), np.floor(abs(dec) * self.per_deg + 1e-6).astype(np.int64)


def parse_coordinate_name(text: str) -> CoordinateName | None:
    """Read a name in capitals without spaces; None where it is not made of coordinates."""
    match = _NAME.fullmatch(text)
    if match is None:
        return None
    digits = match["dec"]
    dec, per_deg = int(digits), {2: 1, 3: 10, 4: 60}[len(digits)]
    if per_deg == 60:
        if dec % 100 >= 60:
            return None
        dec = dec // 100 * 60 + dec % 100
    ra_min = int(match["hh"]) * 60 + int(match["mm"])
    if ra_min >= _MINUTES or int(match["mm"]) >= 60 or dec > 90 * per_deg:
        return None
    return CoordinateName(match["equinox"], ra_min, -1 if match["sign"] == "-" else 1, dec, per_deg)


def b1950(ra_deg: ArrayLike, dec_deg: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Turn J2000 into B1950 (FK4) positions, at the epoch 1950, of sources without proper motion.

    Parameters
    ----------
    ra_deg, dec_deg : array_like
        J2000 [deg]; ICRS is the same to 0.03".

    Returns
    -------
    ra_deg, dec_deg : ndarray
        B1950 [deg], right ascension in [0, 360). By ERFA's fk54z (Seidelmann, Explanatory Supplement to the
        Astronomical Almanac, 1992, section 3.59).
    """
    ra, dec, _, _ = erfa.fk54z(np.radians(ra_deg), np.radians(dec_deg), 1950.0)
    return np.degrees(ra) % 360.0, np.degrees(dec)


def vla_name(ra_deg: float, dec_deg: float) -> str:
    """Name a position in the VLA's way, ``HHMM+DDd``."""
    ra_min, tenths = int(ra_deg % 360.0 * 4.0 + 1e-6) % _MINUTES, int(abs(dec_deg) * 10 + 1e-6)
    return f"{ra_min // 60:02d}{ra_min % 60:02d}{'-' if dec_deg < 0 else '+'}{tenths:03d}"
