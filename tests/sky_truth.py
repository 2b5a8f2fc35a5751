"""Apparent places by astropy alone, offline: the truth for what the package works out with ERFA."""

import astropy.units as u
import numpy as np
from astropy.coordinates import EarthLocation, HADec, SkyCoord
from astropy.time import Time
from astropy.utils import iers


def hour_angle_and_dec(ra_deg, dec_deg, mjd, site):
    """Apparent hour angle in (-180, 180] and declination [deg] of an ICRS position, by astropy's HADec."""
    with iers.conf.set_temp("auto_download", False), iers.conf.set_temp("auto_max_age", None):
        location = EarthLocation.from_geodetic(site.longitude_deg, site.latitude_deg, site.height_m)
        time = Time(mjd, format="mjd", scale="utc", location=location)
        place = SkyCoord(ra_deg, dec_deg, unit="deg").transform_to(HADec(obstime=time, location=location))
        return place.ha.wrap_at(180 * u.deg).to_value(u.deg), np.asarray(place.dec.to_value(u.deg))
