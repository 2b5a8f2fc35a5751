"""Hours of sidereal time hold the same groups every day."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsa110_contimg.errors import MosaicError
from dsa110_contimg.ledger.records import mjd_of
from dsa110_contimg.mosaic.epochs import (
    Epoch,
    common_epoch,
    epoch_at,
    epoch_of,
    epoch_start,
    epochs_of,
    in_epoch,
    in_range,
    in_utc_hour,
    name_epoch,
    strip_of,
    turned_hours,
    windows,
)
from dsa110_contimg.mosaic.inputs import Input
from dsa110_contimg.mosaic.plane import Plane
from dsa110_contimg.naming import parse_epoch_id
from dsa110_contimg.telescope.band import HEADER_SITE
from dsa110_contimg.telescope.geometry import meridian_icrs
from dsa110_contimg.telescope.transits import SIDEREAL_DAY
from restored_image import header_of
from strip_images import GROUP_DAYS

LONGITUDE = HEADER_SITE.longitude_deg


def group_at(mjd, dec_deg=16.27):
    """An image as the telescope would have made it: its centre is the meridian in the middle of the group."""
    ra, dec = meridian_icrs(dec_deg * 3.141592653589793 / 180, [mjd + GROUP_DAYS / 2], HEADER_SITE)
    header = header_of(100, float(ra[0]), float(dec[0]))
    header = header._replace(start_mjd=mjd, middle_mjd=mjd + GROUP_DAYS / 2, end_mjd=mjd + GROUP_DAYS)
    plane = Plane(header.ra_deg, header.dec_deg, header.cell_deg, 100, 100)
    return Input("g", Path("a"), Path("b"), header, plane, "good")


def test_sidereal_time_is_right_ascension_on_the_meridian():
    for mjd in (60953.5, 61200.123):
        ra, _ = meridian_icrs(0.3, [mjd], HEADER_SITE)
        # Within precession since J2000.0, and the equation of the origins that goes with it.
        difference = (turned_hours(mjd, LONGITUDE) % 24 - ra[0] / 15 + 12) % 24 - 12
        assert abs(difference) < 0.03


@given(start=st.floats(60000, 62000), days=st.integers(1, 400))
def test_the_same_sky_is_in_the_same_hour_on_another_day(start, days):
    later = start + days * SIDEREAL_DAY
    hours = epoch_at(later, LONGITUDE).number - epoch_at(start, LONGITUDE).number
    assert abs(hours - 24 * days) <= 1
    middle = (epoch_at(start, LONGITUDE).number + 0.5 - turned_hours(start, LONGITUDE)) / 24 * SIDEREAL_DAY + start
    assert epoch_at(middle + days * SIDEREAL_DAY, LONGITUDE).hour == epoch_at(middle, LONGITUDE).hour


@pytest.mark.parametrize("start", [60953.5, 60953.98, 61000.01])
def test_an_hour_has_twelve_groups_or_so_and_no_group_is_lost(start):
    groups = [group_at(start + k * GROUP_DAYS) for k in range(40)]
    first = epochs_of(groups[0], LONGITUDE)[0].number
    for number in range(first + 1, first + 3):
        assert 12 <= len(in_epoch(groups, Epoch(number), LONGITUDE)) <= 14
    assert all(1 <= len(epochs_of(one, LONGITUDE)) <= 2 for one in groups)


def test_a_range_is_of_the_middles():
    groups = [group_at(60953.5 + k * GROUP_DAYS) for k in range(4)]
    assert in_range(groups, 60953.5 + GROUP_DAYS, 60953.5 + 3 * GROUP_DAYS) == groups[1:3]


@given(number=st.integers(250_000, 400_000))
def test_an_epoch_begins_when_its_hour_does(number):
    begins = mjd_of(epoch_start(Epoch(number), LONGITUDE))
    assert abs(turned_hours(begins, LONGITUDE) - number) < 1 / 3600
    assert epoch_at(begins + 2e-5, LONGITUDE).number == number


def test_a_strip_has_one_name_wherever_it_is_looked_at():
    groups = [group_at(60953.0 + hour / 24, 54.57) for hour in range(0, 24, 3)]
    assert max(one.plane.dec_deg for one in groups) - min(one.plane.dec_deg for one in groups) > 0.2
    assert {strip_of([one], HEADER_SITE) for one in groups} == {"+54.6"}
    assert strip_of(groups, HEADER_SITE, ["+54.4", "+16.3", "+54.1"]) == "+54.4"
    assert strip_of(groups, HEADER_SITE, ["+54.2"]) == "+54.6"
    name = name_epoch(groups[:1], epoch_at(60953.0, LONGITUDE), HEADER_SITE)
    assert parse_epoch_id(name).strip == "+54.6"
    assert 0 <= 60953.0 - mjd_of(parse_epoch_id(name).start) < 1 / 24


def test_images_of_one_hour_have_an_epoch_in_common():
    begins = mjd_of(epoch_start(Epoch(260_000), LONGITUDE))
    groups = [group_at(begins + k * GROUP_DAYS) for k in (-1, 0, 1, 11)]
    assert common_epoch(groups[1:], LONGITUDE) == Epoch(260_000)
    with pytest.raises(MosaicError, match="not of one hour"):
        common_epoch([groups[1], group_at(begins + 0.3)], LONGITUDE)
    with pytest.raises(MosaicError, match="not of one hour"):
        common_epoch([], LONGITUDE)


def test_an_hour_of_utc_has_the_images_whose_middle_is_in_it():
    groups = [group_at(60953.5 + k * 0.25 / 24) for k in range(-4, 8)]
    chosen = in_utc_hour(groups, 60953.5 + 0.01)
    assert [one.header.start_mjd for one in chosen] == [one.header.start_mjd for one in groups[4:8]]


def test_windows_slide_and_leave_nothing_out():
    groups = [group_at(60953.5 + k * 0.25 / 24) for k in range(12)]
    slid = list(windows(groups, 1.0, 0.5))
    assert [len(one) for one in slid] == [4, 4, 4, 4, 4]
    assert slid[1][0] is groups[2]
    gap = [*groups[:4], *[group_at(60955.0 + k * 0.25 / 24) for k in range(4)]]
    found = list(windows(gap, 1.0, 0.25))
    assert {id(one) for some in found for one in some} == {id(one) for one in gap}
    assert len(list(windows(groups, 24.0, 24.0))) == 1
    assert list(windows([], 1.0, 1.0)) == []


def test_of_the_hours_that_a_group_overlaps_one_has_its_middle():
    groups = [group_at(60953.5 + k * GROUP_DAYS) for k in range(40)]
    hours = [epoch_of(one, LONGITUDE).number for one in groups]
    assert hours == sorted(hours)
    assert all(Epoch(hour) in epochs_of(one, LONGITUDE) for hour, one in zip(hours, groups, strict=True))
    assert all(11 <= hours.count(hour) <= 12 for hour in set(hours) - {hours[0], hours[-1]})
