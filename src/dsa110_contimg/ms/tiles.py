"""Writing and reading the bulk columns of a Measurement Set tile by tile, straight in casacore's storage files.

A TiledColumnStMan file holds the tiles of one column one after another, the channel tiles of the first time first.
Within a tile the correlation runs fastest, then the channel, then the baseline; booleans are bits, the lowest first
(casacore's `Conversion::boolToBit`), and a tile of bits ends on a whole byte. Disjoint tiles may be written by
several threads at once.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Self

import casacore.tables as ct

from dsa110_contimg.errors import MeasurementSetError
from dsa110_contimg.ms.layout import tile_bytes
from dsa110_contimg.storage.files import output_errors

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import NDArray

    from dsa110_contimg.ms.description import MsDescription


class TileFile:
    """The storage file of one bulk column, open for writing; a context manager.

    Parameters
    ----------
    path : Path
        The Measurement Set, which nobody else has open.
    column : str
        A bulk column that `create_ms` laid out.
    description : MsDescription
        What it was laid out for.
    """

    def __init__(self, path: Path, column: str, description: MsDescription) -> None:
        self._path = bulk_file(path, column)
        self._tile_bytes = tile_bytes(column, description)
        self._tiles_a_time = description.n_channels // description.tile_channels
        with output_errors(self._path):
            self._fd = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)

    def write(self, time: int, block: int, tile: NDArray[Any]) -> None:
        """Write the tile of a time (index) and a block of channels (index, ascending in frequency).

        Parameters
        ----------
        time, block : int
            Which tile.
        tile : contiguous ndarray
            Its bytes: (baselines, channels, correlations) of the column's type, or packed bits.

        Raises
        ------
        DiskFullError
            The disk is full.
        """
        if tile.nbytes != self._tile_bytes:
            raise ValueError(f"a tile of {self._path} has {self._tile_bytes} bytes, not {tile.nbytes}")
        view = memoryview(tile.reshape(-1).view("u1").data)
        offset = (time * self._tiles_a_time + block) * self._tile_bytes
        with output_errors(self._path):
            while view:
                n = os.pwrite(self._fd, view, offset)
                view = view[n:]
                offset += n

    def sync(self) -> None:
        """Flush what was written to the disk."""
        with output_errors(self._path):
            os.fdatasync(self._fd)


def bulk_file(path: Path, column: str) -> Path:
    """Return the storage file of a bulk column.

    Raises
    ------
    MeasurementSetError
        The column is not in a tiled file of its own.
    """
    with ct.table(str(path), ack=False) as ms:
        for manager in ms.getdminfo().values():
            if list(manager["COLUMNS"]) == [column] and manager["TYPE"] == "TiledColumnStMan":
                return path / f"table.f{manager['SEQNR']}_TSM0"
    raise MeasurementSetError(
        f"column {column} is not in a tiled file of its own", path=path, remedy="convert the group again"
    )
