"""How far an image is off as a whole, against images that were moved."""

import numpy as np
import pytest

from dsa110_contimg.config.settings import PhotometrySettings
from dsa110_contimg.photometry.forced import About, Planes, measure
from dsa110_contimg.photometry.forced_fit import threaded
from dsa110_contimg.photometry.forced_offset import image_offset
from dsa110_contimg.photometry.forced_places import places_at
from restored_image import Source, header_of, restored, scattered

N, RMS_JY = 384, 1e-3
ABOUT = About("", "2025-10-05T12:00:00", "group")
COVARIANCE = np.array([[6.0, 1.5], [1.5, 3.0]])


def moved_image(east_arcsec, north_arcsec, count=30, seed=1):
    """An image whose sources are off, places without the offset, and fluxes."""
    header = header_of(N)
    places = scattered(N, header, count, seed)
    flux = RMS_JY * 10 ** np.random.default_rng(seed).uniform(0.5, 2.5, count)
    sources = [
        Source(ra + east_arcsec / 3600.0 / np.cos(np.radians(dec)), dec + north_arcsec / 3600.0, one)
        for (ra, dec), one in zip(places, flux, strict=True)
    ]
    return Planes(restored(N, sources, RMS_JY, header, seed).pixels, header), places_at(*places.T, flux)


def mean_ratio(image, asked, *, align):
    table = measure(image, asked, ABOUT, PhotometrySettings(workers=1, align=align))
    number = {one: k for k, one in enumerate(asked.source_id.tolist())}
    true = asked.flux_jy[[number[one] for one in table["source_id"].to_pylist()]]
    bright = true > 30 * RMS_JY
    return np.average((table["flux"].to_numpy() / true)[bright], weights=true[bright] ** 2)


def test_an_image_that_the_ionosphere_moved_has_the_fluxes_of_one_that_it_did_not():
    image, asked = moved_image(5.0, -4.0)
    assert mean_ratio(image, asked, align=True) == pytest.approx(1.0, abs=0.005)
    assert mean_ratio(image, asked, align=False) < 0.98


def windows(offset, count=9, peak=100.0):
    """Beams on a lattice, off by this [pixels]; the places, and what a fit there would find."""
    lattice = 20.0 + 30.0 * np.stack(np.meshgrid(np.arange(3), np.arange(3)), -1).reshape(-1, 2)[:count]
    y, x = np.indices((100, 100))
    away = np.stack([x, y], -1)[None] - (lattice + offset)[:, None, None]
    form = np.linalg.inv(COVARIANCE)
    pixels = peak * np.exp(-0.5 * np.einsum("sxyi,ij,sxyj->xys", away, form, away)).sum(-1)
    pixels += np.random.default_rng(1).normal(size=pixels.shape)
    shapes = np.broadcast_to(COVARIANCE, (len(lattice), 2, 2))
    return pixels.astype(np.float32), lattice, shapes, np.full(len(lattice), peak), np.ones(len(lattice)), threaded(1)


def test_the_offset_of_bright_sources_is_found():
    np.testing.assert_allclose(image_offset(*windows(np.array([0.4, -0.2]))), [0.4, -0.2], atol=0.03)


def test_too_few_too_faint_or_not_off_is_none():
    assert image_offset(*windows(np.array([0.4, -0.2]), count=4)) is None
    assert image_offset(*windows(np.array([0.4, -0.2]), peak=10.0)) is None
    assert image_offset(*windows(np.zeros(2))) is None
