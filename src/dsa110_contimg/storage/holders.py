"""Stopping the processes that hold leftovers of FUSE: which may be stopped at all, and how.

A leftover goes when its last holder ends. What a process did elsewhere must not be harmed by that, so one is stopped
only if all of this holds:

- It is not this process, nor one from which this one descends, nor the first of the machine.
- It does not answer for a FUSE mount (it has ``/dev/fuse`` open): then all who use that would lose it.
- It is of the same user, in its real, effective and saved identity; root may stop anybody's.
- It *holds no file outside the given roots*. Every process has some open there: its program, libraries, settings,
  a terminal. So what counts as holding is what its end could harm or set free: (1) a file open for writing, or mapped
  so that what is written reaches it, and (2) a file that is deleted or a leftover itself, even if only for reading, on
  a FUSE mount. What is only read does not count, nor do devices, pipes and sockets, nor shared memory (``/dev/shm``),
  nor its log: what standard output or error go to, or a file named ``*.log``. The database of a notebook's history does
  count: better that a process is left, with the name of the file, than that it loses work.
- All of that can be seen. Of whom it cannot, we do not know.

A directory through which a root is seen (a FUSE mount of the root, or of what is above it) is in the roots, too.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import psutil

from dsa110_contimg.config.mounts import Mount, read_mounts
from dsa110_contimg.storage.leftovers import LEFTOVER, Leftover, LeftoverScan, LeftoverState
from dsa110_contimg.storage.open_files import FileKey, OpenFile, Process, is_fuse_daemon, open_files

if TYPE_CHECKING:
    from collections.abc import Iterable

_STANDARD = {1, 2}
_MEMORY = ("/dev/", "/memfd:", "/SYSV", "/anon_hugepage", "/[aio]", "/proc/", "/sys/")
_KILLED_S = 20.0


class HolderPlan(NamedTuple):
    """A process that holds old leftovers, and whether it may be stopped.

    Attributes
    ----------
    process : Process
    leftovers : tuple of Leftover
        What it holds.
    refusal : str
        Why it may not be stopped; empty: it may.
    """

    process: Process
    leftovers: tuple[Leftover, ...]
    refusal: str

    @property
    def held_bytes(self) -> int:
        """What its end sets free, unless others hold it, too."""
        return sum(item.size_bytes for item in self.leftovers)

    def as_dict(self) -> dict[str, object]:
        """Return it for JSON."""
        return {
            "process": self.process._asdict(),
            "leftovers": [item.path for item in self.leftovers],
            "held_bytes": self.held_bytes,
            "refusal": self.refusal,
        }


class Stopped(NamedTuple):
    """What became of a process that was to be stopped: ``outcome`` in words, and whether it is gone."""

    process: Process
    outcome: str
    gone: bool

    def as_dict(self) -> dict[str, object]:
        """Return it for JSON."""
        return {"process": self.process._asdict(), "outcome": self.outcome, "gone": self.gone}


def plan_stops(scan: LeftoverScan, *, min_age_s: float) -> list[HolderPlan]:
    """Say of each holder of leftovers that are old enough whether it may be stopped; stop none.

    The programs of FUSE mounts are left out: they hold for others.
    """
    held: dict[int, tuple[Process, list[Leftover]]] = {}
    for item in scan.leftovers:
        if item.state is LeftoverState.HELD and item.age_s >= min_age_s:
            for process in item.holders:
                if not process.is_fuse_daemon:
                    held.setdefault(process.pid, (process, []))[1].append(item)
    keys = frozenset(key for item in scan.leftovers for key in item.keys)
    return [
        HolderPlan(process, tuple(items), why_not(process.pid, scan.roots, keys)) for process, items in held.values()
    ]


def why_not(pid: int, roots: Iterable[Path], leftovers: frozenset[FileKey]) -> str:
    """Say why a process may not be stopped; empty: it may.

    Parameters
    ----------
    pid : int
    roots : iterable of Path
        Without links.
    leftovers : frozenset of FileKey
        Files that are in the roots, whatever they were opened as.
    """
    try:
        if pid == 1 or pid in _own_line():
            return "it is this process, or one from which this one descends"
        if is_fuse_daemon(pid):
            return "it answers for a FUSE mount"
        uids = set(psutil.Process(pid).uids())
        if os.geteuid() != 0 and uids != {os.geteuid()}:
            return "it is another user's: only root may stop it"
        mounts = read_mounts()
        places = _seen_roots(roots, mounts)
        for file in open_files(pid):
            if file.key not in leftovers and not _is_in(file.name, places) and _counts(file, mounts):
                what = "writing" if file.writable else "reading, deleted on FUSE"
                return f"it holds a file outside the given directories (open for {what}): {file.name}"
    except PermissionError:
        return "it cannot be seen what else it holds: do this as root"
    except (ProcessLookupError, psutil.NoSuchProcess):
        return "it has ended"
    return ""


def stop_process(plan: HolderPlan, roots: Iterable[Path], *, wait_s: float) -> Stopped:
    """Ask a process to end (SIGTERM), wait, and then end it (SIGKILL); not if it may not be stopped any more.

    Parameters
    ----------
    plan : HolderPlan
        As planned; it is asked again whether it may be stopped.
    roots : iterable of Path
        As of `why_not`.
    wait_s : float
        So long it may take to end by itself.
    """
    process = plan.process
    keys = frozenset(key for item in plan.leftovers for key in item.keys)
    refusal = plan.refusal or why_not(process.pid, roots, keys)
    if refusal:
        return Stopped(process, refusal, gone=refusal == "it has ended")
    try:
        # psutil compares the time at which it began before each signal: a number may be another process's by now.
        handle = psutil.Process(process.pid)
        if abs(handle.create_time() - process.since_utc.timestamp()) > 0.1:
            return Stopped(process, "it has ended", gone=True)
        handle.terminate()
        if _ends(handle, wait_s):
            return Stopped(process, "ended after SIGTERM", gone=True)
        handle.kill()
        if _ends(handle, _KILLED_S):
            return Stopped(process, "killed: it did not end after SIGTERM", gone=True)
    except psutil.NoSuchProcess:
        return Stopped(process, "ended", gone=True)
    except psutil.AccessDenied:
        return Stopped(process, "it may not be stopped by this user", gone=False)
    return Stopped(process, "it does not die: it waits for a disk or a mount that does not answer", gone=False)


def _ends(process: psutil.Process, wait_s: float) -> bool:
    """Wait for a process to end; one that only waits for its parent to take note of that has closed its files."""
    end = time.monotonic() + wait_s
    while True:
        try:
            if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        if time.monotonic() > end:
            return False
        time.sleep(0.02)


def _own_line() -> set[int]:
    own = psutil.Process()
    return {own.pid, *(parent.pid for parent in own.parents())}


def _seen_roots(roots: Iterable[Path], mounts: list[Mount]) -> list[Path]:
    """Give the roots, and the directories of FUSE mounts through which they are seen."""
    places = list(roots)
    for root in tuple(places):
        for mount in mounts:
            if not mount.is_fuse or not mount.source.startswith("/"):
                continue
            source = Path(mount.source)
            if root.is_relative_to(source):
                places.append(mount.point / root.relative_to(source))
            elif source.is_relative_to(root):
                places.append(mount.point)
    return places


def _is_in(name: str, places: list[Path]) -> bool:
    return any(Path(name).is_relative_to(place) for place in places)


def _counts(file: OpenFile, mounts: list[Mount]) -> bool:
    """Whether the end of a process could harm this file, or set it free."""
    if file.name.startswith(_MEMORY):
        return False
    if file.descriptor in _STANDARD or Path(file.name).suffix == ".log":
        return False
    if file.writable and not file.flags & os.O_PATH:
        return True
    # A mount that was taken away while it was used has no number any more.
    on_fuse = not file.key.device or any(mount.is_fuse and mount.device == file.key.device for mount in mounts)
    return on_fuse and (file.deleted or LEFTOVER.fullmatch(Path(file.name).name) is not None)
