"""A real FUSE mount, which can be made to hang, or to lose its program."""

import shutil
import signal
import subprocess
import time
from contextlib import contextmanager

import pytest


class Mount:
    """A directory `near` through which `far` is seen."""

    def __init__(self, far, near, process):
        self.far, self.near, self._process = far, near, process

    @property
    def pid(self):
        """The program behind it."""
        return self._process.pid

    def hang(self):
        """Answer nobody any more."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self):
        """Answer again."""
        self._process.send_signal(signal.SIGCONT)

    def kill(self):
        """End the program behind it as a crash would: the mount stays, and answers ENOTCONN."""
        self._process.kill()
        self._process.wait()


@contextmanager
def fuse_mount(base):
    """Mount `base`/far at `base`/near; skip the test where that is not possible."""
    if shutil.which("bindfs") is None:
        pytest.skip("bindfs is not installed: there is no FUSE mount to test with")
    far, near = base / "far", base / "near"
    far.mkdir()
    near.mkdir()
    process = subprocess.Popen(["bindfs", "-f", str(far), str(near)], stderr=subprocess.PIPE, text=True)
    try:
        end = time.monotonic() + 10
        while not near.is_mount():
            if process.poll() is not None or time.monotonic() > end:
                pytest.skip(f"nothing can be mounted with FUSE here: {process.communicate(timeout=5)[1].strip()}")
            time.sleep(0.05)
        yield Mount(far, near, process)
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.communicate()
        subprocess.run(["umount", "-l", str(near)], capture_output=True)
