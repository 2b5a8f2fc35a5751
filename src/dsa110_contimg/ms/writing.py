"""Room for a Measurement Set, and casacore's errors while it is written, told as ours."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dsa110_contimg.config.logs import human_bytes
from dsa110_contimg.errors import DiskFullError, OutputError
from dsa110_contimg.ms.layout import tile_bytes
from dsa110_contimg.storage.files import allocate, output_errors

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from dsa110_contimg.ms.description import MsDescription

# A table is written in buckets of up to this size [bytes]: with less room the next one does not fit.
_BUCKET_BYTES = 1 << 18
# What the tables take apart from the bulk columns: so much, and so much a row; generously [bytes].
_TABLES_BYTES = 4 << 20
_ROW_BYTES = 256
# What the tables written last, weights and HISTORY among them, may grow by: so much, and so much a row [bytes].
_LAST_BYTES = 1 << 20
_LAST_ROW_BYTES = 64


def reserve_room(directory: Path, description: MsDescription, columns: Collection[str]) -> Path:
    """Ask a disk for the room that a Measurement Set needs, before casacore writes to it.

    casacore cannot be left to find out: on a full disk its tables throw where they are destroyed, and that ends the
    process.

    Parameters
    ----------
    directory : Path
        Where it will be.
    description : MsDescription
        What it will be.
    columns : collection of str
        Bulk columns that it may come to have.

    Returns
    -------
    Path
        A file that keeps room for the tables that are written last, whoever fills the disk meanwhile: to be removed
        before they are.

    Raises
    ------
    DiskFullError
        There is not so much room.
    """
    n_tiles = description.n_times * (description.n_channels // description.tile_channels)
    bulk = sum(n_tiles * tile_bytes(column, description) for column in columns)
    needed = bulk + _TABLES_BYTES + _ROW_BYTES * description.n_rows
    disk = os.statvfs(directory)
    free = disk.f_bavail * disk.f_frsize
    if free < needed:
        raise DiskFullError(
            f"no room left: {human_bytes(free)} are free where {human_bytes(needed)} may be needed",
            path=directory,
            remedy="free some space, then run the command again",
        )
    room = directory / "room"
    allocate(room, _LAST_BYTES + _LAST_ROW_BYTES * description.n_rows)
    return room


@contextmanager
def table_errors(path: Path) -> Iterator[None]:
    """Turn the errors of casacore and of the system while a Measurement Set is written into ours.

    casacore has one kind of error, and gives a wrong reason for a full disk; so the disk itself is asked.

    Parameters
    ----------
    path : Path
        The Measurement Set, in a directory that exists.

    Raises
    ------
    DiskFullError
        The file system is full.
    OutputError
        The tables cannot be written for another reason.
    """
    try:
        with output_errors(path):
            yield
    except RuntimeError as error:
        if type(error) is not RuntimeError:
            raise
        disk = os.statvfs(path.parent)
        if disk.f_bavail * disk.f_frsize < _BUCKET_BYTES or disk.f_favail == 0 < disk.f_files:
            raise DiskFullError(
                "no room left for its tables", path=path, remedy="free some space, then run the command again"
            ) from error
        raise OutputError(
            f"its tables cannot be written ({error})",
            path=path,
            remedy="check that the directory may be written and is mounted",
        ) from error
