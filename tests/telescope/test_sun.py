"""The Sun: where astropy says it is."""

import astropy.units as u
import numpy as np
from astropy.coordinates import ICRS, SkyCoord, get_sun
from astropy.time import Time
from astropy.utils import iers

from dsa110_contimg.telescope.band import HEADER_SITE
from dsa110_contimg.telescope.geometry import apparent_directions
from dsa110_contimg.telescope.sun import sun_icrs
from sky_truth import hour_angle_and_dec


def test_is_where_astropy_has_it():
    mjd = np.array([60900.0, 60953.5, 61044.25, 61140.75])
    ra_deg, dec_deg = sun_icrs(mjd)
    with iers.conf.set_temp("auto_download", False), iers.conf.set_temp("auto_max_age", None):
        # astropy gives the apparent direction in GCRS, aberration included: of a star that would be at its ICRS place.
        truth = get_sun(Time(mjd, format="mjd", scale="utc"))
        star = SkyCoord(truth.ra, truth.dec, frame=truth.frame.replicate_without_data()).transform_to(ICRS())
    here = SkyCoord(ra_deg, dec_deg, unit="deg")
    assert here.separation(star).max() < 1 * u.arcsec


def test_crosses_the_strip_of_virgo_in_may_and_august():
    days = np.arange(60676.0, 61041.0)
    _, dec_deg = sun_icrs(days)
    crossings = days[1:][np.diff(np.sign(dec_deg - 16.27)) != 0]
    assert [Time(day, format="mjd").datetime.month for day in crossings] == [5, 8]


def test_is_up_at_noon_and_not_at_midnight():
    zenith = np.array([np.cos(np.radians(HEADER_SITE.latitude_deg)), 0, np.sin(np.radians(HEADER_SITE.latitude_deg))])
    noon = 60953.0 + (12 - HEADER_SITE.longitude_deg / 15) / 24
    for mjd, up in ((noon, True), (noon + 0.5, False)):
        ra_deg, dec_deg = sun_icrs(mjd)
        towards = apparent_directions(ra_deg, dec_deg, mjd, HEADER_SITE)[0, 0]
        assert (towards @ zenith > 0) == up
        assert abs(hour_angle_and_dec(ra_deg[0], dec_deg[0], mjd, HEADER_SITE)[0] % 180 - 90) > 80
