"""radler, with what it is given and what it must not do."""

import logging

import numpy as np
import pytest
import radler

from deconvolved_fields import CELL_RAD, Field
from dsa110_contimg.imaging import radler_cleaner
from dsa110_contimg.imaging.printed import printed_lines
from dsa110_contimg.imaging.psf_convolution import PsfConvolution
from dsa110_contimg.imaging.radler_cleaner import NEVER, RadlerCleaner, joined

BRIGHT = [(40, 50, 2.0), (80, 44, 0.7), (64, 90, 0.2)]


def radler_of(field, **options):
    weights = field.weights / field.weights.sum()
    return RadlerCleaner(field.psfs, field.edges_hz, weights, cell_rad=CELL_RAD, beam_rad=np.radians(0.01), **options)


def clean(field, thresholds, multiscale=False, terms=2, **options):
    """Clean once; return iterations, models, and what is left."""
    models = np.zeros_like(field.psfs)
    residuals = field.residuals(models)
    options = {"gain": 0.1, "most": 10_000, "limit": 10.0} | options
    cleaner = radler_of(field, multiscale=multiscale, terms=terms)
    return cleaner.clean(residuals, models, thresholds, **options), models, residuals


@pytest.mark.parametrize("n_bands", [1, 3])
@pytest.mark.parametrize("n_pixels", [94, 128])
def test_it_cleans_to_the_thresholds_where_it_may(n_bands, n_pixels):
    field = Field([(40, 50, 2.0), (80, 44, 0.7)], n_pixels=n_pixels, n_bands=n_bands, alpha=-1.0)
    thresholds = np.full((n_pixels, n_pixels), 0.05, np.float32)
    thresholds[60:] = NEVER
    done, models, residuals = clean(field, thresholds)
    assert 10 < done < 10_000
    assert not models[:, 60:].any()
    np.testing.assert_allclose(models[:, 40, 50], 2.0 * (field.freq_hz / 1.4e9) ** -1.0, rtol=0.05)
    weights = np.full(n_bands, 1.0 / n_bands)
    assert np.abs(joined(residuals, weights)[models.any(axis=0)]).max() <= 0.051
    assert residuals[:, 80, 44].min() > 0.5


def test_extended_components_with_and_without_room():
    field = Field(BRIGHT)
    thresholds = np.full((128, 128), NEVER, np.float32)
    for row, column, _ in BRIGHT:
        thresholds[row - 2 : row + 3, column - 2 : column + 3] = 0.1
    for room in (True, False):
        _, models, residuals = clean(field, thresholds, multiscale=True, room=room)
        assert models.sum() == pytest.approx(2.9, rel=0.1)
        assert np.abs(residuals[:, thresholds < NEVER]).max() < 0.2


@pytest.mark.parametrize("n_bands", [1, 2])
def test_what_is_left_is_without_what_the_components_bring_and_nothing_wraps(n_bands):
    field = Field([*BRIGHT, (0, 0, 1.0), (127, 3, 1.0)], n_bands=n_bands)
    before = field.residuals(np.zeros_like(field.psfs))
    _, models, residuals = clean(field, np.full((128, 128), 0.5, np.float32))
    assert models[0, 0, 0] > 0.4
    for psf, model, left, dirty in zip(field.psfs, models, residuals, before, strict=True):
        np.testing.assert_allclose(left, dirty - PsfConvolution(psf).seen(model), atol=5e-6)


@pytest.mark.parametrize("n_bands", [1, 3])
def test_components_are_those_of_a_single_call_of_radler_on_the_images_as_they_are(n_bands):
    field = Field(BRIGHT, n_bands=n_bands, alpha=-1.0, noise_jy=0.1)
    thresholds = np.full((128, 128), 0.5, np.float32)
    done, models, _ = clean(field, thresholds)
    theirs, weights = np.zeros_like(field.psfs), field.weights / n_bands
    residuals = field.residuals(theirs)
    made = radler.Settings()
    made.trimmed_image_height = made.trimmed_image_width = 128
    made.pixel_scale.x = made.pixel_scale.y = CELL_RAD
    made.minor_iteration_count, made.minor_loop_gain, made.major_loop_gain = 10_000, 0.1, 1.0
    made.absolute_threshold = 0.5
    made.channels_out = n_bands
    images = [field.psfs, residuals, theirs]
    if n_bands == 1:
        worker = radler.Radler(made, *(each[0] for each in images), np.radians(0.01))
    else:
        made.spectral_fitting.mode = radler.SpectralFittingMode.polynomial
        made.spectral_fitting.terms = 2
        worker = radler.Radler(made, *images, np.radians(0.01), frequencies=field.edges_hz, weights=weights)
    with printed_lines(radler_cleaner.log):
        worker.perform(1000)
        assert worker.iteration_number == done
        del worker
    np.testing.assert_allclose(models, theirs, atol=2e-6)


@pytest.mark.parametrize(("least", "size"), [(94, 98), (128, 130), (2048, 2094), (3600, 3636)])
def test_images_are_of_a_size_that_is_transformed_fast(least, size):
    assert radler_cleaner._fast_size(least) == size


def test_slices_are_one_whole(monkeypatch):
    field = Field(BRIGHT)
    thresholds = np.full((128, 128), 0.05, np.float32)
    done, models, _ = clean(field, thresholds)
    monkeypatch.setattr(radler_cleaner, "_WATCHED", 5)
    again, in_slices, residuals = clean(field, thresholds)
    assert again == pytest.approx(done, rel=0.1)
    np.testing.assert_allclose(in_slices.sum(), models.sum(), rtol=0.02)
    assert np.abs(residuals[models != 0.0]).max() <= 0.051
    assert clean(field, thresholds, most=12)[0] == 12


def test_what_diverges_ends_after_a_slice(monkeypatch):
    field = Field(BRIGHT)
    field.psfs[0, 64, 80] = -40.0
    monkeypatch.setattr(radler_cleaner, "_WATCHED", 5)
    done, _, residuals = clean(field, np.full((128, 128), 0.05, np.float32), limit=2.4)
    assert 0 < done <= 5
    assert np.abs(residuals).max() > 2.4


def test_what_it_prints_is_in_the_log(capfd, caplog):
    with caplog.at_level(logging.DEBUG, logger="dsa110_contimg.imaging.radler_cleaner"):
        clean(Field(BRIGHT), np.full((128, 128), 0.05, np.float32), multiscale=True)
    assert tuple(capfd.readouterr()) == ("", "")
    assert "Initial peak" in caplog.text or "multi-scale" in caplog.text


def test_bands_are_joined_by_their_weights():
    images = np.arange(8, dtype=np.float32).reshape(2, 2, 2)
    np.testing.assert_allclose(joined(images, np.array([0.25, 0.75])), 0.25 * images[0] + 0.75 * images[1])
    assert np.shares_memory(joined(images[:1], np.ones(1)), images)
