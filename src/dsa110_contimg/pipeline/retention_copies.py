"""Copies of subband files elsewhere: found by name, and compared to the byte before a file may go."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import xxhash

from dsa110_contimg.errors import NamingError, RetentionError
from dsa110_contimg.naming import parse_subband_name

if TYPE_CHECKING:
    from collections.abc import Sequence

N_COPIES = 2
"""So many copies elsewhere a file must have to go."""
_BLOCK_BYTES = 4 << 20


class Copies(NamedTuple):
    """Where copies may be: for each directory, the files in it by name."""

    by_name: tuple[dict[str, list[Path]], ...]

    def of(self, path: Path) -> list[Path]:
        """List the files that may be copies of one: of its name and size, one a directory, each a file of its own.

        Raises
        ------
        OSError
            One of them cannot be looked at.
        """
        status = path.stat()
        seen = {(status.st_dev, status.st_ino)}
        found = []
        for names in self.by_name:
            for other in names.get(path.name, ()):
                its = other.stat()
                if its.st_size == status.st_size and (its.st_dev, its.st_ino) not in seen:
                    seen.add((its.st_dev, its.st_ino))
                    found.append(other)
                    break
        return found


def find_copies(roots: Sequence[Path], incoming: Path) -> Copies:
    """List the subband files below some directories.

    Parameters
    ----------
    roots : sequence of Path
        The directories.
    incoming : Path
        Where the files themselves are: none of the directories may be in it, or it in them.

    Raises
    ------
    RetentionError
        There are too few, one is not there, two are one in another, or one cannot be read.
    """
    places = [root.resolve() for root in roots]
    if len(places) < N_COPIES:
        raise RetentionError(
            f"subband files may go when {N_COPIES} copies are elsewhere, and {len(places)} places are known",
            remedy="Name them in the settings: retention.raw_copies = [DIR, DIR].",
        )
    for k, place in enumerate(places):
        if not place.is_dir():
            raise RetentionError("is no directory, and should have copies", path=roots[k], remedy="Is it mounted?")
        for other in [incoming.resolve(), *places[:k]]:
            if place.is_relative_to(other) or other.is_relative_to(place):
                raise RetentionError(
                    f"is no other place than {other}", path=roots[k], remedy="Copies should be on a disk of their own."
                )
    return Copies(tuple(_names_below(place) for place in places))


def verify(path: Path, copies: Sequence[Path]) -> None:
    """Read a file and its copies, and see that they are the same.

    Raises
    ------
    RetentionError
        There are too few, one differs or cannot be read, or the file changed meanwhile.
    """
    if len(copies) < N_COPIES:
        raise RetentionError(f"has {len(copies)} copies elsewhere, not {N_COPIES}", path=path)
    before = path.stat()
    try:
        digest = _digest(path)
        for copy in copies[:N_COPIES]:
            if _digest(copy) != digest:
                raise RetentionError(f"differs from its copy {copy}", path=path, remedy="Copy it again.")
    except OSError as error:
        if isinstance(error, RetentionError):
            raise
        raise RetentionError(f"cannot be compared ({error.strerror})", path=error.filename or path) from error
    after = path.stat()
    if (before.st_size, before.st_mtime_ns, before.st_ino) != (after.st_size, after.st_mtime_ns, after.st_ino):
        raise RetentionError("changed while it was compared", path=path, remedy="Try again.")


def _names_below(root: Path) -> dict[str, list[Path]]:
    def refuse(error: OSError) -> None:
        raise RetentionError(f"cannot be read ({error.strerror})", path=error.filename) from error

    found: dict[str, list[Path]] = {}
    for folder, _, names in os.walk(root, onerror=refuse):
        for name in names:
            try:
                parse_subband_name(name)
            except NamingError:
                continue
            path = Path(folder, name)
            if not path.is_symlink():
                found.setdefault(name, []).append(path)
    return found


def _digest(path: Path) -> bytes:
    digest = xxhash.xxh3_128()
    with path.open("rb", buffering=0) as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)  # what is on the disk is to be read
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.digest()
