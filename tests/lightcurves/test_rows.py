"""Files of rows: whole or not there, with the columns and facts that they should have."""

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from dsa110_contimg.errors import LightcurveError, OutputError
from dsa110_contimg.lightcurves.rows import (
    ORDER,
    as_rows,
    check_rows,
    read_facts,
    read_rows,
    sort_rows,
    word_codes,
    write_rows,
)
from dsa110_contimg.photometry.measurements import COLUMNS, SCHEMA
from made_epochs import made_rows


def test_rows_are_read_as_they_were_written_with_units_and_facts(tmp_path):
    path, table = (
        tmp_path / "2025-10-05" / "x.parquet",
        made_rows(0, np.linspace(1, 2, 5), upper_limit=0.0, e_scale=0.0),
    )
    assert write_rows(path, [table.slice(0, 2), table.slice(2)], {"x": "sum"}) == 5
    assert read_rows(path).equals(table)
    assert read_facts(path) == ({"x": "sum"}, 5)
    check_rows(path)
    schema = parquet.read_schema(path)
    assert {field.name: field.metadata[b"unit"].decode() for field in schema} == {
        name: column.unit for name, column in COLUMNS.items()
    }
    assert [entry.name for entry in path.parent.iterdir()] == ["x.parquet"]


def test_what_fails_on_the_way_leaves_what_was_there(tmp_path):
    path = tmp_path / "x.parquet"
    write_rows(path, [made_rows(0, np.ones(2))], {"x": "sum"})

    def broken():
        yield made_rows(0, np.ones(3))
        raise OSError(5, "Input/output error")

    with pytest.raises(OutputError):
        write_rows(path, broken(), {"x": "other"})
    assert read_facts(path) == ({"x": "sum"}, 2)
    assert list(tmp_path.iterdir()) == [path]


def test_words_may_come_as_plain_text():
    table = made_rows(0, np.ones(3), upper_limit=0.0, e_scale=0.0)
    plain = table.set_column(1, "epoch", table["epoch"].cast(pa.string()))
    assert as_rows(plain).equals(table)
    with pytest.raises(KeyError):
        as_rows(table.drop_columns("pb"))


def test_rows_are_sorted_by_source_kind_band_and_time():
    rng = np.random.default_rng(1)
    parts = [
        made_rows(0, rng.uniform(1, 2, 6), kind=kind, band=band, mjd=rng.uniform(0, 9, 6))
        for kind in ("mosaic", "group")
        for band in ("upper", "full", "lower")
    ]
    rows = sort_rows(pa.concat_tables(parts).unify_dictionaries()).select(ORDER).to_pylist()
    assert [tuple(row.values()) for row in rows] == sorted(tuple(row.values()) for row in rows)


def test_codes_are_in_the_order_of_the_words():
    column = pa.chunked_array([pa.array(["b", "a", "b"]).dictionary_encode(), pa.array(["c"]).dictionary_encode()])
    codes, words = word_codes(column)
    assert (codes.tolist(), words) == ([1, 0, 1, 2], ["a", "b", "c"])
    empty, none = word_codes(SCHEMA.empty_table()["epoch"])
    assert (empty.size, none) == (0, [])


def test_a_file_without_facts_is_of_another_version(tmp_path):
    parquet.write_table(made_rows(0, np.ones(2)), tmp_path / "x.parquet")
    with pytest.raises(LightcurveError, match="another version"):
        read_facts(tmp_path / "x.parquet")
    with pytest.raises(FileNotFoundError):
        read_facts(tmp_path / "y.parquet")
