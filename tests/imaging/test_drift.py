"""A model that drifts through the beam, split in parts that are degridded."""

import numpy as np
import pytest

from dsa110_contimg.imaging.drift import drifting_beam
from dsa110_contimg.telescope.beams import AiryBeam
from sampled_fields import sampled_field

BEAM = AiryBeam()
FIELD = sampled_field([(-50, 20), (60, -70)], [1.0, 0.5], stations=(1, 40, 90), every=96)


def drift_of(weights=None, alpha=0.0):
    weights = FIELD.samples.weights if weights is None else weights
    return drifting_beam(FIELD.observation, BEAM, FIELD.grid, FIELD.samples, weights, alpha)


def model_of(drift):
    model = np.zeros((256, 256), np.float32)
    mean = drift.over.pixels(drift.mean)
    for row, column, flux in zip(FIELD.rows, FIELD.columns, (1.0, 0.5), strict=True):
        model[row, column] = flux * mean[row, column]
    return model


def amplitudes(drift, modes, row, column):
    """Apparent flux of a pixel in every row of the samples and channel."""
    by_time = sum(mode.image[row, column] * mode.factor for mode in modes)
    return np.repeat(by_time, np.diff(drift.edges), axis=0)


def test_the_mean_over_the_samples_is_the_model():
    weights = np.random.default_rng(0).uniform(0.0, 1.0, FIELD.samples.weights.shape).astype(np.float32)
    drift = drift_of(weights=weights)
    model = model_of(drift)
    for tolerance_jy, accuracy in ((0.0, 1e-3), (0.02, 0.02)):
        seen = amplitudes(drift, drift.modes(model, tolerance_jy), FIELD.rows[0], FIELD.columns[0])
        mean = np.average(seen, weights=weights)
        assert mean == pytest.approx(model[FIELD.rows[0], FIELD.columns[0]], rel=accuracy)


@pytest.mark.parametrize("alpha", [0.0, -1.5])
def test_it_is_the_beam(alpha):
    drift = drift_of(alpha=alpha)
    model = model_of(drift)
    seen = amplitudes(drift, drift.modes(model, 0.0), FIELD.rows[1], FIELD.columns[1])
    # The visibilities' own amplitudes: a lone source's.
    alone = sampled_field([(60, -70)], [0.5], stations=(1, 40, 90), every=96, alpha=alpha).samples.visibilities
    ratio = np.abs(alone) / seen
    # alpha is that of the beam's mean frequency, the catalogue's of 1.4 GHz.
    assert ratio.mean() == pytest.approx(1.0, abs=0.02)
    assert np.ptp(ratio) < 5e-3


def test_less_accuracy_takes_fewer_modes():
    drift = drift_of()
    model = model_of(drift)
    numbers = [len(drift.modes(model, tolerance_jy)) for tolerance_jy in (1e9, 0.2, 0.02, 0.002)]
    assert numbers[0] == 1
    assert numbers == sorted(numbers)
    assert numbers[-1] <= 5


@pytest.mark.parametrize("tolerance_jy", [0.1, 0.02, 0.004])
def test_the_accuracy_is_kept(tolerance_jy):
    drift = drift_of()
    model = model_of(drift)
    exact, made = drift.modes(model, 0.0), drift.modes(model, tolerance_jy)
    wrong = [
        np.mean((amplitudes(drift, made, *place) - amplitudes(drift, exact, *place)) ** 2)
        for place in zip(FIELD.rows, FIELD.columns, strict=True)
    ]
    assert np.sqrt(sum(wrong)) <= 1.1 * tolerance_jy


def test_what_matters_less_may_be_less_accurate():
    drift = drift_of()
    shares = [mode.share for mode in drift.modes(model_of(drift), 0.002)]
    assert shares[0] == 1.0
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] < 0.1


def test_flagged_integrations_and_channels_do_not_count():
    weights = FIELD.samples.weights.copy()
    weights[: len(weights) // 2] = 0.0
    weights[:, :3] = 0.0
    drift = drift_of(weights=weights)
    model = model_of(drift)
    seen = amplitudes(drift, drift.modes(model, 0.0), FIELD.rows[0], FIELD.columns[0])
    assert np.isfinite(seen).all()
    assert np.average(seen, weights=weights) == pytest.approx(model[FIELD.rows[0], FIELD.columns[0]], rel=1e-3)


def test_one_channel():
    one = FIELD.samples._replace(freq_hz=FIELD.samples.freq_hz[:1], weights=FIELD.samples.weights[:, :1])
    drift = drifting_beam(FIELD.observation, BEAM, FIELD.grid, one, one.weights)
    assert drift.polynomials.tolist() == [[1.0]]
    assert len(drift.modes(model_of(drift), 0.01)) == 2


def test_an_empty_model():
    drift = drift_of()
    (mode,) = drift.modes(np.zeros((256, 256), np.float32), 0.0)
    assert not mode.image.any()
    assert np.isfinite(mode.factor).all()


class Nowhere:
    """A beam that ends 0.8 degrees off its axis."""

    description = "ends"

    def power(self, x, y, freq_hz):
        inside = np.hypot(x, y) < np.radians(0.8)
        return np.where(inside, 1.0, 0.0) * np.ones_like(freq_hz)


def test_where_there_is_no_beam_a_model_stands_still():
    drift = drifting_beam(FIELD.observation, Nowhere(), FIELD.grid, FIELD.samples, FIELD.samples.weights)
    model = np.zeros((256, 256), np.float32)
    model[2, 2] = model[128, 128] = 1.0
    modes = drift.modes(model, 0.0)
    for place in ((2, 2), (128, 128)):
        assert amplitudes(drift, modes, *place) == pytest.approx(1.0, abs=1e-4)
