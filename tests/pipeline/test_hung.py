"""What hangs hurts only what lives on it; and a stream that runs for long does not grow."""

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from stream_daemon import Stream


def status_seconds(stream):
    """How long the command line takes to say how it goes [s]."""
    begun = time.monotonic()
    command = [sys.executable, "-m", "dsa110_contimg.cli", "status", "--json"]
    environment = stream.environment() | {
        "DSA110_CONTIMG_PATHS__STATE": str(stream.state),
        "DSA110_CONTIMG_PATHS__MS": str(stream.ms),
        "DSA110_CONTIMG_PATHS__INPUT": str(stream.incoming),
    }
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    assert done.returncode == 0, done.stderr
    return time.monotonic() - begun


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
    if shutil.which("bindfs") is None:
        pytest.skip("bindfs is not installed: no mount can be made to hang")
    stream = Stream(tmp_path, deadline_s=5)
    far, near = tmp_path / "far", tmp_path / "near"
    far.mkdir()
    near.mkdir()
    files = stream.write(0)
    moved = {subband: path.rename(far / path.name) for subband, path in files.items()}
    mount = subprocess.Popen(["bindfs", "-f", str(far), str(near)])
    try:
        time.sleep(1)
        for path in moved.values():
            (stream.incoming / path.name).symlink_to(near / path.name)
        mount.send_signal(signal.SIGSTOP)
        with stream:
            stream.drop(1)
            stream.wait_for({1: "done"})
            assert min(status_seconds(stream) for _ in range(5)) < 1.0
    finally:
        mount.send_signal(signal.SIGCONT)
        mount.terminate()
        mount.wait()
        subprocess.run(["umount", "-l", str(near)], capture_output=True)
