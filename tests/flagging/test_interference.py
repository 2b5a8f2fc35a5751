"""What sticks out of one dynamic spectrum, and what does not."""

import numpy as np
import pytest

from dsa110_contimg.flagging.interference import Detector

N_TIMES, N_CHANNELS = 24, 768
NOTHING = np.zeros((N_TIMES, N_CHANNELS), bool)
# Mean and rms of the amplitude of noise whose components have an rms of 1.
RAYLEIGH_MEAN = np.sqrt(np.pi / 2)


@pytest.fixture(scope="module", params=["array", "baseline"])
def detector(request):
    return Detector(N_TIMES, N_CHANNELS, request.param)


def amplitude(signal, seed=1):
    """Noise with components of rms 1, and a signal of random phase, as an amplitude."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(2, N_TIMES, N_CHANNELS))
    phase = rng.uniform(0, 2 * np.pi)
    return np.abs(signal * np.exp(1j * phase) + noise[0] + 1j * noise[1])


def emission(times=slice(None), channels=slice(None), strength=1.0):
    signal = np.zeros((N_TIMES, N_CHANNELS))
    signal[times, channels] = strength
    return signal


def test_noise_is_left_alone(detector):
    lost = [detector.find(amplitude(0.0, seed), NOTHING).mean() for seed in range(8)]
    assert np.mean(lost) < 0.003
    assert max(lost) < 0.006


@pytest.mark.parametrize(
    "signal",
    [
        emission(channels=slice(300, 302), strength=5.0),
        emission(channels=slice(0, 1), strength=4.0),
        emission(times=slice(5, 6), channels=slice(100, 130), strength=5.0),
        emission(times=slice(0, None, 2), channels=slice(400, 482), strength=5.0),
        emission(times=slice(0, None, 3), channels=slice(20, 102), strength=40.0),
        emission(channels=slice(240, 288), strength=4.0),
    ],
    ids=["narrow", "at the edge", "burst", "every other integration", "strong", "a whole subband"],
)
def test_emission_is_found_and_its_neighbours_stay(detector, signal):
    found = detector.find(amplitude(signal), NOTHING)
    assert found[signal > 0].mean() > 0.93
    assert found[signal == 0].mean() < 0.03


def test_faint_and_wide_emission_is_found_in_the_mean_of_the_array():
    signal = emission(times=slice(0, None, 2), channels=slice(400, 482), strength=2.6)
    found = Detector(N_TIMES, N_CHANNELS, "array").find(amplitude(signal), NOTHING)
    assert found[signal > 0].mean() > 0.95
    assert found[signal == 0].mean() < 0.015


def test_what_a_mask_covers_does_not_matter(detector):
    quiet = amplitude(0.0)
    mask = emission(times=slice(3, 9), channels=slice(300, 450)) + emission(channels=slice(10, 15)) > 0
    loud = np.where(mask, 1e6, quiet)
    found = detector.find(loud, mask)
    assert not found[mask].any()
    assert found.mean() < 0.006
    np.testing.assert_array_equal(found, detector.find(np.where(mask, np.nan, quiet), mask))


def test_samples_that_are_not_numbers_are_not_looked_at(detector):
    image = amplitude(emission(channels=slice(300, 302), strength=6.0))
    image[:, 700:] = np.nan
    found = detector.find(image, NOTHING)
    assert found[:, 300:302].mean() > 0.95
    assert not found[:, 700:].any()


def test_a_smooth_passband_and_a_source_that_sets_are_not_interference(detector):
    channel, time = np.arange(N_CHANNELS), np.arange(N_TIMES)[:, None]
    passband = 1 + 0.1 * np.cos(2 * np.pi * channel / 200) + 0.1 * np.cos(2 * np.pi * time / 60)
    assert detector.find(passband * amplitude(0.0), NOTHING).mean() < 0.01


def test_the_unit_does_not_matter(detector):
    image = amplitude(emission(channels=slice(300, 302), strength=4.0))
    found = detector.find(image, NOTHING)
    np.testing.assert_array_equal(detector.find(1024 * image, NOTHING), found)


def test_nothing_good_is_nothing_found(detector):
    assert not detector.find(amplitude(9.0), ~NOTHING).any()


@pytest.mark.parametrize(("n_times", "n_channels"), [(1, 48), (1, 768), (2, 96), (3, 768), (12, 192), (48, 768)])
def test_other_sizes(n_times, n_channels):
    rng = np.random.default_rng(2)
    image = np.abs(rng.normal(size=(n_times, n_channels)) + 1j * rng.normal(size=(n_times, n_channels)))
    nothing = np.zeros(image.shape, bool)
    burst = np.s_[n_times // 2, n_channels // 2 - 2 : n_channels // 2 + 2]
    image[burst] += 12 * RAYLEIGH_MEAN
    found = Detector(n_times, n_channels, "baseline").find(image, nothing)
    assert found[burst].all()
    assert found.sum() < 5 + 0.01 * found.size
