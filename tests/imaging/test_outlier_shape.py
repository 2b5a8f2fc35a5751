"""An extended outlier, from an image of it."""

import numpy as np
import pytest

from dsa110_contimg.imaging.outlier_fit import Visibilities
from dsa110_contimg.imaging.outlier_shape import disc, find_shape
from predicted_ms import FlatBeam
from sampled_fields import CORE, sampled_field

EXTENT_RAD = np.radians(8 / 60)
ARCMIN = np.radians(1 / 60)


def seen(offsets, flux_jy, noise_jy=0.0):
    """Samples of points so many arcminutes to the east and north of the centre, and where the first is."""
    field = sampled_field(
        offsets, flux_jy, stations=CORE[::4], n_times=3, every=48, cell_arcsec=60.0, beam=FlatBeam(), noise_jy=noise_jy
    )
    east, north = (60.0 * np.array(offsets[0]) / 3600).tolist()
    l, m = np.radians(east) * field.grid.magnification, np.radians(north) * field.grid.magnification  # noqa: E741
    return Visibilities(field.samples, field.observation, 2), np.array([l, m, np.sqrt(1 - l * l - m * m) - 1])


def test_a_disc_is_even_and_on_the_sphere():
    middle = np.array([0.05, -0.03, np.sqrt(1 - 0.05**2 - 0.03**2) - 1])
    shape = disc(middle, EXTENT_RAD)
    assert shape.flux.sum() == pytest.approx(1.0, rel=1e-6)
    assert np.hypot(*shape.further[:, :2].T).max() == pytest.approx(EXTENT_RAD / 2)
    assert shape.flux @ shape.further[:, :2] == pytest.approx([0.0, 0.0], abs=1e-9)
    directions = middle + shape.further + [0, 0, 1]
    assert np.linalg.norm(directions, axis=1) == pytest.approx(1.0, abs=1e-12)


def test_two_points_are_found_where_they_are():
    data, middle = seen([(70, 20), (73, 22)], [2.0, 1.0])
    gain = np.full((data.n_times, data.n_channels), 2.0, np.complex64)
    shape = find_shape(data, middle, EXTENT_RAD, gain)
    # The first look is cleaned no deeper than the sidelobes of the source; what it lacks is found later.
    assert 0.9 < shape.flux.sum() < 1.6
    middle_arcmin = shape.flux @ shape.further[:, :2] / shape.flux.sum() / ARCMIN
    assert middle_arcmin == pytest.approx([1.0, 0.67], abs=0.3)
    brightest = shape.further[np.argmax(shape.flux), :2] / ARCMIN
    assert np.hypot(*brightest) < 0.5


def test_nothing_is_seen_in_noise():
    data, middle = seen([(70, 20)], [1e-6], noise_jy=1.0)
    assert find_shape(data, middle, EXTENT_RAD, np.ones((data.n_times, data.n_channels), np.complex64)) is None


def test_without_weights_there_is_no_shape():
    data, middle = seen([(70, 20)], [1.0])
    data.samples.weights[:] = 0.0
    assert find_shape(data, middle, EXTENT_RAD, np.ones((data.n_times, data.n_channels), np.complex64)) is None
