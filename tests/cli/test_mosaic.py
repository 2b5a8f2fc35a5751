"""``dsa110-contimg mosaic`` as an astronomer types it."""

import json
import shutil

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from PIL import Image
from typer.testing import CliRunner

from dsa110_contimg.cli.app import app
from restored_image import Source
from strip_images import make_strip

SOURCE = Source(129.4, 54.6, 0.3)


@pytest.fixture(scope="module")
def strip(tmp_path_factory):
    base = tmp_path_factory.mktemp("strip")
    return make_strip(base, [SOURCE], 2)


def run(*arguments):
    return CliRunner().invoke(app, ["mosaic", *map(str, arguments)])


def test_a_mosaic_is_a_directory_of_fits_files_and_a_record(strip, tmp_path):
    done = run(*strip, tmp_path, "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    (directory,) = tmp_path.iterdir()
    assert report["directory"] == str(directory)
    assert directory.name.endswith("-mosaic")
    stem = directory.name.removesuffix("-mosaic")
    planes = {}
    for kind in ("mosaic", "rms", "weight"):
        with fits.open(directory / f"{stem}-{kind}.fits") as hdus:
            hdus.verify("exception")
            header, planes[kind] = hdus[0].header, hdus[0].data[0, 0]
    wcs = WCS(header).celestial
    x, y = (round(float(value)) for value in wcs.all_world2pix(SOURCE.ra_deg, SOURCE.dec_deg, 0))
    assert planes["mosaic"][y - 2 : y + 3, x - 2 : x + 3].max() == pytest.approx(0.3, rel=0.05)
    there = np.isfinite(planes["rms"])
    assert planes["rms"][there].min() == pytest.approx(report["best_rms_jy"])
    assert header["NIMAGES"] == 2
    record = json.loads((directory / f"{stem}-mosaic.json").read_text())
    assert [one["group"] for one in record["inputs"]] == [one["group"] for one in report["inputs"]]
    with Image.open(directory / f"{stem}-preview.png") as picture:
        # As wide a strip as the mosaic.
        assert min(picture.size) > 200
        assert np.asarray(picture.convert("L")).std() > 5
    again = run(*strip, tmp_path)
    assert again.exit_code == 1
    assert "is there already" in again.output
    assert run(*strip, tmp_path, "--replace").exit_code == 0


def test_an_hour_is_chosen_and_bad_images_are_left_out(strip, tmp_path):
    for directory in strip:
        shutil.copytree(directory, tmp_path / "ms" / directory.name)
    (quality,) = (tmp_path / "ms" / strip[1].name).glob("*-quality.json")
    quality.write_text('{"verdict": "bad"}')
    said = run(tmp_path / "ms", tmp_path / "out", "--range", "2025-10-05T11:00:00", "2025-10-05T13:00:00", "--dry-run")
    assert said.exit_code == 0, said.output
    assert "left out: its image is bad" in said.output
    assert not (tmp_path / "out").exists()
    none = run(tmp_path / "ms", tmp_path / "out", "--hour", "2025-10-07T01:00:00")
    assert none.exit_code == 1
    assert "there are no images to join" in none.output


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ("pb", "has no primary beam beside it"),
        ("name", "does not name an image"),
        ("broken", "cannot be read as FITS"),
        ("strip", "is of declination 16.27"),
    ],
)
def test_what_cannot_be_joined_is_named(strip, tmp_path, harm, said):
    for directory in strip:
        shutil.copytree(directory, tmp_path / directory.name)
    place = tmp_path / strip[0].name
    (image,) = place.glob("*-image.fits")
    names = sorted(path for path in tmp_path.iterdir())
    if harm == "pb":
        next(place.glob("*-pb.fits")).unlink()
    elif harm == "broken":
        image.write_bytes(b"SIMPLE")
    elif harm == "name":
        names = [image.rename(place / "sky.fits")]
    else:
        with fits.open(image, mode="update") as hdus:
            hdus[0].header["CRVAL2"] = 16.27
    done = run(*names, tmp_path / "out")
    assert done.exit_code == 1
    assert said in done.output
    assert "Traceback" not in done.output
    assert not (tmp_path / "out").exists()


def test_nothing_named_is_wrong_usage(tmp_path):
    assert run(tmp_path / "out").exit_code == 2


def test_an_hour_of_utc_and_windows_over_it(strip, tmp_path):
    listed = run(*strip, tmp_path, "--utc-hour", "2025-10-05T12:59:00", "--dry-run", "--json")
    assert listed.exit_code == 0, listed.output
    assert len(json.loads(listed.stdout)["inputs"]) == 2
    none = run(*strip, tmp_path, "--utc-hour", "2025-10-05T13:00:00", "--dry-run")
    assert none.exit_code == 1
    assert "there are no images to join" in none.output
    # Groups are 5.15 minutes apart: a window of six minutes has two, one of four has one.
    slid = run(*strip, tmp_path, "--window", "0.067", "--dry-run", "--json")
    assert [len(one["inputs"]) for one in json.loads(slid.stdout)["mosaics"]] == [1, 1]
    both = run(*strip, tmp_path, "--window", "0.1", "--step", "1", "--json")
    (made,) = json.loads(both.stdout)["mosaics"]
    assert (tmp_path / made["directory"]).is_dir()


@pytest.mark.parametrize(
    "options",
    [
        ("--hour", "2025-10-05T12:00:00", "--utc-hour", "2025-10-05T12:00:00"),
        ("--step", "1"),
        ("--utc-hour", "noon"),
        ("--window", "0"),
        ("--window", "1", "--step", "nan"),
    ],
)
def test_times_that_cannot_be_are_wrong_usage(strip, tmp_path, options):
    assert run(*strip, tmp_path, *options).exit_code == 2
