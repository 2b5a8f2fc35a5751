"""Paths that serve, that are full, that are on FUSE, that are dead."""

import pytest

from dsa110_contimg.doctor.findings import Level
from dsa110_contimg.doctor.places import Place, look_at_places
from fuse_mount import fuse_mount
from small_disk import mounted


def levels(found):
    return {finding.subject: finding.level for finding in found}


def test_a_directory_of_this_disk_serves_and_nothing_stays(tmp_path):
    found = list(look_at_places([Place("scratch", tmp_path / "to" / "be" / "made", written=True)], 0.0))
    assert levels(found) == dict.fromkeys(["scratch", "scratch space", "HDF5 in scratch"], Level.OK)
    assert list(tmp_path.iterdir()) == []


def test_an_input_that_is_not_there_is_a_warning(tmp_path):
    (finding,) = look_at_places([Place("input", tmp_path / "incoming", written=False)], 0.0)
    assert finding.level is Level.WARN
    assert finding.said == f"{tmp_path}/incoming is not there"


def test_an_input_that_is_a_file_fails(tmp_path):
    (tmp_path / "incoming").touch()
    (finding,) = look_at_places([Place("input", tmp_path / "incoming", written=False)], 0.0)
    assert finding.level is Level.FAIL
    assert "cannot be read: NotADirectoryError" in finding.said


def test_less_room_than_the_stream_keeps_fails_and_little_more_warns(tmp_path):
    with mounted(tmp_path / "disk", "20m") as disk:
        place = [Place("ms", disk, written=True)]
        assert levels(look_at_places(place, 0.1))["ms space"] is Level.FAIL
        assert levels(look_at_places(place, 0.012))["ms space"] is Level.WARN
        assert levels(look_at_places(place, 0.001))["ms space"] is Level.OK


def test_fuse_is_a_warning_for_products_and_a_failure_for_the_ledger(tmp_path):
    with fuse_mount(tmp_path) as mount:
        places = [Place("ms", mount.near, written=True), Place("state", mount.near, written=True)]
        found = {finding.subject: finding for finding in look_at_places(places, 0.0)}
    assert found["ms"].level is Level.WARN
    assert ".fuse_hidden" in found["ms"].said
    assert found["state"].level is Level.FAIL


@pytest.mark.alone
def test_a_dead_mount_is_said_in_time_and_the_next_path_is_looked_at(tmp_path):
    with fuse_mount(tmp_path) as mount:
        mount.hang()
        places = [Place("ms", mount.near, written=True), Place("qa", tmp_path, written=True)]
        found = {finding.subject: finding for finding in look_at_places(places, 0.0, wait_s=1.0)}
        mount.go_on()
    assert found["ms"].level is Level.FAIL
    assert "no answer within 1 s" in found["ms"].said
    assert found["qa"].level is Level.OK
