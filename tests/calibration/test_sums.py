"""The sums of which gains are found, against the same written with numpy."""

import numpy as np
import pytest

from dsa110_contimg.calibration.blocks import BlockSums
from dsa110_contimg.calibration.spectra import antenna_spectra
from dsa110_contimg.calibration.stefcal import CUT
from dsa110_contimg.calibration.sums import Baselines, Refined, Sample, Sums

pytestmark = pytest.mark.kernel

N_ANTENNAS, N_CHANNELS = 5, 6
ANTENNA1, ANTENNA2 = np.triu_indices(N_ANTENNAS)
CROSS = np.flatnonzero(ANTENNA1 != ANTENNA2)
BASELINES = Baselines(
    np.arange(N_ANTENNAS), CROSS, ANTENNA1[CROSS], ANTENNA2[CROSS], np.flatnonzero(ANTENNA1 == ANTENNA2)
)
SHAPE = (N_ANTENNAS, N_CHANNELS, 2)


def complex_normal(rng, shape):
    return rng.normal(size=shape) + 1j * rng.normal(size=shape)


@pytest.fixture
def rng():
    return np.random.default_rng(8)


@pytest.fixture
def gains(rng):
    return complex_normal(rng, SHAPE).astype(np.complex64)


@pytest.fixture
def sample(rng, gains):
    """Data of these gains with unit noise, one sample wild, one not a number, one baseline not used."""
    sensitivity = rng.uniform(0.5, 2.0, SHAPE).astype(np.float32)
    model = complex_normal(rng, (CROSS.size, N_CHANNELS)).astype(np.complex64)
    data = np.ones((ANTENNA1.size, N_CHANNELS, 2), np.complex64)
    product = gains[BASELINES.first] * gains[BASELINES.second].conj()
    weight = sensitivity[BASELINES.first] * sensitivity[BASELINES.second]
    noise = complex_normal(rng, product.shape) / np.sqrt(weight)
    data[CROSS] = product * model[..., None] + noise
    data[CROSS[1], 2, 0] = 1e4
    data[CROSS[2], 3, 1] = np.nan
    flags = rng.uniform(size=data.shape) < 0.1
    flags[CROSS[1], 2, 0] = False
    used = np.ones(CROSS.size, bool)
    used[4] = False
    return Sample(data, flags, model, sensitivity, used)


def parts(sample):
    """Weights of what counts, data and model, each (N, C, P)."""
    data = sample.data[CROSS]
    good = ~sample.flags[CROSS] & np.isfinite(data) & sample.used[:, None, None]
    weight = sample.sensitivity[BASELINES.first] * sample.sensitivity[BASELINES.second] * good
    return weight, np.nan_to_num(data), np.broadcast_to(sample.model[..., None], data.shape)


def test_sums_over_time(sample):
    sums = Sums.empty(CROSS.size, N_CHANNELS, 2)
    for _ in range(3):
        sums.add(BASELINES, sample)
    weight, data, model = parts(sample)
    np.testing.assert_allclose(sums.cross, 3 * weight * data * model.conj(), rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(sums.power, 3 * weight * np.abs(model) ** 2, rtol=1e-4)


def test_delays_are_taken_out_and_channels_summed_in_blocks(sample, gains):
    sums = Sums.empty(CROSS.size, N_CHANNELS, 2)
    sums.add(BASELINES, sample)
    unit = gains / np.abs(gains)
    turned = sums.turned(unit.astype(complex), BASELINES.pairs)
    np.testing.assert_allclose(
        turned.cross, sums.cross * unit[BASELINES.first].conj() * unit[BASELINES.second], rtol=1e-4
    )
    blocks = turned.blocks(np.array([0, 4]))
    np.testing.assert_allclose(blocks.cross[:, 1], turned.cross[:, 4:].sum(axis=1), rtol=1e-5)
    np.testing.assert_allclose(blocks.power[:, 0], sums.power[:, :4].sum(axis=1), rtol=1e-5)


@pytest.mark.parametrize("robust", [True, False])
def test_the_second_look(sample, gains, robust):
    refined = Refined.empty(CROSS.size, 2, N_CHANNELS, 2)
    refined.add(BASELINES, sample, 1, gains, robust=robust)
    weight, data, model = parts(sample)
    expected = gains[BASELINES.first] * gains[BASELINES.second].conj() * model
    square = weight * np.abs(data - expected) ** 2
    if robust:
        weight = weight * np.minimum(1, CUT**2 / np.maximum(square, 1e-9))
        square = np.minimum(square, CUT**2)
    np.testing.assert_allclose(refined.band.power, weight * np.abs(model) ** 2, rtol=1e-4)
    np.testing.assert_allclose(refined.band.cross, weight * data * model.conj(), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(
        refined.times.cross[:, 1], (weight * data * expected.conj()).sum(axis=1), rtol=1e-3, atol=1e-2
    )
    np.testing.assert_allclose(refined.times.power[:, 1], (weight * np.abs(expected) ** 2).sum(axis=1), rtol=1e-4)
    assert (refined.times.power[:, 0] == 0).all()
    np.testing.assert_allclose(refined.misfit, square.sum(axis=1) / 2, rtol=1e-3)
    assert (refined.samples == (weight > 0).sum(axis=1)).all()


def test_sums_in_blocks_with_gains_in_the_model(sample, gains):
    gains[2, :, 0] = 0
    sums = BlockSums.empty(CROSS.size, 2, np.array([0, 4]), 2)
    sums.add(BASELINES, sample, 0, gains)
    weight, data, model = parts(sample)
    product = gains[BASELINES.first] * gains[BASELINES.second].conj()
    weight = weight * (product != 0)
    cross = weight * data * (product * model).conj()
    np.testing.assert_allclose(sums.cross[:, 0, 1], cross[:, 4:].sum(axis=1), rtol=1e-3, atol=1e-2)
    np.testing.assert_allclose(sums.energy, (weight * np.abs(data) ** 2).sum(axis=1), rtol=1e-4)
    np.testing.assert_allclose(sums.weight, (weight * np.abs(product) ** 2).sum(axis=1), rtol=1e-4)
    assert (sums.samples == (weight > 0).sum(axis=1)).all()
    np.testing.assert_allclose(sums.over_times().cross, sums.cross[:, 0], rtol=1e-5)
    np.testing.assert_allclose(sums.over_blocks().power[:, 0], sums.power[:, 0].sum(axis=1), rtol=1e-5)


def test_what_single_antennas_see(sample, gains):
    found = antenna_spectra(BASELINES, sample, gains, np.array([0, 3]))
    weight, data, model = parts(sample)
    seen = weight * data * model.conj()
    expected = np.zeros((2, N_CHANNELS, 2), complex)
    for k, antenna in enumerate((0, 3)):
        as_first, as_second = BASELINES.first == antenna, BASELINES.second == antenna
        expected[k] += (seen[as_first] * gains[BASELINES.second[as_first]]).sum(axis=0)
        expected[k] += (seen[as_second].conj() * gains[BASELINES.first[as_second]]).sum(axis=0)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-2)
