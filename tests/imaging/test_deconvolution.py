import logging

import numpy as np
import pytest

from deconvolved_fields import CELL_RAD, Field
from dsa110_contimg.config.settings import ImageSettings
from dsa110_contimg.errors import UsageError
from dsa110_contimg.imaging.deconvolution import Deconvolver

BRIGHT = [(40, 50, 2.0), (80, 44, 0.7), (64, 90, 0.2)]


def deconvolver(field, mask=None, **options):
    settings = ImageSettings(**({"threads": 1} | options))
    return Deconvolver(settings, field.psfs, field.edges_hz, field.weights, CELL_RAD, field.beam, mask)


def test_without_noise_all_flux_is_found_where_it_is():
    field = Field(BRIGHT)
    models, residuals, _ = field.clean(deconvolver(field))
    for row, column, flux in BRIGHT:
        assert models[0, row, column] == pytest.approx(flux, rel=1e-3)
    assert np.abs(residuals).max() < 1e-3 * 2.0
    assert models.sum() == pytest.approx(2.9, rel=1e-3)


def test_noise_is_reached_and_left_alone():
    field = Field([*BRIGHT, (20, 100, 0.03)], noise_jy=0.07)
    ours = deconvolver(field)
    models, residuals, cycles = field.clean(ours)
    assert ours.masked
    assert cycles <= 6
    assert 0 < ours.iterations < 3000
    assert residuals.std() == pytest.approx(field.thermal_jy, rel=0.1)
    assert models[0, 19:22, 99:102].sum() == pytest.approx(0.03, abs=4 * field.thermal_jy)
    assert np.count_nonzero(models) < 60


def test_faint_sources_under_the_sidelobes_of_bright_ones_are_not_given_up():
    """A mask that is closed at the first noise, which is sidelobes, would leave them out for ever."""
    rng = np.random.default_rng(5)
    bright = [(*place, 3.0) for place in rng.integers(16, 112, (20, 2))]
    field = Field([*bright, (100, 20, 0.02)], noise_jy=0.03, n_visibilities=5000)
    models, residuals, _ = field.clean(deconvolver(field))
    assert models[0, 98:103, 18:23].sum() == pytest.approx(0.02, rel=0.25)
    assert residuals.std() < 2.0 * field.thermal_jy


def test_spectra_are_fitted_over_sub_bands():
    field = Field(BRIGHT, n_bands=3, alpha=-1.0, noise_jy=0.01)
    models, residuals, _ = field.clean(deconvolver(field, channels_out=3, terms=2))
    fluxes = models[:, 39:42, 49:52].sum(axis=(1, 2))
    assert np.polyfit(np.log(field.freq_hz), np.log(fluxes), 1)[0] == pytest.approx(-1.0, abs=0.1)
    assert np.abs(residuals).max() < 0.02


def test_one_term_is_a_flat_spectrum():
    field = Field(BRIGHT, n_bands=3, alpha=-1.0, noise_jy=0.01)
    models = np.zeros_like(field.psfs)
    deconvolver(field, channels_out=3, terms=1).clean(field.residuals(models), models)
    assert models[0, 40, 50] > 0.5
    assert np.ptp(models[:, 40, 50]) < 1e-5


def test_multiscale_finds_what_is_extended():
    north, east = np.indices((128, 128)) - 64
    blob = np.exp(-(north**2 + east**2) / (2 * 7.0**2))
    sources = [(row, column, float(blob[row, column]) * 0.02) for row, column in np.argwhere(blob > 0.01)]
    total = sum(flux for *_, flux in sources)
    field = Field(sources, noise_jy=0.05)
    models, residuals, _ = field.clean(deconvolver(field, multiscale=True))
    assert models.sum() == pytest.approx(total, rel=0.1)
    assert np.count_nonzero(models) > 100
    assert residuals.std() < 1.5 * field.thermal_jy


def test_a_seed_is_cleaned_deep_where_nothing_else_is():
    field = Field([(64, 64, 0.006), (30, 30, 0.006)], noise_jy=0.07)
    seed = np.zeros((128, 128), dtype=bool)
    seed[63:66, 63:66] = True
    models, _, _ = field.clean(deconvolver(field, seed, auto_mask=6.0))
    assert models[0, 63:66, 63:66].sum() > 0.002
    assert not models[0, ~seed].any()


def test_without_auto_mask_a_seed_is_the_mask():
    field = Field(BRIGHT, noise_jy=0.01)
    seed = np.zeros((128, 128), dtype=bool)
    seed[30:50, 40:60] = True
    models, residuals, _ = field.clean(deconvolver(field, seed, auto_mask=None, auto_threshold=3.0))
    assert models[0, 39:42, 49:52].sum() == pytest.approx(2.0, rel=0.05)
    assert not models[0, ~seed].any()
    assert residuals.max() == pytest.approx(0.7, abs=0.1)


def test_a_threshold_in_janskys_is_the_end():
    field = Field(BRIGHT)
    models, residuals, _ = field.clean(deconvolver(field, threshold_jy=0.1))
    assert 0.02 < np.abs(residuals).max() < 0.13
    assert models.sum() > 2.0


def test_a_major_cycle_does_not_clean_deeper_than_its_gain():
    field = Field(BRIGHT)
    models = np.zeros_like(field.psfs)
    residuals = field.residuals(models)
    peak = np.abs(residuals).max()
    assert deconvolver(field, major_gain=0.6).clean(residuals, models)
    assert 0.3 * peak < np.abs(residuals).max() <= 0.4 * peak


@pytest.mark.parametrize(("error", "part"), [(0.0, 0.05), (0.1, 1 / 11), (0.5, 0.15)])
def test_it_cleans_as_deep_as_the_last_residual_was_right(error, part):
    field = Field(BRIGHT)
    ours = deconvolver(field, major_gain=0.85)
    models = np.zeros_like(field.psfs)
    residuals = field.residuals(models)
    before = np.abs(residuals).max()
    assert ours.part_left == pytest.approx(0.15)
    assert ours.clean(residuals, models)
    after = np.abs(residuals).max()
    # The true residual is another one: by what a source would be that was not there.
    wrong = np.roll(field.psfs, (-50, -40), axis=(1, 2)) * np.float32(error * (before - after))
    residuals += wrong
    ours.clean(residuals, models)
    assert ours.part_left == pytest.approx(part, rel=1e-3)


def test_iterations_are_counted_over_major_cycles():
    field = Field(BRIGHT)
    ours = deconvolver(field, iterations=60)
    field.clean(ours)
    assert ours.iterations == 60
    models = np.zeros_like(field.psfs)
    assert not ours.clean(field.residuals(models), models)
    assert not models.any()


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_nothing_and_a_flat_image_end_at_once(value):
    field = Field(BRIGHT)
    residuals, models = np.full_like(field.psfs, value), np.zeros_like(field.psfs)
    ours = deconvolver(field, iterations=100)
    if value == 0.0:
        assert not ours.clean(residuals, models)
        assert not models.any()
    else:
        ours.clean(residuals, models)
    assert np.isfinite(models).all()


def test_pure_noise_stays_as_it_is():
    field = Field([], noise_jy=1.0)
    models, _, cycles = field.clean(deconvolver(field, auto_mask=6.0))
    assert not models.any()
    assert cycles == 1


def test_what_diverges_is_undone(caplog):
    """A PSF that is brighter beside its middle than in it: each component makes more than it takes."""
    field = Field(BRIGHT)
    field.psfs[0, 64, 80] = -40.0
    ours = deconvolver(field)
    models = np.zeros_like(field.psfs)
    residuals = field.residuals(models)
    kept = residuals.copy()
    with caplog.at_level(logging.WARNING):
        assert not ours.clean(residuals, models)
    assert "diverged" in caplog.text
    assert not models.any()
    assert np.array_equal(residuals, kept)
    assert ours.iterations == 0


@pytest.mark.parametrize("n_pixels", [94, 100, 126])
def test_any_even_size(n_pixels):
    field = Field([(40, 50, 2.0)], n_pixels=n_pixels)
    models, residuals, _ = field.clean(deconvolver(field))
    assert models[0, 40, 50] == pytest.approx(2.0, rel=1e-3)
    assert np.abs(residuals).max() < 2e-3


def test_nothing_is_printed(capfd, caplog):
    field = Field(BRIGHT)
    models = np.zeros_like(field.psfs)
    with caplog.at_level(logging.DEBUG, logger="dsa110_contimg.imaging"):
        deconvolver(field, multiscale=True).clean(field.residuals(models), models)
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")
    assert "Initial peak" in caplog.text or "multi-scale" in caplog.text


def test_what_cannot_be_is_refused():
    field = Field(BRIGHT)
    ours = deconvolver(field)
    images = np.zeros_like(field.psfs)
    for wrong in (images.astype(np.float64), images[:, :-2, :-2], images[:, ::-1]):
        with pytest.raises(UsageError, match="float32"):
            ours.clean(wrong, images)
    nothing = images.copy()
    nothing[0, 3, 3] = np.nan
    with pytest.raises(UsageError, match="finite"):
        ours.clean(nothing, images)
    for psfs, pattern in ((field.psfs[:, :-1, :-1], "even"), (nothing, "finite")):
        with pytest.raises(UsageError, match=pattern):
            Deconvolver(ImageSettings(), psfs, field.edges_hz, field.weights, CELL_RAD, field.beam)
    with pytest.raises(UsageError, match="bands"):
        Deconvolver(ImageSettings(), field.psfs, field.edges_hz, np.ones(2), CELL_RAD, field.beam)
    with pytest.raises(UsageError, match="mask"):
        deconvolver(field, np.zeros((4, 4), dtype=bool))
