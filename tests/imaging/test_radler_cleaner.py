"""radler, with what it is given and what it must not do."""

import logging

import numpy as np
import pytest

from deconvolved_fields import CELL_RAD, Field
from dsa110_contimg.imaging import radler_cleaner
from dsa110_contimg.imaging.radler_cleaner import NEVER, RadlerCleaner, joined

BRIGHT = [(40, 50, 2.0), (80, 44, 0.7), (64, 90, 0.2)]


def clean(field, thresholds, multiscale=False, terms=2, room=True, **options):
    cleaner = RadlerCleaner(
        field.psfs,
        field.edges_hz,
        field.weights / field.weights.sum(),
        CELL_RAD,
        np.radians(0.01),
        multiscale,
        terms,
        1,
    )
    models = np.zeros_like(field.psfs)
    residuals = field.residuals(models)
    options = {"gain": 0.1, "most": 10_000, "limit": 10.0} | options
    return cleaner.clean(residuals, models, thresholds, room=room, **options), models, residuals


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


def test_without_room_the_components_are_the_same():
    field = Field(BRIGHT)
    thresholds = np.full((128, 128), 0.05, np.float32)
    done, models, residuals = clean(field, thresholds)
    other = clean(field, thresholds, room=False)
    assert other[0] == done
    np.testing.assert_allclose(other[1], models, atol=1e-6)
    assert np.abs(other[2] - residuals)[0, 30:98, 30:98].max() < 0.05


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
