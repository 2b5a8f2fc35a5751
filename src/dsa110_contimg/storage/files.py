"""Writing files so that they are whole, or are seen not to be."""

from __future__ import annotations

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dsa110_contimg.errors import ContimgError, DiskFullError, OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# File systems without fallocate: the file is then made as long as it will be, and room is found as it is written.
_NO_FALLOCATE = {errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}

# So many files are flushed at once: a disk takes about as long for them as for one.
_AT_ONCE = 8


@contextmanager
def output_errors(path: Path) -> Iterator[None]:
    """Turn the system's errors while a product is written into ours, which say what to do.

    Parameters
    ----------
    path : Path
        The product that is being written.

    Raises
    ------
    DiskFullError
        The file system or the quota is full.
    OutputError
        Anything else: permissions, a read-only or dead file system.
    """
    try:
        yield
    except ContimgError:
        # Some of ours are the system's errors too.
        raise
    except OSError as error:
        if error.errno in _FULL:
            raise DiskFullError(
                f"no room left ({error.strerror})", path=path, remedy="free some space, then run the command again"
            ) from error
        raise OutputError(
            f"cannot be written ({error.strerror or error})",
            path=path,
            remedy="check that the directory exists, may be written and is mounted",
        ) from error


def allocate(path: Path, nbytes: int) -> None:
    """Make a file of zeros for which the file system has set room aside.

    Raises
    ------
    DiskFullError
        There is no such room.
    """
    with output_errors(path):
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            os.posix_fallocate(fd, 0, nbytes)
        except OSError as error:
            if error.errno not in _NO_FALLOCATE:
                raise
            os.truncate(fd, nbytes)
        finally:
            os.close(fd)


def sync_tree(path: Path) -> None:
    """Flush a file, or every file and directory of a tree, to the disk."""
    if not path.is_dir():
        _sync(str(path))
        return
    folders = list(os.walk(path))
    files = (os.path.join(folder, name) for folder, _, names in folders for name in names)  # noqa: PTH118
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        # A link is flushed with its directory, and may lead nowhere.
        for _ in pool.map(_sync, [file for file in files if not os.path.islink(file)]):  # noqa: PTH114
            pass
    for folder, _, _ in folders:
        _sync(folder)


def sync_directory(directory: Path) -> None:
    """Flush a directory's own entries, so that a rename in it survives a power cut."""
    _sync(str(directory))


def _sync(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
