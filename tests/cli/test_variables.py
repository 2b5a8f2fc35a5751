"""``dsa110-contimg variables`` and ``lightcurve`` as an astronomer types them."""

import json

import numpy as np
import pytest
from astropy.table import QTable
from PIL import Image
from typer.testing import CliRunner

from dsa110_contimg.cli.app import app
from dsa110_contimg.images.fits import RestoringBeam, write_plane
from dsa110_contimg.naming import epoch_directory_name, epoch_file_name
from dsa110_contimg.photometry.measurements import source_id
from dsa110_contimg.simulation.months import Behaviour, simulate_months
from restored_image import Source, header_of, restored
from simulated_store import STRIP, write_store


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store, its epochs, and the number and place of the source that dims."""
    root = tmp_path_factory.mktemp("store") / "lightcurves"
    kinds = {Behaviour.STEADY: 30, Behaviour.LENS: 1}
    month = simulate_months(kinds, n_days=45, seed=6, size=(0.5, 0.5), width_d=(5.0, 5.0), flux_jy=(0.1, 1.0))
    epochs = write_store(root, month)
    number = int(source_id(month.ra_deg, month.dec_deg)[-1])
    return root, epochs, number, (float(month.ra_deg[-1]), float(month.dec_deg[-1]))


def run(*arguments, settings=None):
    options = [] if settings is None else ["--settings", str(settings)]
    return CliRunner().invoke(app, [*options, *map(str, arguments)])


def test_what_varies_is_listed_drawn_and_exported(store, tmp_path):
    root, _, number, _ = store
    plot, export = tmp_path / "plane.png", tmp_path / "variables.vot"
    arguments = "variables", "list", "--directory", root, "--plot", plot, "--export", export
    done = run(*arguments)
    assert done.exit_code == 0, done.output
    assert f"strip {STRIP}: 31 sources, 45 days" in done.stdout
    first = done.stdout.splitlines()[1]
    assert str(number) in first
    assert "dip" in first
    with Image.open(plot) as picture:
        assert picture.size == (1100, 770)
    assert int(QTable.read(export, format="votable")["source_id"][0]) == number
    again = run(*arguments)
    assert again.exit_code == 1
    assert "--replace" in again.output
    assert run(*arguments, "--replace").exit_code == 0


def test_what_is_listed_can_be_chosen(store):
    root, _, number, _ = store
    everything = json.loads(run("variables", "list", "--directory", root, "--all", "--json").stdout)
    assert len(everything["sources"]) == everything["strips"][0]["sources"] == 31
    events = json.loads(run("variables", "list", "--directory", root, "--events", "--json").stdout)
    assert [one["source_id"] for one in events["sources"]] == [number]
    strict = run("variables", "list", "--directory", root, "--strip", STRIP, "--sigma", 1e6, "--false-alarms", 1e-300)
    assert len(strict.stdout.splitlines()) == 1
    assert "steady" in run("variables", "list", "--directory", root, "--all").stdout


def test_a_light_curve_is_printed_drawn_and_exported(store, tmp_path):
    root, epochs, number, (ra, dec) = store
    settings = tmp_path / "contimg.toml"
    settings.write_text(f'[paths]\nms = "{tmp_path}"\n[lightcurves]\ndirectory = "{root}"\n')
    for epoch in epochs[10:13]:
        directory = tmp_path / epoch_directory_name(epoch)
        directory.mkdir()
        header = header_of(64)._replace(ra_deg=ra, dec_deg=dec, beam=RestoringBeam(64 / 3600, 38 / 3600, 20.0))
        image = restored(64, [Source(ra, dec, 0.3)], 1e-3, header, seed=1)
        write_plane(directory / epoch_file_name(epoch, "mosaic"), image.pixels, header)
    plot, export = tmp_path / "curve.png", tmp_path / "curve.csv"
    done = run("lightcurve", f"{ra},{dec}", "--plot", plot, "--export", export, settings=settings)
    assert done.exit_code == 0, done.output
    assert str(number) in done.stdout.splitlines()[0]
    assert "eta" in done.stdout
    rows = [line for line in done.stdout.splitlines() if line.startswith("609")]
    assert len(rows) == len(QTable.read(export, format="ascii.csv")) > 100
    with Image.open(plot) as picture:
        assert picture.size[1] > 700  # with the sky below
    report = json.loads(run("lightcurve", number, "--band", "lower", "--json", settings=settings).stdout)
    assert {one["band"] for one in report["measurements"]} == {"lower"}
    assert report["statistics"]["band"] == "lower"
    assert report["statistics"]["eta"] > 5
    assert np.diff([one["lag_d"] for one in report["statistics"]["structure_function"]]).min() > 0


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("lightcurve", "nobody"), 2, "names no source"),
        (("lightcurve", "12"), 1, "no source with the number 12"),
        (("lightcurve", "9" * 40), 1, "no source with the number"),
        (("lightcurve", "12", "--kind", "movie"), 2, "no kind 'movie'"),
        (("lightcurve", "12", "--band", "x"), 2, "no band 'x'"),
        (("lightcurve", "12", "--export", "a.doc"), 2, "says no format"),
        (("variables", "list", "--strip", "+10.0"), 1, "It has +54.6."),
        (("variables", "list", "--export", "a"), 2, "says no format"),
    ],
    ids=str,
)
def test_what_is_wrong_is_said_in_a_line(store, arguments, status, said):
    done = run(*arguments, "--directory", store[0])
    assert done.exit_code == status
    assert said in done.output
    assert len(done.output.strip().splitlines()) == 1


@pytest.mark.parametrize("band", ["lower", "full"])
def test_a_source_of_which_a_band_is_unfit_or_below_zero_is_drawn_all_the_same(tmp_path, band):
    month = simulate_months({Behaviour.STEADY: 2}, n_days=12, seed=6, flux_jy=(0.1, 1.0))
    month.flux[band][0] = -0.01
    if band == "full":
        month.e_flux[band][0] = np.nan
    root, plot = tmp_path / "lightcurves", tmp_path / "curve.png"
    write_store(root, month)
    number = int(source_id(month.ra_deg, month.dec_deg)[0])
    done = run("lightcurve", number, "--directory", root, "--plot", plot)
    assert done.exit_code == 0, done.output
    with Image.open(plot) as picture:
        assert picture.size[0] > 700


def test_an_empty_store_is_said(tmp_path):
    for arguments in (("variables", "list"), ("lightcurve", "12")):
        done = run(*arguments, "--directory", tmp_path)
        assert done.exit_code == 1
        assert "photometry collect" in done.output


def test_a_source_without_images_of_a_kind_is_said(store):
    done = run("lightcurve", store[2], "--kind", "group", "--directory", store[0])
    assert done.exit_code == 1
    assert "Leave --kind or --band out" in done.output


def test_a_picture_is_of_one_strip(store, tmp_path):
    (tmp_path / "+10.0").mkdir()
    (tmp_path / STRIP).mkdir()
    done = run("variables", "list", "--directory", tmp_path, "--plot", tmp_path / "a.png")
    assert done.exit_code == 2
    assert "a picture is of one strip" in done.output
    done = run("variables", "list", "--directory", tmp_path, "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["sources"] == []
