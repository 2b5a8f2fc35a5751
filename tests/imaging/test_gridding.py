"""Visibilities to pixels and back, against the measurement equation written out."""

import numpy as np
import pytest

from dsa110_contimg.imaging.grid import Grid
from dsa110_contimg.imaging.gridding import Gridder
from dsa110_contimg.telescope.geometry import SPEED_OF_LIGHT

N = 64
GRID = Grid(N, np.radians(200 / 3600), 1.0001)
FREQ_HZ = np.array([1.35e9, 1.45e9])


@pytest.fixture
def uvw_m():
    return np.random.default_rng(1).normal(scale=(80, 80, 60), size=(40, 3))


def fringe(uvw_m, column, row):
    """Visibilities (N, C) of 1 Jy in a pixel."""
    east, north = -GRID.offsets[column], GRID.offsets[row]
    forward = np.sqrt(1.0 - east**2 - north**2)
    turns = (uvw_m @ [east, north, forward - 1.0])[:, None] * FREQ_HZ / SPEED_OF_LIGHT
    return np.exp(2j * np.pi * turns)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_pixel_is_a_point_source(uvw_m, threads):
    model = np.zeros((N, N), np.float32)
    model[50, 11] = 2.5
    visibilities = Gridder(GRID, 1e-5, threads).visibilities(model, uvw_m, FREQ_HZ)
    assert np.abs(visibilities - 2.5 * fringe(uvw_m, 11, 50)).max() < 1e-3


def test_an_image_shows_a_source_where_it_is(uvw_m):
    weights = np.random.default_rng(2).uniform(0.1, 1.0, (40, 2)).astype(np.float32)
    visibilities = fringe(uvw_m, 40, 9).astype(np.complex64)
    image = Gridder(GRID, 1e-5).image(uvw_m, FREQ_HZ, visibilities, weights)
    assert image.flags.c_contiguous
    assert np.unravel_index(image.argmax(), image.shape) == (9, 40)
    assert image[9, 40] == pytest.approx(weights.sum(), rel=1e-4)
    beside = np.sum(weights * (visibilities * fringe(uvw_m, 43, 20).conj()).real)
    assert image[20, 43] == pytest.approx(beside, abs=0.05)


def test_gridding_is_the_adjoint_of_degridding(uvw_m):
    rng = np.random.default_rng(3)
    model = rng.normal(size=(N, N)).astype(np.float32)
    visibilities = (rng.normal(size=(40, 2)) + 1j * rng.normal(size=(40, 2))).astype(np.complex64)
    gridder = Gridder(GRID, 1e-5)
    one = np.vdot(gridder.visibilities(model, uvw_m, FREQ_HZ), visibilities).real
    image = gridder.image(uvw_m, FREQ_HZ, visibilities, np.ones((40, 2), np.float32))
    assert one == pytest.approx(np.sum(model * image), rel=1e-3, abs=1.0)


def test_the_psf_is_the_image_of_one_jansky(uvw_m):
    weights = np.ones((40, 2), np.float32)
    psf = Gridder(GRID).psf(uvw_m, FREQ_HZ, weights)
    assert psf[N // 2, N // 2] == pytest.approx(80.0, rel=1e-4)
    assert psf.max() == psf[N // 2, N // 2]
