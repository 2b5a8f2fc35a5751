"""``dsa110-contimg photometry reference`` as an astronomer types it: lists of catalogues."""

import json

import pytest
from typer.testing import CliRunner

from dsa110_contimg.cli.app import app

# Flux densities at 1.4 GHz [Jy]; the last two are too far north, and too faint.
ROWS = [(10.0, 54.5, 0.5), (11.0, 54.9, 0.2), (359.9, 53.0, 0.1), (12.0, 60.0, 0.4), (13.0, 54.6, 0.002)]


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = ["ra,dec,flux,e_flux,e_ra,e_dec", *(f"{ra},{dec},{flux},0.005,0.5,0.5" for ra, dec, flux in ROWS)]
    (tmp_path / "field.csv").write_text("\n".join(lines) + "\n")

    def type_it(*arguments):
        return CliRunner().invoke(app, ["photometry", "reference", *map(str, arguments)])

    return type_it


def test_a_list_of_a_catalogue_is_built_added_to_and_listed(run, tmp_path):
    tried = run("build", "--dec", "54.6", "field.csv", "--dry-run")
    assert tried.exit_code == 0, tried.output
    assert "not written" in tried.output
    assert not (tmp_path / "contimg-data").exists()
    built = run("build", "--dec", "54.6", "field.csv", "--json")
    report = json.loads(built.stdout)
    assert (report["strip"], report["version"], report["sources"]) == ("+54.6", 1, 3)
    assert report["taken"] == [{"origin": "catalogue:field.csv", "offered": 3, "known": 0, "added": 3}]
    added = run("add", "--dec", "54.6", "field.csv", "--least", "1", "--width", "12")
    assert "5 sources, 3 known already, 2 added" in added.output
    assert "version 2" in added.output
    assert "version 2" in run("add", "--dec", "54.6", "field.csv").output
    listed = run("list", "--dec", "54.6")
    assert listed.output.count("catalogue:field.csv") == 5
    assert "J004000.0+543000" in listed.output
    assert run("list", "--dec", "54.6", "--version", "1").output.count("catalogue") == 3
    (one,) = json.loads(run("list", "--json").stdout)["lists"]
    assert one == {
        "strip": "+54.6", "version": 2, "sources": 5, "merged": 0, "origins": {"catalogue:field.csv": 5},
    }  # fmt: skip


def test_what_cannot_be_is_said(run, tmp_path):
    assert "none in" in run("list").output
    for arguments, status, said in (
        (("list", "--dec", "54.6"), 1, "has no reference list"),
        (("list", "--version", "1"), 2, "--version is of one strip"),
        (("add", "--dec", "54.6", "field.csv"), 1, "has no reference list"),
        (("build", "field.csv"), 2, "which strip is it"),
        (("build", "--dec", "16.3", "field.csv"), 2, "has no source of 10 mJy"),
        (("build", "--dec", "54.6", "nothing.csv"), 2, "no catalogue of that name was fetched"),
        (("build", "--dec", "54.6", "20251005T120000+54.6-epoch"), 1, "is no record of an epoch"),
        (("build", "--dec", "54.6", "20251005T120000-20251005T130000-mosaic"), 1, "cannot be read as FITS"),
    ):
        done = run(*arguments)
        assert done.exit_code == status, done.output
        assert said in done.output
        assert "Traceback" not in done.output
    assert not (tmp_path / "contimg-data").exists()
