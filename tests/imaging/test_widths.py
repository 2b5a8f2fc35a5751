"""What averaging takes from sources off the centre is part of what is predicted."""

import numpy as np
import pytest

from dsa110_contimg.imaging.gridding import Gridder
from dsa110_contimg.imaging.prediction import Band, Remainder
from dsa110_contimg.imaging.prediction_kernels import subtract_wide
from dsa110_contimg.imaging.samples import Extent
from dsa110_contimg.imaging.widths import no_widths, sample_widths
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


def left_of(field, samples):
    """Image of what the true model leaves."""
    weights = samples.weights
    flat = np.ones(samples.freq_hz.size, np.float32)
    here = samples._replace(visibilities=samples.visibilities.copy())
    band = Band(here, weights, float(weights.sum()), None, flat, 1.0)
    remainder = Remainder(band, Gridder(field.grid, 1e-6, 2), np.zeros((256, 256), np.float32))
    model = np.zeros((256, 256), np.float32)
    model[field.rows[0], field.columns[0]] = FLUX_JY
    assert remainder.take_out(model, 0.0) == 1
    return remainder.image(1e-6)


def test_a_true_model_leaves_nothing_of_averaged_samples(field, samples):
    plain = left_of(field, samples._replace(extent=None))
    lost_jy = -plain[field.rows[0], field.columns[0]]
    assert lost_jy > 3e-3 * FLUX_JY
    assert np.abs(left_of(field, samples)).max() < 0.05 * lost_jy


def test_the_second_order_of_a_mean():
    """One baseline, a source: the mean of phasors over channels and integrations."""
    field = sampled_field([(0, 0)], [1.0], stations=(1, 40), every=8, beam=FlatBeam())
    samples = averaged(field.samples)
    away = np.array([0.02, -0.015])
    turns = field.samples.uvw_m[:, :2] @ away
    fine = np.exp(2j * np.pi * turns[:, None] * field.samples.freq_hz / 299792458.0)
    seen = fine.reshape(8, TIMES, -1, CHANNELS).mean(axis=(1, 3))
    middle = np.exp(2j * np.pi * (samples.uvw_m[:, :2] @ away)[:, None] * samples.freq_hz / 299792458.0)
    made = np.zeros(middle.shape, np.complex64)
    widths = sample_widths(samples, slice(0, 8))
    flat, time = np.ones((1, middle.shape[1]), np.float32), np.zeros(8, np.int64)
    wide = (widths.rows, widths.parts, widths.by_channel)
    subtract_wide(middle.astype(np.complex64), flat, time, *wide, 0, 8, made)
    lost = np.abs(seen - middle)
    assert lost.max() > 1e-3
    # Neighbours are a radian apart here; at the ends of the band their bend is not known so well.
    assert np.abs(seen + made)[:, 1:-1].max() < 0.08 * lost.max()


@pytest.mark.parametrize("n_times", [1, 2, 3, 4, 7])
def test_the_second_derivative_of_a_parabola_is_the_same_at_all_times(samples, n_times):
    """Whatever the gaps between integrations are, and however rows of baselines are mixed."""
    rng = np.random.default_rng(n_times)
    interval = 1e-4
    begin = np.cumsum(rng.integers(3, 6, n_times))
    mjd = np.repeat(60000.0 + interval * begin, 3)
    rows = mjd.size
    few = samples._replace(
        mjd=mjd,
        antenna1=np.zeros(rows, np.int32),
        antenna2=np.tile([1, 2, 3], n_times).astype(np.int32),
        extent=Extent(1, np.full(rows, 3), np.zeros((rows, 2))),
    )
    widths = sample_widths(few, slice(0, rows))
    parabola = ((mjd - 60000.0) / interval) ** 2 * np.tile([1.0, 2.0, 3.0], n_times)
    added = (widths.parts * parabola[widths.rows]).sum(axis=1)
    if n_times < 3:
        assert not added.any()
    else:
        # A gap between two rows that has nothing in it is their own width, wherever it is least.
        distance = np.diff(begin).min() / 3.0
        expected = 2.0 * (3**2 - 1) / 24.0 * distance**2 * np.tile([1.0, 2.0, 3.0], n_times)
        np.testing.assert_allclose(added, expected, rtol=1e-3)
    assert widths.by_channel == 0.0


def test_what_is_not_averaged_has_no_width(field, samples):
    rows = slice(0, samples.mjd.size)
    single = Extent(1, np.ones(samples.mjd.size, int), np.zeros((samples.mjd.size, 2)))
    for fine in (samples._replace(extent=None), samples._replace(extent=single)):
        widths = sample_widths(fine, rows)
        assert widths.parts.size == 0
        assert widths.by_channel == 0.0
    assert no_widths(5).rows.shape == (5, 0)
