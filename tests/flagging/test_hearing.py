"""Sky is what two antennas share at short delays and slow rates."""

import numpy as np
import pytest

from dsa110_contimg.flagging.hearing import excess, of_antennas, sky_window
from dsa110_contimg.telescope.band import CHANNEL_WIDTH_HZ, N_CHANNELS

N_TIMES = 24
WINDOW = sky_window(N_TIMES, N_CHANNELS, CHANNEL_WIDTH_HZ)
GOOD = np.zeros((1, N_TIMES, N_CHANNELS), bool)
FREQ_HZ = np.arange(N_CHANNELS) * CHANNEL_WIDTH_HZ


def noise(seed):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(2, *GOOD.shape)) * [[[[1]]], [[[1j]]]]).sum(axis=0).astype(np.complex64)


def source(strength, delay_s, turns=0.0):
    """A source whose phase turns so many times in an integration."""
    phase = FREQ_HZ * delay_s + turns * np.arange(N_TIMES)[:, None]
    return (strength * np.exp(2j * np.pi * phase))[None].astype(np.complex64)


def test_noise_has_no_excess():
    values = np.array([excess(noise(seed), WINDOW)[0] for seed in range(60)])
    assert abs(values.mean()) < 4 * WINDOW.spread / np.sqrt(60)
    assert values.std() == pytest.approx(WINDOW.spread, rel=0.3)


@pytest.mark.parametrize(("delay_s", "turns"), [(0, 0), (300e-9, 0.05), (-550e-9, -0.1)])
def test_a_source_far_below_the_noise_of_a_sample_is_heard(delay_s, turns):
    """0.5 Jy are a fifth of the noise of a sample."""
    strength = 0.5 / 2.59
    found = excess(noise(1) + source(strength, delay_s, turns), WINDOW)[0]
    power = strength**2 / 2 * N_TIMES * N_CHANNELS / (WINDOW.rates.size * WINDOW.near.size)
    assert found == pytest.approx(power, abs=6 * WINDOW.spread)
    assert found > 3 * WINDOW.spread


def test_the_unit_does_not_matter():
    data = noise(2) + source(0.3, 1e-7)
    np.testing.assert_allclose(excess(data * np.complex64(3e3j), WINDOW), excess(data, WINDOW), rtol=1e-4)


def test_narrow_interference_is_no_sky_once_it_is_flagged():
    data, bad = noise(3), GOOD.copy()
    data[..., 300:303] += 50
    bad[..., 300:303] = True
    assert abs(excess(np.where(bad, np.complex64(0), data), WINDOW)[0]) < 5 * WINDOW.spread


def test_no_data_are_no_number():
    assert np.isnan(excess(0 * noise(1), WINDOW)).all()


@pytest.mark.parametrize("width_hz", [CHANNEL_WIDTH_HZ, 4 * CHANNEL_WIDTH_HZ, 32 * CHANNEL_WIDTH_HZ])
@pytest.mark.parametrize("n_times", [1, 2, 24])
def test_there_are_delays_of_sky_and_of_noise_however_wide_the_channels(n_times, width_hz):
    n_channels = round(N_CHANNELS * CHANNEL_WIDTH_HZ / width_hz)
    window = sky_window(n_times, n_channels, width_hz)
    assert 0 in window.rates
    assert 0 in window.near
    assert window.far.size > 0
    assert not set(window.near) & set(window.far)


@pytest.mark.parametrize("n_times", [1, 2, 24])
def test_the_window_is_of_the_fourier_transform_over_time_and_frequency(n_times):
    rng = np.random.default_rng(4)
    data = rng.normal(size=(2, n_times, 96)) + 1j * rng.normal(size=(2, n_times, 96))
    window = sky_window(n_times, 96, CHANNEL_WIDTH_HZ)
    power = np.abs(np.fft.fft2(data)) ** 2
    sky = power[:, window.rates][..., window.near].mean(axis=(1, 2))
    noise = power[..., window.far].mean(axis=(1, 2))
    np.testing.assert_allclose(excess(data.astype(np.complex64), window), sky / noise - 1, rtol=1e-5, atol=1e-5)


def test_what_an_antenna_hears_is_the_median_of_its_baselines():
    second, first = np.tril_indices(6)
    hears = np.array([1, 1, 0, 1, 1, 2.0])
    excesses = (hears[first] * hears[second])[:, None]
    excesses[first == second] = np.nan
    excesses[(first == 0) & (second == 1)] = 77
    well = np.ones((6, 1), bool)
    well[5] = False
    hearing = of_antennas(excesses, first, second, well, 0.1)
    np.testing.assert_allclose(hearing.power[:, 0], [1, 1, 0, 1, 1, 2])
    assert hearing.spread[0, 0] == pytest.approx(0.1 * 1.2533 / 2)
    nothing = of_antennas(np.full_like(excesses, np.nan), first, second, well, 0.1)
    assert np.isnan(nothing.power).all()
