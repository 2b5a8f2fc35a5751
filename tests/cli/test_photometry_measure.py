"""``dsa110-contimg photometry measure`` as an astronomer types it."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from dsa110_contimg.cli.app import app
from dsa110_contimg.photometry.forced_images import read_measurements
from dsa110_contimg.photometry.reference import make_reference, write_reference
from forced_images import GROUP, SKY, image_of, make_epoch, make_group, make_mosaic


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    directory = tmp_path_factory.mktemp("measured")
    group = make_group(directory / "ms")
    make_mosaic(directory / "ms", make_epoch(directory / "ms", group))
    catalogue = "".join(f"{one.ra_deg},{one.dec_deg},{one.flux_jy}\n" for one in SKY)
    (directory / "sky.csv").write_text("ra,dec,flux\n" + catalogue)
    return directory


@pytest.fixture
def run(base, monkeypatch):
    monkeypatch.chdir(base)
    monkeypatch.setenv("DSA110_CONTIMG_PATHS__MS", str(base / "ms"))
    monkeypatch.setenv("DSA110_CONTIMG_PHOTOMETRY__WORKERS", "1")
    return lambda *arguments: CliRunner().invoke(app, ["photometry", "measure", *map(str, arguments)])


def group_of(base):
    (directory,) = (base / "ms").glob("*-images")
    return directory


def test_a_catalogue_s_sources_are_measured_in_every_band_and_kept(base, run, tmp_path):
    output = tmp_path / "rows.parquet"
    done = run(group_of(base), "--reference", "sky.csv", "-o", output, "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert [one["band"] for one in report["images"]] == ["full", "lower", "upper"]
    assert [(one["measured"], one["detected"]) for one in report["images"]] == [(3, 2)] * 3
    assert report["images"][0]["flags"]["UPPER_LIMIT"] == 1
    rows = read_measurements(output)
    assert rows.num_rows == 9
    assert max(rows["flux"].to_pylist()) == pytest.approx(0.33, abs=0.01)
    again = run(group_of(base), "--reference", "sky.csv", "-o", output)
    assert (again.exit_code, "already" in again.stderr) == (1, True)
    assert run(group_of(base), "--reference", "sky.csv", "-o", output, "--replace").exit_code == 0
    assert list(tmp_path.iterdir()) == [output]


def test_a_place_that_is_asked_for_is_shown_with_its_errors_and_limit(base, run):
    done = run(image_of(group_of(base)), "--at", "129.0,54.57", "--at", "128.9,54.5")
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert len(lines) == 6
    assert lines[0].startswith(f"129.00000 +54.57000  {GROUP} full")
    assert "mJy of noise" in lines[0]
    assert "<" in lines[1]
    assert "upper-limit" in lines[1]


def test_the_list_of_the_strip_is_used_if_none_is_named(base, run):
    refused = run(group_of(base))
    assert refused.exit_code != 0
    assert "reference list" in refused.stderr
    columns = {"ra_deg": [one.ra_deg for one in SKY], "dec_deg": [one.dec_deg for one in SKY]}
    for strip in ("+54.5", "+54.6"):
        write_reference(base / "lightcurves", make_reference(strip, columns, 1))
    for directory in sorted((base / "ms").iterdir()):
        done = run(directory, "--json")
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout)["images"][0]["measured"] == 3
    # A source beside the place is fitted with it, and not shown.
    (row, *_) = json.loads(run(group_of(base), "--at", "129.01,54.57", "--json").stdout)["rows"]
    assert row["neighbours"] == 1
    assert row["flux"] == pytest.approx(0.0, abs=0.015)


def test_wrong_places_and_none_in_the_image_are_said(base, run):
    for text in ("north", "400,10", "1,2,3"):
        done = run(group_of(base), "--at", text)
        assert (done.exit_code, "is not a place" in done.stderr) == (2, True)
    done = run(group_of(base), "--at", "10.0,54.57")
    assert (done.exit_code, "None of the places" in done.stderr) == (1, True)
    for arguments in ((base, "--reference", "sky.csv"), (base / "ms" / "..", "--at", "1,2")):
        done = run(*arguments)
        assert (done.exit_code, "Name" in done.stderr) == (2, True)
    done = run(base / "none", "--reference", "sky.csv")
    assert (done.exit_code, "is not there" in done.stderr) == (1, True)


def test_images_stay_as_they_are(base, run):
    files = sorted(path for path in (base / "ms").rglob("*") if path.is_file())
    before = [(path, path.stat().st_mtime_ns, np.fromfile(path, np.uint8).sum()) for path in files]
    assert run(group_of(base), "--reference", "sky.csv").exit_code == 0
    assert before == [(path, path.stat().st_mtime_ns, np.fromfile(path, np.uint8).sum()) for path in files]
