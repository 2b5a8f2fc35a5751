"""Products that appear whole or not at all.

A product is made in a hidden directory ``.partial-<group>-<attempt>`` beside the place where it belongs, flushed to
the disk, and renamed. The directory is locked by its maker for as long as that lives, so what a killed process left is
told from what another process is making, and is removed by whoever comes next.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import logging
import os
import secrets
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import xxhash

from dsa110_contimg.errors import OutputError, OutputExistsError
from dsa110_contimg.naming import parse_partial_name, partial_name
from dsa110_contimg.storage.files import output_errors, sync_directory, sync_tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

log = logging.getLogger(__name__)

_RENAME_NOREPLACE = 1
_RENAME_EXCHANGE = 2
_AT_FDCWD = -100
_COPY_BYTES = 4 << 20
_NO_SUCH_RENAME = {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}


def require_writable(directory: Path) -> None:
    """Make a directory if need be, and try to write in it.

    Raises
    ------
    OutputError
        It cannot be made or written.
    """
    with output_errors(directory):
        directory.mkdir(parents=True, exist_ok=True)
        fd, name = tempfile.mkstemp(prefix=".writable-", dir=directory)
        os.close(fd)
        Path(name).unlink()


@contextmanager
def partial_directory(parent: Path, group: str) -> Iterator[Path]:
    """Make a locked directory for the products of one attempt at a group, and remove what is left of it at the end.

    Parameters
    ----------
    parent : Path
        Where the products belong, or a scratch disk; made if need be.
    group : str
        Group id.

    Raises
    ------
    OutputError
        The directory cannot be made.
    """
    with output_errors(parent):
        parent.mkdir(parents=True, exist_ok=True)
        path, lock = _make_locked(parent, group)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(lock)


def _make_locked(parent: Path, group: str) -> tuple[Path, int]:
    while True:
        path = parent / partial_name(group, f"{os.getpid()}-{secrets.token_hex(4)}")
        path.mkdir()
        try:
            lock = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists():
                return path, lock
        except BlockingIOError:
            pass
        # Somebody who clears partials came between the making and the locking, and took it for a dead one.
        os.close(lock)


def find_partials(directory: Path) -> list[Path]:
    """List the partial directories in a directory, which need not exist."""
    if not directory.is_dir():
        return []
    with output_errors(directory):
        return sorted(entry for entry in directory.iterdir() if _is_partial(entry))


def clear_dead_partials(directory: Path) -> list[Path]:
    """Remove the partial directories that commands left when they died; give what was removed.

    Those of the stream (numbered by its ledger) are left: it may be about to publish what is in them.
    """
    return remove_dead(path for path in find_partials(directory) if not parse_partial_name(path.name)[1].isdecimal())


def remove_dead(partials: Iterable[Path]) -> list[Path]:
    """Remove those of some partial directories whose makers are dead; give what was removed."""
    removed: list[Path] = []
    for path in partials:
        try:
            lock = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            log.info("removing %s, left by a process that is gone", path)
            shutil.rmtree(path, ignore_errors=True)
            removed.append(path)
        finally:
            os.close(lock)
    return removed


def _is_partial(entry: Path) -> bool:
    try:
        parse_partial_name(entry.name)
    except ValueError:
        return False
    return entry.is_dir() and not entry.is_symlink()


def publish(product: Path, final: Path, *, replace: bool = False) -> None:
    """Flush a finished product and give it its final name.

    Parameters
    ----------
    product : Path
        File or directory inside a partial directory.
    final : Path
        Its place; on another file system it is copied, verified, and then renamed.
    replace : bool
        Whether what stands there already gives way; it does so in the same instant.

    Raises
    ------
    OutputExistsError
        Something is there, and is not to be replaced.
    OutputError
        The place cannot be written.
    """
    with output_errors(final):
        if product.stat().st_dev == final.parent.stat().st_dev:
            sync_tree(product)
            _rename(product, final, replace=replace)
            return
        group, _ = parse_partial_name(product.parent.name)
        with partial_directory(final.parent, group) as partial:
            _copy_verified(product, partial / product.name)
            sync_tree(partial / product.name)
            _rename(partial / product.name, final, replace=replace)


def _rename(product: Path, final: Path, *, replace: bool) -> None:
    exists = os.path.lexists(final)
    if exists and not replace:
        raise OutputExistsError("is there already", path=final, remedy="use --overwrite to replace it")
    # An exchange leaves the old product in the partial directory, which goes away.
    error = _renameat2(product, final, _RENAME_EXCHANGE if exists else _RENAME_NOREPLACE)
    if error == errno.EEXIST:
        raise OutputExistsError("is there already", path=final, remedy="use --overwrite to replace it")
    if error in _NO_SUCH_RENAME:
        if exists:
            os.rename(final, product.with_name(product.name + ".old"))
        os.rename(product, final)
    elif error:
        raise OSError(error, os.strerror(error), str(final))
    sync_directory(final.parent)


def _renameat2(source: Path, target: Path, flags: int) -> int:
    """Linux's renameat2(2), which neither replaces by accident nor leaves a gap; return an errno, or 0."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "renameat2"):
        return errno.ENOSYS
    done = libc.renameat2(_AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(target), ctypes.c_uint(flags))
    return ctypes.get_errno() if done else 0


def _copy_verified(source: Path, target: Path) -> None:
    """Copy a tree, then read the copy again and compare checksums."""
    if source.is_dir():
        target.mkdir()
        for entry in sorted(source.iterdir()):
            _copy_verified(entry, target / entry.name)
        shutil.copystat(source, target)
        return
    shutil.copy2(source, target)
    if _checksum(source) != _checksum(target):
        raise OutputError("the copy differs from its source", path=target, remedy="check the disk, then run again")


def _checksum(path: Path) -> str:
    digest = xxhash.xxh3_128()
    with path.open("rb") as file:
        while block := file.read(_COPY_BYTES):
            digest.update(block)
    return digest.hexdigest()
