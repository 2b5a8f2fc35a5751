"""Delays from fringes: of 20 ns and of 300, without a baseline to the reference, and of antennas that see nothing."""

import numpy as np
import pytest

from dsa110_contimg.calibration.delays import delays_along_tree, find_fringes, fringe_strength, refine_delays
from dsa110_contimg.calibration.sums import Baselines, Sums

FREQ_HZ = 1311.387e6 + np.arange(768) * 250e6 / 1024
DELAYS_S = np.array([0.0, 12e-9, -17e-9, 300e-9, 5e-9, -620e-9, 1e-9])


def observed(noise=0.3, without=(), deaf=None, seed=2):
    """Sums of an array of seven with these delays, and its baselines but for some pairs."""
    rng = np.random.default_rng(seed)
    n_antennas = DELAYS_S.size
    gains = np.exp(2j * np.pi * (DELAYS_S[:, None] * (FREQ_HZ - FREQ_HZ.mean()) + rng.uniform(size=(n_antennas, 1))))
    if deaf is not None:
        gains[deaf] = 0
    pairs = [(p, q) for p in range(n_antennas) for q in range(p + 1, n_antennas) if (p, q) not in without]
    p, q = np.array(pairs).T
    shape = (p.size, FREQ_HZ.size, 2)
    cross = (gains[p] * gains[q].conj())[..., None] + noise * (rng.normal(size=shape) + 1j * rng.normal(size=shape))
    baselines = Baselines(np.arange(n_antennas), np.arange(p.size), p, q, np.arange(n_antennas))
    weight = 1 / noise**2
    return Sums((weight * cross).astype(np.complex64), np.full(shape, weight, np.float32)), baselines


def solve(sums, baselines, reference=0):
    found, phase_rad = delays_along_tree(find_fringes(sums, FREQ_HZ), baselines, reference)
    return refine_delays(found, phase_rad, sums, baselines, FREQ_HZ, reference, robust_rounds=2)


def test_delays_are_found_to_their_errors():
    found = solve(*observed())
    off = found.delay_s - DELAYS_S[:, None]
    assert np.abs(off).max() < 30e-12
    assert np.abs(off[1:] / found.error_s[1:]).max() < 5


def test_a_weak_source_gives_delays_too():
    found = solve(*observed(noise=2.0))
    assert np.abs(found.delay_s - DELAYS_S[:, None]).max() < 0.5e-9


def test_antennas_without_a_baseline_to_the_reference_are_reached_by_others():
    found = solve(*observed(without={(0, 3), (0, 5), (3, 5)}))
    np.testing.assert_allclose(found.delay_s, np.repeat(DELAYS_S[:, None], 2, axis=1), atol=50e-12)


def test_delays_are_relative_to_the_reference():
    found = solve(*observed(), reference=3)
    np.testing.assert_allclose(found.delay_s[:, 0], DELAYS_S - 300e-9, atol=50e-12)
    assert (found.delay_s[3] == 0).all()


def test_a_deaf_antenna_has_no_delay():
    sums, baselines = observed(deaf=4)
    strength = fringe_strength(find_fringes(sums, FREQ_HZ), baselines)
    assert strength[4].tolist() == [0, 0]
    assert (np.delete(strength, 4, axis=0) > 10).all()
    found = solve(sums, baselines)
    assert (found.snr[4] == 0).all()
    assert np.isinf(found.error_s[4]).all()
    assert np.abs(np.delete(found.delay_s - DELAYS_S[:, None], 4, axis=0)).max() < 50e-12


@pytest.mark.parametrize("channels", [slice(0, 768, 2), slice(100, 300)])
def test_other_bands(channels):
    sums, baselines = observed()
    part = Sums(sums.cross[:, channels], sums.power[:, channels])
    fringes = find_fringes(part, FREQ_HZ[channels])
    found, _ = delays_along_tree(fringes, baselines, 0)
    np.testing.assert_allclose(found.delay_s[:, 0], DELAYS_S, atol=1e-9)
