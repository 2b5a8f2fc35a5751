"""One daemon a ledger: a lock that dies with its holder, and says who that is."""

import fcntl
import json
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from dsa110_contimg.errors import LedgerLockedError, LedgerPlaceError


class Owner(NamedTuple):
    """Who holds, or last held, the lock."""

    owner: str
    pid: int
    host: str
    since_utc: datetime

    def __str__(self) -> str:
        return f"{self.owner}, process {self.pid} on {self.host}, since {self.since_utc:%Y-%m-%dT%H:%M:%SZ}"


def lock_path(ledger: Path) -> Path:
    """Name the file that is locked; it stays when the lock goes."""
    return ledger.with_name(ledger.name + ".lock")


@contextmanager
def lock(ledger: Path, owner: str) -> Iterator[Owner]:
    """Own a ledger for a while.

    Raises
    ------
    LedgerLockedError
        Somebody else does; the message names them.
    """
    path = lock_path(ledger)
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise LedgerPlaceError(f"cannot be locked ({error.strerror})", path=path) from error
    try:
        if not _try_lock(fd):
            raise LedgerLockedError(
                f"the ledger is owned by {_read(path) or 'a process that is just starting'}",
                path=ledger,
                remedy="One daemon is enough; stop that one first (dsa110-contimg drain).",
            )
        me = Owner(owner, os.getpid(), platform.node(), datetime.now(UTC))
        text = json.dumps(me._asdict() | {"since_utc": me.since_utc.isoformat()}).encode()
        os.ftruncate(fd, 0)
        os.pwrite(fd, text, 0)
        yield me
    finally:
        os.close(fd)


def owner_of(ledger: Path) -> Owner | None:
    """Say who owns a ledger now; None if nobody does."""
    path = lock_path(ledger)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(path)
    finally:
        os.close(fd)
    return None


def _try_lock(fd: int) -> bool:
    """Lock, unless somebody holds the lock for longer than `owner_of` needs to look."""
    for _ in range(5):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.05)
        else:
            return True
    return False


def _read(path: Path) -> Owner | None:
    try:
        said: dict[str, Any] = json.loads(path.read_text())
        since = datetime.fromisoformat(said.pop("since_utc"))
        return Owner(**said, since_utc=since)
    except (OSError, ValueError, TypeError, KeyError):
        return None
