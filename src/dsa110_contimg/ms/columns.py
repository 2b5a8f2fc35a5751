"""Reading and writing the columns of a Measurement Set by integrations or by tiles, never a whole column.

Bulk columns that lie in tiles of one integration, as ours do (see `ms.layout`), are read from their storage files;
all others through casacore, which is slower and gives the same. A Measurement Set is one regular grid here: the same
baselines at every time, in the same order.
"""

from __future__ import annotations

import os
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import casacore.tables as ct
import numpy as np

from dsa110_contimg.errors import MeasurementSetError
from dsa110_contimg.ms.information import MsInfo, pointing_dec_rad, read_info
from dsa110_contimg.ms.layout import BULK_COLUMNS, add_bulk_column
from dsa110_contimg.ms.writing import table_errors
from dsa110_contimg.storage.files import output_errors

if TYPE_CHECKING:
    from types import TracebackType

    from numpy.typing import NDArray

__all__ = ["MsInfo", "OpenMs", "pointing_dec_rad", "read_block", "read_info", "read_uvw", "write_block"]

_DTYPES = {"complex": np.dtype(np.complex64), "float": np.dtype(np.float32), "boolean": np.dtype(np.bool_)}


class _Tiles(NamedTuple):
    """The open storage file of a column: (baselines, channels, correlations) a tile, channel tiles running fastest."""

    fd: int
    dtype: np.dtype[Any]
    shape: tuple[int, int, int]
    n_blocks: int

    @property
    def n_bytes(self) -> int:
        """Size of a tile; one of bits ends on a whole byte."""
        samples = self.shape[0] * self.shape[1] * self.shape[2]
        return -(-samples // 8) if self.dtype == np.bool_ else samples * self.dtype.itemsize


class OpenMs:
    """A Measurement Set to be read or written; a context manager. Several threads may share it.

    Parameters
    ----------
    path : Path
        The Measurement Set.
    writable : bool
        Whether its columns may be written; nobody else should then have it open.

    Attributes
    ----------
    path : Path
        The Measurement Set.
    info : MsInfo
        Its axes.

    Raises
    ------
    MeasurementSetError
        It cannot be read, or is not one regular grid.
    """

    def __init__(self, path: Path, *, writable: bool = False) -> None:
        self.path = Path(path)
        self.info = read_info(self.path)
        self._writable = writable
        self._files = ExitStack()
        self._tiled: dict[str, _Tiles | None] = {}
        self._lock = threading.RLock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the storage files."""
        self._files.close()
        self._tiled.clear()

    @property
    def n_blocks(self) -> int:
        """Number of the blocks of channels that `read_tile` reads."""
        return self.info.n_channels // self.info.tile_channels

    def block_channels(self, block: int) -> slice:
        """Channels of a block."""
        size = self.info.tile_channels
        return slice(block * size, (block + 1) * size)

    def has(self, column: str) -> bool:
        """Whether there is such a column, with something in it."""
        with self._table() as table:
            return column in table.colnames() and bool(table.iscelldefined(column, 0))

    def is_tiled(self, column: str) -> bool:
        """Whether `read_tile` reads the column from its storage file, not through casacore."""
        tiles = self._tiles(column)
        return tiles is not None and tiles.n_blocks == self.n_blocks

    def add(self, column: str) -> None:
        """Add a bulk column of zeros, tiled, unless it is there.

        Raises
        ------
        DiskFullError
            There is no room for it.
        """
        if not self.has(column):
            with self._lock:
                self._tiled.pop(column, None)
                with table_errors(self.path):
                    add_bulk_column(self.path, column, self.info)

    def read(self, column: str, first_time: int, n_times: int = 1) -> NDArray[Any]:
        """Read some integrations of a column.

        Parameters
        ----------
        column : str
            Any column of the main table.
        first_time, n_times : int
            Which integrations.

        Returns
        -------
        (n_times, B, ...) ndarray
            Cells, as (C, P) for a bulk column.

        Raises
        ------
        MeasurementSetError
            There is no such column, or it cannot be read.
        """
        tiles = self._tiles(column)
        if tiles is None:
            return self._getcol(column, first_time, n_times)
        n_baselines, size, n_corr = tiles.shape
        values = np.empty((n_times, n_baselines, tiles.n_blocks, size, n_corr), tiles.dtype)
        for k in range(n_times):
            for block in range(tiles.n_blocks):
                values[k, :, block] = self._read(tiles, first_time + k, block)
        return values.reshape(n_times, n_baselines, -1, n_corr)

    def read_baselines(self, column: str, baselines: slice) -> NDArray[Any]:
        """Read all integrations of some neighbouring baselines of a column.

        Parameters
        ----------
        column : str
            Any column of the main table.
        baselines : slice
            From which baseline to which, both given.

        Returns
        -------
        (T, baselines, ...) ndarray
            Cells, as (C, P) for a bulk column.

        Raises
        ------
        MeasurementSetError
            There is no such column, or it cannot be read.
        """
        first, count = baselines.start, baselines.stop - baselines.start
        if not 0 <= first < first + count <= self.info.n_baselines:
            raise IndexError(f"baselines {first} to {first + count} of {self.info.n_baselines}")
        tiles = self._tiles(column)
        if tiles is None:
            times = [self._getcol(column, time, 1, baselines) for time in range(self.info.n_times)]
            return np.concatenate(times)
        _, size, n_corr = tiles.shape
        values = np.empty((self.info.n_times, count, tiles.n_blocks, size, n_corr), tiles.dtype)
        for time in range(self.info.n_times):
            for block in range(tiles.n_blocks):
                values[time, :, block] = self._read_part(tiles, time, block, baselines)
        return values.reshape(self.info.n_times, count, -1, n_corr)

    def write(self, column: str, first_time: int, values: NDArray[Any]) -> None:
        """Write some integrations of a column that is there.

        Parameters
        ----------
        column : str
            ``FLAG``, ``CORRECTED_DATA`` or any other.
        first_time : int
            The first of the integrations.
        values : (n_times, B, ...) ndarray
            Cells.

        Raises
        ------
        OutputError
            It cannot be written.
        """
        cell = (self.info.n_baselines, self.info.n_channels, len(self.info.correlations))
        if column in BULK_COLUMNS and values.shape[1:] != cell:
            raise ValueError(f"an integration of {column} has shape {cell}, not {values.shape[1:]}")
        tiles = self._tiles(column)
        if tiles is None:
            self._putcol(column, first_time, values)
            return
        for k, integration in enumerate(values):
            for block in range(tiles.n_blocks):
                channels = slice(block * tiles.shape[1], (block + 1) * tiles.shape[1])
                self._write(tiles, first_time + k, block, integration[:, channels])

    def read_tile(self, column: str, time: int, block: int) -> NDArray[Any]:
        """Read one integration of a block of channels of a bulk column, shape (B, channels, P)."""
        tiles = self._tiles(column)
        if tiles is not None and tiles.n_blocks == self.n_blocks:
            return self._read(tiles, time, block)
        channels = self.block_channels(block)
        with self._lock, self._table() as table:
            corner = [channels.stop - 1, len(self.info.correlations) - 1]
            rows = (time * self.info.n_baselines, self.info.n_baselines)
            return table.getcolslice(column, [channels.start, 0], corner, [], *rows)

    def write_tile(self, column: str, time: int, block: int, values: NDArray[Any]) -> None:
        """Write one integration of a block of channels of a bulk column, shape (B, channels, P)."""
        tiles = self._tiles(column)
        if tiles is not None and tiles.n_blocks == self.n_blocks:
            self._write(tiles, time, block, values)
            return
        channels = self.block_channels(block)
        with self._lock, table_errors(self.path), self._table(readonly=False) as table:
            corner = [channels.stop - 1, len(self.info.correlations) - 1]
            rows = (time * self.info.n_baselines, self.info.n_baselines)
            table.putcolslice(column, values, [channels.start, 0], corner, [], *rows)

    def sync(self) -> None:
        """Flush what was written into storage files to the disk."""
        for tiles in self._tiled.values():
            if tiles is not None:
                with output_errors(self.path):
                    os.fsync(tiles.fd)

    def _tiles(self, column: str) -> _Tiles | None:
        """Find and open the storage file of a bulk column; None if it lies otherwise than ours."""
        with self._lock:
            if column not in self._tiled:
                self._tiled[column] = self._open_tiles(column) if column in BULK_COLUMNS else None
            return self._tiled[column]

    def _open_tiles(self, column: str) -> _Tiles | None:
        info = self.info
        with self._table() as table:
            if column not in table.colnames() or table.endianformat() != "little":
                return None
            dtype = _DTYPES.get(table.coldatatype(column))
            managers = [m for m in table.getdminfo().values() if list(m["COLUMNS"]) == [column]]
        if dtype is None or len(managers) != 1 or managers[0]["TYPE"] != "TiledColumnStMan":
            return None
        cubes = list(managers[0]["SPEC"]["HYPERCUBES"].values())
        file = self.path / f"table.f{managers[0]['SEQNR']}_TSM0"
        if len(cubes) != 1:
            return None
        n_corr, size, n_baselines = (int(n) for n in cubes[0]["TileShape"])
        expected = [len(info.correlations), info.n_channels, info.n_times * info.n_baselines]
        lies_as_ours = n_corr == expected[0] and n_baselines == info.n_baselines and info.n_channels % size == 0
        if list(cubes[0]["CubeShape"]) != expected or not lies_as_ours or not file.is_file():
            return None
        tiles = _Tiles(-1, dtype, (n_baselines, size, n_corr), info.n_channels // size)
        if file.stat().st_size < info.n_times * tiles.n_blocks * tiles.n_bytes:
            raise MeasurementSetError("is shorter than its data", path=file, remedy="convert the group again")
        try:
            fd = os.open(file, (os.O_RDWR if self._writable else os.O_RDONLY) | os.O_CLOEXEC)
        except OSError as error:
            raise MeasurementSetError(f"cannot be opened ({error.strerror})", path=file) from error
        self._files.callback(os.close, fd)
        return tiles._replace(fd=fd)

    def _read(self, tiles: _Tiles, time: int, block: int) -> NDArray[Any]:
        buffer = self._read_bytes(tiles, time, block, 0, tiles.n_bytes)
        if tiles.dtype == np.bool_:
            count = tiles.shape[0] * tiles.shape[1] * tiles.shape[2]
            return np.unpackbits(buffer, count=count, bitorder="little").view(np.bool_).reshape(tiles.shape)
        return buffer.view(tiles.dtype).reshape(tiles.shape)

    def _read_part(self, tiles: _Tiles, time: int, block: int, baselines: slice) -> NDArray[Any]:
        """Read some baselines of a tile; of bits a whole one, unless each baseline ends on a whole byte."""
        row = tiles.shape[1] * tiles.shape[2]
        if tiles.dtype == np.bool_ and row % 8:
            return self._read(tiles, time, block)[baselines]
        row_bytes = row // 8 if tiles.dtype == np.bool_ else row * tiles.dtype.itemsize
        count = baselines.stop - baselines.start
        buffer = self._read_bytes(tiles, time, block, baselines.start * row_bytes, count * row_bytes)
        if tiles.dtype == np.bool_:
            buffer = np.unpackbits(buffer, bitorder="little")
        return buffer.view(tiles.dtype).reshape(count, *tiles.shape[1:])

    def _read_bytes(self, tiles: _Tiles, time: int, block: int, first: int, count: int) -> NDArray[np.uint8]:
        """Read some bytes of a tile."""
        self._check(time)
        buffer = np.empty(count, np.uint8)
        done, offset = 0, (time * tiles.n_blocks + block) * tiles.n_bytes + first
        while done < buffer.size:
            n = os.preadv(tiles.fd, [buffer[done:].data], offset + done)
            if n == 0:
                raise MeasurementSetError("ends before its data do", path=self.path, remedy="convert the group again")
            done += n
        return buffer

    def _write(self, tiles: _Tiles, time: int, block: int, values: NDArray[Any]) -> None:
        self._check(time)
        if values.shape != tiles.shape:
            raise ValueError(f"a tile has shape {tiles.shape}, not {values.shape}")
        values = np.ascontiguousarray(values, dtype=tiles.dtype)
        packed = np.packbits(values, bitorder="little") if tiles.dtype == np.bool_ else values.reshape(-1)
        view = memoryview(packed.view(np.uint8).data)
        offset = (time * tiles.n_blocks + block) * tiles.n_bytes
        with output_errors(self.path):
            while view:
                n = os.pwrite(tiles.fd, view, offset)
                view, offset = view[n:], offset + n

    def _check(self, time: int) -> None:
        if not 0 <= time < self.info.n_times:
            raise IndexError(f"integration {time} of {self.info.n_times}")

    def _getcol(self, column: str, first_time: int, n_times: int, baselines: slice | None = None) -> NDArray[Any]:
        """Read some integrations through casacore; of one integration, perhaps only some baselines."""
        self._check(first_time)
        self._check(first_time + n_times - 1)
        n_baselines = self.info.n_baselines
        first, count = first_time * n_baselines, n_times * n_baselines
        if baselines is not None:
            first, count = first + baselines.start, baselines.stop - baselines.start
        with self._lock, self._table() as table:
            if column not in table.colnames():
                raise MeasurementSetError(f"has no column {column}", path=self.path)
            try:
                values = table.getcol(column, first, count)
            except RuntimeError as error:
                raise MeasurementSetError(f"column {column} cannot be read ({error})", path=self.path) from error
        return np.asarray(values).reshape(n_times, -1, *np.shape(values)[1:])

    def _putcol(self, column: str, first_time: int, values: NDArray[Any]) -> None:
        n_times, n_baselines = values.shape[:2]
        self._check(first_time)
        self._check(first_time + n_times - 1)
        with self._lock, table_errors(self.path), self._table(readonly=False) as table:
            rows = values.reshape(n_times * n_baselines, *values.shape[2:])
            table.putcol(column, rows, first_time * n_baselines, n_times * n_baselines)

    def _table(self, *, readonly: bool = True) -> ct.table:
        """Open the main table for a moment: one left open keeps other processes out."""
        if not readonly and not self._writable:
            raise ValueError(f"{self.path} was opened to be read only")
        return ct.table(str(self.path), readonly=readonly, ack=False)


def read_block(ms: Path | OpenMs, column: str, first_time: int, n_times: int = 1) -> NDArray[Any]:
    """Read some integrations of a column, shape (n_times, B, ...): see `OpenMs.read`."""
    if isinstance(ms, OpenMs):
        return ms.read(column, first_time, n_times)
    with OpenMs(ms) as opened:
        return opened.read(column, first_time, n_times)


def read_uvw(ms: Path | OpenMs, first_time: int, n_times: int = 1) -> NDArray[np.float64]:
    """Read r[ANTENNA1] - r[ANTENNA2] of some integrations in the frame of the phase centre [m], (n_times, B, 3)."""
    return read_block(ms, "UVW", first_time, n_times)


def write_block(ms: Path | OpenMs, column: str, first_time: int, values: NDArray[Any]) -> None:
    """Write some integrations of a column, values (n_times, B, ...); a bulk column that is missing is added."""
    if not isinstance(ms, OpenMs):
        with OpenMs(ms, writable=True) as opened:
            write_block(opened, column, first_time, values)
        return
    if column in BULK_COLUMNS:
        ms.add(column)
    ms.write(column, first_time, values)
