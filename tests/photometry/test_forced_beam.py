"""The beam's error at many places, from a few."""

import numpy as np
import pytest

from dsa110_contimg.images.fits import celestial_wcs
from dsa110_contimg.photometry.beam_error import beam_error
from dsa110_contimg.photometry.forced_beam import error_at
from restored_image import header_of

SHAPE = (1800, 1700)
HEADER = header_of(SHAPE[0], 359.9)


@pytest.mark.parametrize("count", [5, 3000])
def test_it_is_that_of_each_place(count):
    asked = []

    def error(ra, dec):
        asked.append(len(ra))
        return beam_error([HEADER], ra, dec)

    place = np.random.default_rng(1).uniform(250, 1450, (count, 2))
    found = error_at(error, HEADER, SHAPE, place)
    expected = beam_error([HEADER], *celestial_wcs(HEADER, SHAPE).all_pix2world(*place.T, 0))
    assert expected.max() > 0.1
    np.testing.assert_allclose(found, expected, rtol=1e-9 if count == 5 else 0.04, atol=0.0 if count == 5 else 4e-3)
    assert asked[0] <= 200


def test_of_no_places_it_is_nothing():
    assert error_at(lambda ra, dec: ra, HEADER, SHAPE, np.zeros((0, 2))).size == 0
