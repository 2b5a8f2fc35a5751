"""Gains of sources, by least squares."""

import numpy as np
import pytest

from dsa110_contimg.imaging.outlier_fit import ITSELF, Column, Points, Visibilities, smooth_functions
from predicted_ms import FlatBeam
from sampled_fields import CORE, sampled_field

FIELD = sampled_field([(70, 20)], [2.0], stations=CORE[::6], n_times=4, every=48, cell_arcsec=60.0, beam=FlatBeam())


def visibilities():
    samples = FIELD.samples._replace(visibilities=FIELD.samples.visibilities.copy())
    return Visibilities(samples, FIELD.observation, 2)


def points_of(data):
    """The source: it stands still in (l, m)."""
    l, m = np.radians(np.array([70, 20]) / 60) * FIELD.grid.magnification  # noqa: E741
    middle = np.array([l, m, np.sqrt(1 - l * l - m * m) - 1])
    middles = np.tile(middle, (data.n_times, 1, 1))
    return Points(middles, np.zeros((1, 3)), np.ones(1, np.float32), np.array([0, 1]))


def test_a_gain_is_found_whatever_is_expected():
    data = visibilities()
    t, c = np.meshgrid(np.linspace(0.5, 1.0, data.n_times), np.linspace(1.0, 2.0, data.n_channels), indexing="ij")
    columns = [Column(0, ITSELF, smooth_functions(t * c, 3))]
    solution = data.solve(points_of(data), columns)
    assert np.abs(solution.gains[0] - 2.0).max() < 0.03
    assert solution.errors[0] > 0.0


def test_what_is_subtracted_is_gone_and_comes_back():
    data = visibilities()
    before = data.samples.visibilities.copy()
    points, columns = points_of(data), [Column(0, ITSELF, smooth_functions(np.ones((4, data.n_channels)), 0))]
    gains = data.solve(points, columns).gains
    data.subtract(points, columns, gains)
    assert data.chi2() < 1e-4 * np.mean(np.abs(before) ** 2) / 2
    data.subtract(points, columns, -gains)
    np.testing.assert_allclose(data.samples.visibilities, before, atol=1e-5)


def test_directions_there_and_back():
    data = visibilities()
    middle = points_of(data).middles[0, 0]
    there = data.apparent(middle)
    assert np.linalg.norm(there, axis=1) == pytest.approx(1.0, abs=1e-9)
    np.testing.assert_allclose(data.directions(there[:, None])[:, 0], np.tile(middle, (4, 1)), atol=1e-12)


def test_smooth_functions_are_what_is_expected_and_polynomials():
    expected = np.outer(np.linspace(0.2, 1.0, 5), np.linspace(1.0, 1.5, 6))
    assert smooth_functions(expected, 0).shape == (1, 5, 6)
    functions = smooth_functions(expected, 2)
    assert functions.shape == (10, 5, 6)
    assert (functions[0] == expected).all()
    assert smooth_functions(expected[:1], 2).shape == (4, 1, 6)
