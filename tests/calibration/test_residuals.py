"""Residuals against noise, and triangles."""

import numpy as np
import pytest

from dsa110_contimg.calibration.residuals import ResidualMeter, closure_rms_deg

FIRST, SECOND = (index.astype(np.int32) for index in np.triu_indices(8))


def blocks(noise_jy=2.0, model_error=0.0, n=4, seed=0):
    rng = np.random.default_rng(seed)
    shape = (2, FIRST.size, 24, 2)
    for _ in range(n):
        model = np.full(shape, 6.0 + 0j)
        noise = rng.normal(0, noise_jy, (2, *shape))
        yield model * (1 + model_error) + noise[0] + 1j * noise[1], model


def meter_of(pairs, flags=None, sigma=2.0):
    meter = ResidualMeter(FIRST, SECOND)
    for data, model in pairs:
        meter.add(data, model, np.zeros(data.shape, bool) if flags is None else flags, sigma)
    return meter.result()


def test_noise_alone_gives_a_ratio_of_one_and_triangles_that_close():
    found = meter_of(blocks())
    assert found.ratio == pytest.approx(1.0, rel=0.01)
    assert found.n_samples == 4 * 2 * 28 * 24 * 2
    # A baseline's mean phase has an error of 2 / 6 / sqrt(192) rad, a triangle's that of three.
    assert found.closure_deg == pytest.approx(np.degrees(2 / 6 / np.sqrt(192) * np.sqrt(3)), rel=0.4)


def test_a_wrong_model_is_seen_in_the_residuals():
    assert meter_of(blocks(model_error=0.5)).ratio == pytest.approx(np.hypot(2, 3 / np.sqrt(2)) / 2, rel=0.02)


def test_flagged_samples_and_autocorrelations_do_not_count():
    pairs = list(blocks())
    flags = np.zeros(pairs[0][0].shape, bool)
    flags[:, :, :5] = True
    for data, _ in pairs:
        data[:, :, :5] = np.nan
        data[:, FIRST == SECOND] = 1e6
    assert meter_of(pairs, flags).ratio == pytest.approx(1.0, rel=0.03)


def test_nothing_gives_nothing():
    found = ResidualMeter(FIRST, SECOND).result()
    assert np.isnan([found.rms_jy, found.closure_deg, found.ratio]).all()


def test_gains_of_antennas_do_not_enter_closure_and_errors_of_baselines_do():
    rng = np.random.default_rng(0)
    cross = FIRST != SECOND
    first, second = FIRST[cross], SECOND[cross]
    gains = rng.uniform(0.5, 2, (8, 2)) * np.exp(1j * rng.uniform(-3, 3, (8, 2)))
    ratio = gains[first] * np.conj(gains[second])
    assert closure_rms_deg(ratio, first, second) < 1e-3
    error = np.exp(1j * rng.normal(0, 0.1, ratio.shape))
    assert closure_rms_deg(ratio * error, first, second) == pytest.approx(np.degrees(0.1 * np.sqrt(3)), rel=0.35)


def test_baselines_without_data_and_pairs_alone_are_left_out():
    first, second = np.array([0, 0, 1], np.int32), np.array([1, 2, 2], np.int32)
    ratio = np.ones((3, 1), complex)
    assert closure_rms_deg(ratio, first, second) == 0.0
    ratio[1] = 0
    assert np.isnan(closure_rms_deg(ratio, first, second))
