"""Checksums of products, be they files or directories."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import xxhash

if TYPE_CHECKING:
    from pathlib import Path

_BLOCK_BYTES = 1 << 20
_LOCKS = "table.lock"
"""Files in which casacore's readers leave their marks: they are no part of what was published."""


class TreeSum(NamedTuple):
    """A checksum, and the size of what it is of [bytes]."""

    checksum: str
    size_bytes: int


def tree_checksum(path: Path) -> TreeSum:
    """Sum up a file, or the files of a directory: their names below it, sizes, and contents (XXH3, 128 bits).

    Raises
    ------
    OSError
        It cannot be read.
    """
    digest, total = xxhash.xxh3_128(), 0
    # One block for all: new memory for each takes longer than what is done with it.
    block = memoryview(bytearray(_BLOCK_BYTES))
    for file in _files(path):
        size_bytes = file.stat().st_size
        total += size_bytes
        digest.update(f"{file.relative_to(path).as_posix()}\0{size_bytes}\0".encode())
        with file.open("rb", buffering=0) as stream:
            while n_bytes := stream.readinto(block):
                digest.update(block[:n_bytes])
    return TreeSum(digest.hexdigest(), total)


def tree_bytes(path: Path) -> int:
    """Add up the sizes of what `tree_checksum` sums up [bytes].

    Raises
    ------
    OSError
        It cannot be read.
    """
    return sum(file.stat().st_size for file in _files(path))


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    path.stat()  # what is not there has no checksum
    return sorted(file for file in path.rglob("*") if file.is_file() and file.name != _LOCKS)
