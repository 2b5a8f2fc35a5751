"""Images on the disk measured by their names, and rows read back as they were written."""

import json
import shutil

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from dsa110_contimg.config.settings import PhotometrySettings
from dsa110_contimg.errors import OutputError, UnreadableFileError, UsageError
from dsa110_contimg.naming import ImageKind, epoch_record_name, image_file_name, image_stem
from dsa110_contimg.photometry.beam_error import beam_error
from dsa110_contimg.photometry.forced_images import (
    beam_of_record,
    measure_directory,
    measure_epoch,
    measure_group,
    read_measurements,
    together,
    write_measurements,
)
from dsa110_contimg.photometry.forced_places import places_at
from dsa110_contimg.photometry.measurements import SCHEMA, Flag
from forced_images import EPOCH, GROUP, HEADER, SKY, make_epoch, make_group, make_mosaic

SETTINGS = PhotometrySettings(workers=1)
PLACES = places_at([one.ra_deg for one in SKY], [one.dec_deg for one in SKY], [one.flux_jy for one in SKY])


@pytest.fixture(scope="module")
def products(tmp_path_factory):
    base = tmp_path_factory.mktemp("products")
    group = make_group(base)
    epoch = make_epoch(base, group)
    return group, epoch, make_mosaic(base, epoch)


def plain(table):
    """Rows of which those with what is not a number can be compared."""
    return [str(row) for row in table.to_pylist()]


def fluxes(table, band):
    """Flux densities in a band, in the order of the places."""
    found = {row["source_id"]: row["flux"] for row in table.to_pylist() if row["band"] == band}
    return [found[one] for one in PLACES.source_id.tolist()]


def test_a_group_is_measured_in_the_whole_band_and_its_halves(products):
    table = measure_group(products[0], PLACES, SETTINGS, EPOCH)
    assert table.schema.equals(SCHEMA, check_metadata=True)
    true = np.array([one.flux_jy for one in SKY])
    for band, factor in (("full", 1.0), ("lower", 1.1), ("upper", 0.9)):
        np.testing.assert_allclose(fluxes(table, band), factor * true, atol=0.012)
    (first, *_) = table.to_pylist()
    assert (first["epoch"], first["image"], first["kind"]) == (EPOCH, GROUP, "group")
    assert first["beam_version"].startswith("Airy")
    assert first["pb"] == pytest.approx(0.5)
    expected = beam_error([HEADER], PLACES.ra_deg, PLACES.dec_deg)
    relative = dict(zip(PLACES.source_id.tolist(), expected, strict=True))
    for row in table.to_pylist():
        assert row["e_beam"] == pytest.approx(abs(row["flux"]) * relative[row["source_id"]], rel=1e-4)


def test_half_bands_that_were_not_imaged_are_not_missed(tmp_path):
    group = make_group(tmp_path, bands=(None,), verdict="bad")
    table = measure_group(group, PLACES, SETTINGS)
    assert set(table["band"].to_pylist()) == {"full"}
    assert all(flags & Flag.BAD_IMAGE for flags in table["flags"].to_pylist())
    (group / image_file_name(image_stem(GROUP), ImageKind.PB)).unlink()
    with pytest.raises(UnreadableFileError):
        measure_group(group, PLACES, SETTINGS)


def test_an_epoch_is_measured_with_the_error_of_its_images_beams(products):
    table = measure_directory(products[1], PLACES, SETTINGS)
    assert set(table["band"].to_pylist()) == {"full", "lower"}
    assert set(table["kind"].to_pylist()) == {"mosaic"}
    assert set(table["image"].to_pylist()) == set(table["epoch"].to_pylist()) == {EPOCH}
    np.testing.assert_allclose(fluxes(table, "full"), [one.flux_jy for one in SKY], atol=0.006)
    version, error = beam_of_record(products[1] / epoch_record_name(EPOCH))
    assert version.startswith("Airy")
    same = measure_epoch(products[1], EPOCH, PLACES, SETTINGS, beam_version=version, beam_error=error)
    assert plain(same) == plain(table)
    assert max(table["e_beam"].to_pylist()) > 0


def test_a_mosaic_made_by_hand_is_measured_as_an_epoch_s_is(products):
    table = measure_directory(products[2], PLACES, SETTINGS)
    whole = measure_directory(products[1], PLACES, SETTINGS)
    assert fluxes(table, "full") == fluxes(whole, "full")
    assert set(table["image"].to_pylist()) == {products[2].name}


def test_a_bad_epoch_is_so_in_every_row(tmp_path, products):
    table = measure_directory(make_epoch(tmp_path, products[0], "bad", bands=(None,)), PLACES, SETTINGS)
    assert all(flags & Flag.BAD_EPOCH for flags in table["flags"].to_pylist())


def test_images_of_a_mosaic_are_found_where_they_moved_together(tmp_path, products, caplog):
    moved = tmp_path / "moved"
    shutil.copytree(products[1], moved / products[1].name)
    record = moved / products[1].name / epoch_record_name(EPOCH)
    said = json.loads(record.read_text())
    said["inputs"][0]["image"] = said["inputs"][0]["image"].replace(str(products[0].parent), "/gone")
    record.write_text(json.dumps(said))
    assert beam_of_record(record) == ("", None)
    assert "no error of the primary beam" in caplog.text
    shutil.copytree(products[0], moved / products[0].name)
    assert beam_of_record(record)[0].startswith("Airy")


@pytest.mark.parametrize("text", [None, "no json", "{}", '{"inputs": [{"image": 3}]}'])
def test_a_record_that_says_nothing_of_its_images_is_refused(tmp_path, text):
    if text is not None:
        (tmp_path / "record.json").write_text(text)
    with pytest.raises(UnreadableFileError, match="no record"):
        beam_of_record(tmp_path / "record.json")


def test_other_directories_are_refused(tmp_path):
    with pytest.raises(UsageError, match="Name"):
        measure_directory(tmp_path, PLACES, SETTINGS)


def test_rows_are_read_as_they_were_written(tmp_path, products):
    table = measure_directory(products[1], PLACES, SETTINGS)
    write_measurements(tmp_path / "rows.parquet", table)
    assert plain(read_measurements(tmp_path / "rows.parquet")) == plain(table)
    assert read_measurements(tmp_path / "rows.parquet").schema.equals(SCHEMA, check_metadata=True)
    assert together([]).num_rows == 0
    with pytest.raises(OutputError):
        write_measurements(tmp_path / "none" / "rows.parquet", table)


def test_what_are_no_rows_is_refused(tmp_path):
    path = tmp_path / "rows.parquet"
    with pytest.raises(UnreadableFileError):
        read_measurements(path)
    path.write_text("no parquet")
    with pytest.raises(UnreadableFileError, match="no table of measurements"):
        read_measurements(path)
    parquet.write_table(pa.table({"ra": [1.0]}), path)
    with pytest.raises(UnreadableFileError, match="version 0"):
        read_measurements(path)
