"""Names made of coordinates, both ways, and B1950 places against astropy."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import FK4, SkyCoord
from hypothesis import given
from hypothesis import strategies as st

from dsa110_contimg.catalogue.names import b1950, parse_coordinate_name, vla_name

# Where in the sky truncation and wrapping meet.
RA = st.floats(0, 360, exclude_max=True)
DEC = st.floats(-90, 90)


@given(RA, DEC)
def test_a_position_has_its_own_name(ra_deg, dec_deg):
    wanted = parse_coordinate_name(vla_name(ra_deg, dec_deg))
    assert wanted.means(ra_deg, dec_deg)
    assert wanted.may_mean(ra_deg, dec_deg)


@given(RA, st.floats(-89, 89), st.sampled_from([-1, 1]), st.sampled_from([-1, 0, 1]))
def test_a_last_digit_may_be_off_by_one_and_no_more(ra_deg, dec_deg, minutes, tenths):
    wanted = parse_coordinate_name(vla_name(ra_deg, dec_deg))
    moved = (ra_deg + minutes * 0.25) % 360, dec_deg + tenths * 0.0999
    assert wanted.may_mean(*moved)
    assert not wanted.may_mean((ra_deg + 0.76) % 360, dec_deg)
    assert not wanted.may_mean(ra_deg, dec_deg + (0.31 if dec_deg < 0 else -0.31))


def test_ways_of_writing_a_place():
    ra_deg, dec_deg = 24.4220810, 33.1597592
    for name in ("0137+331", "J0137+331", "J0137+3309", "0137+33"):
        assert parse_coordinate_name(name).means(ra_deg, dec_deg), name
    for name in ("0137+332", "0137-331", "0138+331", "J0137+3310"):
        assert not parse_coordinate_name(name).means(ra_deg, dec_deg), name


def test_just_south_of_the_equator_has_a_sign():
    assert vla_name(1.5943075, -0.0733572) == "0006-000"
    assert parse_coordinate_name("0006-000").means(1.5943075, -0.0733572)
    assert not parse_coordinate_name("0006+000").means(1.5943075, -0.0733572)
    assert parse_coordinate_name("0006+000").may_mean(1.5943075, -0.0733572)


@pytest.mark.parametrize(
    "name", ["3C48", "0137331", "2400+331", "0160+331", "J0137+3360", "0137+991", "+331", "P2134+0", "", "0137+3"]
)
def test_what_is_no_place(name):
    assert parse_coordinate_name(name) is None


def test_b1950_is_astropys():
    rng = np.random.default_rng(1)
    ra_deg, dec_deg = rng.uniform(0, 360, 50), np.degrees(np.arcsin(rng.uniform(-1, 1, 50)))
    theirs = SkyCoord(ra_deg, dec_deg, unit="deg", frame="fk5").transform_to(FK4(equinox="B1950", obstime="B1950"))
    ours = SkyCoord(*b1950(ra_deg, dec_deg), unit="deg", frame=theirs.frame)
    assert ours.separation(theirs).to_value(u.arcsec).max() < 0.5
