"""The first look: what is missing, and the mean power of the array."""

import numpy as np
import pytest

from dsa110_contimg.flagging.reasons import Reason
from dsa110_contimg.flagging.survey import CLIP, add_to_band, classify, good_powers, of_array, survey
from dsa110_contimg.ms.columns import OpenMs
from flagged_groups import ANTENNAS, DEAF, columns

N_ANTENNAS, N_CHANNELS = 9, 64
SECOND, FIRST = np.tril_indices(N_ANTENNAS)

kernel = pytest.mark.kernel


def noise(seed=1):
    rng = np.random.default_rng(seed)
    shape = (FIRST.size, N_CHANNELS, 2)
    return (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(np.complex64)


def band_of(data, reasons=None, scale=None):
    """Mean power of data whose noise has a mean power of 2."""
    total, count = np.zeros((2, N_ANTENNAS, N_CHANNELS))
    reasons = np.zeros(data.shape, np.uint8) if reasons is None else reasons
    scale = np.ones((N_ANTENNAS, N_CHANNELS, 2), np.float32) if scale is None else scale
    add_to_band(data, reasons, scale, np.full((FIRST.size, 2), 2, np.float32), FIRST, SECOND, total, count)
    return of_array(total, count), count


@kernel
def test_each_sample_gets_its_reason():
    data, flags = np.ones((1, 5, 2), np.complex64), np.zeros((1, 5, 2), bool)
    data[0, 0, 0], data[0, 1, 1], data[0, 2, 0] = 0, np.nan, complex(1, np.inf)
    flags[0, [0, 3], 0] = True
    reasons = np.zeros(data.shape, np.uint8)
    classify(data, flags, reasons)
    expected = np.zeros(data.shape, np.uint8)
    expected[0, 0, 0] = Reason.ZERO
    expected[0, 1, 1] = expected[0, 2, 0] = Reason.NOT_FINITE
    expected[0, 3, 0] = Reason.BEFORE
    np.testing.assert_array_equal(reasons, expected)


@kernel
def test_noise_has_unit_power_whatever_the_gains():
    gains = np.random.default_rng(2).uniform(0.1, 10, (N_ANTENNAS, N_CHANNELS, 2)).astype(np.float32)
    plain, _ = band_of(noise())
    band, count = band_of(noise() * gains[FIRST] * gains[SECOND], scale=1 / gains)
    np.testing.assert_allclose(band, plain, rtol=1e-4)
    np.testing.assert_array_equal(count, 2 * (N_ANTENNAS - 1))
    # 72 exponentially distributed values in each channel.
    assert band.mean() == pytest.approx(1, abs=5 / np.sqrt(72 * N_CHANNELS))
    assert band.std() == pytest.approx(1 / np.sqrt(72), rel=0.4)


@kernel
def test_flagged_samples_and_unknown_powers_do_not_count():
    data, reasons = noise(), np.zeros((FIRST.size, N_CHANNELS, 2), np.uint8)
    data[:, 7] = 1e6
    reasons[:, 7] = Reason.BEFORE
    scale = np.ones((N_ANTENNAS, N_CHANNELS, 2), np.float32)
    scale[3] = np.nan
    band, count = band_of(data, reasons, scale)
    assert np.isnan(band[7])
    assert np.isfinite(np.delete(band, 7)).all()
    assert not count[3].any()
    assert (count[0, :7] == 2 * (N_ANTENNAS - 2)).all()


@kernel
def test_one_baseline_or_one_antenna_does_not_make_the_array_see_interference():
    quiet, _ = band_of(noise())
    data = noise()
    data[(FIRST == 0) & (SECOND == 1), 20] = 100
    data[((FIRST == 4) | (SECOND == 4)), 40] = 100
    data[:, 50] += 4
    band, _ = band_of(data)
    assert band[20] - quiet[20] < CLIP / 36
    assert abs(band[40] - quiet[40]) < 0.3
    assert band[50] > 5


def test_powers_are_positive_and_finite():
    autos = np.array([[1, 0, -2, np.nan, 5]], np.complex64)
    reasons = np.array([[0, Reason.ZERO, 0, Reason.NOT_FINITE, Reason.BEFORE]], np.uint8)
    np.testing.assert_array_equal(good_powers(autos, reasons), [[1, np.nan, np.nan, np.nan, 5]])


def test_survey_of_a_group(group):
    with OpenMs(group.ms) as opened:
        seen = survey(opened)
    assert sorted(seen.antennas + 1) == sorted(ANTENNAS)
    assert seen.missing.max() == 0
    assert not seen.reasons.any()
    (data,), first, second = columns(group.ms, "DATA"), seen.first, seen.second
    np.testing.assert_array_equal(seen.powers[:, first[first == second]], data[:, first == second].real)
    # Deaf or not, noise has the same power; what transmits sticks out.
    assert DEAF - 1 in seen.antennas
    assert np.median(seen.band[group.clean]) == pytest.approx(1, abs=0.1)
    strong = group.strength.mean(axis=(1, 3)) > 5
    assert seen.band[strong].min() > 2
