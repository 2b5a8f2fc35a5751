"""The kernel pixel by pixel, compiled or not."""

import numpy as np
import pytest
from scipy.ndimage import map_coordinates, spline_filter

from dsa110_contimg.mosaic.kernels import add_image, compile_kernels
from dsa110_contimg.mosaic.plane import Plane, rotation

pytestmark = pytest.mark.kernel
ONTO, OF = Plane(10.0, 40.0, 0.1, 24, 30), Plane(10.3, 40.1, 0.11, 20, 22)


def added(image, pb, weight=2.0, least=0.1):
    flux, power = np.zeros((2, ONTO.n_dec, ONTO.n_ra))
    best = np.zeros(flux.shape, np.float32)
    splines = spline_filter(image, order=3, output=np.float32, mode="mirror")
    cells = np.radians(OF.cell_deg), np.radians(ONTO.cell_deg)
    offset = float(-(ONTO.n_dec // 2)), float(-(ONTO.n_ra // 2))
    add_image(splines, pb, weight, rotation(ONTO, OF), *cells, offset, least, flux, power, best)
    return flux, power, best


def test_an_image_is_interpolated_where_its_plane_says():
    rng = np.random.default_rng(1)
    image = rng.normal(size=(20, 22)).astype(np.float32)
    pb = np.full(image.shape, 0.5, np.float32)
    flux, power, best = added(image, pb)
    y, x = np.indices(flux.shape).astype(float)
    at_x, at_y = OF.pixels(ONTO.vectors(x.ravel(), y.ravel()))
    expected = map_coordinates(image, [at_y, at_x], order=3, mode="mirror").reshape(flux.shape)
    inside = ((at_x >= 1) & (at_x < 20) & (at_y >= 1) & (at_y < 18)).reshape(flux.shape)
    assert inside.sum() > 200
    np.testing.assert_allclose(flux[inside], 0.5 * 2.0 * expected[inside], atol=2e-5)
    np.testing.assert_allclose(power, np.where(inside, 0.25 * 2.0, 0.0))
    np.testing.assert_allclose(best, np.where(inside, 0.5, 0.0))


def test_where_the_beam_is_faint_or_blank_nothing_is_added():
    image = np.ones((20, 22), np.float32)
    assert added(image, np.full(image.shape, 0.05, np.float32))[1].max() == 0
    assert added(image, np.full(image.shape, np.nan, np.float32))[1].max() == 0


def test_the_kernel_is_compiled_without_an_error():
    compile_kernels()
