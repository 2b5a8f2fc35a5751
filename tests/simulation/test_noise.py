"""Thermal noise against the radiometer equation."""

import numpy as np
import pytest

from dsa110_contimg.simulation.noise import fill_unit_noise, noise_rms_jy, sample_rms_jy, sefd_of_rms_jy


def test_the_dishes_give_2p59_jy():
    assert sample_rms_jy() == pytest.approx(2.59, abs=0.005)
    assert noise_rms_jy("auto") == sample_rms_jy()
    assert noise_rms_jy(0) == 0.0
    assert sefd_of_rms_jy(sample_rms_jy(1234.0)) == pytest.approx(1234.0)


def test_components_are_independent_and_of_unit_variance():
    noise = np.empty((300, 400), dtype=np.complex64)
    fill_unit_noise(np.random.default_rng(2), noise)
    n = noise.size
    assert noise.real.std() == pytest.approx(1.0, abs=5 / np.sqrt(2 * n))
    assert noise.imag.std() == pytest.approx(1.0, abs=5 / np.sqrt(2 * n))
    assert abs(noise.mean()) < 5 * np.sqrt(2 / n)
    assert abs(np.mean(noise.real * noise.imag)) < 5 / np.sqrt(n)
