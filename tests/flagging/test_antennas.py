"""Who is sick, and with what."""

import numpy as np
import pytest

from dsa110_contimg.config.settings import FlagSettings
from dsa110_contimg.flagging.antennas import Patients, noise_of_powers
from dsa110_contimg.flagging.hearing import Hearing

NAMES = tuple(str(n) for n in range(1, 21))
ANTENNAS = np.array([0, 3, 4, 7, 9, 11, 15, 19])
SETTINGS = FlagSettings()
SAMPLES = 3.1e6


@pytest.fixture
def patients():
    return Patients(ANTENNAS, NAMES, ("XX", "YY"))


def powers(levels, n_times=6, n_channels=96, noise=1.0, seed=1):
    """Autocorrelations of these levels (A, P) behind a passband that is not flat."""
    rng = np.random.default_rng(seed)
    passband = 1 + 0.3 * np.cos(np.linspace(0, 9, n_channels))[:, None]
    shape = (n_times, len(levels), n_channels, 2)
    values = np.asarray(levels)[:, None] * passband * (1 + noise * rng.normal(size=shape) / np.sqrt(SAMPLES))
    return values.astype(np.float32)


def named(patients):
    return [(ailment.name, ailment.polarization, str(ailment.kind)) for ailment in patients.ailments]


def test_powers_name_dead_and_hot_antennas(patients):
    levels = np.random.default_rng(2).uniform(0.3, 3, (ANTENNAS.size, 2))
    levels[2, 1], levels[5, 0] = 1e-4, 1e3
    patients.check_powers(powers(levels), SETTINGS)
    assert named(patients) == [("12", "XX", "hot"), ("5", "YY", "dead")]
    assert patients.sick.sum() == 2


def test_powers_that_are_not_there_name_nobody(patients):
    values = powers(np.ones((ANTENNAS.size, 2)))
    values[:, 3] = np.nan
    patients.check_powers(values, SETTINGS)
    patients.check_powers(np.full_like(values, np.nan), SETTINGS)
    assert patients.ailments == []


def test_interference_does_not_make_an_antenna_hot(patients):
    values = powers(np.ones((ANTENNAS.size, 2)))
    values[:, 3, :20] *= 1e5
    patients.check_powers(values, SETTINGS)
    assert patients.ailments == []


def test_missing_samples_name_an_antenna_once(patients):
    missing = np.zeros((ANTENNAS.size, 2))
    missing[6, 0], missing[7, 1] = 0.8, 0.3
    patients.check_presence(missing, SETTINGS)
    patients.check_presence(missing, SETTINGS)
    assert [str(ailment) for ailment in patients.ailments] == [
        "station 16 XX is missing: 80% of its samples are missing"
    ]


def hearing(power, spread=0.01):
    power = np.asarray(power, float)
    return Hearing(power, np.full(power.shape, spread))


def test_who_hears_nothing_where_others_do_is_deaf(patients):
    power = np.ones((ANTENNAS.size, 2))
    power[1, 0], power[4] = 0.02, (-0.01, 0.4)
    assert patients.check_hearing(hearing(power), SETTINGS)
    assert named(patients) == [("4", "XX", "deaf"), ("10", "XX", "deaf")]


def test_in_a_faint_field_nobody_is_deaf(patients):
    power = np.full((ANTENNAS.size, 2), 0.05)
    power[1] = 0
    assert not patients.check_hearing(hearing(power), SETTINGS)
    assert patients.ailments == []


def test_a_third_of_the_array_may_be_deaf(patients):
    power = np.ones((ANTENNAS.size, 2))
    power[:3] = 0
    assert patients.check_hearing(hearing(power), SETTINGS)
    assert {name for name, *_ in named(patients)} == {"1", "4", "5"}


def test_those_who_are_sick_already_are_not_judged_again(patients):
    patients.check_powers(powers(np.where(np.arange(ANTENNAS.size)[:, None] == 2, 1e-5, np.ones((8, 2)))), SETTINGS)
    power = np.ones((ANTENNAS.size, 2))
    power[2] = np.nan
    patients.check_hearing(hearing(power), SETTINGS)
    assert {kind for *_, kind in named(patients)} == {"dead"}


@pytest.mark.parametrize("noise", [0.0, 1.0, 3.0])
def test_noise_of_a_radiometer(noise):
    values = powers(np.random.default_rng(3).uniform(0.3, 3, (ANTENNAS.size, 2)), n_channels=768, noise=noise)
    assert noise_of_powers(values, SAMPLES) == pytest.approx(noise, rel=0.05, abs=0.08)


def test_noise_is_unknown_without_powers():
    assert np.isnan(noise_of_powers(np.full((2, 3, 8, 2), np.nan, np.float32), SAMPLES))
    assert np.isnan(noise_of_powers(np.ones((2, 3, 2, 2), np.float32), SAMPLES))
