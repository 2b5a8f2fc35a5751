"""The machine: cores, memory, what the kernel allows, and its clock."""

from __future__ import annotations

import ctypes
import os
import resource
from pathlib import Path
from typing import TYPE_CHECKING

from dsa110_contimg.doctor.findings import Finding, fail, ok, warn

if TYPE_CHECKING:
    from collections.abc import Iterator

_GB = 1e9
# A full group takes 2 GB to image, and the system something besides.
_LEAST_MEMORY_GB, _ENOUGH_MEMORY_GB = 4.0, 8.0
_LEAST_WATCHES, _LEAST_INSTANCES = 8192, 32
# A Measurement Set has some forty files open, a job of two processes as many tables.
_LEAST_FILES = 1024
# adjtimex(2): the status bit of a clock that nothing keeps right, and what an error of a second does to the sky.
_STA_UNSYNC, _TIME_ERROR = 0x0040, 5
_LATEST_ERROR_US = 50_000


class _Timex(ctypes.Structure):
    """``struct timex`` of Linux: the fields that are read here, and room for the others."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


def look_at_machine() -> Iterator[Finding]:
    """Look at cores, memory and limits."""
    n_cores, quota = len(os.sched_getaffinity(0)), _cpu_quota()
    usable = n_cores if quota is None else min(n_cores, quota)
    said = f"{usable:g} of {os.cpu_count()}"
    if usable < 2:
        yield warn("cores", said, "A group takes longer than the sky does on one core: give it two.")
    else:
        yield ok("cores", said)
    yield from _look_at_memory()
    yield from _look_at_limits()


def look_at_clock() -> Iterator[Finding]:
    """Ask the kernel whether its clock is kept right."""
    remedy = "Run chrony or ntpd, here or on the host; the pipeline itself takes its times from the data."
    asked = _Timex()
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(asked))
    except (OSError, AttributeError) as error:
        yield warn("clock", f"cannot be asked: {error}", remedy)
        return
    if state < 0:
        yield warn("clock", f"cannot be asked: {os.strerror(ctypes.get_errno())}", remedy)
    elif state == _TIME_ERROR or asked.status & _STA_UNSYNC:
        yield warn("clock", "nothing keeps it right", remedy)
    elif asked.maxerror > _LATEST_ERROR_US:
        yield warn("clock", f"may be {asked.maxerror / 1e6:.3f} s off", remedy)
    else:
        yield ok("clock", f"kept right, within {asked.maxerror / 1e3:.1f} ms")


def _look_at_memory() -> Iterator[Finding]:
    known = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    total, available = (int(known[key].split()[0]) * 1024 for key in ("MemTotal", "MemAvailable"))
    limit = _memory_limit()
    total = total if limit is None else min(total, limit)
    said = f"{min(available, total) / _GB:.1f} GB available of {total / _GB:.1f} GB"
    if total < _LEAST_MEMORY_GB * _GB:
        yield fail("memory", said, f"Imaging a full group takes {_LEAST_MEMORY_GB:g} GB.")
    elif min(available, total) < _LEAST_MEMORY_GB * _GB or total < _ENOUGH_MEMORY_GB * _GB:
        remedy = f"Imaging a full group takes up to {_LEAST_MEMORY_GB:g} GB: run one worker, or stop something else."
        yield warn("memory", said, remedy)
    else:
        yield ok("memory", said)


def _look_at_limits() -> Iterator[Finding]:
    for name, least in (("max_user_watches", _LEAST_WATCHES), ("max_user_instances", _LEAST_INSTANCES)):
        try:
            limit = int(Path("/proc/sys/fs/inotify", name).read_text())
        except (OSError, ValueError) as error:
            remedy = "New files are found by looking again and again; nothing need be done."
            yield warn(f"inotify {name}", f"not known: {error}", remedy)
            continue
        if limit < least:
            yield warn(f"inotify {name}", f"{limit}", f"sysctl fs.inotify.{name}={least}")
        else:
            yield ok(f"inotify {name}", f"{limit}")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= soft < _LEAST_FILES:
        yield warn("open files", f"{soft} at most", f"ulimit -n {_LEAST_FILES} (LimitNOFILE in the unit)")
    else:
        yield ok("open files", f"{soft} at most (up to {hard} if asked for)")


def _cpu_quota() -> float | None:
    """Cores that the control group may use; None if that is not limited."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        return None


def _memory_limit() -> int | None:
    """Bytes that the control group may use; None if that is not limited."""
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        return None if limit == "max" else int(limit)
    except (OSError, ValueError):
        return None
