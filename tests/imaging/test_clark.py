"""Components of one pixel, next to what radler finds."""

import numpy as np
import pytest

from deconvolved_fields import CELL_RAD, Field
from dsa110_contimg.imaging import clark
from dsa110_contimg.imaging.clark import PointCleaner
from dsa110_contimg.imaging.radler_cleaner import NEVER, RadlerCleaner

BRIGHT = [(40, 50, 2.0), (80, 44, 0.7), (64, 90, 0.2), (1, 122, 0.5)]


def near(field, sources, depth):
    """Thresholds that are open only near sources."""
    thresholds = np.full(field.psfs.shape[1:], NEVER, np.float32)
    for row, column, _ in sources:
        thresholds[max(0, row - 2) : row + 3, max(0, column - 2) : column + 3] = depth
    return thresholds


def radler_of(field):
    weights = field.weights / field.weights.sum()
    return RadlerCleaner(field.psfs, field.edges_hz, weights, CELL_RAD, np.radians(0.01), False, 1, 1)


def seen_by(psf, model):
    """A model with the PSF's corner, not its middle, in each component, cut to the image."""
    n_pixels = psf.shape[0]
    wide, half = np.zeros((2 * n_pixels,) * 2), n_pixels // 2
    for row, column in np.argwhere(model):
        wide[row : row + n_pixels, column : column + n_pixels] += model[row, column] * psf
    return wide[half : half + n_pixels, half : half + n_pixels]


def clean(field, thresholds, **options):
    model, residual = np.zeros_like(field.psfs[0]), field.residuals(np.zeros_like(field.psfs))[0]
    before = residual.copy()
    options = {"gain": 0.1, "most": 100_000, "limit": 10.0} | options
    done = PointCleaner(field.psfs[0]).clean(residual, model, thresholds, **options)
    return done, model, residual, before


@pytest.mark.parametrize("near_sources", [False, True])
@pytest.mark.parametrize("most", [10, 100_000])
def test_components_are_those_that_radler_finds(near_sources, most):
    field = Field(BRIGHT, noise_jy=0.3, n_pixels=126)
    thresholds = near(field, BRIGHT, 0.03) if near_sources else np.full(field.psfs.shape[1:], 0.5, np.float32)
    thresholds[:60] *= 1.2
    options = {"gain": 0.1, "most": most, "limit": 10.0}
    done, model, residual, before = clean(field, thresholds, **options)
    theirs, left = np.zeros_like(field.psfs), before[None].copy()
    assert done == radler_of(field).clean(left, theirs, thresholds, room=True, **options)
    assert (done == most) if most == 10 else (done > 10)
    assert np.count_nonzero(model) >= 2
    np.testing.assert_array_equal(model != 0.0, theirs[0] != 0.0)
    np.testing.assert_allclose(model, theirs[0], atol=2e-6)
    np.testing.assert_allclose(residual, left[0], atol=5e-6)


@pytest.mark.parametrize("n_pixels", [126, 128])
def test_what_is_left_is_without_what_the_components_bring_and_nothing_wraps(n_pixels):
    sources = [*BRIGHT, (0, 0, 1.0), (n_pixels - 1, 3, 1.0)]
    field = Field(sources, n_pixels=n_pixels)
    thresholds = near(field, sources, 0.02)
    _, model, residual, before = clean(field, thresholds)
    assert model[0, 0] == pytest.approx(1.0, rel=0.2)
    assert np.abs(residual[thresholds < NEVER]).max() <= 0.0201
    np.testing.assert_allclose(residual, before - seen_by(field.psfs[0], model), atol=5e-6)


def test_the_next_residual_is_taken_with_the_same_psf():
    field = Field(BRIGHT)
    cleaner, (residual,) = PointCleaner(field.psfs[0], threads=2), field.residuals(np.zeros_like(field.psfs))
    model, before = np.zeros_like(residual), residual.copy()
    for depth in (0.5, 0.05):
        cleaner.clean(residual, model, near(field, BRIGHT, depth), gain=0.1, most=100_000, limit=10.0)
        np.testing.assert_allclose(residual, before - seen_by(field.psfs[0], model), atol=5e-6)


def test_nothing_is_where_all_is_below():
    field = Field(BRIGHT)
    done, model, residual, before = clean(field, near(field, BRIGHT, 3.0))
    assert done == 0
    assert not model.any()
    assert np.array_equal(residual, before)


def test_it_ends_after_so_many_iterations_and_where_it_diverges():
    field = Field(BRIGHT)
    thresholds = near(field, BRIGHT, 0.05)
    assert clean(field, thresholds, most=7)[0] == 7
    assert clean(field, thresholds, limit=1.0)[0] == 0


def test_components_are_the_same_if_little_is_kept(monkeypatch):
    field = Field(BRIGHT, noise_jy=0.3)
    thresholds = near(field, BRIGHT, 0.05)
    done, model, *_ = clean(field, thresholds)
    monkeypatch.setattr(clark, "_KEPT", 10)
    again, other, *_ = clean(field, thresholds)
    assert done == again
    assert np.array_equal(model, other)
