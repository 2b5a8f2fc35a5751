"""Smoothing and bridging a bandpass: what is kept, and by how much errors shrink."""

import numpy as np
import pytest

from dsa110_contimg.calibration.bandpass import channels_to_average, local_fit, smooth_bandpass

N_CHANNELS = 120
X = np.arange(N_CHANNELS) / N_CHANNELS
# Amplitude and phase that ripple as the receivers' do: a period of 30 MHz is this many channels.
RIPPLE = (1 + 0.15 * np.cos(2 * np.pi * np.arange(N_CHANNELS) / 123)) * np.exp(
    0.15j * np.sin(2 * np.pi * np.arange(N_CHANNELS) / 123)
)
NONE = np.zeros(N_CHANNELS, bool)
HEALTHY = np.ones((2, 2), bool)


def band(values, error=0.01):
    gains = np.broadcast_to(np.asarray(values, complex)[None, :, None], (2, N_CHANNELS, 2)).copy()
    return gains, np.full(gains.shape, error)


def test_a_parabola_is_kept():
    gains, error = band(1 + 2 * X - 3j * X**2)
    fitted, _ = local_fit(gains, error, 8)
    np.testing.assert_allclose(fitted, gains, atol=1e-9)


def test_errors_shrink_as_the_scatter_does():
    rng = np.random.default_rng(3)
    gains, error = band(RIPPLE)
    noisy = gains + 0.01 * (rng.normal(size=gains.shape) + 1j * rng.normal(size=gains.shape))
    fitted, fitted_error = local_fit(noisy, error, 8)
    inside = (slice(None), slice(10, -10))
    assert np.median(fitted_error[inside]) == pytest.approx(0.01 * np.sqrt(9 / 4 / 17), rel=0.05)
    assert np.std((fitted - gains)[inside].real) == pytest.approx(np.median(fitted_error[inside]), rel=0.2)


def test_a_strong_calibrator_is_left_alone():
    gains, error = band(RIPPLE, error=0.005)
    found = smooth_bandpass(gains, error, NONE, HEALTHY, wanted_snr=100)
    assert found.smoothed == 1
    np.testing.assert_array_equal(found.gains, gains)


def test_a_weak_one_is_smoothed_and_keeps_its_ripples():
    rng = np.random.default_rng(4)
    gains, error = band(RIPPLE, error=0.03)
    noisy = gains + 0.03 * (rng.normal(size=gains.shape) + 1j * rng.normal(size=gains.shape))
    found = smooth_bandpass(noisy, error, NONE, HEALTHY, wanted_snr=100)
    assert found.smoothed == 17
    assert np.std(found.gains - gains) < 0.5 * np.std(noisy - gains)
    exact = smooth_bandpass(gains, error, NONE, HEALTHY, wanted_snr=100).gains
    np.testing.assert_allclose(exact, gains, atol=2e-3)


def test_channels_without_data_stay_empty_and_those_left_out_are_bridged():
    gains, error = band(RIPPLE)
    error[0, 30:33], gains[0, 30:33] = np.inf, 0
    left_out = NONE.copy()
    left_out[60:67] = True
    true = gains.copy()
    error[:, left_out], gains[:, left_out] = np.inf, 0
    found = smooth_bandpass(gains, error, left_out, HEALTHY, wanted_snr=0)
    assert np.isinf(found.error[0, 30:33]).all()
    assert np.isfinite(found.error[1, 30:33]).all()
    assert found.bridged == 7
    np.testing.assert_allclose(found.gains[:, left_out], true[:, left_out], atol=0.01)


def test_an_antenna_without_solutions_is_not_bridged():
    gains, error = band(RIPPLE)
    error[1], gains[1] = np.inf, 0
    left_out = NONE.copy()
    left_out[60:67] = True
    error[:, left_out], gains[:, left_out] = np.inf, 0
    found = smooth_bandpass(gains, error, left_out, np.array([[True, True], [False, False]]), wanted_snr=100)
    assert np.isinf(found.error[1]).all()
    assert (found.gains[1] == 0).all()


@pytest.mark.parametrize(
    ("snr", "wanted", "channels"), [(120, 100, 1), (50, 100, 9), (99, 100, 5), (5, 100, 17), (0, 100, 1)]
)
def test_how_many_channels(snr, wanted, channels):
    assert channels_to_average(snr, wanted) == channels
