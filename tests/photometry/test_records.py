"""Catalogues written and read back, by us and by others."""

import json

import numpy as np
import pytest
from astropy.table import QTable
from pyarrow import parquet

from dsa110_contimg.catalogue.tables import read_sources
from dsa110_contimg.errors import OutputError, UnreadableFileError
from dsa110_contimg.photometry.records import read_catalogue, write_sources
from dsa110_contimg.photometry.sources import COLUMNS, make_sources, no_sources, values

META = {"freq_hz": 1.405e9, "beam_arcsec": [64.0, 38.0], "image": "x-image.fits", "ties": {"n": 3, "flux_ratio": None}}


@pytest.fixture
def table():
    rng = np.random.default_rng(3)
    columns = {
        name: rng.uniform(1, 80, 5).astype(column.dtype) for name, column in COLUMNS.items() if "f" in column.dtype
    }
    columns |= {"name": [f"J{k}" for k in range(5)], "flags": ["", "edge", "multiple,shared", "", ""]}
    columns |= {"resolved": [True, False, True, False, False], "island": np.arange(5), "n_gaussians": np.ones(5)}
    return make_sources(columns, META)


@pytest.mark.parametrize("form", ["ecsv", "parquet"])
def test_there_and_back(table, tmp_path, form):
    back = read_catalogue(write_sources(table, tmp_path, "x-sources")[form])
    assert back.meta == META
    for name, column in COLUMNS.items():
        if "f" in column.dtype:
            assert back[name].unit == table[name].unit
            assert values(back, name) == pytest.approx(values(table, name), rel=1e-5)
        else:
            assert list(back[name]) == list(table[name])
        assert back[name].info.description == column.description


def test_positions_keep_a_milliarcsecond(table, tmp_path):
    back = read_catalogue(write_sources(table, tmp_path, "x")["ecsv"])
    assert values(back, "ra") == pytest.approx(values(table, "ra"), abs=1e-7)
    assert values(back, "dec") == pytest.approx(values(table, "dec"), abs=1e-7)


@pytest.mark.parametrize("form", ["ecsv", "parquet"])
def test_an_image_with_nothing(tmp_path, form):
    back = read_catalogue(write_sources(no_sources(META), tmp_path, "x")[form])
    assert len(back) == 0
    assert back["flux"].unit == "Jy"


def test_others_read_them(table, tmp_path):
    paths = write_sources(table, tmp_path, "x")
    schema = parquet.read_schema(paths["parquet"])
    assert schema.field("flux").metadata[b"unit"] == b"Jy"
    assert b"primary beam" in schema.field("flux").metadata[b"description"]
    assert json.loads(schema.metadata[b"meta"]) == META
    assert parquet.read_table(paths["parquet"]).num_rows == 5
    assert b"table_meta_yaml" in schema.metadata  # astropy's own, for which it wants pandas to read it
    assert QTable.read(paths["ecsv"])["e_ra"].unit == "arcsec"


@pytest.mark.parametrize("form", ["ecsv", "parquet"])
def test_they_are_a_model_of_the_sky(table, tmp_path, form):
    """At the 1.4 GHz of all models, from the frequency of the image."""
    sky = read_sources(write_sources(table, tmp_path, "x")[form])
    assert sky.flux_jy == pytest.approx(values(table, "flux") * (1.4 / 1.405) ** -0.7, rel=1e-5)
    assert sky.ra_deg == pytest.approx(values(table, "ra"), abs=1e-7)


def test_regions(table, tmp_path):
    text = write_sources(table, tmp_path, "x")["regions"].read_text()
    assert text.splitlines()[2] == "icrs"
    row = table[0]
    ellipse = next(line for line in text.splitlines() if str(row["name"]) in line)
    numbers = ellipse[ellipse.index("(") + 1 : ellipse.index(")")].replace('"', "").split(",")
    assert float(numbers[0]) == pytest.approx(row["ra"].value, abs=1e-6)
    assert float(numbers[2]) == pytest.approx(row["major"].value / 2, abs=0.01)
    # DS9 counts from the west-east axis: a source that lies north-south has 90.
    assert float(numbers[4]) == pytest.approx(row["pa"].value + 90, abs=0.1)


def test_no_catalogue(tmp_path):
    (tmp_path / "x.ecsv").write_text("ra,dec\n1,2\n")
    (tmp_path / "x.parquet").write_text("PAR?")
    for name in ("x.ecsv", "x.parquet", "absent.ecsv"):
        with pytest.raises(UnreadableFileError, match=name):
            read_catalogue(tmp_path / name)


def test_nowhere_to_write(table, tmp_path):
    with pytest.raises(OutputError):
        write_sources(table, tmp_path / "absent", "x")
