"""Free space, also where a mount does not answer."""

import os
import threading
import time
from pathlib import Path

import pytest

from dsa110_contimg.storage.free_space import FreeSpace


def test_it_is_what_the_system_says(tmp_path):
    here, below, again = FreeSpace().ask([tmp_path, tmp_path / "not" / "made", tmp_path])
    status = os.statvfs(tmp_path)
    for space in (here, below, again):
        assert space.total_bytes == status.f_blocks * status.f_frsize
        assert space.free_bytes == pytest.approx(status.f_bavail * status.f_frsize, rel=0.05)
        assert space.problem == ""
    assert below.path == tmp_path / "not" / "made"


def test_a_path_through_a_file_is_a_problem(tmp_path):
    (tmp_path / "file").touch()
    (space,) = FreeSpace().ask([tmp_path / "file" / "below"])
    assert (space.free_bytes, space.problem) == (None, "Not a directory")


@pytest.mark.alone
def test_a_dead_mount_delays_nobody_and_costs_one_thread(tmp_path, monkeypatch):
    dead, answer, statvfs = tmp_path / "dead", threading.Event(), os.statvfs

    def hang(path):
        if Path(path) == dead:
            answer.wait(60)
            return statvfs(tmp_path)
        return statvfs(path)

    monkeypatch.setattr(os, "statvfs", hang)
    probe, threads = FreeSpace(), threading.active_count()
    for _ in range(3):
        began = time.monotonic()
        first, second = probe.ask([dead, tmp_path], 0.1)
        assert time.monotonic() - began < 5
        assert first.free_bytes is None
        assert "dead mount" in first.problem
        assert second.free_bytes > 0
    assert threading.active_count() == threads + 1
    answer.set()
    assert probe.ask([dead], 10)[0].problem == ""
