"""Parquet with units, there and back."""

import astropy.units as u
import numpy as np
import pyarrow as pa
import pytest
from astropy.table import QTable
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pyarrow import parquet

from dsa110_contimg.catalogue.parquet import read_parquet, write_parquet


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(hnp.arrays(np.float64, st.integers(0, 20), elements=st.floats(allow_nan=True)), st.sampled_from(["mJy", "deg"]))
def test_numbers_and_units_come_back(tmp_path, numbers, unit):
    table = QTable({"a": u.Quantity(numbers, unit), "n": np.arange(len(numbers))}, meta={"freq_hz": 1.4e9})
    table["a"].info.description = "something"
    write_parquet(tmp_path / "a.parquet", table)
    back = read_parquet(tmp_path / "a.parquet")
    assert np.array_equal(back["a"].value, numbers, equal_nan=True)
    assert back["a"].unit == unit
    assert back["a"].info.description == "something"
    assert back["n"].dtype == table["n"].dtype
    assert back.meta == {"freq_hz": 1.4e9}


def test_words_and_truths(tmp_path):
    table = QTable({"word": ["", "edge"], "yes": [True, False]})
    write_parquet(tmp_path / "a.parquet", table)
    back = read_parquet(tmp_path / "a.parquet")
    assert back["word"].tolist() == ["", "edge"]
    assert back["yes"].tolist() == [True, False]


def test_what_astropy_wrote_has_its_units(tmp_path):
    QTable({"a": [1.0, 2.0] * u.mJy}).write(tmp_path / "a.parquet", format="parquet")
    assert read_parquet(tmp_path / "a.parquet")["a"].unit == "mJy"


def test_a_table_of_somebody_else(tmp_path):
    parquet.write_table(pa.table({"a": [1.0], "word": [None]}), tmp_path / "a.parquet")
    table = read_parquet(tmp_path / "a.parquet")
    assert table["a"].tolist() == [1.0]
    assert table.meta == {}


def test_no_parquet(tmp_path):
    (tmp_path / "a.parquet").write_text("hello")
    with pytest.raises(ValueError, match=r"magic bytes|[Pp]arquet"):
        read_parquet(tmp_path / "a.parquet")
    with pytest.raises(OSError, match=r"a\.parquet"):
        read_parquet(tmp_path / "none" / "a.parquet")
