"""Giving finished products their names: Linux's renameat2(2), and what to do without it."""

from __future__ import annotations

import ctypes
import errno
import os
from typing import TYPE_CHECKING

from dsa110_contimg.storage.files import sync_directory

if TYPE_CHECKING:
    from pathlib import Path

RENAME_NOREPLACE = 1
RENAME_EXCHANGE = 2
NO_SUCH_RENAME = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})
"""What file systems answer that do not know the flags."""
_AT_FDCWD = -100


def renameat2(source: Path, target: Path, flags: int) -> int:
    """Rename so that nothing is replaced by accident and no gap is left; return an errno, or 0."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "renameat2"):
        return errno.ENOSYS
    done = libc.renameat2(_AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(target), ctypes.c_uint(flags))
    return ctypes.get_errno() if done else 0


def swap_in(new: Path, final: Path, aside: Path) -> None:
    """Give a finished product its name, in the same instant as what had that name loses it.

    What was there is at `new` afterwards, or at `aside` where the file system cannot exchange two names. In that case
    there is an instant in which nothing has the name: whoever finds something at `aside` and nothing at `final` has to
    rename it back.

    Parameters
    ----------
    new : Path
        The product, flushed, in the directory of `final`.
    final : Path
        Its name.
    aside : Path
        A free name in the same directory.

    Raises
    ------
    OSError
        Neither can be renamed.
    """
    exists = os.path.lexists(final)
    error = renameat2(new, final, RENAME_EXCHANGE if exists else RENAME_NOREPLACE)
    if error in NO_SUCH_RENAME:
        if exists:
            os.rename(final, aside)
        os.rename(new, final)
    elif error:
        raise OSError(error, os.strerror(error), str(final))
    sync_directory(final.parent)
