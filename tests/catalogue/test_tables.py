"""Tables of sources, in the formats that people have."""

import json

import astropy.units as u
import numpy as np
import pyarrow as pa
import pytest
from astropy.table import QTable, Table
from pyarrow import parquet

from dsa110_contimg.catalogue.parquet import write_parquet
from dsa110_contimg.catalogue.tables import Reference, read_reference, read_sources
from dsa110_contimg.errors import UsageError
from dsa110_contimg.telescope.prediction import PointSources

SKY = PointSources(np.array([10.5, 359.9]), np.array([-3.25, 54.0]), np.array([1.5, 0.02]), np.array([-0.7, 0.0]))


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("delimiter", [" ", ","])
def test_ecsv(tmp_path, delimiter):
    table = Table(list(SKY), names=["ra", "dec", "flux", "alpha"])
    table.write(tmp_path / "sky.ecsv", format="ascii.ecsv", delimiter=delimiter)
    assert same(read_sources(tmp_path / "sky.ecsv"), SKY)


def in_other_units():
    """The same sky in hours, arcminutes and mJy."""
    return QTable(
        {
            "ra": (SKY.ra_deg * u.deg).to(u.hourangle),
            "dec": (SKY.dec_deg * u.deg).to(u.arcmin),
            "flux": (SKY.flux_jy * u.Jy).to(u.mJy),
            "alpha": SKY.alpha,
            "e_flux": [10.0, 1.0] * u.mJy,
            "e_ra": [0.5, 0.25] * u.arcsec,
        }
    )


def write_by(name, table, path):
    {
        "ecsv": lambda: table.write(path, format="ascii.ecsv"),
        "ours": lambda: write_parquet(path, table),
        "astropy": lambda: table.write(path, format="parquet"),
    }[name]()


@pytest.mark.parametrize(("by", "name"), [("ecsv", "a.ecsv"), ("ours", "a.parquet"), ("astropy", "a.parquet")])
def test_units_are_honoured(tmp_path, by, name):
    write_by(by, in_other_units(), tmp_path / name)
    reference = read_reference(tmp_path / name)
    for found, true in zip(reference.sources, SKY, strict=True):
        assert found == pytest.approx(true)
    assert reference.e_flux_jy == pytest.approx([0.01, 0.001])
    assert reference.e_ra_arcsec == pytest.approx([0.5, 0.25])
    assert reference.e_dec_arcsec.tolist() == [0.0, 0.0]
    assert reference.origin == name


@pytest.mark.parametrize("by", ["ecsv", "ours"])
def test_fluxes_of_another_frequency_are_brought_to_ours(tmp_path, by):
    path = tmp_path / ("a.ecsv" if by == "ecsv" else "a.parquet")
    table = in_other_units()
    table.meta["freq_hz"] = 887.5e6
    write_by(by, table, path)
    reference = read_reference(path)
    assert reference.sources.flux_jy == pytest.approx([1.5 * (1400 / 887.5) ** -0.7, 0.02])
    assert reference.e_flux_jy[0] == pytest.approx(0.01 * (1400 / 887.5) ** -0.7)


def test_parquet_without_units_is_in_degrees_and_jansky(tmp_path):
    columns = {"ra": SKY.ra_deg, "dec": SKY.dec_deg, "flux": SKY.flux_jy, "alpha": [-0.7, 0.0], "name": ["a", None]}
    parquet.write_table(pa.table(columns), tmp_path / "sky.parquet")
    assert same(read_sources(tmp_path / "sky.parquet"), SKY)


def test_a_column_in_a_unit_that_is_none_of_its_own(tmp_path):
    table = in_other_units()
    table["flux"] = [1.0, 2.0] * u.deg
    write_parquet(tmp_path / "sky.parquet", table)
    with pytest.raises(UsageError, match=r"sky\.parquet"):
        read_sources(tmp_path / "sky.parquet")


def test_some_of_a_reference():
    errors = np.array([0.5, 0.25])
    some = Reference(SKY, errors, errors, errors, "made").take(np.array([1]))
    assert some.sources.ra_deg.tolist() == [359.9]
    assert some.e_dec_arcsec.tolist() == [0.25]


@pytest.mark.parametrize("wrapped", [False, True])
def test_json(tmp_path, wrapped):
    rows = [{"ra": 10.5, "dec": -3.25, "flux": 1.5}, {"ra": 359.9, "dec": 54.0, "flux": 0.02, "alpha": 0.0}]
    (tmp_path / "sky.json").write_text(json.dumps({"sources": rows} if wrapped else rows))
    assert same(read_sources(tmp_path / "sky.json"), SKY)


def test_comments_and_missing_alpha(tmp_path):
    (tmp_path / "sky.csv").write_text("# mine\nra,dec,flux,alpha\n1,2,3,\n4,5,6,0\n")
    assert read_sources(tmp_path / "sky.csv").alpha.tolist() == [-0.7, 0.0]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("sky.csv", "ra,dec\n1,2\n"),
        ("sky.csv", "ra,dec,flux\n1,2,bright\n"),
        ("sky.csv", "ra,dec,flux\n1,2,nan\n"),
        ("sky.csv", "ra,dec,flux\n1,95,1\n"),
        ("sky.json", "{"),
        ("sky.json", '{"stars": []}'),
        ("sky.json", "[3]"),
        ("sky.parquet", "PAR1"),
        ("sky.ecsv", "# %ECSV 1.0\nra dec flux\n1 2 3\n"),
    ],
)
def test_what_is_not_a_sky(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(UsageError, match=name):
        read_sources(tmp_path / name)


def test_no_file(tmp_path):
    with pytest.raises(UsageError, match="absent"):
        read_sources(tmp_path / "absent.csv")
