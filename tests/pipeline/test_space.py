"""Room: reserved before a job starts; a full disk pauses the stream, and it goes on by itself."""

import os
import subprocess
import time
from contextlib import suppress
from itertools import pairwise

import pytest

from dsa110_contimg.pipeline.space import ROOT, Space
from stream_daemon import Stream, id_of, ms_of, unchanged


def seen(space):
    for place in (*space.places, ROOT):
        space.look(place)
    return space


def test_room_is_there_until_it_is_reserved(tmp_path):
    space = seen(Space((tmp_path,), 0))
    free = space.free_bytes()[str(tmp_path)]
    assert space.shortage(int(free * 0.6)) == ""
    space.reserve("2025-10-05T12:30:00", int(free * 0.6))
    assert "are needed" in space.shortage(int(free * 0.6))
    space.release("2025-10-05T12:30:00")
    assert space.shortage(int(free * 0.6)) == ""


def test_the_reserve_of_the_root_file_system_stays_free(tmp_path):
    free = seen(Space((tmp_path,), 0)).free_bytes()[str(ROOT)]
    assert seen(Space((tmp_path,), int(free * 0.5))).shortage(0) == ""
    assert "the disk of /" in seen(Space((tmp_path,), int(free * 2))).shortage(0)


def test_a_disk_that_does_not_answer_is_no_room(tmp_path):
    space = Space((tmp_path,), 0)
    assert "does not answer" in space.shortage(0)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 12 MB."""
    place = tmp_path / "small"
    place.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "none", place], capture_output=True, text=True)
    if mount.returncode:
        pytest.skip(f"a file system cannot be mounted here: {mount.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def ballast(disk, leave):
    """Fill a disk but for some bytes."""
    status = os.statvfs(disk)
    with (disk / "ballast").open("wb", buffering=0) as file, suppress(OSError):  # others write there, too
        file.write(bytes(max(0, status.f_bavail * status.f_frsize - leave)))


def test_a_disk_that_is_full_pauses_the_stream_until_there_is_room(tmp_path, small_disk):
    stream = Stream(tmp_path)
    stream.ms = small_disk / "ms"
    ballast(small_disk, 200_000)
    stream.write(0)
    with stream:
        stream.wait(lambda: "paused: " in stream.log)
        time.sleep(2)
        assert stream.states() == {id_of(0): "ready"}
        assert len(stream.history(0).attempts) == 0
        (small_disk / "ballast").unlink()
        stream.wait_for({0: "done"})
        assert "resumed" in stream.log
    assert stream.products() == [ms_of(0)]


def test_a_disk_of_the_ledger_that_is_full_pauses_the_stream_until_there_is_room(tmp_path, small_disk):
    stream = Stream(tmp_path)
    stream.state = small_disk / "state"
    with unchanged(stream.incoming), stream:
        stream.wait(lambda: "watching" in stream.log)
        ballast(small_disk, 0)
        stream.write(0)
        stream.wait(lambda: "paused: the ledger cannot be written" in stream.log)
        time.sleep(2)
        (small_disk / "ballast").unlink()
        stream.wait_for({0: "done"})
        assert "resumed: there is room for the ledger again" in stream.log
    assert stream.products() == [ms_of(0)]
    assert stream.strays() == []


def test_a_group_that_outgrows_its_share_of_memory_waits_by_itself_and_fails_in_the_end(tmp_path):
    stream = Stream(tmp_path, memory_gb=0.02, retry_s=0.01)
    stream.write(0)
    with stream:
        stream.wait_for({0: "failed"})
        ended = stream.history(0).attempts
        assert "paused: " not in stream.log
    assert [item.failure_kind for item in ended] == ["memory"] * 4
    assert "more than its share of memory: raise stream.memory_gb" in stream.history(0).group.reason
    pauses = [(b.started_utc - a.ended_utc).total_seconds() for a, b in pairwise(ended)]
    assert all(pause >= least for pause, least in zip(pauses, (0.01, 0.16, 2.56), strict=True))


@pytest.mark.parametrize("which", ["ms", "scratch"])
def test_a_disk_that_fills_while_jobs_write_leaves_nothing_half_written(tmp_path, small_disk, which):
    stream = Stream(tmp_path, retry_s=0.5)
    setattr(stream, which, small_disk / which)
    stream.write(0)
    with unchanged(stream.incoming), stream:
        stream.wait(stream.jobs)
        ballast(small_disk, 300_000)
        stream.wait(lambda: any(item.failure_kind == "resource" for item in stream.history(0).attempts))
        assert stream.products() == []
        assert "paused: " in stream.log
        (small_disk / "ballast").unlink()
        stream.wait_for({0: "done"})
    assert stream.products() == [ms_of(0)]
    assert stream.strays() == []
