"""The brightest of a field, while outliers are solved for."""

import numpy as np
import pytest

from dsa110_contimg.imaging.outlier_field import add_field, find_field
from dsa110_contimg.imaging.outlier_fit import Visibilities
from predicted_ms import FlatBeam
from sampled_fields import CORE, sampled_field

FIELD = sampled_field([(30, -20), (-60, 40)], [2.0, 0.5], stations=CORE[::3], n_times=3, every=48, beam=FlatBeam())
NOWHERE = np.array([[0.2, 0.0, np.sqrt(1 - 0.2**2) - 1]])


@pytest.fixture
def data():
    samples = FIELD.samples._replace(visibilities=FIELD.samples.visibilities.copy())
    return Visibilities(samples, FIELD.observation, 2)


def test_the_brightest_is_told_apart(data):
    found = find_field(data, FIELD.grid, 1.0, NOWHERE)
    # It is cleaned no deeper than its own sidelobes.
    assert found.flux_jy == pytest.approx([2.0], rel=0.25)
    l, m = np.array([30, -20]) * FIELD.grid.cell_rad * FIELD.grid.magnification  # noqa: E741
    assert found.places[0, :2] == pytest.approx([l, m], abs=0.5 * FIELD.grid.cell_rad)
    # It is not in the model any more.
    assert found.model.sum() < 1.0


def test_a_field_is_taken_out_and_put_back(data):
    before = data.samples.visibilities.copy()
    found = find_field(data, FIELD.grid, 100.0, NOWHERE)
    assert len(found.places) == 0
    add_field(data, found, -1.0)
    assert np.std(data.samples.visibilities) < 0.3 * np.std(before)
    add_field(data, found, 1.0)
    np.testing.assert_allclose(data.samples.visibilities, before, atol=1e-4)


def test_beside_an_outlier_nothing_is_cleaned(data):
    l, m = np.array([30, -20]) * FIELD.grid.cell_rad * FIELD.grid.magnification  # noqa: E741
    found = find_field(data, FIELD.grid, 100.0, np.array([[l, m, np.sqrt(1 - l * l - m * m) - 1]]))
    row, column = FIELD.rows[0], FIELD.columns[0]
    assert not found.model[row - 5 : row + 6, column - 5 : column + 6].any()


def test_without_weights_there_is_no_field(data):
    data.samples.weights[:] = 0.0
    found = find_field(data, FIELD.grid, 0.1, NOWHERE)
    assert not found.model.any()
    before = data.samples.visibilities.copy()
    add_field(data, found, -1.0)
    assert (data.samples.visibilities == before).all()
