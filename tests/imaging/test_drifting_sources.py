"""Bright sources that are followed through the beam one by one."""

import numpy as np
import pytest

from dsa110_contimg.imaging.drift import drifting_beam
from dsa110_contimg.imaging.drifting_sources import DriftingSources, cell_moments
from dsa110_contimg.telescope.beams import AiryBeam
from sampled_fields import sampled_field

FIELD = sampled_field([(0, 0), (-90, 25), (50, -110)], (1.0, 1.0, 1.0), stations=(1, 40, 90), every=96)
DRIFT = drifting_beam(FIELD.observation, AiryBeam(), FIELD.grid, FIELD.samples, FIELD.samples.weights)
NOTHING = np.zeros((256, 256), np.float32)
UV_RMS = 500.0


def model_of(flux_jy=(1.0, 0.5, 0.2), shift=0):
    model = NOTHING.copy()
    for row, column, flux in zip(FIELD.rows, FIELD.columns, flux_jy, strict=True):
        model[row, column + shift] = flux
    return model


def sources_of(taken=NOTHING):
    return DriftingSources(DRIFT, FIELD.grid, UV_RMS, taken)


def directions():
    step = FIELD.grid.cell_rad * FIELD.grid.magnification
    l_, m = (128 - np.array(FIELD.columns)) * step, (np.array(FIELD.rows) - 128) * step
    return np.stack([l_, m, np.sqrt(1.0 - l_**2 - m**2) - 1.0], axis=1)


def test_moments_of_cells_are_those_of_their_components():
    rng = np.random.default_rng(3)
    cell_of = np.repeat(np.arange(4), 3)
    model = np.where(rng.uniform(size=(12, 12)) < 0.6, rng.uniform(size=(12, 12)), 0.0).astype(np.float32)
    model[3:6, 6:9] = 0.0
    made = cell_moments(model, cell_of)
    rows, columns = np.indices(model.shape)
    for number in range(16):
        inside = (cell_of[rows] * 4 + cell_of[columns]) == number
        flux = np.where(inside, model.astype(float), 0.0)
        assert made.flux_jy[number] == pytest.approx(flux.sum())
        if number == 4 + 2:
            assert (made.column[number], made.row[number], made.spread[number]) == (7.0, 4.0, 0.0)
            continue
        x, y = (float((flux * each).sum() / flux.sum()) for each in (columns, rows))
        assert (made.column[number], made.row[number]) == pytest.approx((x, y))
        assert made.spread[number] == pytest.approx((flux * ((columns - x) ** 2 + (rows - y) ** 2)).sum())


def test_components_that_cancel_each_other_stay_near_their_cell():
    model = np.zeros((12, 12), np.float32)
    model[4, 3], model[4, 5] = 1.0, -0.999
    made = cell_moments(model, np.repeat(np.arange(4), 3))
    assert abs(made.column[5] - 4.0) <= 3.0
    assert made.flux_jy[5] == pytest.approx(0.001, rel=1e-3)


def test_the_brightest_come_first_and_no_more_than_matter():
    sources = sources_of()
    assert len(sources.change(model_of(), 1e9, 200).table) == 0
    first = sources.change(model_of(), 1e-9, 1)
    beside = model_of() * DRIFT.over.pixels(DRIFT.variation())
    (brightest,) = np.flatnonzero(np.all(np.abs(directions() - first.direction) < 1e-12, axis=1))
    assert beside[FIELD.rows[brightest], FIELD.columns[brightest]] == beside.max()
    assert np.count_nonzero(sources.followed) == 1
    sources = sources_of()
    assert len(sources.change(model_of((1.0, 0.0, 0.0)), 1e-9, 1).table) == 1
    assert len(sources.change(model_of(), 1e-9, 200).table) == 2
    assert np.count_nonzero(sources.followed) == 3
    assert len(sources.change(model_of(), 1e-9, 200).table) == 0
    assert np.count_nonzero(sources.pixels & (model_of() != 0.0)) == 3


def test_a_table_is_the_beam_over_its_mean_less_one():
    made = sources_of().change(model_of((1.0, 1.0, 1.0)), 1e-9, 200)
    # Weights are equal, so nothing is left in the mean.
    assert np.abs(made.table.mean(axis=(1, 2))).max() < 1e-3
    for direction, table in zip(made.direction, made.table, strict=True):
        (which,) = np.flatnonzero(np.all(np.abs(directions() - direction) < 1e-12, axis=1))
        row, column = FIELD.rows[which], FIELD.columns[which]
        modes = DRIFT.modes(NOTHING)
        point = NOTHING.copy()
        point[row, column] = 1.0
        beside = sum(modes.image(k, point)[row, column] * modes.factor(k) for k in range(1, len(modes.vectors)))
        np.testing.assert_allclose(table, beside, atol=1e-3 * np.abs(beside).max())


def test_what_moved_is_put_back_where_it_was():
    sources = sources_of()
    before = sources.change(model_of((1.0, 0.0, 0.0)), 1e-9, 200)
    made = sources.change(model_of((1.5, 0.0, 0.0), shift=1), 1e-9, 200)
    assert len(made.table) == 2
    np.testing.assert_allclose(made.table[1], -before.table[0], rtol=1e-6)
    np.testing.assert_allclose(made.direction[1], before.direction[0])
    assert made.direction[0, 0] < made.direction[1, 0]


def test_what_is_gone_already_is_not_taken_out_again():
    sources = sources_of(model_of())
    assert len(sources.change(model_of(), 1e-9, 200).table) == 0
    assert not sources.followed.any()


def test_no_others_are_begun_with_when_there_were_too_many():
    sources = sources_of()
    sources.change(model_of((0.9, 0.0, 0.8)), 1e-9, 1)
    assert len(sources.change(model_of((1.0, 0.5, 0.9)), 1e-9, 200).table) == 1
    assert np.count_nonzero(sources.followed) == 1


def test_what_is_wide_is_left_to_images():
    fine = sampled_field([(3, 0)], (1.0,), stations=(1, 40, 90), every=96, cell_arcsec=6.0)
    drift = drifting_beam(fine.observation, AiryBeam(), fine.grid, fine.samples, fine.samples.weights)
    cell_of = drift.cells(256)
    first = np.flatnonzero(cell_of == cell_of[60])[0]
    inside = slice(first, first + 5)
    wide, between = NOTHING.copy(), NOTHING.copy()
    wide[inside, inside] = 1.0
    between[first : first + 2, first : first + 2] = 6.0
    for model, followed in ((wide, 0), (between, 1)):
        sources = DriftingSources(drift, fine.grid, 5000.0, NOTHING)
        assert len(sources.change(model, 1e-9, 200).table) == followed
