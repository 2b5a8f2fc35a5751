"""Directions and baselines in the frame of the local meridian.

The *meridian frame* is the ITRF turned by the site's longitude: x points to the meridian on the equator, y east, z to
the pole. A direction of hour angle H and apparent declination d is (cos d cos H, -cos d sin H, sin d) in it. Apparent
places are topocentric (with diurnal aberration and polar motion, without refraction), by the IAU 2006/2000A models of
ERFA, as `astropy.coordinates.HADec` gives them: H = 0 is the great circle on which the correlator's phase centre lies.
ERFA is called directly, since astropy takes 2.4 s to load itself and its tables, half the time of a conversion.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import erfa
import numpy as np

from dsa110_contimg.telescope.earth import earth_orientation

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from dsa110_contimg.telescope.site import Site

#: Speed of light [m/s].
SPEED_OF_LIGHT = 299792458.0
#: How fast the sky turns [rad/s].
SIDEREAL_RAD_S = 7.292115e-5

# Half the step of the numerical derivative that finds north at a phase centre [deg].
_NORTH_STEP_DEG = 10 / 3600
_MJD_ZERO = 2400000.5


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


def apparent_directions(ra_deg: ArrayLike, dec_deg: ArrayLike, mjd: ArrayLike, site: Site) -> NDArray[np.float64]:
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
    ra, dec, times = np.atleast_1d(ra_deg), np.atleast_1d(dec_deg), np.atleast_1d(mjd)
    return _apparent(ra[None, :], dec[None, :], times[:, None], site)


def meridian_direction(dec_rad: float) -> NDArray[np.float64]:
    """Unit vector (3,) of the meridian frame at hour angle 0 and this apparent declination [rad]."""
    return np.array([np.cos(dec_rad), 0.0, np.sin(dec_rad)])


def meridian_icrs(dec_rad: float, mjd: ArrayLike, site: Site) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
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
    astrom = _astrometry(np.atleast_1d(mjd), site)
    ra_cirs, dec_cirs = erfa.atoiq("H", 0.0, dec_rad, astrom)
    ra, dec = erfa.aticq(ra_cirs, dec_cirs, astrom)
    return np.degrees(ra) % 360.0, np.degrees(dec)


def uvw_basis(ra_deg: ArrayLike, dec_deg: ArrayLike, mjd: ArrayLike, site: Site) -> NDArray[np.float64]:
    """Axes of the (u, v, w) frame of an ICRS phase centre, in the meridian frame.

    w points to the apparent place of the centre, v along the apparent great circle to its ICRS north, u = v x w to
    its east. The turn is rigid, as CASA's and pyuvdata's are: baselines keep their length. Aberration magnifies the
    sky around the centre by `aberration_scale`, which a rigid turn leaves to whoever makes the image.

    Parameters
    ----------
    ra_deg, dec_deg : float or (T,) array_like
        The phase centre, or that of each moment, ICRS [deg].
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

    Aberration is conformal: near the centre it scales all directions alike, by 1 - (v/c) cos(angle to the apex), within
    1e-4 of 1. In an image made from rigidly turned baselines a source at an ICRS offset x appears at x times
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
    ra_deg: ArrayLike, dec_deg: ArrayLike, mjd: ArrayLike, site: Site
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Apparent unit vectors (T, 3) a small step north and south of an ICRS direction, and at it."""
    times = np.atleast_1d(mjd)
    ra, dec = (np.broadcast_to(np.radians(angle), times.shape) for angle in (ra_deg, dec_deg))
    step = np.radians(_NORTH_STEP_DEG)
    # A step over a pole comes down on the other side, at the opposite right ascension.
    decs = np.stack([dec + step, dec - step, dec])
    over = np.abs(decs) > np.pi / 2
    ras = np.where(over, ra + np.pi, ra)
    decs = np.where(over, np.sign(decs) * np.pi - decs, decs)
    north, south, at = _apparent(np.degrees(ras), np.degrees(decs), times, site)
    return north, south, at


def _apparent(
    ra_deg: NDArray[np.float64], dec_deg: NDArray[np.float64], mjd: NDArray[np.float64], site: Site
) -> NDArray[np.float64]:
    """Apparent unit vectors (..., 3) of ICRS directions and moments that broadcast against one another."""
    ra_cirs, dec_cirs = erfa.atciqz(np.radians(ra_deg), np.radians(dec_deg), astrom := _astrometry(mjd, site))
    _, _, ha, dec, _ = erfa.atioq(ra_cirs, dec_cirs, astrom)
    return np.stack([np.cos(dec) * np.cos(ha), -np.cos(dec) * np.sin(ha), np.sin(dec)], axis=-1)


def _astrometry(mjd: ArrayLike, site: Site) -> NDArray[np.void]:
    """ERFA's star-independent parameters (eraASTROM) at some moments, without refraction."""
    times = np.asarray(mjd, dtype=np.float64)
    earth = earth_orientation(times.ravel())
    ut1_utc, x, y = (values.reshape(times.shape) for values in earth[:3])
    # ERFA warns of years beyond its leap seconds, for which there is nothing better.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*dubious year.*", category=erfa.ErfaWarning)
        astrom, _ = erfa.apco13(
            _MJD_ZERO, times, ut1_utc,
            np.radians(site.longitude_deg), np.radians(site.latitude_deg), site.height_m,
            x, y, 0.0, 0.0, 0.0, 0.0,
        )  # fmt: skip
    return astrom
