"""Lengths and shadows."""

import numpy as np
import pytest

from dsa110_contimg.flagging.limits import in_shadow, outside_range

UVW_M = np.array([[[0, 0, 0], [3, 4, 100], [30, 40, 0], [300, 400, 0]]], float)


@pytest.mark.parametrize(
    ("least", "most", "outside"),
    [(None, None, [0, 0, 0, 0]), (10, None, [0, 1, 0, 0]), (None, 100, [0, 0, 0, 1]), (6, 60, [0, 1, 0, 1])],
)
def test_lengths_are_projected_and_autocorrelations_have_none(least, most, outside):
    np.testing.assert_array_equal(outside_range(UVW_M, least, most), [np.array(outside, bool)])


def test_the_one_behind_is_in_the_shadow():
    """Antennas 0 and 1 overlap; 0 is nearer to the source by 7 m. Antenna 2 stands apart."""
    first, second = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 1, 2, 1, 2, 2])
    uvw_m = np.array([[[0, 0, 0], [2, 2, 7], [50, 0, 0], [0, 0, 0], [48, -2, -7], [0, 0, 0]]], float)
    dishes_m = np.full(3, 4.65)
    np.testing.assert_array_equal(in_shadow(uvw_m, first, second, dishes_m), [[False, True, False, True, True, False]])
    turned = in_shadow(uvw_m * [1, 1, -1], first, second, dishes_m)
    np.testing.assert_array_equal(turned, [[True, True, True, False, False, False]])
    assert not in_shadow(uvw_m * [3, 3, 1], first, second, dishes_m).any()
