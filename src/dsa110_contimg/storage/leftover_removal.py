"""Removing what FUSE left and nobody holds, and the directories that were only kept by it.

A file that is held is never unlinked: on FUSE that would only rename it, and it goes by itself when it is closed. So
each is asked after three times: by ``/proc``, again just before it is removed, and by a lease. If nobody can be asked
(the file is another user's, and its holder may be, too) it is left.
"""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dsa110_contimg.config.mounts import Mount, read_mounts
from dsa110_contimg.storage.leases import is_open_elsewhere
from dsa110_contimg.storage.leftovers import LEFTOVER, Leftover, LeftoverScan, LeftoverState, look_again, views

if TYPE_CHECKING:
    from collections.abc import Iterable

_SETTLE_S = 30.0
"""So long FUSE may take to let go of a file after the last close."""
_WHOLE = re.compile(r"\.partial-.*|.*\.(ms|cal)")
"""Directories that are one product: of these no empty shell stays behind."""


@dataclass
class Removed:
    """What became of leftovers.

    Attributes
    ----------
    files : list of Path
        Gone.
    directories : list of Path
        Gone, as they were empty then.
    freed_bytes : int
    kept : dict of Path to str
        What is still there, being held or young.
    failures : dict of Path to str
        What should be gone and is not, and why.
    """

    files: list[Path] = field(default_factory=list)
    directories: list[Path] = field(default_factory=list)
    freed_bytes: int = 0
    kept: dict[Path, str] = field(default_factory=dict)
    failures: dict[Path, str] = field(default_factory=dict)


def remove_orphans(scan: LeftoverScan, *, min_age_s: float, released: Iterable[Leftover] = ()) -> Removed:
    """Remove the orphans of a scan, and the directories that they leave empty, never a root.

    Parameters
    ----------
    scan : LeftoverScan
        What was found; it is looked at again.
    min_age_s : float
        As it was scanned with.
    released : iterable of Leftover
        Of these the holders were stopped: FUSE deletes them by itself, and they count as removed when they are gone.
    """
    removed = Removed()
    by_itself = {item.path for item in released}
    now = {item.path: item for item in _after_release(scan, by_itself, min_age_s).leftovers}
    mounts = read_mounts()
    for before in scan.leftovers:
        item = now.get(before.path)
        if item is None:
            if before.path in by_itself:
                _count(removed, before)
            continue
        if item.state is not LeftoverState.ORPHAN:
            removed.kept[item.path] = item.said
        elif reason := _why_held(item, scan, mounts) or _unlink(item):
            removed.failures[item.path] = reason
        else:
            _count(removed, item)
    _remove_empty(removed, scan.roots)
    return removed


def _after_release(scan: LeftoverScan, by_itself: set[Path], min_age_s: float) -> LeftoverScan:
    """Look again, once FUSE had the time to delete what was let go."""
    end = time.monotonic() + (_SETTLE_S if by_itself else 0.0)
    while True:
        now = look_again(scan, min_age_s=min_age_s)
        if not any(item.path in by_itself for item in now.leftovers) or time.monotonic() > end:
            return now
        time.sleep(0.05)


def _count(removed: Removed, item: Leftover) -> None:
    removed.files.append(item.path)
    removed.freed_bytes += item.size_bytes


def _why_held(item: Leftover, scan: LeftoverScan, mounts: list[Mount]) -> str:
    """Ask the kernel after holders that ``/proc`` does not show; empty: there are none.

    Behind the mount is asked, if that is known: there the program of the mount has it open for whoever does.
    """
    behind = views(item.path, mounts, scan.silent)[:1] if item.mount.is_fuse else []
    told = is_open_elsewhere(next((view for view in behind if view.exists()), item.path))
    if told:
        return "held by a process that cannot be seen from here: another user's, or in another container"
    if told is None and scan.n_unseen:
        return f"{scan.n_unseen} processes cannot be looked into, and may hold it: root may look into more"
    return ""


def _unlink(item: Leftover) -> str:
    """Delete a file for good; else say why it is still there."""
    inode = item.path.lstat().st_ino
    try:
        item.path.unlink()
    except OSError as error:
        return error.strerror or str(error)
    if not item.mount.is_fuse:
        return ""
    end = time.monotonic() + _SETTLE_S
    while hidden := _hidden_again(item.path.parent, inode):
        if time.monotonic() > end:
            return f"FUSE has hidden it again, as {hidden}: somebody holds it"
        time.sleep(0.05)
    return ""


def _hidden_again(directory: Path, inode: int) -> str:
    """Look for the file under a new name."""
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if LEFTOVER.fullmatch(entry.name) and entry.stat(follow_symlinks=False).st_ino == inode:
                    return entry.name
    except FileNotFoundError:
        pass
    return ""


def _remove_empty(removed: Removed, roots: Iterable[Path]) -> None:
    """Remove the directories of removed files that are empty now, and of a product that is, its shell."""
    for directory in sorted({path.parent for path in removed.files}, reverse=True):
        for shell in _shells(directory, set(roots)):
            try:
                shell.rmdir()
            except OSError:
                break  # not empty, or a mount: then nor is what is above it
            removed.directories.append(shell)


def _shells(directory: Path, roots: set[Path]) -> list[Path]:
    """List a directory, and those above it up to the one that is the whole product; none from a root up."""
    inside = []
    for place in (directory, *directory.parents):
        if place in roots:
            break
        inside.append(place)
    products = [number for number, place in enumerate(inside) if _WHOLE.fullmatch(place.name)]
    return inside[: products[-1] + 1] if products else inside[:1]
