"""The Earth's orientation, against astropy's reading of the same bulletin."""

import logging

import astropy_iers_data
import numpy as np
import pytest
from astropy import units as u
from astropy.time import Time
from astropy.utils import iers
from hypothesis import given, settings
from hypothesis import strategies as st

from dsa110_contimg.telescope.earth import earth_orientation, warn_if_stale

# Midnight after the leap second at the end of 2016 [MJD].
LEAP = 57754.0
ARCSEC = np.pi / 180 / 3600


@pytest.fixture(scope="module")
def bulletin():
    return iers.IERS_A.open(astropy_iers_data.IERS_A_FILE)


def last_day(bulletin):
    return float(bulletin["MJD"][np.isfinite(bulletin["UT1_UTC"])][-1].value)


@settings(max_examples=200)
@given(mjd=st.floats(42000, 60900))
def test_measured(bulletin, mjd):
    assert_as_astropy(bulletin, mjd)
    assert earth_orientation(mjd).quality == "measured"


@settings(max_examples=50)
@given(ahead_days=st.floats(0.01, 300))
def test_predicted(bulletin, ahead_days):
    assert_as_astropy(bulletin, last_day(bulletin) - ahead_days)


def assert_as_astropy(bulletin, mjd):
    # Two parts of a Julian Date, so that nothing is rounded.
    jd = 2400000.5, mjd
    ours = earth_orientation(mjd)
    x, y = bulletin.pm_xy(*jd)
    assert ours.ut1_utc_s[0] == pytest.approx(bulletin.ut1_utc(*jd).to_value(u.s), abs=1e-7)
    assert ours.pole_x_rad[0] == pytest.approx(x.to_value(u.rad), abs=1e-6 * ARCSEC)
    assert ours.pole_y_rad[0] == pytest.approx(y.to_value(u.rad), abs=1e-6 * ARCSEC)


def test_many_moments_at_once():
    mjd = np.array([60953.5, 60000.0, 60953.6])
    together = earth_orientation(mjd)
    for k, moment in enumerate(mjd):
        assert together.ut1_utc_s[k] == earth_orientation(moment).ut1_utc_s[0]


@pytest.mark.parametrize("mjd", [LEAP - 1, LEAP - 0.5, LEAP - 1e-6, LEAP, LEAP + 1e-6, LEAP + 0.5])
def test_around_a_leap_second(bulletin, mjd):
    assert_as_astropy(bulletin, mjd)


def test_a_leap_second_is_a_step():
    """UT1 itself goes on: UT1-UTC jumps by the second that UTC was given."""
    before, after = earth_orientation([LEAP - 1e-6, LEAP]).ut1_utc_s
    assert before == pytest.approx(-0.4078, abs=1e-3)
    assert after - before == pytest.approx(1.0, abs=1e-5)


def test_quality(bulletin):
    end = last_day(bulletin)
    assert earth_orientation(end).quality == "predicted"
    assert earth_orientation([60000.0, end]).quality == "predicted"
    assert earth_orientation(end + 1).quality == "outside the table"
    assert earth_orientation(30000.0).quality == "outside the table"
    assert earth_orientation([60000.0, end + 1]).quality == "outside the table"


def test_beyond_the_table_its_last_values_are_held(bulletin):
    end = last_day(bulletin)
    at_end, beyond = earth_orientation(end), earth_orientation(end + 3000)
    assert beyond.ut1_utc_s == at_end.ut1_utc_s
    assert beyond.pole_x_rad == at_end.pole_x_rad


def test_warning(caplog, bulletin):
    caplog.set_level(logging.WARNING)
    warn_if_stale(earth_orientation(60953.5), "group")
    assert not caplog.records
    warn_if_stale(earth_orientation(last_day(bulletin) + 100), "2031-01-01T00:00:00")
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert record.getMessage().startswith("2031-01-01T00:00:00: no Earth-orientation data")
    assert "astropy-iers-data" in record.getMessage()


def test_ut1_of_a_known_day():
    # IERS Bulletin B: 2017-07-01 0h UTC.
    assert earth_orientation(Time("2017-07-01").mjd).ut1_utc_s[0] == pytest.approx(0.3548, abs=5e-3)
