"""The table, and names made of positions."""

import numpy as np
import pytest

from dsa110_contimg.photometry.sources import COLUMNS, iau_names, make_sources, no_sources, values


@pytest.mark.parametrize(
    ("ra_deg", "dec_deg", "name"),
    [
        (128.72875, 55.57252, "J083454.9+553421"),
        (0.0, -0.0001, "J000000.0-000000"),
        (359.99999, 0.5, "J235959.9+003000"),
        (360.0, -10.999999, "J000000.0-105959"),
        (15.0, 54.0, "J010000.0+540000"),
    ],
)
def test_names_cut_digits_off(ra_deg, dec_deg, name):
    assert iau_names(ra_deg, dec_deg) == [name]


def test_names_differ():
    assert iau_names(np.full(3, 15.0), np.full(3, 54.0)) == ["J010000.0+540000" + tail for tail in ("", "b", "c")]


def test_a_table():
    columns = {name: np.ones(2, column.dtype) for name, column in COLUMNS.items()} | {"ra": [20.0, 10.0]}
    table = make_sources(columns, {"freq_hz": 1.4e9})
    assert values(table, "ra").tolist() == [10.0, 20.0]
    assert table["flux"].unit == "Jy"
    assert table["e_ra"].info.description == COLUMNS["e_ra"].description
    assert [str(column.unit or "") for column in table.itercols()] == [column.unit for column in COLUMNS.values()]


def test_an_empty_one_has_all_columns():
    table = no_sources({})
    assert len(table) == 0
    assert table.colnames == list(COLUMNS)
