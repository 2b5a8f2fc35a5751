import numpy as np
import pytest

from dsa110_contimg.imaging.weighting_kernels import compile_kernels, count, weigh
from dsa110_contimg.telescope.geometry import SPEED_OF_LIGHT

pytestmark = pytest.mark.kernel

FREQ_HZ = np.array([1.0, 2.0]) * SPEED_OF_LIGHT  # a wavelength of a metre, and of half of one


def test_samples_are_counted_in_their_cells_or_the_mirrored():
    cells = np.zeros((4, 8))
    uvw_m = np.array([[1.5, 0.5, 9.0], [-1.5, -0.5, 0.0], [-1.5, 1.5, 0.0], [30.0, 0.0, 0.0]])
    weights = np.array([[1.0, 2.0], [4.0, 0.0], [8.0, 0.0], [16.0, 16.0]], np.float32)
    count(uvw_m, FREQ_HZ, weights, 1.0, cells)
    expected = np.zeros((4, 8))
    expected[0, 5] = 1 + 4
    expected[1, 7] = 2
    expected[1, 2] = 8
    np.testing.assert_array_equal(cells, expected)


def test_weights_are_multiplied_by_their_factor_and_the_taper():
    factors = np.arange(32, dtype=float).reshape(4, 8)
    uvw_m = np.array([[1.5, 0.5, 9.0], [30.0, 0.0, 0.0]])
    weights = np.array([[2.0, 0.0], [1.0, 1.0]], np.float32)
    out = np.full((2, 2), np.nan, np.float32)
    total, squares, natural = weigh(uvw_m, FREQ_HZ, weights, 1.0, factors, 0.1, out)
    factor = 5 * np.exp(-0.1 * 2.5)
    np.testing.assert_allclose(out, [[2 * factor, 0], [0, 0]], rtol=1e-6)
    assert (total, squares, natural) == pytest.approx((2 * factor, 2 * factor**2, 2))


def test_they_are_compiled_at_set_up():
    compile_kernels()
