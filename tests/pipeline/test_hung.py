"""What hangs hurts only what lives on it."""

import os
import subprocess
import sys
import time

import pytest

from fuse_mount import fuse_mount
from stream_daemon import Stream

pytestmark = pytest.mark.alone


def status_seconds(stream):
    """How long the command line takes to say how it goes [s]."""
    command = [sys.executable, "-m", "dsa110_contimg.cli", "status", "--json"]
    plain = {key: value for key, value in stream.environment().items() if not key.startswith("COV")}
    environment = plain | {
        "DSA110_CONTIMG_PATHS__STATE": str(stream.state),
        "DSA110_CONTIMG_PATHS__MS": str(stream.ms),
        "DSA110_CONTIMG_PATHS__INPUT": str(stream.incoming),
    }
    begun = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    seconds = time.monotonic() - begun
    assert done.returncode == 0, done.stderr
    return seconds


def test_a_file_behind_a_link_that_hangs_holds_up_its_own_group_only(tmp_path):
    """Who opens a named pipe hangs, as on a dead mount."""
    stream = Stream(tmp_path, deadline_s=5)
    file = stream.write(0)[4]
    os.mkfifo(tmp_path / "dead")
    file.unlink()
    file.symlink_to(tmp_path / "dead")
    with stream:
        stream.drop(1)
        stream.wait_for({0: "partial", 1: "done"})


def test_a_mount_that_hangs(tmp_path):
    stream = Stream(tmp_path, deadline_s=5)
    files = stream.write(0)
    with fuse_mount(tmp_path) as mount:
        for path in files.values():
            path.rename(mount.far / path.name)
            path.symlink_to(mount.near / path.name)
        mount.hang()
        with stream:
            stream.drop(1)
            stream.wait_for({1: "done"})
            assert min(status_seconds(stream) for _ in range(5)) < 1.0


def test_an_incoming_directory_on_fuse_is_polled_and_may_hang_for_a_while(tmp_path):
    with fuse_mount(tmp_path) as mount:
        stream = Stream(tmp_path, poll_s=0.5)
        stream.incoming = mount.near
        with stream:
            stream.write(0)
            stream.wait_for({0: "done"})
            assert "(fuse) is listed every 0.5 s" in stream.log
            mount.hang()
            assert min(status_seconds(stream) for _ in range(5)) < 1.0
            mount.go_on()
            stream.write(1)
            stream.wait_for({1: "done"})


def test_a_ledger_on_fuse_is_refused(tmp_path):
    with fuse_mount(tmp_path) as mount:
        stream = Stream(tmp_path)
        stream.state = mount.near / "state"
        done = subprocess.run(stream.command(), capture_output=True, text=True, env=stream.environment(), timeout=60)
        assert done.returncode == 1
        assert "a FUSE file system" in done.stderr
        assert "Set paths.state" in done.stderr
        assert list(mount.far.iterdir()) == []
