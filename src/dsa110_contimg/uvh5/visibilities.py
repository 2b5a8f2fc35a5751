"""Reading a subband's samples at the speed of the disk, one integration at a time.

The correlator leaves HDF5 its automatic chunks: thousands of uncompressed blocks of some kilobytes, which the library
reads one by one. Here their places in the file are looked up once, and their bytes are then read straight from it, in
runs as long as the file allows. Data sets in another layout (contiguous, compressed) are read through h5py.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import h5py
import numpy as np

from dsa110_contimg.errors import FileChangedError, TruncatedFileError, UnreadableFileError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import NDArray

    from dsa110_contimg.uvh5.header import SubbandHeader

_DATASETS = (("visdata", np.complex64), ("flags", np.bool_), ("nsamples", np.float32))
_COPY_AGAIN = "copy the file again from the correlator"


class Samples(NamedTuple):
    """Rows of one data set, in the blocks of its file.

    Sample of row r, channel c and polarization p, with ``q = r + skip``: ``values[q // rows_per_block * block_stride +
    q % rows_per_block * row_stride + offsets[c, p]]``.

    Attributes
    ----------
    values : 1-d ndarray
        The blocks; valid until the next read.
    skip : int
        Rows before the first one wanted.
    rows_per_block, block_stride, row_stride : int
        Steps in ``values``.
    offsets : (48, 2) int64
        Places of channel (ascending in frequency) and polarization in a row's block.
    """

    values: NDArray[Any]
    skip: int
    rows_per_block: int
    block_stride: int
    row_stride: int
    offsets: NDArray[np.int64]


class Integration(NamedTuple):
    """All samples of one integration of a subband: complex64, bool and float32."""

    visdata: Samples
    flags: Samples
    nsamples: Samples


class SampleReader:
    """One data set of a subband file (visdata, flags or nsamples), read by rows in its own blocks.

    Parameters
    ----------
    dataset : h5py.Dataset
        Shape (rows, ..., 48, 2).
    dtype : type
        Of the samples that are wanted.
    fd : int
        Descriptor of the same file.
    ascending : bool
        Whether the file's channels ascend in frequency.
    """

    def __init__(self, dataset: h5py.Dataset, dtype: type[np.generic], fd: int, *, ascending: bool) -> None:
        self._dataset = dataset
        self._dtype = np.dtype(dtype)
        self._fd = fd
        self._memory = np.empty(0, self._dtype)
        self.n_rows = int(dataset.shape[0])
        n_chan, n_pol = dataset.shape[-2:]
        self._blocks = _block_addresses(dataset) if dataset.dtype == self._dtype else None
        if self._blocks is None:
            rows, chans, pols = self.n_rows, n_chan, n_pol
        else:
            rows, chans, pols = dataset.chunks[0], dataset.chunks[-2], dataset.chunks[-1]
        # Blocks at an edge are stored whole, so a block's strides do not depend on where it is.
        chan, pol = np.meshgrid(np.arange(n_chan), np.arange(n_pol), indexing="ij")
        block = (chan // chans) * -(-n_pol // pols) + pol // pols
        offsets = (block * rows * chans * pols + (chan % chans) * pols + pol % pols).astype(np.int64)
        self.offsets = offsets if ascending else np.ascontiguousarray(offsets[::-1])
        self.rows_per_block = rows
        self.row_stride = chans * pols
        self.block_stride = -(-n_chan // chans) * -(-n_pol // pols) * rows * chans * pols

    def read(self, first: int, n_rows: int) -> Samples:
        """Read rows.

        Raises
        ------
        OSError
            They cannot be read.
        EOFError
            The file ends before they do.
        """
        values, skip = self._read_blocks(first, n_rows)
        return Samples(values, skip, self.rows_per_block, self.block_stride, self.row_stride, self.offsets)

    def _read_blocks(self, first: int, n_rows: int) -> tuple[NDArray[Any], int]:
        if self._blocks is None:
            rows = self._dataset[first : first + n_rows]
            return np.ascontiguousarray(rows, self._dtype).reshape(-1), 0
        block = first // self.rows_per_block
        n_blocks = -(-(first + n_rows) // self.rows_per_block) - block
        buffer = self._buffer(n_blocks * self.block_stride)
        addresses = self._blocks[block : block + n_blocks].ravel()
        nbytes = self.rows_per_block * self.row_stride * buffer.itemsize
        raw = buffer.view(np.uint8)
        # Runs of blocks that follow one another in the file as they do in the buffer are one read each.
        breaks = np.flatnonzero(np.diff(addresses) != nbytes) + 1
        for start, stop in zip([0, *breaks.tolist()], [*breaks.tolist(), addresses.size], strict=True):
            part = raw[start * nbytes : stop * nbytes]
            if addresses[start] < 0:  # never written: the fill value, which is zero
                part[:] = 0
            else:
                _read_exactly(self._fd, part, int(addresses[start]))
        return buffer, first - block * self.rows_per_block

    def _buffer(self, size: int) -> NDArray[Any]:
        """Return the reader's own memory: fresh pages from the system cost more than reading into them."""
        if self._memory.size < size:
            self._memory = np.empty(size, self._dtype)
        return self._memory[:size]


class SubbandReader:
    """The three sample data sets of one subband file, open for reading; a context manager.

    Parameters
    ----------
    header : SubbandHeader
        As `read_header` gave it; a file that is no longer the one it describes is refused.

    Raises
    ------
    FileChangedError
        The file was replaced or changed since its header was read.
    UnreadableFileError
        It cannot be opened.
    """

    def __init__(self, header: SubbandHeader) -> None:
        self._header = header
        self._path = header.path
        try:
            self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise _unreadable(self._path, error) from error
        try:
            self.check_unchanged()
            self._file = h5py.File(self._path, "r", locking=False)
            data = self._file["Data"]
            self._parts = [
                SampleReader(data[name], dtype, self._fd, ascending=header.ascending) for name, dtype in _DATASETS
            ]
        except (OSError, KeyError, RuntimeError, ValueError) as error:
            os.close(self._fd)
            if isinstance(error, FileChangedError):
                raise
            raise _unreadable(self._path, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        os.close(self._fd)

    def read_integration(self, index: int) -> Integration:
        """Read one integration.

        Raises
        ------
        TruncatedFileError
            The file ends before the integration does.
        UnreadableFileError
            The disk or the file system fails.
        """
        n = self._header.n_baselines
        try:
            return Integration(*(part.read(index * n, n) for part in self._parts))
        except EOFError as error:
            raise TruncatedFileError(f"ends inside integration {index}", path=self._path, remedy=_COPY_AGAIN) from error
        except (OSError, RuntimeError) as error:
            raise _unreadable(self._path, error) from error

    def check_unchanged(self) -> None:
        """Raise `FileChangedError` unless the open file is still as its header was read."""
        now = os.fstat(self._fd)
        header = self._header
        if (now.st_size, now.st_mtime_ns, now.st_ino) != (header.size_bytes, header.mtime_ns, header.inode):
            raise FileChangedError(
                "changed while it was read", path=self._path, remedy="convert the group again when its writer is done"
            )


def _unreadable(path: Path, error: Exception) -> UnreadableFileError:
    return UnreadableFileError(f"cannot be read ({error})", path=path, remedy=f"check the disk, or {_COPY_AGAIN}")


def _block_addresses(dataset: h5py.Dataset) -> NDArray[np.int64] | None:
    """Byte addresses of a data set's chunks, shape (row blocks, blocks a row); -1 where none was written.

    None where the bytes are not the samples: compressed, or not in chunks.
    """
    chunks = dataset.chunks
    if chunks is None or dataset.id.get_create_plist().get_nfilters() > 0:
        return None
    grid = [-(-size // chunk) for size, chunk in zip(dataset.shape, chunks, strict=True)]
    addresses = np.full(grid, -1, dtype=np.int64)
    found: list[Any] = []
    dataset.id.chunk_iter(found.append)
    if len(found) == addresses.size and found == sorted(found):
        # Every chunk is there, and in order: nothing needs looking up.
        addresses.ravel()[:] = [chunk.byte_offset for chunk in found]
    elif found:
        places = np.array([chunk.chunk_offset for chunk in found]) // chunks
        addresses[tuple(places.T)] = [chunk.byte_offset for chunk in found]
    return addresses.reshape(grid[0], -1)


def _read_exactly(fd: int, target: NDArray[np.uint8], offset: int) -> None:
    """Fill target from the file at offset; EOFError where the file is too short."""
    view = memoryview(target)  # type: ignore[arg-type]
    while view:
        n = os.preadv(fd, [view], offset)
        if n == 0:
            raise EOFError
        view = view[n:]
        offset += n
