import numpy as np
import pytest
from scipy.ndimage import uniform_filter

from dsa110_contimg.imaging.weighting_kernels import compile_kernels, count, hold_down, weigh
from dsa110_contimg.telescope.geometry import SPEED_OF_LIGHT

pytestmark = pytest.mark.kernel

FREQ_HZ = np.array([1.0, 2.0]) * SPEED_OF_LIGHT  # a wavelength of a metre, and of half of one


def alone(n_rows):
    """Nothing was averaged."""
    return 1, 0.0, np.ones(n_rows, np.int64), np.zeros((n_rows, 2))


def test_samples_are_counted_in_their_cells_or_the_mirrored():
    cells = np.zeros((4, 8))
    uvw_m = np.array([[1.5, 0.5, 9.0], [-1.5, -0.5, 0.0], [-1.5, 1.5, 0.0], [30.0, 0.0, 0.0]])
    weights = np.array([[1.0, 2.0], [4.0, 0.0], [8.0, 0.0], [16.0, 16.0]], np.float32)
    count(uvw_m, FREQ_HZ, weights, 1.0, *alone(4), cells)
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
    total, squares, natural = weigh(uvw_m, FREQ_HZ, weights, 1.0, *alone(2), factors, 0.1, out)
    factor = 5 * np.exp(-0.1 * 2.5)
    np.testing.assert_allclose(out, [[2 * factor, 0], [0, 0]], rtol=1e-6)
    assert (total, squares, natural) == pytest.approx((2 * factor, 2 * factor**2, 2))


def test_what_was_averaged_counts_where_it_was():
    """Two channels and three integrations, each in a cell of its own."""
    cells = np.zeros((4, 8))
    uvw_m, weights = np.array([[0.0, 2.0, 0.0]]), np.ones((1, 1), np.float32)
    extent = (2, 0.5 * SPEED_OF_LIGHT, np.array([3]), np.array([[2.5, 0.0]]))
    count(uvw_m, FREQ_HZ[:1], weights, 1.0, *extent, cells)
    # v is 2 x 0.875 and 2 x 1.125; u is -1.25, 0 and 1.25 times these.
    expected = np.zeros((4, 8))
    expected[1, [2, 4, 5]] = expected[2, [2, 4, 5]] = 1 / 6
    np.testing.assert_allclose(cells, expected)
    out = np.empty_like(weights)
    weigh(uvw_m, FREQ_HZ[:1], weights, 1.0, *extent, cells, 0.0, out)
    assert out[0, 0] == pytest.approx((cells**2).sum())


def test_a_row_partly_outside_counts_where_it_is_inside():
    cells = np.zeros((4, 8))
    uvw_m, weights = np.array([[3.0, -3.0, 0.0]]), np.array([[1.0, 2.0]], np.float32)
    count(uvw_m, FREQ_HZ, weights, 1.0, *alone(1), cells)
    expected = np.zeros((4, 8))
    expected[3, 1] = 1
    np.testing.assert_array_equal(cells, expected)
    out = np.empty_like(weights)
    total, _, natural = weigh(uvw_m, FREQ_HZ, weights, 1.0, *alone(1), cells, 0.0, out)
    assert out.tolist() == [[1.0, 0.0]]
    assert (total, natural) == (1.0, 1.0)


@pytest.mark.parametrize("window", [3, 16])
def test_no_factor_is_far_above_those_around_it(window):
    rng = np.random.default_rng(0)
    used = rng.random((30, 60)) < 0.2
    factors = np.where(used, rng.lognormal(0.0, 2.0, used.shape), 0.0)
    sums, counts = (uniform_filter(values, window, mode="constant") for values in (factors, used.astype(float)))
    means = np.divide(sums, counts, out=np.zeros_like(sums), where=used)
    held = hold_down(factors, window, 2.0)
    np.testing.assert_allclose(held, np.minimum(factors, 2.0 * means), rtol=1e-9)
    assert np.count_nonzero(held < factors) > 10


def test_they_are_compiled_at_set_up():
    compile_kernels()
