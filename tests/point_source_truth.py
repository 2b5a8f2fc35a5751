"""What the array should measure of point sources, by astropy and numpy alone: the truth of converted data.

Nothing here comes from the package, so that an error in its geometry, beam or signs does not cancel.
"""

from typing import NamedTuple

import astropy.units as u
import numpy as np
from astropy.coordinates import ICRS, EarthLocation, HADec, SkyCoord
from astropy.time import Time
from astropy.utils import iers
from scipy.special import j1

from sky_truth import hour_angle_and_dec

C_M_S = 299792458.0
DISH_M = 4.65


class Source(NamedTuple):
    """A point source: ICRS position [deg], flux density at 1.4 GHz [Jy], spectral index."""

    ra_deg: float
    dec_deg: float
    flux_jy: float
    alpha: float


def site_itrf_m(site):
    """Geocentric position of a (latitude_deg, longitude_deg, height_m)."""
    location = EarthLocation.from_geodetic(site.longitude_deg, site.latitude_deg, site.height_m)
    return np.array([axis.to_value("m") for axis in location.geocentric])


def meridian_in_icrs(dec_deg, mjd, site):
    """ICRS position [deg] of hour angle 0 and an apparent declination."""
    with iers.conf.set_temp("auto_download", False), iers.conf.set_temp("auto_max_age", None):
        location = EarthLocation.from_geodetic(site.longitude_deg, site.latitude_deg, site.height_m)
        time = Time(mjd, format="mjd", scale="utc", location=location)
        zero = np.zeros(np.shape(mjd))
        place = HADec(ha=zero * u.deg, dec=(zero + dec_deg) * u.deg, obstime=time, location=location)
        icrs = place.transform_to(ICRS())
        return icrs.ra.to_value(u.deg), icrs.dec.to_value(u.deg)


def sources_around(ra_deg, dec_deg, offsets):
    """Sources at (east, north) offsets [deg] from a position: a list of `Source`, from (east, north, flux, alpha)."""
    centre = SkyCoord(ra_deg, dec_deg, unit="deg")
    east, north, flux, alpha = np.array(offsets, dtype=float).T
    sky = centre.directional_offset_by(np.arctan2(east, north) * u.rad, np.hypot(east, north) * u.deg)
    return [Source(*row) for row in zip(sky.ra.deg, sky.dec.deg, flux, alpha, strict=True)]


def write_sky(path, sources):
    """Write a table that the simulator reads."""
    rows = [",".join(repr(float(value)) for value in source) for source in sources]
    path.write_text("\n".join(["ra,dec,flux,alpha", *rows]) + "\n")
    return path


def in_meridian_frame(itrf_m, site):
    """ITRF vectors turned so that x points to the site's meridian, y east and z to the pole."""
    lon = np.radians(site.longitude_deg)
    x, y, z = np.moveaxis(np.asarray(itrf_m), -1, 0)
    return np.stack([np.cos(lon) * x + np.sin(lon) * y, -np.sin(lon) * x + np.cos(lon) * y, z], axis=-1)


def directions(ra_deg, dec_deg, mjd, site):
    """Apparent unit vectors in the meridian frame; arguments broadcast."""
    ha, dec = np.radians(hour_angle_and_dec(ra_deg, dec_deg, mjd, site))
    return np.stack([np.cos(dec) * np.cos(ha), -np.cos(dec) * np.sin(ha), np.sin(dec)], axis=-1)


def airy_power(sin_theta, freq_hz):
    """(2 J1(a) / a)^2 of a uniformly lit dish."""
    a = np.maximum(np.pi * DISH_M * sin_theta * freq_hz / C_M_S, 1e-9)
    return (2 * j1(a) / a) ** 2


def visibilities(sources, pointing_dec_deg, baselines_m, mjd, site, centres, freq_hz):
    """DATA of a Measurement Set: the sum of S B exp(2 pi i nu/c (r1 - r2) . (s - c)).

    Parameters
    ----------
    sources : list of Source
    pointing_dec_deg : float
        Apparent declination of the dishes, on the meridian.
    baselines_m : (B, 3)
        r[ANTENNA1] - r[ANTENNA2], ITRF.
    mjd : (T,)
    site
    centres : (ra_deg, dec_deg), scalars or (T,)
        Phase centres, ICRS.
    freq_hz : (C,)

    Returns
    -------
    (T, B, C) complex128
    """
    baselines = in_meridian_frame(baselines_m, site)
    centre = directions(*np.broadcast_arrays(*centres, mjd), site)
    dec = np.radians(pointing_dec_deg)
    pointing = np.array([np.cos(dec), 0, np.sin(dec)])
    total = np.zeros((np.size(mjd), len(baselines), len(freq_hz)), complex)
    for source in sources:
        place = directions(source.ra_deg, source.dec_deg, mjd, site)
        sin_theta = np.linalg.norm(np.cross(place, pointing), axis=-1)
        flux = source.flux_jy * (freq_hz / 1.4e9) ** source.alpha * airy_power(sin_theta[:, None], freq_hz)
        turns = np.einsum("bx,tx->tb", baselines, place - centre)[..., None] * freq_hz / C_M_S
        total += flux[:, None] * np.exp(2j * np.pi * turns)
    return total
