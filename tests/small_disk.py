"""A file system of its own for a test: small, and full when the test wants it to be."""

import os
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def mounted(path, size):
    """Mount a tmpfs of this size (as ``mount`` takes it), or skip the test where that is not allowed."""
    path.mkdir(exist_ok=True)
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)], capture_output=True, text=True
    )
    if done.returncode != 0:
        pytest.skip(f"a small file system cannot be mounted here: {done.stderr.strip()}")
    try:
        yield path
    finally:
        subprocess.run(["umount", str(path)], check=True)


def another_disk(path):
    """Skip the test unless /dev/shm is another file system than this path's; return it."""
    other = Path("/dev/shm")
    if not os.access(other, os.W_OK) or other.stat().st_dev == path.stat().st_dev:
        pytest.skip("/dev/shm is not a second file system here")
    return other
