import numpy as np
import pytest

from dsa110_contimg.imaging.averaging_kernels import add_integration, compile_kernels, divide

pytestmark = pytest.mark.kernel

SHAPE = (3, 5, 2)


def add(flags=None, *, either=False, difference=True, weights=None):
    """Add three baselines: to rows 1, nowhere, and 1 again, mirrored; five channels by twos."""
    rng = np.random.default_rng(1)
    visibilities = (rng.normal(size=SHAPE) + 1j * rng.normal(size=SHAPE)).astype(np.complex64)
    weights = rng.uniform(1, 2, SHAPE).astype(np.float32) if weights is None else weights
    flags = np.zeros(SHAPE, bool) if flags is None else flags
    uvw_m = rng.normal(size=(3, 3))
    sums, sum_weights = np.zeros((2, 3), np.complex64), np.zeros((2, 3), np.float32)
    differences, difference_weights = np.zeros_like(sums), np.zeros_like(sum_weights)
    if not difference:
        differences, difference_weights = differences[:0], difference_weights[:0]
    found = (
        sums,
        sum_weights,
        differences,
        difference_weights,
        np.zeros((2, 3)),
        np.zeros(2),
        np.zeros(5),
        np.zeros((3, 3)),
    )
    rows, mirrored = np.array([1, -1, 1]), np.array([False, False, True])
    add_integration(visibilities, flags, weights, uvw_m, rows, mirrored, 2, either, *found)
    return visibilities, weights, uvw_m, found


def by_twos(values):
    return np.add.reduceat(values, [0, 2, 4], axis=-1)


def test_sums():
    visibilities, weights, uvw_m, found = add()
    sums, sum_weights, differences, difference_weights, sum_uvw_m, row_weights, channel_weights, powers = found
    w = 4 * weights[..., 0] * weights[..., 1] / weights.sum(axis=2)
    stokes_i, half = visibilities.mean(axis=2), (visibilities[..., 0] - visibilities[..., 1]) / 2
    np.testing.assert_allclose(sums[1], by_twos(w[0] * stokes_i[0] + w[2] * np.conj(stokes_i[2])), rtol=1e-5)
    np.testing.assert_allclose(differences[1], by_twos(w[0] * half[0] + w[2] * np.conj(half[2])), rtol=1e-5)
    np.testing.assert_allclose(sum_weights[1], by_twos(w[0] + w[2]), rtol=1e-5)
    np.testing.assert_allclose(difference_weights, sum_weights, rtol=1e-6)
    np.testing.assert_allclose(sum_uvw_m[1], w[0].sum() * uvw_m[0] - w[2].sum() * uvw_m[2], rtol=1e-5)
    np.testing.assert_allclose(channel_weights, w[0] + w[2], rtol=1e-5)
    assert row_weights == pytest.approx([0, (w[0] + w[2]).sum()])
    assert not sums[0].any()
    both = [(w * np.abs(half) ** 2).sum(axis=1), (w * np.abs(stokes_i) ** 2).sum(axis=1), np.full(3, 5)]
    np.testing.assert_allclose(powers[[0, 2]], np.transpose(both)[[0, 2]], rtol=1e-5)
    assert not powers[1].any()


def test_without_the_difference():
    assert np.array_equal(add(difference=False)[3][0], add()[3][0])


@pytest.mark.parametrize("correlation", [0, 1])
def test_a_flag_of_one_correlation(correlation):
    flags = np.zeros(SHAPE, bool)
    flags[:, 4, correlation] = True
    visibilities, weights, _, (sums, sum_weights, differences, *_) = add(flags)
    assert sums[1, 2] == sum_weights[1, 2] == differences[1, 2] == 0
    _, _, _, (sums, sum_weights, differences, *_) = add(flags, either=True)
    other = 1 - correlation
    w = weights[:, 4, other]
    expected = w[0] * visibilities[0, 4, other] + w[2] * np.conj(visibilities[2, 4, other])
    np.testing.assert_allclose(sums[1, 2], expected, rtol=1e-5)
    assert sum_weights[1, 2] == pytest.approx(w[0] + w[2])
    assert differences[1, 2] == 0


def test_weights_of_all_channels():
    one = np.random.default_rng(2).uniform(1, 2, (3, 1, 2)).astype(np.float32)
    for of_one, of_each in zip(add(weights=one)[3], add(weights=np.repeat(one, 5, axis=1))[3], strict=True):
        np.testing.assert_array_equal(of_one, of_each)


def test_both_flagged():
    found = add(np.ones(SHAPE, bool), either=True)[3]
    assert not any(values.any() for values in found)


def test_means():
    sums = np.array([[2 + 2j, 3 + 0j]], np.complex64)
    divide(sums, np.array([[2, 0]], np.float32))
    np.testing.assert_allclose(sums, [[1 + 1j, 3]])


def test_they_are_compiled_at_set_up():
    compile_kernels()
