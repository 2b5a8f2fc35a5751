"""Where the Sun is, without a network and without an ephemeris file."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import erfa
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_MJD_ZERO = 2400000.5
# Terrestrial time minus UTC [days]: 37 leap seconds and 32.184 s; the Sun moves 0.04" in a second.
_TT_UTC = 69.184 / 86400.0


def sun_icrs(mjd: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find the direction from the middle of the Earth to the Sun, without aberration.

    By ERFA's `epv00` (a series of 2000 terms, good to 0.01" in the years 1900-2100). From the site it is up to 9"
    elsewhere, since the Sun has a parallax.

    Parameters
    ----------
    mjd : (T,) array_like
        Moments [MJD, UTC].

    Returns
    -------
    ra_deg, dec_deg : (T,) ndarray
        ICRS coordinates as a star there would have them [deg]: `telescope.geometry.apparent_directions` takes them.
    """
    times = np.atleast_1d(np.asarray(mjd, dtype=np.float64))
    with warnings.catch_warnings():
        # Beyond the years 1900-2100 there is nothing better.
        warnings.filterwarnings("ignore", message=".*date outside.*", category=erfa.ErfaWarning)
        from_sun, _ = erfa.epv00(_MJD_ZERO, times + _TT_UTC)
    x, y, z = -from_sun["p"].T
    return np.degrees(np.arctan2(y, x)) % 360.0, np.degrees(np.arctan2(z, np.hypot(x, y)))
