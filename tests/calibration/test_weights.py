"""Weights and system temperatures from the autocorrelations."""

import numpy as np
import pytest

from dsa110_contimg.calibration.weights import auto_power, sefd_jy, sensitivity, without_power

WIDTH_HZ, EXPOSURE_S = 250e6 / 1024, 12.884901888


def test_the_weight_is_the_inverse_variance_of_the_radiometer():
    power = np.full((2, 4, 2), 6500.0, np.float32)
    s = sensitivity(power, WIDTH_HZ, EXPOSURE_S)
    np.testing.assert_allclose(1 / np.sqrt(s[0] * s[1]), 2.59, rtol=2e-3)


def test_a_channel_without_power_has_that_of_the_others():
    power = np.full((2, 5, 2), 100.0, np.float32)
    power[0, 2] = 0
    power[1] = 0
    s = sensitivity(power, WIDTH_HZ, EXPOSURE_S)
    np.testing.assert_allclose(s[0], s[0, 0, 0])
    assert (s[1] == 0).all()


def test_power_is_that_of_the_autocorrelations():
    data = np.array([5 + 1j, 7, np.nan, -3], np.complex64).reshape(4, 1, 1)
    flags = np.array([False, True, False, False]).reshape(4, 1, 1)
    power = auto_power(data, flags, np.array([0, 1, 2, 3]))
    assert power[:, 0, 0].tolist() == [5, 7, 0, 0]


def test_sefd_is_power_over_gain_less_the_sky():
    gains = np.full((2, 3, 2), 0.5 + 0j)
    power = np.full((2, 3, 2), 0.25 * 6510.0, np.float32)
    solved = np.ones(power.shape, bool)
    solved[1] = False
    found = sefd_jy(power, gains, solved, sky_jy=10.0)
    assert found[0].tolist() == pytest.approx([6500, 6500])
    assert np.isnan(found[1]).all()


def test_an_antenna_without_power_is_told_in_each_polarization():
    power = np.full((5, 6, 2), 1600.0, np.float32)
    power[1] *= 1e-4
    power[3, :, 0] = 0
    found = without_power(power)
    assert found[1].all()
    assert found[3].tolist() == [True, False]
    assert found.sum() == 3
