"""Who has a casacore table locked, asked without locking it.

casacore locks bytes of a table's ``table.lock`` with fcntl(2): byte 0 for reading or writing, byte 1 for as long as the
table is open, byte 2 if it is locked for good. `F_GETLK` says whose lock would be in the way of ours and takes none.
Locks of this process itself do not count.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from pathlib import Path
from typing import NamedTuple

from dsa110_contimg.errors import TableLockedError
from dsa110_contimg.storage.trees import reading_errors

_LOCK_NAME = "table.lock"
_FLOCK = "hhqqi4x"  # struct flock of 64-bit Linux: type, whence, start, length, pid
_BYTES_LOCKED = 3
_NO_LOCKS_HERE = {errno.EINVAL, errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}


class TableLock(NamedTuple):
    """A lock that another process holds.

    Attributes
    ----------
    table : Path
        The table.
    pid : int
        The process; 0 or less where the system cannot say (on another machine, in another container).
    writing : bool
        Whether it may be writing.
    """

    table: Path
    pid: int
    writing: bool

    @property
    def holder(self) -> str:
        """The process in words, with its command where that can be seen."""
        try:
            command = Path(f"/proc/{self.pid}/comm").read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            command = ""
        return f"process {self.pid}" + (f" ({command})" if command else "")


def find_locks(root: Path) -> list[TableLock]:
    """List the tables of a tree that other processes have open or locked.

    Raises
    ------
    StagingError
        A lock file cannot be read.
    """
    found = []
    with reading_errors(root):
        for folder, _, names in os.walk(root):
            if _LOCK_NAME in names:
                lock = probe(Path(folder))
                if lock is not None:
                    found.append(lock)
    return found


def probe(table: Path) -> TableLock | None:
    """Say who has a table open or locked, if anybody has; writers first."""
    try:
        fd = os.open(table / _LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    try:
        # What is in the way of a reader is a writer; what is in the way of a writer is anybody.
        for wanted in (fcntl.F_RDLCK, fcntl.F_WRLCK):
            asked = struct.pack(_FLOCK, wanted, os.SEEK_SET, 0, _BYTES_LOCKED, 0)
            kind, _, _, _, pid = struct.unpack(_FLOCK, fcntl.fcntl(fd, fcntl.F_GETLK, asked))
            if kind != fcntl.F_UNLCK:
                return TableLock(table, pid, writing=kind == fcntl.F_WRLCK)
    except OSError as error:
        if error.errno not in _NO_LOCKS_HERE:
            raise
    finally:
        os.close(fd)
    return None


def refuse_writers(root: Path) -> None:
    """Refuse a tree with a table that another process is writing: a copy of it would be of no moment.

    Raises
    ------
    TableLockedError
        There is one; it is named.
    """
    _refuse([lock for lock in find_locks(root) if lock.writing])


def refuse_users(root: Path) -> None:
    """Refuse a tree with a table that another process has open: it is about to be replaced or removed.

    Raises
    ------
    TableLockedError
        There is one; it is named.
    """
    _refuse(find_locks(root))


def _refuse(locks: list[TableLock]) -> None:
    if locks:
        lock = locks[0]
        more = f", and {len(locks) - 1} more of its tables" if len(locks) > 1 else ""
        raise TableLockedError(
            f"is {'locked for writing' if lock.writing else 'open'} by {lock.holder}{more}",
            path=lock.table,
            remedy="close the table there, or end that process, then run the command again",
        )
