"""Whole directories: every group its outcome, and none in the way of another."""

import hashlib
import os
import shutil
import subprocess
from datetime import UTC, datetime

import casacore.tables as ct
import numpy as np
import pytest

from dsa110_contimg.conversion import convert_subband_groups_to_ms, find_groups
from dsa110_contimg.conversion.batch import FailedGroup, convert_groups
from dsa110_contimg.conversion.group import ConversionOptions
from dsa110_contimg.errors import IncompleteGroupError, NoGroupsError, OutputError
from dsa110_contimg.ms.checks import check_ms
from dsa110_contimg.naming import partial_name
from dsa110_contimg.simulation import SimulationOptions, simulate
from small_disk import mounted

START = datetime(2025, 10, 5, 12, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def incoming(tmp_path_factory):
    """Three groups in a row, 26 s each: whole, without two subbands, with too few."""
    out = tmp_path_factory.mktemp("incoming")
    options = SimulationOptions(
        start=START, antennas=(24, 103, 11), integrations=2, groups=3, noise=0.0, sky="random:3"
    )
    groups = simulate(out, options).groups
    for number, lost in ((1, (2, 9)), (2, range(11))):
        for subband in lost:
            groups[number].files[subband].unlink()
    # Something that is no subband file, one that is being written, and one that rsync has not finished.
    (out / "notes.txt").write_text("clear skies")
    shutil.copy(groups[0].files[3], out / "2025-10-05T12:40:00_sb03_incomplete.hdf5")
    shutil.copy(groups[0].files[3], out / ".2025-10-05T12:40:00_sb04.hdf5.a1B2c3")
    return out


IDS = ["2025-10-05T12:30:00", "2025-10-05T12:30:26", "2025-10-05T12:30:52"]


def fingerprints(directory):
    return {
        path.name: (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns, path.stat().st_mode)
        for path in directory.iterdir()
    }


def left(directory):
    return sorted(entry.name for entry in directory.iterdir())


def test_each_group_has_its_outcome(incoming, tmp_path):
    before = fingerprints(incoming)
    whole, partial, few = convert_subband_groups_to_ms(incoming, tmp_path / "new" / "ms")
    assert (whole.group, whole.outcome, whole.missing) == (IDS[0], "complete", ())
    assert (partial.group, partial.outcome, partial.missing) == (IDS[1], "partial", (2, 9))
    assert isinstance(few, FailedGroup)
    assert (few.group, few.outcome) == (IDS[2], "failed")
    assert isinstance(few.error, IncompleteGroupError)
    assert few.as_dict()["kind"] == "IncompleteGroupError"
    assert "only 5 of 16 subbands" in few.as_dict()["error"]
    assert left(tmp_path / "new" / "ms") == ["20251005T123000.ms", "20251005T123026.ms"]
    for done in (whole, partial):
        check_ms(done.ms)
    # Not a byte of the input has changed.
    assert fingerprints(incoming) == before


def test_strings_will_do(incoming, tmp_path):
    outcomes = convert_subband_groups_to_ms(str(incoming), str(tmp_path), START, START)
    assert [done.group for done in outcomes] == IDS[:1]


def test_a_range(incoming, tmp_path):
    later = datetime(2025, 10, 5, 12, 30, 20, tzinfo=UTC)
    end = datetime(2025, 10, 5, 12, 30, 40, tzinfo=UTC)
    outcomes = convert_subband_groups_to_ms(incoming, tmp_path, later, end)
    assert [done.group for done in outcomes] == IDS[1:2]


def test_a_lower_minimum(incoming, tmp_path):
    outcomes = convert_subband_groups_to_ms(incoming, tmp_path, options=ConversionOptions(min_subbands=5))
    assert [done.outcome for done in outcomes] == ["complete", "partial", "partial"]
    assert outcomes[2].missing == tuple(range(11))


def test_again(incoming, tmp_path):
    convert_subband_groups_to_ms(incoming, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    again = convert_subband_groups_to_ms(incoming, tmp_path)
    assert [done.outcome for done in again] == ["exists", "exists", "failed"]
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_no_groups(incoming, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(NoGroupsError):
        convert_subband_groups_to_ms(tmp_path / "empty", tmp_path / "ms")
    with pytest.raises(NoGroupsError):
        convert_subband_groups_to_ms(incoming, tmp_path / "ms", datetime(2031, 1, 1, tzinfo=UTC))
    with pytest.raises(FileNotFoundError):
        convert_subband_groups_to_ms(tmp_path / "nowhere", tmp_path / "ms")
    assert not (tmp_path / "ms").exists()


def test_a_bad_group_does_not_stop_the_next(incoming, tmp_path, caplog):
    """Its files go bad after they were listed."""
    copy = shutil.copytree(incoming, tmp_path / "in")
    listing = find_groups(copy)
    for path in listing.groups[0].files.values():
        os.truncate(path, 3000)
    outcomes = list(convert_groups(listing.groups, tmp_path / "ms", ConversionOptions()))
    assert [done.outcome for done in outcomes] == ["failed", "partial", "failed"]
    assert left(tmp_path / "ms") == ["20251005T123026.ms"]
    assert any(record.levelname == "ERROR" and record.group == IDS[0] for record in caplog.records)


def test_dead_partials_are_cleared_first(incoming, tmp_path):
    scratch = tmp_path / "scratch"
    for directory in (tmp_path / "ms", scratch):
        (directory / partial_name(IDS[0], "123-dead")).mkdir(parents=True)
        (directory / partial_name(IDS[0], "123-dead") / "half.ms").write_text("half")
    convert_subband_groups_to_ms(incoming, tmp_path / "ms", START, START, options=ConversionOptions(scratch=scratch))
    assert left(tmp_path / "ms") == ["20251005T123000.ms"]
    assert left(scratch) == []


def test_an_output_that_cannot_be_written(incoming, tmp_path):
    (tmp_path / "file").write_text("")
    for options in (ConversionOptions(), ConversionOptions(scratch=tmp_path / "file" / "scratch")):
        with pytest.raises(OutputError, match="cannot be written"):
            convert_subband_groups_to_ms(incoming, tmp_path / ("ms" if options.scratch else "file"), options=options)


def test_an_output_that_is_read_only(incoming, tmp_path):
    with mounted(tmp_path / "disk", "1m") as disk:
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        with pytest.raises(OutputError, match="Read-only file system"):
            convert_subband_groups_to_ms(incoming, disk / "ms")


def test_a_full_disk_fails_group_by_group(incoming, tmp_path):
    """Nothing is left of them, and they can be done when there is room."""
    with mounted(tmp_path / "disk", "2m") as disk:
        outcomes = convert_subband_groups_to_ms(incoming, disk)
        assert [done.outcome for done in outcomes] == ["failed"] * 3
        assert "no room left" in str(outcomes[0].error)
        assert left(disk) == []
        subprocess.run(["mount", "-o", "remount,size=32m", str(disk)], check=True)
        assert [done.outcome for done in convert_subband_groups_to_ms(incoming, disk)] == [
            "complete",
            "partial",
            "failed",
        ]


class Watching:
    """Notes what it is told."""

    def __init__(self):
        self.begun, self.ended, self.nbytes = [], [], {}

    def begin(self, group):
        self.begun.append(group.id)
        self.nbytes[group.id] = 0

    def advance(self, nbytes):
        self.nbytes[self.begun[-1]] += nbytes

    def end(self, outcome):
        self.ended.append((outcome.group, outcome.outcome))


def test_a_watcher_is_told(incoming, tmp_path, caplog):
    caplog.set_level("INFO")
    groups = find_groups(incoming).groups
    watching = Watching()
    list(convert_groups(groups, tmp_path, ConversionOptions(), watching))
    assert watching.begun == IDS
    assert watching.ended == list(zip(IDS, ["complete", "partial", "failed"], strict=True))
    assert watching.nbytes[IDS[0]] == pytest.approx(groups[0].size_bytes, rel=1e-3)
    assert watching.nbytes[IDS[2]] == 0
    # One line a group, with its rate.
    lines = [record.getMessage() for record in caplog.records if record.getMessage().startswith("convert ")]
    assert len(lines) == 3
    assert "MB/s" in lines[0]


def test_neighbours_continue_one_another(incoming, tmp_path):
    """The second group's data are its own: another field, later times, one drift on."""
    one, two, _ = convert_subband_groups_to_ms(incoming, tmp_path)
    with ct.table(str(one.ms), ack=False) as a, ct.table(str(two.ms), ack=False) as b:
        step_s = b.getcol("TIME")[0] - a.getcol("TIME")[-1]
        assert step_s == pytest.approx(12.884901888, abs=1e-3)
    directions = []
    for done in (one, two):
        with ct.table(f"{done.ms}::FIELD", ack=False) as field:
            directions.append(np.degrees(field.getcol("PHASE_DIR")[0, 0]))
    turn_deg = directions[1][0] - directions[0][0]
    assert turn_deg == pytest.approx(2 * 12.884901888 / 86164.09 * 360, rel=1e-3)
