"""Products that appear whole or not at all.

A product is made in a hidden directory ``.partial-<group>-<attempt>`` beside the place where it belongs, flushed to
the disk, and renamed. The directory is locked by its maker for as long as that lives, so what a killed process left is
told from what another process is making, and is removed by whoever comes next.
"""

from __future__ import annotations

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

from dsa110_contimg.errors import OutputExistsError
from dsa110_contimg.naming import parse_partial_name, partial_name
from dsa110_contimg.storage.copying import copy_tree
from dsa110_contimg.storage.files import output_errors, sync_directory, sync_tree
from dsa110_contimg.storage.renaming import NO_SUCH_RENAME, RENAME_EXCHANGE, RENAME_NOREPLACE
from dsa110_contimg.storage.renaming import renameat2 as _renameat2

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

log = logging.getLogger(__name__)


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
            copy_tree(product, partial / product.name)
            sync_tree(partial / product.name)
            _rename(partial / product.name, final, replace=replace)


def _rename(product: Path, final: Path, *, replace: bool) -> None:
    exists = os.path.lexists(final)
    if exists and not replace:
        raise OutputExistsError("is there already", path=final, remedy="use --overwrite to replace it")
    # An exchange leaves the old product in the partial directory, which goes away.
    error = _renameat2(product, final, RENAME_EXCHANGE if exists else RENAME_NOREPLACE)
    if error == errno.EEXIST:
        raise OutputExistsError("is there already", path=final, remedy="use --overwrite to replace it")
    if error in NO_SUCH_RENAME:
        if exists:
            os.rename(final, product.with_name(product.name + ".old"))
        os.rename(product, final)
    elif error:
        raise OSError(error, os.strerror(error), str(final))
    sync_directory(final.parent)
