"""Which files of a store count: the rows of each epoch, and those of months whose epochs were joined.

A strip's directory has a file for each epoch that was added since its month was last joined,
``2025-10-05/20251005T123456+54.6.parquet``, and one for the others of a month, ``2025-10-0003.parquet``, of which only
the highest version counts. An epoch's own file counts, not what its month has of it. So every step (adding, replacing,
joining, removing what was joined) is one rename or removal, and between any two the store says the same.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from dsa110_contimg.errors import NamingError
from dsa110_contimg.lightcurves.rows import read_facts
from dsa110_contimg.naming import epoch_month, parse_epoch_rows_name, parse_month_rows_name, strip_dec
from dsa110_contimg.storage.files import output_errors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LOCK_NAME = ".lock"


class Month(NamedTuple):
    """The files of a strip's month.

    Attributes
    ----------
    strip, month : str
        As ``+54.6`` and ``2025-10``.
    joined : Path or None
        The rows of the epochs that were joined.
    version : int
        How often they were; 0 if never.
    epochs : dict
        The files of single epochs, by id, in order; they count before what `joined` has of them.
    old : tuple of Path
        Earlier versions of `joined`, which count for nothing any more.
    """

    strip: str
    month: str
    joined: Path | None
    version: int
    epochs: dict[str, Path]
    old: tuple[Path, ...]


def strips(root: Path) -> list[str]:
    """List the strips of a store, which need not exist yet."""
    return sorted(entry.name for entry in _entries(root) if _is_strip(entry.name) and entry.is_dir())


def months(root: Path, strip: str) -> list[Month]:
    """List the files of a strip, month by month."""
    epochs: dict[str, dict[str, Path]] = {}
    for day in _entries(root / strip):
        for file in _entries(day):
            try:
                epoch = parse_epoch_rows_name(file.name)
            except NamingError:
                continue
            epochs.setdefault(epoch_month(epoch), {})[epoch] = file
    # Only now: what has been joined while those were listed is seen here, and their files are missed when read.
    joined: dict[str, dict[int, Path]] = {}
    for entry in _entries(root / strip):
        try:
            month, version = parse_month_rows_name(entry.name)
        except NamingError:
            continue  # a day, a reference list, the ensemble
        joined.setdefault(month, {})[version] = entry
    listed = []
    for month in sorted(joined.keys() | epochs.keys()):
        versions = sorted(joined.get(month, {}).items())
        version, path = versions[-1] if versions else (0, None)
        old = tuple(earlier for _, earlier in versions[:-1])
        listed.append(Month(strip, month, path, version, dict(sorted(epochs.get(month, {}).items())), old))
    return listed


def epochs_of(month: Month) -> dict[str, str]:
    """Say of which epochs a month has rows: ids, and the checksums of the measurements ("": it was withdrawn)."""
    known = {} if month.joined is None else dict(read_facts(month.joined).epochs)
    for path in month.epochs.values():
        known.update(read_facts(path).epochs)
    return known


@contextmanager
def locked(root: Path, strip: str) -> Iterator[None]:
    """Let one process at a time change a strip; clear away what one that died was writing.

    Raises
    ------
    OutputError
        The strip's directory cannot be made or written.
    """
    directory = root / strip
    with output_errors(directory):
        directory.mkdir(parents=True, exist_ok=True)
        lock = os.open(directory / _LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        with output_errors(directory):
            fcntl.flock(lock, fcntl.LOCK_EX)
            for pattern in (".*.partial", "*/.*.partial"):
                for partial in directory.glob(pattern):
                    if not partial.name.startswith(".reference-"):  # of the list of sources: not ours
                        partial.unlink(missing_ok=True)
        yield
    finally:
        os.close(lock)


def _entries(directory: Path) -> list[Path]:
    try:
        return sorted(entry for entry in directory.iterdir() if not entry.name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _is_strip(name: str) -> bool:
    try:
        strip_dec(name)
    except NamingError:
        return False
    return True
