import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsa110_contimg.errors import UsageError
from dsa110_contimg.images.fits import ImageHeader, RestoringBeam, celestial_wcs
from dsa110_contimg.imaging.seeding import seed_mask
from dsa110_contimg.telescope.prediction import PointSources

SHAPE = (120, 100)
HEADER = ImageHeader(
    83.0, 54.5, 10 / 3600, 1.4e9, 1.9e8, 60953.5, 60953.6, 60953.7, RestoringBeam(60 / 3600, 30 / 3600, 30.0), "x"
)


def at(*pixels, header=HEADER):
    """Sources on pixels (x, y)."""
    x, y = np.array(pixels, dtype=float).T
    ra, dec = celestial_wcs(header, SHAPE).all_pix2world(x, y, 0)
    return PointSources(ra, dec, np.ones(ra.size), np.zeros(ra.size))


def test_the_ellipse_has_the_size_and_place_of_the_beam():
    mask = seed_mask(at((40, 70)), HEADER, SHAPE, radius_beams=1.0)
    assert mask.shape == SHAPE
    assert mask.sum() == pytest.approx(np.pi * 6 * 3, rel=0.1)
    y, x = np.argwhere(mask).mean(axis=0)
    assert (x, y) == pytest.approx((40, 70), abs=0.01)


def test_it_leans_as_the_beam_does():
    """Position angles run from north (up) through east (left)."""
    rows, columns = np.nonzero(seed_mask(at((50, 60)), HEADER, SHAPE, radius_beams=2.0))
    north, east = rows - 60.0, 50.0 - columns
    _, axes = np.linalg.eigh(np.cov(north, east))
    assert np.degrees(np.arctan2(axes[1, 1], axes[0, 1])) % 180 == pytest.approx(30.0, abs=2.0)


@given(st.integers(0, 99), st.integers(0, 119), st.floats(0.0, 1.5))
def test_the_pixel_of_a_source_is_always_marked(x, y, radius):
    assert seed_mask(at((x, y)), HEADER, SHAPE, radius_beams=radius)[y, x]


def test_several_sources_are_all_marked_and_those_outside_are_not():
    both = seed_mask(at((20, 20), (60, 90)), HEADER, SHAPE)
    assert np.array_equal(both, seed_mask(at((20, 20)), HEADER, SHAPE) | seed_mask(at((60, 90)), HEADER, SHAPE))
    assert not seed_mask(at((-200, 20), (50, 900)), HEADER, SHAPE).any()
    assert seed_mask(at((-1, 50)), HEADER, SHAPE).any()


def test_the_other_side_of_the_sky_is_no_place_in_the_image():
    antipode = PointSources(np.array([263.0]), np.array([-54.5]), np.ones(1), np.zeros(1))
    assert not seed_mask(antipode, HEADER, SHAPE).any()
    nothing = PointSources(*np.zeros((4, 0)))
    assert not seed_mask(nothing, HEADER, SHAPE).any()


def test_across_zero_hours():
    header = HEADER._replace(ra_deg=0.01)
    mask = seed_mask(at((10, 60), (90, 60), header=header), header, SHAPE)
    assert mask[60, 10]
    assert mask[60, 90]


def test_a_negative_radius_is_refused():
    with pytest.raises(UsageError, match="negative"):
        seed_mask(at((40, 70)), HEADER, SHAPE, radius_beams=-1.0)
