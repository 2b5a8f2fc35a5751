"""Residuals of noise-free fields that drift through the beam."""

import numpy as np
import pytest

from dsa110_contimg.imaging import prediction
from dsa110_contimg.imaging.drift import drifting_beam
from dsa110_contimg.imaging.gridding import Gridder
from dsa110_contimg.imaging.prediction import Band, Remainder, psf_image
from dsa110_contimg.imaging.primary_beam import average_power
from dsa110_contimg.telescope.beams import AiryBeam
from sampled_fields import CORE, sampled_field

BEAM = AiryBeam()
FLUX_JY = (1.0, 1.0, 1.0)
FIELD = sampled_field([(0, 0), (-90, 25), (50, -110)], FLUX_JY, stations=CORE[::2], every=64)


def band_of(drift):
    weights = FIELD.samples.weights
    moving = None
    if drift:
        moving = drifting_beam(FIELD.observation, BEAM, FIELD.grid, FIELD.samples, weights)
    return Band(
        FIELD.samples._replace(visibilities=FIELD.samples.visibilities.copy()),
        weights,
        float(weights.sum()),
        moving,
        np.ones(FIELD.samples.freq_hz.size, np.float32),
        1.0,
    )


@pytest.fixture(scope="module")
def true_model():
    power = average_power(FIELD.observation, BEAM, FIELD.grid, FIELD.samples, FIELD.samples.weights)
    model = np.zeros_like(power)
    for row, column, flux in zip(FIELD.rows, FIELD.columns, FLUX_JY, strict=True):
        model[row, column] = flux * power[row, column]
    return model


GRIDDER = Gridder(FIELD.grid, 1e-4, 2)


NOTHING = np.zeros((FIELD.grid.n_pixels,) * 2, np.float32)


def remainder_of(drift):
    return Remainder(band_of(drift), GRIDDER, NOTHING)


@pytest.fixture
def in_images_only(monkeypatch):
    """No source is followed by itself."""
    monkeypatch.setattr(prediction, "_MOST_SOURCES", 0)


def test_a_true_model_that_drifts_leaves_nothing(true_model):
    left = remainder_of(drift=True)
    assert left.take_out(true_model, 5e-3) == 1
    assert left.n_followed == len(FLUX_JY)
    assert np.abs(left.image(1e-4)).max() < 3e-4 * true_model.max()


@pytest.mark.usefixtures("in_images_only")
def test_nor_does_one_that_is_followed_in_images(true_model):
    left = remainder_of(drift=True)
    assert left.take_out(true_model, 5e-3) > 1
    assert left.n_followed == 0
    assert np.abs(left.image(1e-4)).max() < 3e-4 * true_model.max()


@pytest.mark.parametrize("most", [1, 2])
def test_what_is_not_followed_by_itself_is_followed_in_images(true_model, monkeypatch, most):
    monkeypatch.setattr(prediction, "_MOST_SOURCES", most)
    left = remainder_of(drift=True)
    assert left.take_out(np.float32(0.9) * true_model, 5e-3) > 1
    left.take_out(true_model, 5e-3)
    assert left.n_followed == most
    assert np.abs(left.image(1e-4)).max() < 6e-4 * true_model.max()


def test_a_source_between_pixels_is_followed_as_a_point(true_model):
    row, column = np.unravel_index(true_model.argmax(), true_model.shape)
    between, along = np.zeros_like(true_model), np.zeros_like(true_model)
    for shift, part in ((0, 0.25), (1, 0.75)):
        between[row, column + shift] = part
        along[row, column + shift] = part
    left = remainder_of(drift=True)
    by_images = remainder_of(drift=True)
    left.take_out(between, 1e-3)
    assert left.n_followed in (1, 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prediction, "_MOST_SOURCES", 0)
        by_images.take_out(along, 1e-4)
    apart = np.abs(left.image(1e-4) - by_images.image(1e-4)).max()
    assert apart < 2e-3


def test_one_that_stands_still_leaves_a_percent(true_model):
    left = remainder_of(drift=False)
    assert left.take_out(true_model, 0.0) == 1
    assert 3e-3 < np.abs(left.image(1e-4)).max() < 0.05


@pytest.mark.parametrize("drift", [True, False])
def test_few_components_are_added_up_as_many_are_degridded(true_model, monkeypatch, drift):
    added, degridded = remainder_of(drift), remainder_of(drift)
    n_added = added.take_out(true_model, 1e9)
    monkeypatch.setattr(prediction, "_MOST_SOURCES", 0)
    assert degridded.take_out(true_model, 1e9) == n_added == 1
    differ = added.band.samples.visibilities - degridded.band.samples.visibilities
    assert 0.0 < np.abs(differ).max() < 2e-3 * true_model.max()
    assert np.sqrt(np.mean(np.abs(differ) ** 2)) < 2e-4 * true_model.max()


@pytest.mark.parametrize("drift", [True, False])
def test_a_model_that_grows_leaves_what_it_would_have_left_at_once(true_model, drift):
    at_once, grown = remainder_of(drift), remainder_of(drift)
    at_once.take_out(true_model, 1e-3)
    for part, tolerance_jy in ((0.8, 1.0), (0.97, 0.05), (1.0, 1e-3)):
        grown.take_out(np.float32(part) * true_model, tolerance_jy)
    assert np.abs(grown.image(1e-4) - at_once.image(1e-4)).max() < 1e-4 * true_model.max()


@pytest.mark.usefixtures("in_images_only")
def test_less_accuracy_takes_fewer_images(true_model):
    numbers = [remainder_of(drift=True).take_out(true_model, tolerance_jy) for tolerance_jy in (1e9, 0.2, 0.02, 0.002)]
    assert numbers[0] == 1
    assert numbers == sorted(numbers)
    assert 1 < numbers[-1] <= 6


@pytest.mark.parametrize("most", [0, 200])
def test_only_what_is_new_is_degridded(true_model, monkeypatch, most):
    monkeypatch.setattr(prediction, "_MOST_SOURCES", most)
    left = remainder_of(drift=True)
    assert left.take_out(true_model, 1e-2) >= 1
    assert left.take_out(true_model, 1e-2) == 0
    assert left.take_out(np.float32(1.001) * true_model, 1e-2) == 1


@pytest.mark.parametrize("most", [0, 1, 200])
def test_what_was_taken_out_is_put_back(true_model, monkeypatch, most):
    monkeypatch.setattr(prediction, "_MOST_SOURCES", most)
    left = remainder_of(drift=True)
    before = left.band.samples.visibilities.copy()
    left.take_out(true_model, 5e-3)
    left.take_out(NOTHING, 0.0)
    assert np.abs(left.band.samples.visibilities - before).max() < 1e-3


def test_a_model_that_is_gone_already_is_not_taken_out(true_model):
    left = Remainder(band_of(drift=True), GRIDDER, true_model)
    assert left.take_out(true_model, 1e-3) == 0
    assert (left.band.samples.visibilities == FIELD.samples.visibilities).all()


def test_pieces_make_no_difference(true_model, monkeypatch):
    whole = [remainder_of(drift) for drift in (True, False)]
    n_degridded = [left.take_out(true_model, 1e-2) for left in whole]
    monkeypatch.setattr(prediction, "_PIECE_BYTES", FIELD.samples.visibilities.nbytes // 3)
    for drift, left, n in zip((True, False), whole, n_degridded, strict=True):
        in_pieces = remainder_of(drift)
        assert in_pieces.take_out(true_model, 1e-2) == n
        assert np.abs(in_pieces.image(1e-4) - left.image(1e-4)).max() < 1e-4


def test_the_dirty_image_has_the_sources_mean_flux(true_model):
    left = remainder_of(drift=True)
    dirty, psf = left.image(1e-4), psf_image(left.band, GRIDDER)
    assert psf[128, 128] == pytest.approx(1.0, rel=1e-4)
    row, column = FIELD.rows[0], FIELD.columns[0]
    assert dirty[row, column] == pytest.approx(true_model[row, column], rel=0.1)
