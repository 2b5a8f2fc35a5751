"""What FUSE leaves of files that were deleted while they were open: ``.fuse_hidden*``.

A FUSE file system cannot delete an open file; its library renames it instead, and deletes it when the last holder has
closed it. So there are three cases. *Held*: somebody has it open; deleting it would only rename it again. *Orphan*:
nobody does, because the program behind the mount died, or it was mounted anew: it stays for ever. *Young*: nobody does,
and it is too young to be sure.

The holder has it open through the mount. On the file system behind the mount, where the same file is seen, it is the
program of the mount that holds it, for whoever does so through the mount. Both views are looked at wherever the mount
says what is behind it, as bindfs does.
"""

from __future__ import annotations

import errno
import os
import re
import time
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dsa110_contimg.config.mounts import Mount, mount_of, read_mounts
from dsa110_contimg.errors import UsageError
from dsa110_contimg.storage.free_space import FreeSpace
from dsa110_contimg.storage.open_files import FileKey, Holders, Process, find_holders

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from collections.abc import Set as AbstractSet

LEFTOVER = re.compile(r"\.fuse_hidden[0-9a-fA-F]{8,}")
"""What libfuse calls them: two numbers in hexadecimal. Other names that begin so are somebody's own."""
ANSWER_S = 5.0
"""So long a mount may take to say a word before it is taken for dead."""


class LeftoverState(StrEnum):
    """What may be done with a leftover."""

    HELD = "held"
    YOUNG = "young"
    ORPHAN = "orphan"


@dataclass(frozen=True)
class Leftover:
    """One ``.fuse_hidden*`` file.

    Attributes
    ----------
    path : Path
    size_bytes : int
    age_s : float
        Since it was last written, renamed or changed otherwise.
    mount : Mount
        The file system on which it was found.
    holders : tuple of Process
        Who has it open, the program of a FUSE mount included.
    state : LeftoverState
    keys : frozenset of FileKey
        Its own, and those under which it is seen through, or behind, a mount.
    """

    path: Path
    size_bytes: int
    age_s: float
    mount: Mount
    holders: tuple[Process, ...]
    state: LeftoverState
    keys: frozenset[FileKey]

    @property
    def said(self) -> str:
        """Why it is there, and so what is to be done."""
        if self.state is LeftoverState.YOUNG:
            return "nobody holds it, but it is young"
        if self.state is LeftoverState.ORPHAN:
            return "an orphan: nobody holds it, so the FUSE program that was to delete it has died"
        users = [holder for holder in self.holders if not holder.is_fuse_daemon]
        if users:
            return "held"
        return "held by the program of a FUSE mount, for somebody who has it open through that"

    def as_dict(self) -> dict[str, object]:
        """Return it for JSON."""
        return {
            "path": self.path,
            "size_bytes": self.size_bytes,
            "age_s": round(self.age_s, 1),
            "state": self.state.value,
            "said": self.said,
            "mount": self.mount._asdict(),
            "holders": [holder._asdict() for holder in self.holders],
        }


class Trouble(NamedTuple):
    """A directory that could not be looked at, and why."""

    path: Path
    reason: str


@dataclass(frozen=True)
class LeftoverScan:
    """What was found.

    Attributes
    ----------
    roots : tuple of Path
        What was looked through, links followed.
    leftovers : tuple of Leftover
    troubles : tuple of Trouble
    n_unseen : int
        Processes that may not be looked into: one of them may hold what nobody seems to.
    silent : frozenset of Path
        Mounts, in the roots or elsewhere, that do not answer.
    """

    roots: tuple[Path, ...]
    leftovers: tuple[Leftover, ...]
    troubles: tuple[Trouble, ...]
    n_unseen: int
    silent: frozenset[Path]

    def bytes_of(self, state: LeftoverState) -> int:
        """Add up the sizes of those in a state."""
        return sum(item.size_bytes for item in self.leftovers if item.state is state)

    def as_dict(self) -> dict[str, object]:
        """Return it for JSON."""
        return {
            "roots": self.roots,
            "leftovers": [item.as_dict() for item in self.leftovers],
            "troubles": [item._asdict() for item in self.troubles],
            "processes_unseen": self.n_unseen,
            "totals": {
                "files": len(self.leftovers),
                "bytes": sum(item.size_bytes for item in self.leftovers),
                **{f"bytes_{state.value}": self.bytes_of(state) for state in LeftoverState},
            },
        }


class LeftoverTotal(NamedTuple):
    """How many there are below a directory, and how large they are together."""

    n_files: int
    size_bytes: int


def scan_leftovers(roots: Iterable[Path], *, min_age_s: float, all_exist: bool = True) -> LeftoverScan:
    """Find what FUSE has left below some directories, and who holds it. Links are not followed; nothing is changed.

    Parameters
    ----------
    roots : iterable of Path
        A mount that does not answer is said, and left out.
    min_age_s : float
        What nobody holds counts as an orphan when it is older.
    all_exist : bool
        Whether all roots have to be there.

    Raises
    ------
    UsageError
        One of the roots is no directory.
    """
    mounts = read_mounts()
    asked, troubles = answering_roots(roots, mounts, all_exist=all_exist)
    found: list[tuple[Path, os.stat_result]] = []
    known = {trouble.path for trouble in troubles}
    views_of = {mount.point for mount in mounts if mount.is_fuse and any(_shows(mount, root) for root in asked)}
    silent = frozenset(known | {trouble.path for trouble in _silent(sorted(views_of - known), mounts)})
    for root in asked:
        found += find_files(root, LEFTOVER, silent, troubles)
    seen = [_seen(path, status, mounts, silent) for path, status in found]
    holders = find_holders({key for item in seen for key in item.keys})
    judged = tuple(_judged(item, holders, min_age_s) for item in _each_once(seen))
    return LeftoverScan(tuple(asked), judged, tuple(troubles), holders.n_unseen, silent)


def look_again(scan: LeftoverScan, *, min_age_s: float) -> LeftoverScan:
    """Look at what was found as it is now; what is gone, or has become another file, is left out."""
    mounts = read_mounts()
    seen = []
    for before in scan.leftovers:
        try:
            now = _seen(before.path, before.path.lstat(), mounts, scan.silent)
        except OSError:
            continue
        if now.keys & before.keys:
            seen.append(now)
    holders = find_holders({key for item in seen for key in item.keys})
    judged = tuple(_judged(item, holders, min_age_s) for item in seen)
    return replace(scan, leftovers=judged, n_unseen=holders.n_unseen)


def count_leftovers(root: Path) -> LeftoverTotal:
    """Add up what FUSE has left below a directory, which need not exist.

    It does not ask who holds it, and hangs where a mount does: call it in a thread.
    """
    found = find_files(root, LEFTOVER, set(), [])
    sizes = [status.st_size for _, status in found]
    return LeftoverTotal(len(sizes), sum(sizes))


def answering_roots(roots: Iterable[Path], mounts: list[Mount], *, all_exist: bool) -> tuple[list[Path], list[Trouble]]:
    """Tell the roots that can be walked, links followed and none below another, from mounts in them that are dead.

    Raises
    ------
    UsageError
        One of the roots is no directory, and all should be.
    """
    given = list(dict.fromkeys(root.absolute() for root in roots))
    troubles = _silent(given, mounts)
    dead = {trouble.path for trouble in troubles}
    real: list[Path] = []
    for root in given:
        if root in dead:
            continue
        if root.is_dir():
            real.append(root.resolve())
        elif all_exist:
            raise UsageError("is no directory", path=root, remedy="Name directories that exist.")
    remote = {mount.point for mount in mounts if mount.is_fuse or mount.is_network}
    troubles += _silent(sorted(point for point in remote if any(root in point.parents for root in real)), mounts)
    alone = [root for root in dict.fromkeys(real) if not any(other in root.parents for other in real)]
    return alone, troubles


def _silent(paths: list[Path], mounts: list[Mount]) -> list[Trouble]:
    """Ask directories for a sign of life, all at once, and give those that have none."""
    spaces = FreeSpace().ask(paths, ANSWER_S)
    return [Trouble(space.path, _said(space.path, space.problem, mounts)) for space in spaces if space.problem]


def find_files(
    root: Path, name: re.Pattern[str], silent: AbstractSet[Path], troubles: list[Trouble]
) -> list[tuple[Path, os.stat_result]]:
    """List the regular files of a name below a directory, in order; leave `silent` directories alone.

    What cannot be looked at is added to `troubles`; what vanishes meanwhile is not.
    """
    found = []
    for entry in walk(root, silent, troubles):
        if name.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
            try:
                found.append((Path(entry.path), entry.stat(follow_symlinks=False)))
            except OSError:
                continue
    return sorted(found)


def walk(root: Path, silent: AbstractSet[Path], troubles: list[Trouble]) -> Iterator[os.DirEntry[str]]:
    """Give all entries below a directory."""
    waiting = [str(root)]
    while waiting:
        directory = waiting.pop()
        try:
            with os.scandir(directory) as entries:
                listed = list(entries)
        except FileNotFoundError:
            continue
        except OSError as error:
            path = Path(directory)
            troubles.append(Trouble(path, _said(path, error.strerror or str(error), read_mounts())))
            continue
        for entry in listed:
            yield entry
            if entry.is_dir(follow_symlinks=False) and Path(entry.path) not in silent:
                waiting.append(entry.path)


def _said(path: Path, problem: str, mounts: list[Mount]) -> str:
    """Say what ails a directory, and what to do if the program of its mount is dead."""
    if problem != os.strerror(errno.ENOTCONN):
        return problem
    mount = mount_of(path, mounts)  # the kernel answers for a dead mount at once
    behind = f" and look in {mount.source}" if mount.source.startswith("/") else ""
    return (
        f"{problem}: the program of this FUSE mount is dead, and what it was to delete is an orphan. "
        f"Unmount it (fusermount -u {mount.point}){behind}"
    )


def views(path: Path, mounts: list[Mount], silent: AbstractSet[Path]) -> list[Path]:
    """List where else a file is seen: behind the FUSE mount on which it is, and through those that show it."""
    own = mount_of(path, mounts)
    others = []
    if own.is_fuse and own.source.startswith("/"):
        others.append(Path(own.source) / path.relative_to(own.point))
    shown_by = (mount for mount in mounts if mount.is_fuse and mount != own and path.is_relative_to(mount.source))
    others += [mount.point / path.relative_to(mount.source) for mount in shown_by if mount.point not in silent]
    return others


def _shows(mount: Mount, root: Path) -> bool:
    """Whether a mount shows something of a directory, as far as it says what it is of."""
    return root.is_relative_to(mount.source) or Path(mount.source).is_relative_to(root)


def _seen(path: Path, status: os.stat_result, mounts: list[Mount], silent: AbstractSet[Path]) -> Leftover:
    """Describe a leftover, whoever holds it; its keys are those of every view of it."""
    mount = mount_of(path, mounts)
    keys = {FileKey(mount.device, status.st_ino)}
    for view in views(path, mounts, silent):
        try:
            there = view.lstat()
        except OSError:
            continue  # the mount does not show it there: it is another file, or none
        if there.st_size == status.st_size:
            keys.add(FileKey(mount_of(view, mounts).device, there.st_ino))
    age_s = time.time() - max(status.st_mtime, status.st_ctime)
    return Leftover(path, status.st_size, age_s, mount, (), LeftoverState.YOUNG, frozenset(keys))


def _judged(item: Leftover, holders: Holders, min_age_s: float) -> Leftover:
    held = {process.pid: process for key in item.keys for process in holders.by_key.get(key, ())}
    unheld = LeftoverState.ORPHAN if item.age_s >= min_age_s else LeftoverState.YOUNG
    state = LeftoverState.HELD if held else unheld
    return replace(item, holders=tuple(held[pid] for pid in sorted(held)), state=state)


def _each_once(seen: list[Leftover]) -> list[Leftover]:
    """Leave out what is seen twice, behind a mount and through it; the latter is kept."""
    kept: list[Leftover] = []
    known: set[FileKey] = set()
    for item in sorted(seen, key=lambda item: not item.mount.is_fuse):
        if not item.keys & known:
            kept.append(item)
            known |= item.keys
    return sorted(kept, key=lambda item: item.path)
