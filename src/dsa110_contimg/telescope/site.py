"""Where the array stands, as a file header says it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# WGS84 ellipsoid (NIMA TR8350.2, 2000): semi-major axis [m] and flattening.
_WGS84_A_M = 6378137.0
_WGS84_F = 1 / 298.257223563


class Site(NamedTuple):
    """A geodetic (WGS84) position; its longitude is the phase meridian.

    Attributes
    ----------
    latitude_deg, longitude_deg : float
        Geodetic latitude and east longitude [deg].
    height_m : float
        Height above the ellipsoid [m].
    """

    latitude_deg: float
    longitude_deg: float
    height_m: float

    @property
    def itrf_m(self) -> NDArray[np.float64]:
        """Geocentric ITRF position, shape (3,) [m]."""
        lat, lon = np.radians(self.latitude_deg), np.radians(self.longitude_deg)
        e2 = _WGS84_F * (2 - _WGS84_F)
        n = _WGS84_A_M / np.sqrt(1 - e2 * np.sin(lat) ** 2)
        equatorial = (n + self.height_m) * np.cos(lat)
        polar = (n * (1 - e2) + self.height_m) * np.sin(lat)
        return np.array([equatorial * np.cos(lon), equatorial * np.sin(lon), polar])
