"""Reference lists: they grow, keep their sources' numbers, and are never changed."""

import fcntl
import os

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from dsa110_contimg.errors import NoReferenceListError, OutputError, OutputExistsError, ReferenceListError
from dsa110_contimg.photometry.measurements import source_id
from dsa110_contimg.photometry.reference import (
    alive,
    current_identity,
    current_reference,
    empty_reference,
    identities,
    joined,
    make_reference,
    read_list,
    read_reference,
    reference_path,
    strips_with_lists,
    update_reference,
    versions,
    write_reference,
)

STRIP = "+54.6"


def list_of(ra_deg, dec_deg=54.6, **columns):
    ra = np.atleast_1d(np.asarray(ra_deg, float))
    return make_reference(STRIP, {"ra_deg": ra, "dec_deg": np.broadcast_to(dec_deg, ra.shape), **columns})


def test_a_list_comes_back_as_it_was_written(tmp_path):
    made = list_of(
        [359.9, 0.1, 12.0], [54.6, 54.7, 54.5], flux_jy=[0.1, 0.2, 0.3], e_flux_jy=0.01, freq_hz=1.4e9,
        alpha=[-0.7, np.nan, 0.1], origin="catalogue:nvss", major_arcsec=[0, 20, 0], e_ra_arcsec=0.5, e_dec_arcsec=0.4,
    )._replace(version=1)  # fmt: skip
    path = write_reference(tmp_path, made)
    assert path == reference_path(tmp_path, made) == tmp_path / STRIP / "reference-0001.parquet"
    read = read_reference(tmp_path, STRIP)
    for name, value in made._asdict().items():
        np.testing.assert_array_equal(getattr(read, name), value)
    assert list(read.flux_jy) == [0.2, 0.3, 0.1]
    assert read.name[0].startswith("J000024.0+544200")
    assert parquet.read_schema(path).field("e_ra_arcsec").metadata[b"unit"] == b"arcsec"
    with pytest.raises(ValueError, match="read-only"):
        read.flux_jy[0] = 1.0


def test_versions_are_kept_and_the_highest_counts(tmp_path):
    first = list_of([10.0])._replace(version=1)
    write_reference(tmp_path, first)
    write_reference(tmp_path, list_of([10.0, 20.0])._replace(version=2))
    with pytest.raises(OutputExistsError):
        write_reference(tmp_path, first)
    (tmp_path / STRIP / "reference-latest.parquet").touch()
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "reference-0001.parquet").touch()
    assert versions(tmp_path, STRIP) == [1, 2]
    assert strips_with_lists(tmp_path) == [STRIP]
    assert len(read_reference(tmp_path, STRIP).source_id) == 2
    assert len(read_reference(tmp_path, STRIP, 1).source_id) == 1
    with pytest.raises(NoReferenceListError, match="no reference list 7"):
        read_reference(tmp_path, STRIP, 7)


def test_a_strip_without_a_list(tmp_path):
    with pytest.raises(NoReferenceListError, match="reference build"):
        read_reference(tmp_path, STRIP)
    begun = current_reference(tmp_path, STRIP)
    assert (begun.version, len(begun.source_id)) == (0, 0)
    assert strips_with_lists(tmp_path / "nothing") == []


def test_an_update_is_one_version_and_only_if_something_changed(tmp_path):
    one, new = update_reference(tmp_path, STRIP, lambda now: joined(now, list_of([10.0])))
    assert (one.version, new) == (1, True)
    same, new = update_reference(tmp_path, STRIP, lambda now: joined(now, list_of([10.0], flux_jy=5.0)))
    assert (same.version, new) == (1, False)
    two, _ = update_reference(tmp_path, STRIP, lambda now: joined(now, list_of([5.0])))
    assert two.version == 2
    np.testing.assert_array_equal(two.ra_deg, [5.0, 10.0])
    assert sorted(path.name for path in (tmp_path / STRIP).iterdir()) == [
        "reference-0001.parquet", "reference-0002.parquet",
    ]  # fmt: skip


def test_an_update_waits_for_another(tmp_path):
    place = tmp_path / STRIP
    place.mkdir()

    def change(now):
        lock = os.open(place, os.O_RDONLY)
        try:
            with pytest.raises(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            os.close(lock)
        return joined(now, list_of([1.0]))

    assert update_reference(tmp_path, STRIP, change)[1]


def test_an_empty_list_can_be_a_version(tmp_path):
    assert update_reference(tmp_path, STRIP, lambda now: now)[0].version == 1
    assert len(read_reference(tmp_path, STRIP).source_id) == 0


def test_where_nothing_can_be_written(tmp_path):
    (tmp_path / STRIP).write_text("")
    with pytest.raises(OutputError):
        write_reference(tmp_path, empty_reference(STRIP)._replace(version=1))


def test_numbers_of_sources_that_were_found_to_be_others():
    numbers = source_id([1.0, 2.0, 3.0], [54.6, 54.6, 54.6])
    known = list_of([1.0, 2.0, 3.0], same_as=[numbers[1], numbers[2], 0])
    assert current_identity(known, int(numbers[0])) == numbers[2]
    assert identities(known, int(numbers[1])) == [numbers[2], numbers[0], numbers[1]]
    assert list(alive(known).source_id) == [numbers[2]]
    with pytest.raises(ReferenceListError, match="no source 5"):
        current_identity(known, 5)
    circle = list_of([1.0, 2.0], same_as=[numbers[1], numbers[0]])
    assert current_identity(circle, int(numbers[0])) in numbers


def test_joining_takes_what_is_new_and_what_was_found_to_be_the_same():
    numbers = source_id([1.0, 2.0], [54.6, 54.6])
    known = list_of([1.0, 2.0], flux_jy=1.0)
    both = joined(known, list_of([2.0, 3.0], flux_jy=9.0, same_as=[numbers[0], 0]))
    np.testing.assert_array_equal(both.flux_jy, [1.0, 1.0, 9.0])
    np.testing.assert_array_equal(both.same_as, [0, numbers[0], 0])
    with pytest.raises(ReferenceListError, match="cannot be added"):
        joined(known, empty_reference("+16.3"))
    with pytest.raises(ReferenceListError, match="two sources are at"):
        list_of([1.0, 1.0])


cells = st.lists(st.tuples(st.integers(0, 36_000), st.integers(500, 590)), unique=True, max_size=12)
places = cells.map(lambda some: list_of([ra / 100 for ra, _ in some], [dec / 10 for _, dec in some]))


@given(one=places, other=places, third=places)
@settings(max_examples=40)
def test_lists_grow_as_sets_do(one, other, third):
    forth, back = joined(joined(one, other), third), joined(third, joined(other, one))
    np.testing.assert_array_equal(forth.source_id, back.source_id)
    assert set(forth.source_id) == {*one.source_id, *other.source_id, *third.source_id}
    np.testing.assert_array_equal(joined(forth, one).source_id, forth.source_id)
    assert (np.diff(forth.source_id) > 0).all()


@pytest.mark.parametrize("harm", ["nothing", "text", "columns", "schema", "strip"])
def test_what_is_no_list_is_said(tmp_path, harm):
    path = write_reference(tmp_path, list_of([1.0])._replace(version=1))
    said = "is no reference list"
    if harm == "nothing":
        path.write_bytes(b"")
    elif harm == "text":
        path.write_text("ra,dec\n1,2\n")
    elif harm == "columns":
        parquet.write_table(
            pa.table({"ra_deg": [1.0]}, metadata={"strip": STRIP, "version": "1", "schema_version": "1"}), path
        )
    elif harm == "schema":
        table = parquet.read_table(path)
        parquet.write_table(table.replace_schema_metadata(table.schema.metadata | {b"schema_version": b"9"}), path)
        said = "is of schema 9"
    else:
        table = parquet.read_table(path)
        parquet.write_table(table.replace_schema_metadata(table.schema.metadata | {b"strip": b"+16.3"}), path)
        said = "is of the strip"
    with pytest.raises(ReferenceListError, match=said):
        read_reference(tmp_path, STRIP)
    with pytest.raises(ReferenceListError, match="is no reference list"):
        read_list(tmp_path / "none.parquet")
