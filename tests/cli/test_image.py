"""``image``: what it images, what it leaves, and what it refuses."""

import json

import casacore.tables as ct
import numpy as np
import pytest
from typer.testing import CliRunner

from dsa110_contimg.cli.app import app
from dsa110_contimg.images.fits import read_image
from dsa110_contimg.photometry.records import read_catalogue
from dsa110_contimg.photometry.sources import values
from simulated_fields import make_field

OFFSETS, FLUXES = [(0.1, 0.05), (-0.15, 0.2), (0.05, -0.2), (-0.2, -0.1)], [3.0, 2.0, 4.0, 2.5]
STATIONS = (1, 4, 7, 12, 16, 20, 27, 30, 34, 40, 45, 50, 69, 77, 85, 97)
SMALL = ("--size", 192, "--cell", 20, "--iterations", 2000, "--major-cycles", 4, "--no-outliers", "--threads", 2)


@pytest.fixture
def run(in_tmp):
    return lambda *arguments: CliRunner().invoke(app, list(map(str, arguments)))


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    path = tmp_path_factory.mktemp("field") / "20251005T122848.ms"
    return make_field(path, OFFSETS, FLUXES, every=64, noise=True, stations=STATIONS, n_times=6, step=4)


@pytest.fixture(scope="module")
def survey(field, tmp_path_factory):
    path = tmp_path_factory.mktemp("survey") / "survey.csv"
    rows = zip(field.sources.ra_deg, field.sources.dec_deg, field.sources.flux_jy, strict=True)
    path.write_text("ra,dec,flux,alpha\n" + "".join(f"{ra},{dec},{flux},0\n" for ra, dec, flux in rows))
    return path


def test_a_column_becomes_images_a_catalogue_and_a_report(run, field, survey, in_tmp):
    words = ("image", field.path, "out", "--column", "DATA", *SMALL, "--half-bands", "--difference")
    ran = run(*words, "--reference", survey, "--seed", survey, "--json")
    assert ran.exit_code == 0, ran.output
    report = json.loads(ran.stdout)
    directory = in_tmp / "out" / "20251005T122848-images"
    assert report["directory"] == str(directory.relative_to(in_tmp))
    assert report["quality"] in {"good", "usable", "bad"}
    names = {path.name.removeprefix("20251005T122848-") for path in directory.iterdir()}
    assert {
        "image.fits",
        "pbcor.fits",
        "difference.fits",
        "lower-image.fits",
        "upper-pbcor.fits",
        "report.html",
    } <= names
    assert "lower-residual.fits" not in names
    found = read_catalogue(directory / "20251005T122848-sources.ecsv")
    ra, dec, flux = (values(found, name) for name in ("ra", "dec", "flux"))
    for ra_deg, dec_deg, flux_jy in zip(*field.sources[:3], strict=True):
        k = np.argmin(np.hypot((ra - ra_deg) * np.cos(np.radians(dec_deg)), dec - dec_deg))
        assert np.hypot((ra[k] - ra_deg) * np.cos(np.radians(dec_deg)), dec[k] - dec_deg) * 3600 < 5
        assert flux[k] == pytest.approx(flux_jy, rel=0.1)
    difference = read_image(directory / "20251005T122848-difference.fits").pixels
    assert np.abs(difference).max() < 0.1 * read_image(directory / "20251005T122848-image.fits").pixels.max()
    assert list((in_tmp / "out").glob(".partial*")) == []
    page = (directory / "20251005T122848-report.html").read_text()
    assert "major cycle" in page
    assert "survey" in page
    again = run(*words)
    assert again.exit_code == 1
    assert "is there already" in again.stderr


def test_corrected_data_are_imaged_if_there_are_any_and_what_was_there_is_replaced(run, field, in_tmp):
    directory = in_tmp / "out" / "20251005T122848-images"
    directory.mkdir(parents=True)
    (directory / "old").touch()
    with ct.table(str(field.path), readonly=False, ack=False) as ms:
        ms.addcols(ct.maketabdesc(ct.makecoldesc("CORRECTED_DATA", ms.getcoldesc("DATA"))))
        ms.putcol("CORRECTED_DATA", 2 * ms.getcol("DATA"))
    try:
        ran = run("image", field.path, "out", *SMALL, "--overwrite")
    finally:
        with ct.table(str(field.path), readonly=False, ack=False) as ms:
            ms.removecols("CORRECTED_DATA")
    assert ran.exit_code == 0, ran.output
    assert "sources" in ran.stdout
    assert not (directory / "old").exists()
    pixels = read_image(directory / "20251005T122848-image.fits").pixels
    assert pixels.max() == pytest.approx(2 * max(FLUXES), rel=0.15)


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("--column", "DATA", "--set", "x"), 2, "say different things"),
        (("--table", "x", "--set", "y"), 2, "both say what to apply"),
        (("--column", "DATA", "--robust", "7"), 2, "image.robust"),
        (("--column", "NOTHING"), 1, "has no NOTHING"),
        (("--column", "DATA", "--size", "193"), 2, "even number"),
        (("--column", "DATA", "--beam", "square"), 2, "square"),
    ],
)
def test_what_cannot_be(run, field, in_tmp, words, status, said):
    ran = run("image", field.path, "out", *words)
    assert ran.exit_code == status, ran.output
    assert said in ran.stderr
    assert not list((in_tmp / "out").glob("*"))


def test_without_a_calibration_it_says_so(run, field):
    ran = run("image", field.path, "out")
    assert ran.exit_code != 0
    assert "ledger" in ran.stderr


@pytest.mark.wsclean
def test_wsclean_makes_the_same_products(run, field, in_tmp):
    ran = run("image", field.path, "out", "--column", "DATA", *SMALL, "--engine", "wsclean", "--json")
    assert ran.exit_code == 0, ran.output
    directory = in_tmp / "out" / "20251005T122848-images"
    assert read_image(directory / "20251005T122848-image.fits").pixels.max() == pytest.approx(4.0, rel=0.15)
    assert json.loads(ran.stdout)["n_sources"] >= 4
