"""What averaging takes from sources off the centre is part of what is predicted."""

import numpy as np
import pytest

from dsa110_contimg.imaging.grid import Grid
from dsa110_contimg.imaging.gridding import Gridder
from dsa110_contimg.imaging.prediction import Band, Remainder
from dsa110_contimg.imaging.samples import Extent
from dsa110_contimg.imaging.widths import N_IMAGES, sample_widths
from predicted_ms import FlatBeam
from sampled_fields import CORE, sampled_field

CHANNELS, TIMES = 4, 3
FLUX_JY = 2.0


def averaged(fine):
    """Average samples of all baselines in all integrations, as `collect` would."""
    n_times = np.unique(fine.mjd).size
    n_baselines = fine.mjd.size // n_times
    cut = (n_times // TIMES, TIMES, n_baselines)
    uvw_m = fine.uvw_m.reshape(*cut, 3)
    span_m = (uvw_m[:, -1] - uvw_m[:, 0])[..., :2].reshape(-1, 2)
    visibilities = fine.visibilities.reshape(*cut, -1, CHANNELS).mean(axis=(1, 4), dtype=np.complex128)
    visibilities = visibilities.reshape(-1, visibilities.shape[-1])
    rows = len(visibilities)
    middle = slice(n_baselines, n_baselines * (TIMES - 1))
    antennas = (np.tile(each[middle], rows // n_baselines) for each in (fine.antenna1, fine.antenna2))
    return fine._replace(
        uvw_m=uvw_m.mean(axis=1).reshape(-1, 3),
        freq_hz=fine.freq_hz.reshape(-1, CHANNELS).mean(axis=1),
        channel_width_hz=CHANNELS * fine.channel_width_hz,
        visibilities=visibilities.astype(np.complex64),
        weights=np.ones(visibilities.shape, np.float32),
        mjd=fine.mjd.reshape(cut).mean(axis=1).ravel(),
        antenna1=next(antennas),
        antenna2=next(antennas),
        extent=Extent(CHANNELS, np.full(rows, TIMES), span_m),
    )


@pytest.fixture(scope="module")
def field():
    """A source 1.3 deg away that loses half a percent."""
    return sampled_field([(-92, 75)], [FLUX_JY], stations=CORE[::4], every=8, beam=FlatBeam())


@pytest.fixture(scope="module")
def samples(field):
    return averaged(field.samples)


def left_of(field, samples, widths, tolerance_jy=0.0):
    """Image of what the true model leaves, and how many images were degridded."""
    weights = samples.weights
    flat = np.ones(samples.freq_hz.size, np.float32)
    band = Band(
        samples.uvw_m,
        samples.freq_hz,
        samples.visibilities.copy(),
        weights,
        float(weights.sum()),
        None,
        flat,
        1.0,
        widths,
    )
    remainder = Remainder(band, Gridder(field.grid, 1e-6, 2), np.zeros((256, 256), np.float32))
    model = np.zeros((256, 256), np.float32)
    model[field.rows[0], field.columns[0]] = FLUX_JY
    n_degridded = remainder.take_out(model, tolerance_jy)
    return remainder.image(1e-6), n_degridded


def test_a_true_model_leaves_nothing_of_averaged_samples(field, samples):
    widths = sample_widths(samples, samples.weights)
    plain, _ = left_of(field, samples, None)
    lost_jy = -plain[field.rows[0], field.columns[0]]
    assert lost_jy > 3e-3 * FLUX_JY
    left, n_degridded = left_of(field, samples, widths)
    assert np.abs(left).max() < 0.03 * lost_jy
    assert n_degridded == 1 + N_IMAGES


def test_it_is_known_how_much_is_lost(field, samples):
    widths = sample_widths(samples, samples.weights)
    model = np.zeros((256, 256), np.float32)
    model[field.rows[0], field.columns[0]] = FLUX_JY
    plain, _ = left_of(field, samples, None)
    # On the average over position angles.
    assert widths.lost_jy(model, field.grid) == pytest.approx(-plain[field.rows[0], field.columns[0]], rel=0.5)
    assert widths.lost_jy(np.roll(model, 128 - field.columns[0], 1), field.grid) < 0.6 * widths.lost_jy(
        model, field.grid
    )


def test_what_matters_little_is_not_degridded(field, samples):
    widths = sample_widths(samples, samples.weights)
    left, n_degridded = left_of(field, samples, widths, tolerance_jy=100.0)
    assert n_degridded == 1
    np.testing.assert_allclose(left, left_of(field, samples, None)[0], atol=1e-5)


def test_the_second_order_of_a_mean():
    """One baseline, a source: the mean of phasors over channels and integrations."""
    grid = Grid(64, np.radians(0.05))
    field = sampled_field([(0, 0)], [1.0], stations=(1, 40), every=8, beam=FlatBeam())
    samples = averaged(field.samples)
    widths = sample_widths(samples, samples.weights)
    model = np.zeros((64, 64), np.float32)
    row, column = 44, 15
    model[row, column] = 1.0
    away = np.array([-grid.offsets[column], grid.offsets[row]])
    turns = field.samples.uvw_m[:, :2] @ away
    fine = np.exp(2j * np.pi * turns[:, None] * field.samples.freq_hz / 299792458.0)
    seen = fine.reshape(8, TIMES, -1, CHANNELS).mean(axis=(1, 3))
    middle = np.exp(2j * np.pi * (samples.uvw_m[:, :2] @ away)[:, None] * samples.freq_hz / 299792458.0)
    lost = sum(
        widths.factor(number, slice(0, 8)) * widths.image(number, model, grid)[row, column]
        for number in range(N_IMAGES)
    )
    assert (-lost).max() > 1e-3
    np.testing.assert_allclose((seen / middle).real - 1.0, lost, rtol=0.03)


def test_what_is_not_averaged_has_no_width(field, samples):
    assert sample_widths(field.samples, field.samples.weights) is None
    single = Extent(1, np.ones(samples.mjd.size, int), np.zeros((samples.mjd.size, 2)))
    assert sample_widths(samples._replace(extent=single), samples.weights) is None
