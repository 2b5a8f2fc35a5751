"""``dsa110-contimg photometry epoch`` as an astronomer types it, and what becomes of it in the list of the strip."""

import json
import shutil

import pytest
from typer.testing import CliRunner

from dsa110_contimg.cli.app import app
from restored_image import Source
from strip_images import make_strip

SOURCES = [Source(129.0, 54.57, 0.3), Source(129.1, 54.62, 0.1), Source(128.9, 54.5, 0.05)]


@pytest.fixture(scope="module")
def strip(tmp_path_factory):
    return make_strip(tmp_path_factory.mktemp("strip"), SOURCES, 2, n_pixels=240)


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def type_it(*arguments):
        return CliRunner().invoke(app, ["photometry", *map(str, arguments)])

    return type_it


def test_an_epoch_of_one_image_and_the_list_that_begins_with_it(strip, run, tmp_path):
    done = run("epoch", strip[0], tmp_path / "out")
    assert done.exit_code == 0, done.output
    (directory,) = (tmp_path / "out").iterdir()
    name = directory.name.removesuffix("-epoch")
    _, said, why = done.stdout.splitlines()
    assert said == f"{directory}: usable; 3 sources, 3 of them new to the list; 6 measurements"
    assert why.strip() == "only 1 images, and 6 make an hour"
    again = run("epoch", strip[0], tmp_path / "out")
    assert again.exit_code == 1
    assert "is there already" in again.output
    listed = run("reference", "list")
    assert listed.exit_code == 0
    assert listed.output.split()[:5] == ["+54.5", "version", "1", "3", "sources:"]
    sources = json.loads(run("reference", "list", "--dec", "54.48", "--json").stdout)
    assert {one["origin"] for one in sources["list"]} == {f"epoch:{name}"}
    assert "known already, 0 added" in run("reference", "add", directory).output
    assert "has a list already" in run("reference", "build", directory).output
    # A list of another strip has none of it, and a bad epoch gives nothing.
    assert "is of another strip" in run("reference", "build", "--dec", "16.3", directory).output
    record = directory / f"{directory.name}.json"
    record.write_text(record.read_text().replace('"verdict": "usable"', '"verdict": "bad"', 1))
    assert "was judged bad" in run("reference", "add", directory).output


def test_what_would_be_done_is_said_and_nothing_is_written(strip, run, tmp_path):
    said = run("epoch", *strip, tmp_path / "out", "--dry-run")
    assert said.exit_code == 0, said.output
    assert said.output.rstrip().endswith("+54.5-epoch")
    assert not (tmp_path / "out").exists()
    named = run("epoch", strip[0].parent, tmp_path / "out", "--hour", "2025-10-05T15:30:00", "--dry-run", "--json")
    assert len(json.loads(named.stdout)["images"]) == 2
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_an_epoch_is_said(strip, run, tmp_path):
    assert run("epoch", tmp_path / "out").exit_code == 2
    assert run("epoch", "--hour", "noon", tmp_path / "out").exit_code == 2
    nowhere = run("epoch", "--hour", "2025-10-05T12:00:00", tmp_path / "out")
    assert (nowhere.exit_code, "is not there: contimg-data/ms" in nowhere.output) == (1, True)
    none = run("epoch", strip[0].parent, tmp_path / "out", "--hour", "2025-10-06T01:00:00")
    assert none.exit_code == 1
    assert "there are no images to join" in none.output
    later = make_strip(tmp_path / "later", SOURCES, 1, start_mjd=60954.5, n_pixels=64)
    two = run("epoch", strip[0], *later, tmp_path / "out")
    assert two.exit_code == 1
    assert "not of one hour" in two.output
    bad = tmp_path / strip[0].name
    shutil.copytree(strip[0], bad)
    next(bad.glob("*-quality.json")).write_text('{"verdict": "bad"}')
    all_bad = run("epoch", bad, tmp_path / "out")
    assert all_bad.exit_code == 1
    assert "no images to join" in all_bad.output
    for done in (none, two, all_bad):
        assert "Traceback" not in done.output
