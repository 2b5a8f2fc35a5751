"""Residuals of noise-free fields that drift through the beam."""

import numpy as np
import pytest

from dsa110_contimg.imaging import prediction
from dsa110_contimg.imaging.drift import drifting_beam
from dsa110_contimg.imaging.gridding import Gridder
from dsa110_contimg.imaging.prediction import Band, dirty_image, psf_image, residual_image
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
        FIELD.samples.uvw_m,
        FIELD.samples.freq_hz,
        FIELD.samples.visibilities,
        weights,
        float(weights.sum()),
        moving,
        np.ones(FIELD.samples.freq_hz.size, np.float32),
    )


@pytest.fixture(scope="module")
def true_model():
    power = average_power(FIELD.observation, BEAM, FIELD.grid, FIELD.samples, FIELD.samples.weights)
    model = np.zeros_like(power)
    for row, column, flux in zip(FIELD.rows, FIELD.columns, FLUX_JY, strict=True):
        model[row, column] = flux * power[row, column]
    return model


GRIDDER = Gridder(FIELD.grid, 1e-4, 2)


def test_a_true_model_that_drifts_leaves_nothing(true_model):
    before = FIELD.samples.visibilities.copy()
    left = residual_image(band_of(drift=True), true_model, GRIDDER, 5e-3)
    assert np.abs(left.image).max() < 3e-4 * true_model.max()
    assert (FIELD.samples.visibilities == before).all()


def test_one_that_stands_still_leaves_a_percent(true_model):
    left = residual_image(band_of(drift=False), true_model, GRIDDER, 0.0)
    assert 3e-3 < np.abs(left.image).max() < 0.05
    assert left.n_degridded == 1


def test_pieces_make_no_difference(true_model, monkeypatch):
    whole = [residual_image(band_of(drift), true_model, GRIDDER, 1e-2).image for drift in (True, False)]
    psf = psf_image(band_of(drift=False), GRIDDER)
    monkeypatch.setattr(prediction, "_PIECE_BYTES", FIELD.samples.visibilities.nbytes // 3)
    for drift, image in zip((True, False), whole, strict=True):
        in_pieces = residual_image(band_of(drift), true_model, GRIDDER, 1e-2)
        assert np.abs(in_pieces.image - image).max() < 1e-4
        assert in_pieces.n_degridded > 2
    assert np.abs(psf_image(band_of(drift=False), GRIDDER) - psf).max() < 1e-4


def test_the_dirty_image_has_the_sources_mean_flux(true_model):
    band = band_of(drift=True)
    dirty, psf = dirty_image(band, GRIDDER), psf_image(band, GRIDDER)
    assert psf[128, 128] == pytest.approx(1.0, rel=1e-4)
    row, column = FIELD.rows[0], FIELD.columns[0]
    nothing_taken = residual_image(band, np.zeros_like(true_model), GRIDDER, 0.0).image
    assert np.abs(nothing_taken - dirty).max() < 1e-5
    assert dirty[row, column] == pytest.approx(true_model[row, column], rel=0.1)
