"""Gains in time: intervals, phases first, amplitudes after."""

import numpy as np

from dsa110_contimg.calibration.gains import intervals, phase_then_amplitude
from dsa110_contimg.calibration.sums import Baselines, Sums

INTEGRATION_S = 12.884901888
MJD = 60953.5 + np.arange(24) * INTEGRATION_S / 86400


def test_intervals_cover_all_integrations():
    found = intervals(MJD, INTEGRATION_S, 60.0)
    assert found.starts.tolist() == [0, 5, 10, 15, 20]
    np.testing.assert_allclose(found.interval_s, np.array([5, 5, 5, 5, 4]) * INTEGRATION_S, rtol=1e-6)
    np.testing.assert_allclose(found.times_mjd[0], MJD[2])
    assert found.of(24).tolist() == [0] * 5 + [1] * 5 + [2] * 5 + [3] * 5 + [4] * 4


def test_one_interval_and_one_for_each_integration():
    assert intervals(MJD, INTEGRATION_S, np.inf).starts.tolist() == [0]
    assert intervals(MJD, INTEGRATION_S, 1.0).starts.tolist() == list(range(24))


def test_phases_that_move_take_nothing_from_amplitudes():
    n_antennas = 8
    rng = np.random.default_rng(1)
    p, q = np.triu_indices(n_antennas, 1)
    baselines = Baselines(np.arange(n_antennas), np.arange(p.size), p, q, np.arange(n_antennas))
    amplitude = rng.uniform(0.8, 1.2, (n_antennas, 1, 2))
    rate = rng.uniform(-2, 2, (n_antennas, 1, 2))
    true = amplitude * np.exp(1j * rate * np.linspace(-1, 1, 24)[:, None])
    power = np.full((p.size, 24, 2), 1e4, np.float32)
    times = Sums((true[p] * true[q].conj() * power).astype(np.complex64), power)
    phases, amplitudes = intervals(MJD, INTEGRATION_S, 26.0), intervals(MJD, INTEGRATION_S, np.inf)
    found = phase_then_amplitude(times, baselines, phases, amplitudes, 2, robust_rounds=0)
    assert found.gains.shape == (n_antennas, 12, 2)
    np.testing.assert_allclose(np.abs(found.gains), np.broadcast_to(amplitude, found.gains.shape), rtol=6e-3)
    assert np.ptp(np.abs(found.gains), axis=1).max() < 1e-9
    wanted = true.reshape(n_antennas, 12, 2, 2).mean(axis=2)
    off = found.gains / wanted * np.exp(1j * np.angle(wanted[2]))
    assert np.abs(np.angle(off)).max() < 1e-3
