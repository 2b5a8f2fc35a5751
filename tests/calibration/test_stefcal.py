"""StefCal: gains from sums that are known, their errors, and what a wild baseline does."""

import numpy as np
import pytest

from dsa110_contimg.calibration.stefcal import stefcal

pytestmark = pytest.mark.kernel


def problem(n_antennas=10, n_channels=3, noise=1.0, weight=900.0, seed=1):
    """Sums of an array with gains of any phase: N, D, (p, q), true gains."""
    rng = np.random.default_rng(seed)
    shape = (n_antennas, n_channels, 2)
    gains = np.exp(rng.normal(0, 0.2, shape) + 1j * rng.uniform(-np.pi, np.pi, shape))
    p, q = np.triu_indices(n_antennas, 1)
    power = (weight * rng.uniform(0.5, 1.5, (p.size, n_channels, 2))).astype(np.float32)
    thermal = rng.normal(size=power.shape) + 1j * rng.normal(size=power.shape)
    cross = gains[p] * gains[q].conj() * power + noise * np.sqrt(power) * thermal
    return cross.astype(np.complex64), power, (p, q), gains


def relative(solved, true):
    ratio = solved / true
    return ratio * (np.abs(ratio[0]) / ratio[0])


def test_gains_without_noise_are_exact():
    cross, power, pairs, gains = problem(noise=0.0)
    found = stefcal(cross, power, pairs, np.ones_like(gains))
    assert found.converged.all()
    np.testing.assert_allclose(relative(found.gains, gains), 1.0, atol=2e-4)
    assert found.scatter.max() < 0.05


def test_errors_are_what_the_noise_makes():
    pulls = []
    for seed in range(8):
        cross, power, pairs, gains = problem(seed=seed)
        found = stefcal(cross, power, pairs, np.ones_like(gains))
        amplitude = np.abs(found.gains) - np.abs(gains)
        pulls.append(amplitude / found.error)
    assert np.std(pulls) == pytest.approx(1.0, abs=0.15)
    assert abs(np.mean(pulls)) < 0.15


def test_a_wild_baseline_has_no_influence():
    cross, power, pairs, gains = problem(n_antennas=12)
    clean = stefcal(cross, power, pairs, np.ones_like(gains))
    cross[7] += 1e6
    found = stefcal(cross, power, pairs, np.ones_like(gains))
    np.testing.assert_allclose(relative(found.gains, gains), relative(clean.gains, gains), atol=0.03)
    least_squares = stefcal(cross, power, pairs, np.ones_like(gains), robust_rounds=0)
    assert np.abs(relative(least_squares.gains, gains) - 1).max() > 0.5


def test_residuals_beyond_the_weights_widen_the_errors():
    cross, power, pairs, gains = problem(n_antennas=14, noise=3.0)
    found = stefcal(cross, power, pairs, np.ones_like(gains), robust_rounds=0)
    assert np.median(found.scatter) == pytest.approx(3.0, rel=0.2)
    plain = stefcal(cross, power / 9, pairs, np.ones_like(gains), robust_rounds=0)
    np.testing.assert_allclose(np.median(plain.scatter), 9.0, rtol=0.3)


def test_an_antenna_with_few_baselines_has_no_solution():
    cross, power, pairs, gains = problem()
    few = (pairs[0] == 4) | (pairs[1] == 4)
    few[np.flatnonzero(few)[:3]] = False
    power[few] = 0
    cross[few] = 0
    found = stefcal(cross, power, pairs, np.ones_like(gains))
    assert (found.gains[4] == 0).all()
    assert np.isinf(found.error[4]).all()
    assert (found.snr[4] == 0).all()
    np.testing.assert_allclose(np.abs(np.delete(found.gains / gains, 4, axis=0)), 1.0, atol=0.1)


def test_a_channel_without_data_has_no_solution():
    cross, power, pairs, gains = problem()
    cross[:, 1], power[:, 1] = 0, 0
    found = stefcal(cross, power, pairs, np.ones_like(gains))
    assert (found.gains[:, 1] == 0).all()
    assert (found.gains[:, [0, 2]] != 0).all()


def test_the_channels_of_an_odd_number_are_all_solved():
    cross, power, pairs, gains = problem(n_channels=5, noise=0.0)
    found = stefcal(cross, power, pairs, gains)
    np.testing.assert_allclose(relative(found.gains, gains), 1.0, atol=2e-4)
