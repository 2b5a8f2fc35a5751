"""Processes that hold files open, and files that FUSE has hidden because they do."""

import ctypes
import mmap
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

import dsa110_contimg

NOBODY = 65534
_HOLD = """
import os, signal, sys, time
name, ignore, user, *others = sys.argv[1:]
os.setresuid(*[int(user)] * 3)
if ignore == "ignore":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
held = open(name, "r+b") if os.path.exists(name) else open(name, "w+b")
more = [open(other[1:], {"r": "rb", "w": "wb", "a": "ab"}[other[0]]) for other in others]
print("held", flush=True)
time.sleep(300)
"""


@contextmanager
def holder(path, *others, ignores_term=False, user=None, cwd=None):
    """A process that has `path` open, and `others`: names after "r", "w" or "a", as which they are opened."""
    how = ["ignore" if ignores_term else "", str(os.getuid() if user is None else user)]
    command = [sys.executable, "-I", "-S", "-c", _HOLD, str(path), *how, *map(str, others)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=cwd)
    try:
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


@contextmanager
def mapped_only(path):
    """Have a file mapped into memory, to be written, but not open (Python's own mmap keeps it open)."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    with path.open("r+b") as stream:
        place = libc.mmap(None, 4096, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_SHARED, stream.fileno(), 0)
    try:
        yield
    finally:
        libc.munmap(place, 4096)


@contextmanager
def hidden(mount, name="a.ms/table.dat", content=b"x" * 5000, **options):
    """A file that was deleted through a mount while a process held it: gives that process and the leftover's path."""
    path = mount.near / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(0o777)
    path.write_bytes(content)
    path.chmod(0o666)
    with holder(path, *options.pop("others", ()), **options) as process:
        path.unlink()
        (left,) = path.parent.glob(".fuse_hidden*")
        yield process, left


def aged(path, age_s=3600.0):
    """Let a file be old; what its inode's own time says cannot be set, so tests count from its making."""
    then = time.time() - age_s
    os.utime(path, (then, then))
    return path


def let_in(path):
    """Let other users into a directory of a test."""
    for place in (path, *path.parents):
        if place.owner() == Path.home().owner() and not place.stat().st_mode & 0o001:
            place.chmod(place.stat().st_mode | 0o055)


_DROP = f"""
import os
os.setgroups([])
os.setresgid({NOBODY}, {NOBODY}, {NOBODY})
os.setresuid({NOBODY}, {NOBODY}, {NOBODY})
"""


def as_nobody(imports, code, *arguments):
    """Run a piece of Python as a user who has nothing, after its imports; skip where that is not possible."""
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    done = subprocess.run(
        [sys.executable, "-c", imports + _DROP + code, *map(str, arguments)],
        env={"PYTHONPATH": str(Path(dsa110_contimg.__file__).parents[1]), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
