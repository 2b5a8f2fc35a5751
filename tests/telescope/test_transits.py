"""Transits against astropy's hour angles: near 0h, at midnight, twice a day, and none."""

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsa110_contimg.telescope.band import HEADER_SITE
from dsa110_contimg.telescope.site import Site
from dsa110_contimg.telescope.transits import SIDEREAL_DAY, find_transits, mjd_of, nearest_transit, utc_of
from sky_truth import hour_angle_and_dec

MJD = 60953.5
# The Earth turns so far in 5 ms.
FIVE_MS_DEG = 360 * 5e-3 / 86164


def assert_on_meridian(ra_deg, dec_deg, transit, site=HEADER_SITE):
    ha, dec = hour_angle_and_dec(ra_deg, dec_deg, transit.mjd, site)
    assert abs(ha) < FIVE_MS_DEG
    assert transit.dec_deg == pytest.approx(float(dec), abs=1e-5)


@pytest.mark.parametrize("ra_deg", [0.0, 0.3, 0.37, 24.4220810, 128.7287672, 359.7, 359.9999])
@pytest.mark.parametrize("dec_deg", [-30.0, 16.27, 71.6])
def test_hour_angle_is_zero_by_astropy(ra_deg, dec_deg):
    found = find_transits(ra_deg, dec_deg, MJD, MJD + 1, HEADER_SITE)
    assert len(found) in {1, 2}
    for transit in found:
        assert_on_meridian(ra_deg, dec_deg, transit)


@settings(max_examples=40)
@given(
    ra_deg=st.floats(0, 360),
    dec_deg=st.floats(-50, 85),
    start=st.floats(55200, 61000),
    days=st.floats(0, 3.5),
)
def test_every_transit_in_the_range_and_none_outside(ra_deg, dec_deg, start, days):
    found = find_transits(ra_deg, dec_deg, start, start + days, HEADER_SITE)
    times = np.array([transit.mjd for transit in found])
    assert np.all((start <= times) & (times <= start + days))
    assert np.allclose(np.diff(times), SIDEREAL_DAY, atol=1e-6)
    assert abs(len(found) - days / SIDEREAL_DAY) <= 1
    # The neighbours are outside.
    wider = find_transits(ra_deg, dec_deg, start - SIDEREAL_DAY, start + days + SIDEREAL_DAY, HEADER_SITE)
    assert np.array([t.mjd for t in wider if start <= t.mjd <= start + days]) == pytest.approx(times, abs=1e-9)


def test_a_day_can_have_two_transits_and_one_sidereal_day_less_can_have_none():
    first = nearest_transit(24.4, 33.2, MJD, HEADER_SITE).mjd
    assert len(find_transits(24.4, 33.2, first - 1e-4, first + SIDEREAL_DAY + 1e-4, HEADER_SITE)) == 2
    assert find_transits(24.4, 33.2, first + 1e-4, first + SIDEREAL_DAY - 1e-4, HEADER_SITE) == ()
    assert find_transits(24.4, 33.2, first, first - 1, HEADER_SITE) == ()


@pytest.mark.parametrize("shift_deg", [-0.02, 0.02])
def test_on_both_sides_of_midnight(shift_deg):
    """A source that transits 5 s before 0h UTC, and one 5 s after, are found by a range that spans it."""
    ra = hour_angle_and_dec(0.0, 50.0, 60954.0, HEADER_SITE)[0] % 360 + shift_deg
    (transit,) = find_transits(ra, 50.0, 60953.99, 60954.01, HEADER_SITE)
    assert_on_meridian(ra, 50.0, transit)
    assert utc_of(transit.mjd).day == (5 if transit.mjd < 60954 else 6)


def test_nearest_is_at_most_half_a_turn_away():
    for mjd in np.linspace(MJD, MJD + 1, 9):
        transit = nearest_transit(202.78, 30.5, mjd, HEADER_SITE)
        assert abs(transit.mjd - mjd) <= SIDEREAL_DAY / 2 + 1e-6
        assert_on_meridian(202.78, 30.5, transit)


def test_the_site_counts():
    east = Site(HEADER_SITE.latitude_deg, HEADER_SITE.longitude_deg + 15.0, 0.0)
    here, there = (nearest_transit(128.7, 55.6, MJD, site).mjd for site in (HEADER_SITE, east))
    assert here - there == pytest.approx(SIDEREAL_DAY / 24, abs=1e-6)


@given(st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)))
def test_mjd_and_back(time):
    aware = time.replace(tzinfo=UTC)
    assert abs(utc_of(mjd_of(aware)) - aware) < timedelta(microseconds=2)


def test_mjd_of_any_zone():
    assert mjd_of(datetime(2025, 10, 5, 5, 30, tzinfo=timezone(timedelta(hours=-7)))) == 60953 + 12.5 / 24
