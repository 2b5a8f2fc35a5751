"""An hour's images become an epoch: mosaics, sources that know the list, measurements, a verdict; and it is kept."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from dsa110_contimg.config.settings import Settings
from dsa110_contimg.errors import MosaicError, NamingError, NoReferenceListError, UnreadableFileError
from dsa110_contimg.lightcurves.store import stored_epochs
from dsa110_contimg.mosaic.epochs import Epoch as Hour
from dsa110_contimg.mosaic.epochs import epoch_of, epoch_start
from dsa110_contimg.mosaic.inputs import Input
from dsa110_contimg.mosaic.plane import Plane
from dsa110_contimg.naming import epoch_id
from dsa110_contimg.photometry.forced_images import read_measurements
from dsa110_contimg.photometry.found import read_found
from dsa110_contimg.photometry.measurements import Flag, position_of
from dsa110_contimg.photometry.records import read_catalogue
from dsa110_contimg.photometry.reference import read_list, read_reference, reference_path, versions
from dsa110_contimg.pipeline.epoch import is_measured_with, keep_epoch, make_epoch, read_epoch_record
from dsa110_contimg.telescope.band import HEADER_SITE
from restored_image import Source, header_of
from strip_images import make_strip

STRIP = "+54.5"
FIRST, SECOND, THIRD = (f"202510{day}T120000{STRIP}" for day in ("05", "06", "07"))
GROUPS = 2
N_SOURCES = 9
SETTINGS = Settings(catalogue={"workers": 1}, epochs={"least_images": GROUPS}, mosaic={"workers": 1})


def sky():
    """Sources on a jittered lattice, from 20 mJy to 0.3 Jy."""
    rng = np.random.default_rng(5)
    east, north = (0.2 * grid.ravel() + rng.uniform(-0.04, 0.04, N_SOURCES) for grid in np.mgrid[-1:2, -1:2])
    dec = 54.57 + north
    ra = 129.65 + east / np.cos(np.radians(dec))
    return [Source(*one) for one in zip(ra, dec, np.geomspace(0.02, 0.3, N_SOURCES), strict=True)]


def shifted(sources, east_arcsec, factor=1.0):
    return [
        Source(one.ra_deg + east_arcsec / 3600 / np.cos(np.radians(one.dec_deg)), one.dec_deg, factor * one.flux_jy)
        for one in sources
    ]


def night(base, sources, day, **options):
    return make_strip(base, sources, GROUPS, start_mjd=60953.5 + day, ra_deg=129.0, n_pixels=440, **options)


@pytest.fixture(scope="module")
def nights(tmp_path_factory):
    """Three nights: the first; one with a new source, places off by 8"; and one in which half of the flux is lost."""
    base = tmp_path_factory.mktemp("nights")
    first = night(base / "ms", sky(), 0, halves=True)
    quality = next(first[1].glob("*-quality.json"))
    second = night(base / "ms", [*shifted(sky(), 8.0), Source(129.48, 54.46, 0.1)], 1)
    third = night(base / "ms", [*shifted(sky(), 0.0, 0.5), Source(129.48, 54.48, 0.1)], 2)
    # Bad itself, an image is measured, but not joined.
    spare = night(base / "spare", sky(), 0.1)[0]
    next(spare.glob("*-quality.json")).write_text('{"verdict": "bad"}')
    assert quality.exists()
    lightcurves, output = base / "lightcurves", base / "epochs"
    output.mkdir()
    made, told = {}, []
    for epoch, images in ((FIRST, [*first, spare]), (SECOND, second), (THIRD, third)):
        sums = {"2025-10-07T12:00:00": "abc"} if epoch == THIRD else None
        made[epoch] = make_epoch(epoch, images, lightcurves, output, SETTINGS, sums, progress=told.append)
        assert told[-1] == 1.0
        keep_epoch(made[epoch].directory, lightcurves, SETTINGS)
    assert told[: told.index(1.0)] == sorted(told[: told.index(1.0)])
    return base, made, lightcurves


def test_the_first_epoch_begins_the_list(nights):
    _, made, lightcurves = nights
    first = made[FIRST]
    assert (first.verdict, first.n_images, first.n_new, first.reference_version) == ("good", GROUPS, N_SOURCES, 0)
    listed = read_reference(lightcurves, STRIP, 1)
    true = sorted(sky(), key=lambda one: one.ra_deg)
    found = listed.take(np.argsort(listed.ra_deg))
    for one, ra, dec, flux in zip(true, found.ra_deg, found.dec_deg, found.flux_jy, strict=True):
        assert abs(ra - one.ra_deg) * 3600 * np.cos(np.radians(dec)) < 3.0
        assert flux == pytest.approx(one.flux_jy, rel=0.2)
    assert set(listed.origin) == {f"epoch:{FIRST}"}
    assert set(listed.since) == {FIRST}


def test_all_of_an_epoch_is_in_its_directory(nights):
    _, made, _ = nights
    directory = made[FIRST].directory
    kinds = [f"{band}{kind}.fits" for band in ("", "lower-", "upper-") for kind in ("mosaic", "rms", "weight")]
    kinds += ["epoch.json", "sources.ecsv", "sources.parquet", "sources.reg", "preview.png"]
    names = {f"{FIRST}-{kind}" for kind in kinds} | {"measurements.parquet", "found.parquet", "reference.parquet"}
    assert {path.name for path in directory.iterdir()} == names
    with fits.open(directory / f"{FIRST}-lower-mosaic.fits") as hdus:
        assert hdus[0].header["CRVAL3"] == 1.358e9
    assert len(read_catalogue(directory / f"{FIRST}-sources.parquet")) == made[FIRST].n_sources


def test_the_list_is_measured_in_the_mosaics_and_in_every_image(nights):
    _, made, _ = nights
    rows = read_measurements(made[FIRST].directory / "measurements.parquet").to_pylist()
    assert {(row["kind"], row["band"]) for row in rows} == {
        (kind, band) for kind in ("group", "mosaic") for band in ("full", "lower", "upper")
    }
    mosaic = [row for row in rows if row["kind"] == "mosaic" and row["band"] == "full"]
    assert len(mosaic) == N_SOURCES
    for row in mosaic:
        ra, dec = (float(angle) for angle in position_of(row["source_id"]))
        flux = min(sky(), key=lambda one: np.hypot(0.58 * (one.ra_deg - ra), one.dec_deg - dec)).flux_jy
        assert row["flux"] == pytest.approx(flux, abs=5 * row["e_flux"] + 0.03 * flux)
    # The one that was left out of the mosaic is measured, and flagged.
    bad = {row["image"] for row in rows if row["flags"] & Flag.BAD_IMAGE}
    assert len(bad) == 1
    assert {row["image"] for row in rows if row["kind"] == "group"} > bad
    assert not any(row["flags"] & Flag.BAD_EPOCH for row in rows)


def test_the_record_says_what_it_is_of(nights):
    base, made, _ = nights
    record = read_epoch_record(made[FIRST].directory)
    assert (record["epoch"], record["strip"], record["verdict"]) == (FIRST, STRIP, "good")
    assert sum(one["share"] for one in record["inputs"]) == pytest.approx(1.0)
    assert [one["verdict"] for one in record["inputs"]] == ["good"] * GROUPS
    assert all(len(one["fingerprint"]) == 32 for one in record["inputs"])
    (out,) = record["left_out"]
    assert out["why"] == "its image is bad"
    assert out["image"].startswith(str(base / "spare"))
    assert record["reference"] == {"version": 0, "sources": N_SOURCES, "new": N_SOURCES}
    assert set(record["mosaic"]["halves"]) == {"lower", "upper"}
    assert "numpy" in record["versions"]


def test_checksums_of_products_are_recorded_as_they_were_given(nights):
    _, made, _ = nights
    record = read_epoch_record(made[THIRD].directory)
    assert record["fingerprint_of"] == "product"
    assert [one["fingerprint"] for one in record["inputs"]] == ["abc", None]


def test_a_second_night_is_associated_whatever_the_ionosphere_does(nights):
    _, made, lightcurves = nights
    second = made[SECOND]
    assert (second.verdict, second.n_new, second.reference_version) == ("usable", 1, 1)
    assert "arcsec off those of the list" in second.reasons[0]
    record = read_epoch_record(second.directory)
    assert record["association"]["offset"]["east"] == pytest.approx(8.0, abs=0.6)
    assert record["association"]["one-to-one"] == N_SOURCES
    assert record["figures"]["flux_ratio"]["value"] == pytest.approx(1.0, abs=0.05)
    assert record["figures"]["n_missing"] == 0
    found = read_found(second.directory / "found.parquet")
    assert found["added"].to_pylist().count(True) == 1
    before, after = (set(read_reference(lightcurves, STRIP, version).source_id.tolist()) for version in (1, 2))
    (new,) = after - before
    assert set(found["source_id"].to_pylist()) == after
    ra, dec = position_of(new)
    # Without the shift, which is that of the night.
    assert (float(ra) - 129.48) * 3600 * np.cos(np.radians(54.46)) == pytest.approx(-8.0, abs=1.5)
    assert float(dec) == pytest.approx(54.46, abs=1e-3)


def test_a_bad_night_is_kept_apart(nights):
    _, made, lightcurves = nights
    third = made[THIRD]
    assert third.verdict == "bad"
    assert any("times those of the list" in reason for reason in third.reasons)
    assert third.n_new == 0
    assert versions(lightcurves, STRIP) == [1, 2]
    rows = read_measurements(third.directory / "measurements.parquet").to_pylist()
    assert rows
    assert all(row["flags"] & Flag.BAD_EPOCH for row in rows)
    assert {row["source_id"] for row in rows} <= set(read_reference(lightcurves, STRIP).source_id.tolist())
    with pytest.raises(UnreadableFileError, match="is no table of sources found"):
        read_found(third.directory / "measurements.parquet")
    # What was found is on record all the same.
    assert "new" in read_found(third.directory / "found.parquet")["relation"].to_pylist()


def test_keeping_it_again_changes_nothing(nights):
    _, made, lightcurves = nights
    before = sorted((path.name, path.stat().st_mtime_ns) for path in lightcurves.rglob("*") if path.is_file())
    for one in made.values():
        keep_epoch(one.directory, lightcurves, SETTINGS)
    assert sorted((path.name, path.stat().st_mtime_ns) for path in lightcurves.rglob("*") if path.is_file()) == before
    assert set(stored_epochs(lightcurves)) == {FIRST, SECOND, THIRD}


def test_the_list_survives_a_kill_between_list_and_light_curves(nights, tmp_path):
    _, made, lightcurves = nights
    root = tmp_path / "lightcurves"
    (root / STRIP).mkdir(parents=True)
    shutil.copy(reference_path(lightcurves, read_reference(lightcurves, STRIP, 1)), root / STRIP)
    keep_epoch(made[SECOND].directory, root, SETTINGS)
    assert versions(root, STRIP) == [1, 2]
    assert set(stored_epochs(root)) == {SECOND}
    theirs = read_list(made[SECOND].directory / "reference.parquet")
    np.testing.assert_array_equal(read_reference(root, STRIP).source_id, theirs.source_id)


def test_nothing_is_written_where_the_list_is(nights, tmp_path):
    base, _, lightcurves = nights
    images = sorted((base / "ms").glob("20251005*-images"))
    for path in images:
        shutil.copytree(path, tmp_path / path.name)
        next((tmp_path / path.name).glob("*-quality.json")).write_text('{"verdict": "bad"}')
    with pytest.raises(MosaicError, match=r"all 2 images of .* were judged bad"):
        make_epoch(FIRST, sorted(tmp_path.glob("*-images")), tmp_path / "lightcurves", tmp_path, SETTINGS)
    assert not (tmp_path / "lightcurves").exists()
    with pytest.raises(NoReferenceListError):
        read_reference(lightcurves, "+16.3")


@pytest.mark.parametrize("harm", ["gone", "text", "key", "list"])
def test_what_is_no_record_is_said(tmp_path, harm):
    directory = tmp_path / f"{FIRST}-epoch"
    directory.mkdir()
    path = directory / f"{FIRST}-epoch.json"
    if harm != "gone":
        path.write_text({"text": "{", "key": json.dumps({"epoch": FIRST}), "list": "[]"}[harm])
    with pytest.raises(UnreadableFileError, match="is no record of an epoch"):
        keep_epoch(directory, tmp_path, SETTINGS)
    with pytest.raises(NamingError):
        read_epoch_record(tmp_path)


def test_a_group_at_the_end_of_an_hour_is_measured_once():
    centre = header_of(64, 15.0 * 8.99, 54.57)._replace(start_mjd=60953.5, middle_mjd=60953.502, end_mjd=60953.504)
    plane = Plane(centre.ra_deg, centre.dec_deg, centre.cell_deg, 64, 64)
    one = Input("2025-10-05T12:00:00", Path("a"), Path("b"), centre, plane, "good")
    hour = epoch_of(one, HEADER_SITE.longitude_deg).number
    its, after = (epoch_id(epoch_start(Hour(hour + k), HEADER_SITE.longitude_deg), STRIP) for k in (0, 1))
    assert is_measured_with(its, one)
    assert not is_measured_with(after, one)
    assert is_measured_with(FIRST, one)  # an epoch of any time, by hand
