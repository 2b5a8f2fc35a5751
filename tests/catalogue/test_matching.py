"""Neighbours on the sky."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord, angular_separation
from hypothesis import given
from hypothesis import strategies as st

from dsa110_contimg.catalogue.matching import SkyIndex, match

ANYWHERE = st.lists(st.tuples(st.floats(0, 360), st.floats(-90, 90)), min_size=1, max_size=12)


@given(ANYWHERE, st.floats(0, 360), st.floats(-90, 90), st.floats(0.01, 180))
def test_within(places, ra, dec, radius_deg):
    ras, decs = np.array(places).T
    apart = np.degrees(angular_separation(*np.radians([ras, decs, np.full(len(ras), ra), np.full(len(ras), dec)])))
    found = set(SkyIndex(ras, decs).within(ra, dec, radius_deg))
    assert set(np.flatnonzero(apart < radius_deg - 1e-5)) <= found <= set(np.flatnonzero(apart < radius_deg + 1e-5))


@given(ANYWHERE, ANYWHERE)
def test_pairs_are_each_others_nearest(one, two):
    (ra, dec), (other_ra, other_dec) = np.array(one).T, np.array(two).T
    found = match(ra, dec, other_ra, other_dec, 3600.0)
    assert len(set(found.first)) == len(set(found.second)) == len(found.first)
    assert (found.separation_arcsec <= 3600.0).all()
    first, second = SkyCoord(ra, dec, unit="deg"), SkyCoord(other_ra, other_dec, unit="deg")
    for a, b, apart in zip(*found, strict=True):
        assert first[a].separation(second[b]).arcsec == pytest.approx(apart, abs=0.02)
        assert first[a].separation(second).min().arcsec == pytest.approx(apart, abs=0.02)


def test_across_0h_and_at_the_pole():
    found = match([359.9999, 10.0], [54.0, 89.9999], [0.0001, 190.0], [54.0, 89.9999], 5.0)
    assert found.first.tolist() == found.second.tolist() == [0, 1]
    assert found.separation_arcsec == pytest.approx([0.72 * np.cos(np.radians(54)), 0.72], rel=1e-4)


def test_a_small_offset_is_exact():
    east = SkyCoord(100.0, 54.0, unit="deg").directional_offset_by(90 * u.deg, 0.01 * u.arcsec)
    found = match([100.0], [54.0], [east.ra.deg], [east.dec.deg], 1.0)
    assert found.separation_arcsec[0] == pytest.approx(0.01, rel=1e-3)


def test_second_neighbours():
    index, apart = SkyIndex([10.0, 10.01], [0.0, 0.0]).nearest([10.0], [0.0], neighbour=2)
    assert (index[0], apart[0]) == (1, pytest.approx(36.0))
    assert SkyIndex([10.0], [0.0]).nearest([10.0], [0.0], neighbour=2)[1][0] == np.inf


def test_nobody():
    none = np.zeros(0)
    assert len(match(none, none, [1.0], [2.0], 10.0).first) == 0
    assert len(match([1.0], [2.0], none, none, 10.0).first) == 0
