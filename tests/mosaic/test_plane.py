"""Planes against astropy's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsa110_contimg.images.fits import celestial_wcs
from dsa110_contimg.mosaic.plane import Plane, mean_direction, rotation, turned_by
from restored_image import header_of


@pytest.mark.parametrize("centre", [(129.0, 54.57), (0.01, 16.27), (359.9, -10.0), (200.0, 71.6)])
def test_pixels_and_directions_are_those_of_the_header(centre):
    header = header_of(400, *centre)
    plane = Plane(header.ra_deg, header.dec_deg, header.cell_deg, 400, 400)
    x, y = np.array([3.0, 200.0, 377.5]), np.array([390.25, 200.0, 8.0])
    vectors = plane.vectors(x, y)
    ra = np.degrees(np.arctan2(vectors[:, 1], vectors[:, 0])) % 360
    dec = np.degrees(np.arcsin(vectors[:, 2]))
    expected = celestial_wcs(header, (400, 400)).all_pix2world(x, y, 0)
    np.testing.assert_allclose(dec, expected[1], atol=1e-10)
    np.testing.assert_allclose((ra - expected[0] + 180) % 360 - 180, 0, atol=1e-10)
    np.testing.assert_allclose(plane.pixels(vectors), (x, y), atol=1e-7)


@given(ra=st.floats(0, 360), dec=st.floats(-80, 80), other_ra=st.floats(-5, 5), other_dec=st.floats(-3, 3))
def test_a_rotation_takes_one_plane_to_the_other(ra, dec, other_ra, other_dec):
    one, other = Plane(ra, dec, 0.002, 100, 100), Plane(ra + other_ra, dec + other_dec, 0.003, 100, 100)
    turn = rotation(one, other)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(turn @ one.axes @ one.axes[0], other.axes @ one.axes[0], atol=1e-12)


def test_north_turns_with_distance_and_the_other_way_on_the_other_side():
    middle = Plane(100.0, 60.0, 0.002, 10, 10)
    east, west = (Plane(100.0 + step, 60.0, 0.002, 10, 10) for step in (4.0, -4.0))
    # Meridians meet at the pole: the angle is about the difference in right ascension times the sine of declination.
    assert turned_by(middle, east) == pytest.approx(-turned_by(middle, west), abs=1e-9)
    assert abs(turned_by(middle, east)) == pytest.approx(4.0 * np.sin(np.radians(60.0)), rel=0.02)
    north = east.axes[1] @ middle.axes.T
    assert turned_by(middle, east) == pytest.approx(np.degrees(np.arctan2(north[0], north[1])))


def test_the_mean_of_places_on_both_sides_of_0h_is_between_them():
    ra, dec = mean_direction([Plane(ra, 16.27, 0.002, 10, 10) for ra in (359.0, 1.0, 359.5, 0.5)])
    assert min(ra, 360 - ra) < 1e-9
    assert dec == pytest.approx(16.27, abs=0.01)


def test_what_is_behind_is_nowhere():
    plane = Plane(0.0, 0.0, 0.5, 300, 300)
    x, _ = plane.pixels(np.array([[-1.0, 0.0, 0.0]]))
    assert np.isnan(x).all()
    assert np.isnan(plane.vectors(np.array([0.0]), np.array([0.0]))).all()
