"""Components as Gaussians on top of the residual."""

import numpy as np
import pytest

from dsa110_contimg.images.fits import RestoringBeam
from dsa110_contimg.imaging.psf import fit_beam
from dsa110_contimg.imaging.restore import gaussian_stamp, restore

CELL_RAD = np.radians(10 / 3600)
BEAM = RestoringBeam(80 / 3600, 45 / 3600, 30.0)


def test_the_stamp_is_the_beam():
    stamp = gaussian_stamp(BEAM, CELL_RAD)
    half = stamp.shape[0] // 2
    assert stamp[half, half] == 1.0
    assert stamp[0].max() < 1e-6
    fitted = fit_beam(np.pad(stamp, ((1, 0), (1, 0))), CELL_RAD)
    assert np.allclose(fitted, BEAM, rtol=1e-4)


@pytest.mark.parametrize("n", [64, 90])
def test_components_and_residual_add_up(n):
    model = np.zeros((n, n), np.float32)
    model[20, 33], model[41, 12] = 2.0, -1.0
    residual = np.random.default_rng(0).normal(size=(n, n)).astype(np.float32)
    image = restore(model, residual, BEAM, CELL_RAD)
    stamp = gaussian_stamp(BEAM, CELL_RAD)
    assert (image - residual)[20, 33] == pytest.approx(2.0, abs=1e-4)
    assert (image - residual)[41, 12] == pytest.approx(-1.0, abs=1e-4)
    # 2 pixels north and 1 east (a smaller column) of a component.
    half = stamp.shape[0] // 2
    assert (image - residual)[22, 32] == pytest.approx(2.0 * stamp[half + 2, half - 1], abs=1e-4)
    assert stamp[half + 2, half - 1] > stamp[half + 2, half + 1]


def test_nothing_comes_in_at_the_other_edge():
    model = np.zeros((64, 64), np.float32)
    model[0, 63] = 1.0
    image = restore(model, np.zeros_like(model), BEAM, CELL_RAD)
    assert image[0, 63] == pytest.approx(1.0, abs=1e-5)
    assert np.abs(image[:, :20]).max() < 1e-5
    assert np.abs(image[40:]).max() < 1e-5


def test_an_image_smaller_than_the_beam():
    wide = RestoringBeam(2000 / 3600, 2000 / 3600, 0.0)
    model = np.zeros((32, 32), np.float32)
    model[16, 16] = 1.0
    image = restore(model, np.zeros_like(model), wide, CELL_RAD)
    assert image[16, 16] == pytest.approx(1.0, abs=1e-5)
    assert image[16, 26] == pytest.approx(np.exp(-4 * np.log(2) * (100 / 2000) ** 2), abs=1e-4)


def test_an_empty_model_leaves_the_residual():
    residual = np.ones((32, 32), np.float32)
    image = restore(np.zeros_like(residual), residual, BEAM, CELL_RAD)
    assert (image == residual).all()
    assert image is not residual
