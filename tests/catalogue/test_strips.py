"""Catalogues in strips of declination: cones across their edges, what is known and what is not."""

import logging

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import QTable
from hypothesis import given
from hypothesis import strategies as st

from dsa110_contimg.catalogue.strips import (
    add_strip,
    find_strips,
    open_strips,
    reference_around,
    strip_name,
    strip_numbers,
)
from dsa110_contimg.catalogue.tables import read_sources
from dsa110_contimg.errors import OutputError, UsageError

RNG = np.random.default_rng(4)
RA = RNG.uniform(0, 360, 4000)
DEC = np.degrees(np.arcsin(RNG.uniform(np.sin(np.radians(52)), np.sin(np.radians(57)), 4000)))
FACTS = {"name": "made", "freq_hz": 1.4e9}


@pytest.fixture(scope="module")
def strips(tmp_path_factory):
    directory = tmp_path_factory.mktemp("catalogues") / "made"
    for number in range(52, 57):
        rows = (number <= DEC) & (number + 1 > DEC)
        table = QTable({"ra": RA[rows] * u.deg, "dec": DEC[rows] * u.deg, "flux": 10 * np.ones(rows.sum()) * u.mJy})
        add_strip(directory, FACTS, number, table, "2026-01-01T00:00:00")
    return directory


@given(st.floats(0, 360), st.floats(53, 56), st.floats(0.1, 1.0))
def test_cones(strips, ra, dec, radius):
    found = open_strips(strips).cone(ra, dec, radius)
    apart = SkyCoord(ra, dec, unit="deg").separation(SkyCoord(RA, DEC, unit="deg")).deg
    assert len(found.e_flux_jy) == np.count_nonzero(apart <= radius)
    assert set(found.sources.ra_deg) == set(RA[apart <= radius])
    assert (found.sources.flux_jy == 0.01).all()


def test_everything(strips):
    assert sorted(read_sources(strips).ra_deg) == sorted(RA)
    assert [path.name for path in sorted(strips.iterdir())][:2] == ["dec+52.parquet", "dec+53.parquet"]


def test_a_part_that_is_not_there_is_said(strips, caplog):
    with caplog.at_level(logging.WARNING):
        assert len(open_strips(strips).cone(10.0, 56.5, 1.0).e_flux_jy) > 0
    assert "not fetched: +57" in caplog.text
    with pytest.raises(UsageError, match=r"no strip at declination -10\.00.*fetch made --dec -10\.0 --width 2"):
        open_strips(strips).cone(10.0, -10.0, 1.0)


def test_an_empty_strip_is_known_to_be_empty(tmp_path):
    none = QTable({name: np.zeros(0) for name in ("ra", "dec", "flux")})
    add_strip(tmp_path / "made", FACTS, -10, none, "2026-01-01T00:00:00")
    assert len(open_strips(tmp_path / "made").cone(10.0, -9.5, 0.2).e_flux_jy) == 0


def test_a_strip_takes_the_place_of_what_was_there(strips, tmp_path):
    table = QTable({"ra": [1.0], "dec": [2.0], "flux": [3.0]})
    for rows in (table, QTable(table[:0])):
        add_strip(tmp_path / "made", FACTS, 2, rows, "2026-01-01T00:00:00")
    (only,) = find_strips(tmp_path)
    assert only.fetched == {2: {"sources": 0, "utc": "2026-01-01T00:00:00"}}
    assert sorted(path.name for path in only.directory.iterdir()) == ["dec+02.parquet", "strips.json"]
    assert find_strips(tmp_path / "absent") == []


def test_strips_of_a_range():
    assert strip_numbers(-0.5, 0.5) == [-1, 0]
    assert strip_numbers(54.0, 54.9) == [54]
    assert strip_numbers(88.5, 92.0) == [88, 89]
    assert strip_numbers(-95.0, -89.5) == [-90]
    assert strip_name(-5) == "dec-05.parquet"


def test_a_reference_by_its_name(strips):
    by_name = reference_around(strips.relative_to(strips.parent), strips.parent, 10.0, 54.5, 1.0)
    by_path = reference_around(strips, strips.parent, 10.0, 54.5, 1.0)
    assert len(by_name.e_flux_jy) == len(by_path.e_flux_jy) > 0


def test_a_table_around_a_place(strips, tmp_path):
    (tmp_path / "sky.csv").write_text("ra,dec,flux\n10,54,1\n359.9,54.5,1\n100,54,1\n")
    found = reference_around(tmp_path / "sky.csv", strips.parent, 0.0, 54.5, 1.0)
    assert found.sources.ra_deg.tolist() == [359.9]


def test_what_is_broken_is_named(strips, tmp_path):
    with pytest.raises(UsageError, match="no catalogue of strips"):
        open_strips(tmp_path)
    add_strip(tmp_path / "made", FACTS, 2, QTable({"ra": [1.0], "dec": [2.5], "flux": [3.0]}), "")
    (tmp_path / "made" / "dec+02.parquet").write_text("gone")
    with pytest.raises(UsageError, match=r"dec\+02\.parquet.*--again"):
        open_strips(tmp_path / "made").cone(1.0, 2.5, 0.1)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        add_strip(tmp_path / "file" / "made", FACTS, 2, QTable({"ra": [1.0], "dec": [2.5], "flux": [3.0]}), "")
