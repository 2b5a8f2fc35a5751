"""Directions and baselines in the frame of the local meridian.

The *meridian frame* is the ITRF turned by the site's longitude: x points to the meridian on the equator, y east, z to
the pole. A direction of hour angle H and apparent declination d is (cos d cos H, -cos d sin H, sin d) in it. Apparent
places are topocentric (with diurnal aberration and polar motion, without refraction), as `astropy.coordinates.HADec`
computes them: H = 0 is the great circle on which the correlator's phase centre lies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
from astropy.coordinates import ICRS, HADec, SkyCoord
from astropy.time import Time

from dsa110_contimg.telescope.earth import offline_earth_orientation

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from dsa110_contimg.telescope.site import Site

#: Speed of light [m/s].
SPEED_OF_LIGHT = 299792458.0

# Half the step of the numerical derivative that finds north at a phase centre [deg].
_NORTH_STEP_DEG = 10 / 3600


def meridian_frame(itrf_m: ArrayLike, site: Site) -> NDArray[np.float64]:
    """Turn ITRF vectors into the meridian frame.

    Parameters
    ----------
    itrf_m : (..., 3) array_like
        Positions or differences of positions [m].
    site : Site
        Its longitude is the meridian.

    Returns
    -------
    (..., 3) ndarray
        The same vectors in the meridian frame [m].
    """
    lon = np.radians(site.longitude_deg)
    c, s = np.cos(lon), np.sin(lon)
    turn = np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])
    return np.asarray(itrf_m, dtype=np.float64) @ turn.T


def apparent_directions(
    ra_deg: ArrayLike, dec_deg: ArrayLike, mjd: ArrayLike, site: Site
) -> NDArray[np.float64]:
    """Apparent places of ICRS directions, as unit vectors of the meridian frame.

    Parameters
    ----------
    ra_deg, dec_deg : (S,) array_like
        ICRS coordinates [deg].
    mjd : (T,) array_like
        Moments [MJD, UTC].
    site : Site
        The observer.

    Returns
    -------
    (T, S, 3) ndarray
    """
    with offline_earth_orientation():
        sky = SkyCoord(np.atleast_1d(ra_deg)[None, :], np.atleast_1d(dec_deg)[None, :], unit="deg", frame="icrs")
        local = sky.transform_to(_hadec(np.atleast_1d(mjd)[:, None], site))
    ha, dec = local.ha.rad, local.dec.rad
    return np.stack([np.cos(dec) * np.cos(ha), -np.cos(dec) * np.sin(ha), np.sin(dec)], axis=-1)


def meridian_direction(dec_rad: float) -> NDArray[np.float64]:
    """Unit vector (3,) of the meridian frame at hour angle 0 and this apparent declination [rad]."""
    return np.array([np.cos(dec_rad), 0.0, np.sin(dec_rad)])


def meridian_icrs(
    dec_rad: float, mjd: ArrayLike, site: Site
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """ICRS coordinates of hour angle 0 and an apparent declination.

    Parameters
    ----------
    dec_rad : float
        Apparent declination [rad].
    mjd : (T,) array_like
        Moments [MJD, UTC].
    site : Site
        The observer.

    Returns
    -------
    ra_deg, dec_deg : (T,) ndarray
        ICRS coordinates [deg], right ascension in [0, 360).
    """
    times = np.atleast_1d(np.asarray(mjd, dtype=np.float64))
    with offline_earth_orientation():
        frame = _hadec(times, site)
        local = SkyCoord(np.zeros(times.size) * u.rad, np.full(times.size, dec_rad) * u.rad, frame=frame)
        sky = local.transform_to(ICRS())
    return sky.ra.deg % 360.0, sky.dec.deg


def uvw_basis(ra_deg: float, dec_deg: float, mjd: ArrayLike, site: Site) -> NDArray[np.float64]:
    """Axes of the (u, v, w) frame of an ICRS phase centre, in the meridian frame.

    w points to the apparent place of the centre, v along the apparent great circle to its ICRS north, u = v x w to
    its east. The turn is rigid, as CASA's and pyuvdata's are: baselines keep their length. Aberration magnifies the
    sky around the centre by `aberration_scale`, which a rigid turn leaves to whoever makes the image.

    Parameters
    ----------
    ra_deg, dec_deg : float
        The phase centre, ICRS [deg].
    mjd : (T,) array_like
        Moments [MJD, UTC].
    site : Site
        The observer.

    Returns
    -------
    (T, 3, 3) ndarray
        Rows are the unit vectors u, v, w: ``uvw = basis @ baseline``.
    """
    north, south, w = _around(ra_deg, dec_deg, mjd, site)
    v = north - south
    v -= np.sum(v * w, axis=-1, keepdims=True) * w
    v /= np.linalg.norm(v, axis=-1, keepdims=True)
    return np.stack([np.cross(v, w), v, w], axis=-2)


def aberration_scale(ra_deg: float, dec_deg: float, mjd: float, site: Site) -> float:
    """Apparent size of a small ICRS offset from a phase centre, divided by its ICRS size.

    Aberration is conformal: near the centre it magnifies all directions alike, by 1 + (v/c) cos(angle to the apex),
    up to 1e-4. In an image made from rigidly turned baselines a source at an ICRS offset x appears at x times
    this factor; dividing the pixel size by it puts positions right.

    Parameters
    ----------
    ra_deg, dec_deg : float
        The phase centre, ICRS [deg].
    mjd : float
        The moment [MJD, UTC].
    site : Site
        The observer.
    """
    north, south, _ = _around(ra_deg, dec_deg, mjd, site)
    return float(np.linalg.norm(north - south) / (2 * np.sin(np.radians(_NORTH_STEP_DEG))))


def _around(
    ra_deg: float, dec_deg: float, mjd: ArrayLike, site: Site
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Apparent unit vectors (T, 3) a small step north and south of an ICRS direction, and at it."""
    # Offsets are made on the sphere, so that a centre at the pole is no special case.
    ra, dec = np.radians([ra_deg, dec_deg])
    at = np.array([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])
    to_north = np.array([-np.sin(dec) * np.cos(ra), -np.sin(dec) * np.sin(ra), np.cos(dec)])
    step = np.radians(_NORTH_STEP_DEG)
    around = np.cos(step) * at + np.array([[np.sin(step)], [-np.sin(step)], [0.0]]) * to_north
    around[2] = at
    ras = np.degrees(np.arctan2(around[:, 1], around[:, 0]))
    decs = np.degrees(np.arctan2(around[:, 2], np.hypot(around[:, 0], around[:, 1])))
    directions = apparent_directions(ras, decs, mjd, site)
    return directions[:, 0], directions[:, 1], directions[:, 2]


def _hadec(mjd: ArrayLike, site: Site) -> HADec:
    return HADec(obstime=Time(mjd, format="mjd", scale="utc"), location=site.earth_location())
