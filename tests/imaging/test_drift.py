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


def parts(modes, model, numbers=None):
    """Images and factors of some modes, of all that are not given."""
    numbers = range(len(modes.vectors)) if numbers is None else numbers
    return [(modes.image(number, model), modes.factor(number)) for number in numbers]


def amplitudes(drift, made, row, column):
    """Apparent flux of a pixel in every row of the samples and channel."""
    by_time = sum(image[row, column] * factor for image, factor in made)
    return np.repeat(by_time, np.diff(drift.edges), axis=0)


@pytest.mark.parametrize("strong", [slice(None), slice(1), slice(3)])
def test_the_mean_over_the_samples_is_the_model(strong):
    weights = np.random.default_rng(0).uniform(0.0, 1.0, FIELD.samples.weights.shape).astype(np.float32)
    drift = drift_of(weights=weights)
    model = model_of(drift)
    made = parts(drift.modes(model), model)[strong]
    for row, column in zip(FIELD.rows, FIELD.columns, strict=True):
        mean = np.average(amplitudes(drift, made, row, column), weights=weights)
        assert mean == pytest.approx(model[row, column], rel=1e-3)


@pytest.mark.parametrize("alpha", [0.0, -1.5])
def test_it_is_the_beam(alpha):
    drift = drift_of(alpha=alpha)
    model = model_of(drift)
    seen = amplitudes(drift, parts(drift.modes(model), model), FIELD.rows[1], FIELD.columns[1])
    # The visibilities' own amplitudes: a lone source's.
    alone = sampled_field([(60, -70)], [0.5], stations=(1, 40, 90), every=96, alpha=alpha).samples.visibilities
    ratio = np.abs(alone) / seen
    # alpha is that of the beam's mean frequency, the catalogue's of 1.4 GHz.
    assert ratio.mean() == pytest.approx(1.0, abs=0.02)
    assert np.ptp(ratio) < 5e-3


def test_the_first_mode_is_the_model_itself():
    drift = drift_of()
    model = model_of(drift)
    modes = drift.modes(model)
    assert modes.image(0, model) == pytest.approx(model, rel=1e-4)
    assert modes.factor(0) == pytest.approx(1.0, rel=1e-5)


def test_modes_are_complete_whatever_model_they_were_made_for():
    drift = drift_of()
    model = model_of(drift)
    other = np.zeros_like(model)
    other[200, 40] = 1.0
    exact, made = parts(drift.modes(other), other), parts(drift.modes(model), other)
    assert amplitudes(drift, made, 200, 40) == pytest.approx(amplitudes(drift, exact, 200, 40), rel=1e-4)


@pytest.mark.parametrize("n_modes", [1, 2, 3])
def test_what_is_left_out_has_the_amplitude_that_is_said(n_modes):
    drift = drift_of()
    model = model_of(drift)
    modes = drift.modes(model)
    said = np.linalg.norm(modes.amplitudes(drift.gathered(model))[n_modes:])
    left = parts(modes, model)[n_modes:]
    wrong = [np.mean(amplitudes(drift, left, *place) ** 2) for place in zip(FIELD.rows, FIELD.columns, strict=True)]
    assert np.sqrt(sum(wrong)) == pytest.approx(said, rel=0.2, abs=5e-4)


def test_a_few_modes_are_enough():
    drift = drift_of()
    model = model_of(drift)
    amplitudes_jy = drift.modes(model).amplitudes(drift.gathered(model))
    assert (np.diff(amplitudes_jy[:4]) < 0.0).all()
    assert np.linalg.norm(amplitudes_jy[4:]) < 1e-2 * amplitudes_jy[0]


def test_sources_add_up_in_squares_and_what_is_beside_one_another_adds_up():
    drift = drift_of()
    apart, beside, empty = (np.zeros((256, 256), np.float32) for _ in range(3))
    apart[100, 100] = apart[100, 180] = 1.0
    beside[1, 1] = beside[1, 2] = 1.0
    modes = drift.modes(apart)
    of_mean = [modes.amplitudes(drift.gathered(model))[0] for model in (apart, beside, beside - 2 * beside, empty)]
    assert of_mean == pytest.approx([np.sqrt(2.0), 2.0, 2.0, 0.0], rel=1e-3)


def test_flagged_integrations_and_channels_do_not_count():
    weights = FIELD.samples.weights.copy()
    weights[: len(weights) // 2] = 0.0
    weights[:, :3] = 0.0
    drift = drift_of(weights=weights)
    model = model_of(drift)
    seen = amplitudes(drift, parts(drift.modes(model), model), FIELD.rows[0], FIELD.columns[0])
    assert np.isfinite(seen).all()
    assert np.average(seen, weights=weights) == pytest.approx(model[FIELD.rows[0], FIELD.columns[0]], rel=1e-3)


def test_one_channel():
    one = FIELD.samples._replace(freq_hz=FIELD.samples.freq_hz[:1], weights=FIELD.samples.weights[:, :1])
    drift = drifting_beam(FIELD.observation, BEAM, FIELD.grid, one, one.weights)
    assert drift.polynomials.tolist() == [[1.0]]
    model = model_of(drift)
    assert np.count_nonzero(drift.modes(model).amplitudes(drift.gathered(model)) > 0.01) == 2


def test_an_empty_model():
    drift = drift_of()
    empty = np.zeros((256, 256), np.float32)
    for image, factor in parts(drift.modes(empty), empty):
        assert not image.any()
        assert np.isfinite(factor).all()


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
    made = parts(drift.modes(model), model)
    for place in ((2, 2), (128, 128)):
        assert amplitudes(drift, made, *place) == pytest.approx(1.0, abs=1e-4)
