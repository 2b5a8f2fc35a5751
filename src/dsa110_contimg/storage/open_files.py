"""Which process has which file open, as ``/proc`` says it (proc(5)).

A file is told by the number of its file system and its inode, not by its name: who opened ``x`` before that was deleted
holds ``x (deleted)``, whatever FUSE has renamed it to. Both are in ``fdinfo`` and ``maps``, so that no file system is
asked, and one that hangs delays nobody (kernels before 5.14 do not say the inode: there the file is asked).
"""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import psutil

from dsa110_contimg.config.mounts import read_mounts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

PROC = Path("/proc")
DELETED = " (deleted)"
"""What the kernel puts after the name of a file that has none any more."""
_MAPPED = re.compile(r"\S+ (\S{4}) \S+ ([0-9a-f]+):([0-9a-f]+) ([0-9]+) +(/.*)")
_FUSE_DEVICE = "/dev/fuse"


class FileKey(NamedTuple):
    """What tells a file from all others on this machine: ``major:minor`` of its file system, and its inode."""

    device: str
    inode: int


class OpenFile(NamedTuple):
    """A file that a process has open.

    Attributes
    ----------
    key : FileKey
    name : str
        Under which it was opened, without what the kernel adds when it is deleted.
    deleted : bool
        Whether it has no name any more.
    descriptor : int or None
        None: it is mapped into memory.
    flags : int
        Of open(2).
    """

    key: FileKey
    name: str
    deleted: bool
    descriptor: int | None
    flags: int

    @property
    def writable(self) -> bool:
        """Whether the process may write to it."""
        return self.flags & os.O_ACCMODE != os.O_RDONLY


class Process(NamedTuple):
    """A process, for people.

    Attributes
    ----------
    pid, uid : int
    user : str
    command : str
    since_utc : datetime
        When it began.
    is_fuse_daemon : bool
        Whether it answers for a FUSE mount: it holds what others have open through that.
    """

    pid: int
    uid: int
    user: str
    command: str
    since_utc: datetime
    is_fuse_daemon: bool = False

    def __str__(self) -> str:
        """Say who it is in a few words."""
        return f"process {self.pid} of {self.user} since {self.since_utc:%Y-%m-%dT%H:%M:%SZ}: {self.command}"


class Holders(NamedTuple):
    """Who holds some files, and how many processes may not be looked into (those of others, if we are not root)."""

    by_key: dict[FileKey, list[Process]]
    n_unseen: int


def open_files(pid: int, proc: Path = PROC) -> list[OpenFile]:
    """List the files (not the sockets, pipes and the like) that a process has open or mapped.

    Raises
    ------
    PermissionError
        It is another user's.
    ProcessLookupError
        There is no such process.
    """
    try:
        devices = _devices(pid, proc)
        return [*_descriptors(pid, proc, devices, None), *_mapped(pid, proc)]
    except FileNotFoundError:
        raise ProcessLookupError(f"no process {pid}") from None


def find_holders(keys: AbstractSet[FileKey], proc: Path = PROC) -> Holders:
    """Find all processes that hold any of some files."""
    wanted: dict[FileKey, list[Process]] = {}
    n_unseen = 0
    if not keys:
        return Holders(wanted, n_unseen)
    devices_by_namespace: dict[str, dict[str, str]] = {}
    for pid in _pids(proc):
        try:
            namespace = os.readlink(proc / str(pid) / "ns" / "mnt")  # noqa: PTH115 - it is no path
            if namespace not in devices_by_namespace:
                devices_by_namespace[namespace] = _devices(pid, proc)
            devices = devices_by_namespace[namespace]
            held = {file.key for file in _descriptors(pid, proc, devices, keys) if file.key in keys}
            held |= {file.key for file in _mapped(pid, proc) if file.key in keys}
            if held:
                process = process_of(pid, proc)
                for key in held:
                    wanted.setdefault(key, []).append(process)
        except PermissionError:
            n_unseen += 1
        except (FileNotFoundError, ProcessLookupError, psutil.NoSuchProcess):
            continue  # it has ended meanwhile
    return Holders(wanted, n_unseen)


def users_of_trees(trees: list[Path], proc: Path = PROC) -> dict[Path, list[int]]:
    """Find the processes that have a file open in some directories, or work in them; of other users only if root."""
    found: dict[Path, list[int]] = {}
    for pid in _pids(proc) if trees else ():
        try:
            names = {file.name for file in open_files(pid, proc)} | {os.readlink(proc / str(pid) / "cwd")}  # noqa: PTH115
        except (PermissionError, FileNotFoundError, ProcessLookupError):
            continue
        for tree in trees:
            if any(name == str(tree) or name.startswith(f"{tree}/") for name in names):
                found.setdefault(tree, []).append(pid)
    return found


def process_of(pid: int, proc: Path = PROC) -> Process:
    """Say who a process is.

    Raises
    ------
    psutil.NoSuchProcess
        It has ended.
    """
    process = psutil.Process(pid)
    with process.oneshot():
        command = " ".join(process.cmdline()) or f"[{process.name()}]"
        since = datetime.fromtimestamp(process.create_time(), UTC)
        uid, user = process.uids().real, process.username()
    return Process(pid, uid, user, " ".join(command.split()), since, is_fuse_daemon(pid, proc))


def is_fuse_daemon(pid: int, proc: Path = PROC) -> bool:
    """Whether a process answers for a FUSE mount (as far as may be seen)."""
    try:
        return any(target == _FUSE_DEVICE for _, target in _links(pid, proc))
    except (PermissionError, FileNotFoundError):
        return False


def _pids(proc: Path) -> list[int]:
    return sorted(int(name) for name in os.listdir(proc) if name.isdecimal())  # noqa: PTH208 - names alone


def _devices(pid: int, proc: Path) -> dict[str, str]:
    """Map the kernel's number of each mount that the process sees to its ``major:minor``."""
    return {mount.number: mount.device for mount in read_mounts(proc / str(pid))}


def _links(pid: int, proc: Path) -> Iterator[tuple[int, str]]:
    """Give each descriptor of a process, and what it leads to."""
    directory = proc / str(pid) / "fd"
    for name in os.listdir(directory):  # noqa: PTH208 - names alone
        try:
            yield int(name), os.readlink(directory / name)  # noqa: PTH115 - often no path
        except FileNotFoundError:
            continue  # closed meanwhile


def _descriptors(
    pid: int, proc: Path, devices: dict[str, str], wanted: AbstractSet[FileKey] | None
) -> Iterator[OpenFile]:
    """Give the files that a process has open; where that costs asking the file, only of `wanted` file systems."""
    for descriptor, target in _links(pid, proc):
        if not target.startswith("/"):
            continue
        try:
            text = (proc / str(pid) / "fdinfo" / str(descriptor)).read_text()
        except FileNotFoundError:
            continue
        said = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
        device = devices.get(said.get("mnt_id", "").strip(), "")
        if "ino" in said:
            inode = int(said["ino"])
        else:
            inode = _asked_inode(proc / str(pid) / "fd" / str(descriptor), device, wanted)
        name = target.removesuffix(DELETED)
        yield OpenFile(FileKey(device, inode), name, name != target, descriptor, int(said.get("flags", "0"), 8))


def _asked_inode(link: Path, device: str, wanted: AbstractSet[FileKey] | None) -> int:
    """Ask a file for its inode, if it is on one of the file systems that matter; 0: it is not, or does not say."""
    devices = None if wanted is None else {key.device for key in wanted}
    if devices is not None and device not in devices:
        return 0
    try:
        return link.stat().st_ino
    except OSError:
        return 0


def _mapped(pid: int, proc: Path) -> Iterator[OpenFile]:
    """Give the files that a process has mapped into memory: it may hold them without a descriptor."""
    seen = set()
    for line in (proc / str(pid) / "maps").read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        match = _MAPPED.fullmatch(line)
        if match is None or match[4] == "0":
            continue
        key = FileKey(f"{int(match[2], 16)}:{int(match[3], 16)}", int(match[4]))
        flags = os.O_RDWR if "w" in match[1] and "s" in match[1] else os.O_RDONLY
        if (key, flags) not in seen:
            seen.add((key, flags))
            name = match[5].removesuffix(DELETED)
            yield OpenFile(key, name, name != match[5], None, flags)
