"""What is staged: a record of each product on the scratch disk, and who is at work on it."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import struct
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import xxhash

from dsa110_contimg.errors import StagingError
from dsa110_contimg.storage.files import output_errors, sync_directory
from dsa110_contimg.storage.scratch_roots import make_scratch_root
from dsa110_contimg.storage.trees import Entry, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dsa110_contimg.storage.scratch_roots import Place, Roots

log = logging.getLogger(__name__)

_VERSION = 1
_LOCKS = "locks"
_FLOCK = "hhqqi4x"  # struct flock of 64-bit Linux


class Item(NamedTuple):
    """What a record keeps of an entry: what `trees.Entry` says of it, and of a file its checksum."""

    kind: Kind
    size: int
    mode: int
    mtime_ns: int
    leads_to: str
    checksum: str

    @classmethod
    def of(cls, entry: Entry, checksum: str = "") -> Item:
        """Make one of an entry."""
        return cls(entry.kind, entry.size, entry.mode, entry.mtime_ns, entry.leads_to, checksum)


class Record(NamedTuple):
    """The last time that the two copies of a product were the same.

    Attributes
    ----------
    path : str
        The product.
    staged_utc, archived_utc : str
        When it was copied here, and there; empty where it never was.
    items : dict
        Its entries, as they were in both places then.
    """

    path: str
    staged_utc: str
    archived_utc: str
    items: dict[str, Item]


def now_utc() -> str:
    """Give the time, to the second."""
    return datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


# -- records -----------------------------------------------------------------------------------------------------------


def record_path(place: Place) -> Path:
    """Say where the record of a product is."""
    return place.roots.records / f"{place.key}.json"


def journal_path(place: Place, verb: str) -> Path:
    """Say where the journal of an unfinished copy of a product is."""
    return place.roots.records / f"{place.key}.{verb}"


def read_record(path: Path) -> Record | None:
    """Read a record; None if there is none.

    Raises
    ------
    StagingError
        It is damaged.
    """
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        items = {name: Item(Kind(item[0]), *item[1:]) for name, item in said["items"].items()}
        return Record(said["path"], said["staged_utc"], said["archived_utc"], items)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise StagingError(
            f"is a damaged record ({error})", path=path, remedy="remove it: the next command makes a new one"
        ) from error


def read_records(roots: Roots) -> list[Record]:
    """Read all records, in the order of their paths."""
    found = (read_record(path) for path in sorted(roots.records.glob("*.json")))
    return sorted((record for record in found if record is not None), key=lambda record: record.path)


def write_record(place: Place, record: Record, path: Path | None = None, **more: Any) -> None:
    """Write a record, whole or not at all."""
    final = path or record_path(place)
    text = json.dumps({"version": _VERSION} | record._asdict() | more)
    unfinished = final.with_suffix(".part")
    with output_errors(final):
        with unfinished.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(final)
        sync_directory(final.parent)


# -- a product that is being put in its place --------------------------------------------------------------------------


def announce(place: Place, record: Record, product: Path, final: Path) -> None:
    """Write the record of a product that is about to get its name; it counts once that `has_its_name`."""
    status = product.lstat()
    where = {"final": os.fspath(final), "inode": [status.st_dev, status.st_ino]}
    write_record(place, record, journal_path(place, "next"), **where)


def has_its_name(place: Place) -> bool:
    """Whether the product that was announced last got its name; what was announced in vain is forgotten."""
    path = journal_path(place, "next")
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        status = os.lstat(said["final"])
        if [status.st_dev, status.st_ino] == said["inode"]:
            return True
    except (FileNotFoundError, ValueError):
        pass
    path.unlink(missing_ok=True)
    return False


def settle(place: Place) -> None:
    """Make the announced record the record."""
    path = journal_path(place, "next")
    with output_errors(path):
        path.replace(record_path(place))
        sync_directory(path.parent)


# -- who is at work ----------------------------------------------------------------------------------------------------


@contextmanager
def at_work(place: Place) -> Iterator[None]:
    """Have a product, and all that is in it, for oneself; wait for whoever else is at work on any of it.

    A byte of one file is locked for the product, and for reading one for each directory that it is in; the locks vanish
    with the process.

    Raises
    ------
    StagingError, OutputError
        The scratch disk is not there, or cannot be written.
    """
    make_scratch_root(place.roots)
    records = place.roots.records
    with output_errors(records):
        records.mkdir(exist_ok=True)
        fd = os.open(records / _LOCKS, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        for path in place.ancestors:
            _lock(fd, fcntl.F_RDLCK, path, place)
        _lock(fd, fcntl.F_WRLCK, place.path, place)
        yield
    finally:
        os.close(fd)


def is_at_work(roots: Roots, path: str) -> bool:
    """Whether another process is at work on a product."""
    try:
        fd = os.open(roots.records / _LOCKS, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        kind, *_ = struct.unpack(_FLOCK, fcntl.fcntl(fd, fcntl.F_OFD_GETLK, _flock(fcntl.F_WRLCK, path)))
    finally:
        os.close(fd)
    return bool(kind != fcntl.F_UNLCK)


def _lock(fd: int, kind: int, path: str, place: Place) -> None:
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _flock(kind, path))
    except BlockingIOError:
        log.info("waiting for another command that is at work on %s", place.path)
        fcntl.fcntl(fd, fcntl.F_OFD_SETLKW, _flock(kind, path))


def _flock(kind: int, path: str) -> bytes:
    byte = xxhash.xxh3_64(os.fsencode(path)).intdigest() >> 2
    return struct.pack(_FLOCK, kind, os.SEEK_SET, byte, 1, 0)
