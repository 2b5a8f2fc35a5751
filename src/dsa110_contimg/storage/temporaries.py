"""Partial products, scratch directories and CASA's logs that nobody needs any more.

What this package makes under a hidden name it removes itself; when it is killed, the next command or the stream does.
This finds what neither came by. A directory is stale only if all of this holds:

- Nothing in it was touched for some time.
- No attempt that the stream's ledger calls current is its owner. Where the ledger cannot be asked, those of a stream
  (they are numbered) stay.
- Its maker's lock (`publish.partial_directory`) is free, and the process whose number it carries is gone.
- No process has a file open in it, or works in it.

What staging keeps (``.scratch-*``) belongs to `scratch`, and is left alone.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import stat
import time
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from dsa110_contimg.config.mounts import read_mounts
from dsa110_contimg.errors import NamingError
from dsa110_contimg.naming import parse_partial_name
from dsa110_contimg.storage.files import output_errors
from dsa110_contimg.storage.leftovers import Trouble, answering_roots, walk
from dsa110_contimg.storage.open_files import users_of_trees

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet

_CASA_LOG = re.compile(r"casa-[0-9]{8}-[0-9]{6}.*\.log")
_PARTIAL = re.compile(r"\.partial-.+|\..+\.partial")
_SCRATCH = re.compile(r"\.(wsclean|sources|writable)-[A-Za-z0-9_]+")
_OF_A_COMMAND = re.compile(r"([0-9]+)-[0-9a-f]{8}")


class TemporaryKind(StrEnum):
    """What it is."""

    PARTIAL = "partial"
    SCRATCH = "scratch"
    CASA_LOG = "casa log"


@dataclass(frozen=True)
class Temporary:
    """A file or directory that should not be there for long.

    Attributes
    ----------
    path : Path
    kind : TemporaryKind
    size_bytes : int
        Of all that is in it.
    age_s : float
        Since anything in it was touched.
    owner : str
        Why it stays; empty: it is stale.
    """

    path: Path
    kind: TemporaryKind
    size_bytes: int
    age_s: float
    owner: str


@dataclass(frozen=True)
class TemporaryScan:
    """What was found below some directories, and which of those could not be looked at."""

    roots: tuple[Path, ...]
    found: tuple[Temporary, ...]
    troubles: tuple[Trouble, ...]

    @property
    def stale(self) -> tuple[Temporary, ...]:
        """Those that may go."""
        return tuple(item for item in self.found if not item.owner)


@dataclass
class Tidied:
    """What became of it: what was removed, what was moved whereto, bytes freed, and what is still there and why."""

    removed: list[Path] = field(default_factory=list)
    moved: dict[Path, Path] = field(default_factory=dict)
    freed_bytes: int = 0
    kept: dict[Path, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Patience:
    """When what nobody uses may go.

    Attributes
    ----------
    directories_s, logs_s : float
        Age of a partial product or scratch directory, and of a log of CASA.
    current : set of str, optional
        Names of the partial directories of the stream's current attempts; None: they are not known.
    """

    directories_s: float
    logs_s: float
    current: AbstractSet[str] | None = None


def scan_temporaries(roots: Iterable[Path], logs: Path, patience: Patience, *, all_exist: bool = True) -> TemporaryScan:
    """Find partial products, scratch directories and logs of CASA below some directories; change nothing.

    Parameters
    ----------
    roots : iterable of Path
    logs : Path
        Where such logs belong: those in it are left out.
    patience : Patience
    all_exist : bool
        Whether all roots have to be there.

    Raises
    ------
    UsageError
        One of the roots is no directory.
    """
    asked, troubles = answering_roots(roots, read_mounts(), all_exist=all_exist)
    kinds: dict[Path, TemporaryKind] = {}
    for root in asked:
        inside: set[Path] = {trouble.path for trouble in troubles}
        for entry in walk(root, inside, troubles):
            path = Path(entry.path)
            kind = _kind(entry)
            if kind is None or path.is_relative_to(logs.resolve()):
                continue
            kinds[path] = kind
            inside.add(path)  # what is in it belongs to it
    users = users_of_trees(list(kinds))
    found = tuple(_described(path, kinds[path], users.get(path, []), patience) for path in sorted(kinds))
    return TemporaryScan(tuple(asked), found, tuple(troubles))


def tidy(scan: TemporaryScan, logs: Path) -> Tidied:
    """Remove what is stale, and move CASA's logs to where logs are.

    Raises
    ------
    OutputError
        The directory of logs cannot be made.
    """
    done = Tidied(kept={item.path: item.owner for item in scan.found if item.owner})
    for item in scan.stale:
        try:
            if item.kind is TemporaryKind.CASA_LOG:
                done.moved[item.path] = _move(item.path, logs)
            elif _remove(item.path):
                done.removed.append(item.path)
                done.freed_bytes += item.size_bytes
            else:
                done.kept[item.path] = "its maker lives after all"
        except FileNotFoundError:
            continue  # somebody else was faster
        except OSError as error:
            done.kept[item.path] = error.strerror or str(error)
    return done


def _kind(entry: os.DirEntry[str]) -> TemporaryKind | None:
    if entry.is_symlink():
        return None
    if _CASA_LOG.fullmatch(entry.name):
        return TemporaryKind.CASA_LOG if entry.is_file() else None
    if _PARTIAL.fullmatch(entry.name):
        return TemporaryKind.PARTIAL
    return TemporaryKind.SCRATCH if _SCRATCH.fullmatch(entry.name) else None


def _described(path: Path, kind: TemporaryKind, users: list[int], patience: Patience) -> Temporary:
    size_bytes, touched = _size_and_time(path)
    age_s = time.time() - touched
    needed_s = patience.logs_s if kind is TemporaryKind.CASA_LOG else patience.directories_s
    owner = ""
    if users:
        owner = f"in use by process {', '.join(map(str, users))}"
    elif age_s < needed_s:
        owner = "young"
    elif kind is TemporaryKind.PARTIAL:
        owner = _attempt_lives(path, patience.current) or ("" if _lock_is_free(path) else "locked by its maker")
    return Temporary(path, kind, size_bytes, age_s, owner)


def _size_and_time(path: Path) -> tuple[int, float]:
    """Add up a tree, and say when anything in it was last touched [s since 1970]."""
    total, latest = 0, 0.0
    places = [path]
    if not path.is_symlink() and path.is_dir():
        places += [Path(entry.path) for entry in walk(path, set(), [])]
    for place in places:
        try:
            status = place.lstat()
        except OSError:
            continue
        total += status.st_size if stat.S_ISREG(status.st_mode) else 0
        latest = max(latest, status.st_mtime, status.st_ctime)
    return total, latest


def _attempt_lives(path: Path, current: AbstractSet[str] | None) -> str:
    """Say whose a partial product is, if its attempt may be alive."""
    try:
        _, attempt = parse_partial_name(path.name)
    except NamingError:
        return ""
    if attempt.isdecimal():
        if current is None:
            return "it may be the stream's, whose ledger cannot be asked (paths.state)"
        return "of the stream's current attempt" if path.name in current else ""
    match = _OF_A_COMMAND.fullmatch(attempt)
    if match is None:
        return ""
    try:
        began = psutil.Process(int(match[1])).create_time()
    except psutil.NoSuchProcess:
        return ""
    return f"process {match[1]}, which made it, lives" if began <= path.stat().st_mtime else ""


def _lock_is_free(path: Path) -> bool:
    """Whether the lock of a partial directory can be had; where file systems have none, age alone decides."""
    try:
        lock = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return True
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        os.close(lock)
    return True


def _remove(path: Path) -> bool:
    """Remove a file, or a tree under its lock; say whether the lock could be had.

    Raises
    ------
    OSError
        It cannot be removed whole.
    """
    if not path.is_dir():
        path.unlink()
        return True
    lock = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass  # no locks on this file system: nobody has one
    else:
        shutil.rmtree(path)
        return True
    finally:
        os.close(lock)
    shutil.rmtree(path)
    return True


def _move(log: Path, logs: Path) -> Path:
    """Move a log to a name there that is free, and give that."""
    with output_errors(logs):
        logs.mkdir(parents=True, exist_ok=True)
    number = 0
    while True:
        target = logs / (f"{log.stem}.{number}{log.suffix}" if number else log.name)
        try:
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        except FileExistsError:
            number += 1
            continue
        os.close(descriptor)  # the name is ours
        shutil.move(log, target)
        return target
