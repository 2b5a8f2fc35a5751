"""Opening a subband file for reading, and every way in which that fails.

Files are opened read-only and without HDF5's locks, which FUSE and NFS do not have. Whatever HDF5 says about a bad
file leaves here as an `InputError` that names the file and what to do.
"""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from dsa110_contimg.errors import HeaderKeyError, InputError, NotHDF5Error, TruncatedFileError, UnreadableFileError

COPY_AGAIN = "Copy it again from where it was written, or leave it out."
"""What to do about a file that was damaged on its way."""
NOT_OURS = "Look after the host that wrote it, and move the file away."
"""What to do about a file that is whole, but not as the correlator writes them."""

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_SUPERBLOCK_BYTES = 48
_HEAD_BYTES = 65536
"""The header's datasets of one start time lie in the first 60 kB of the telescope's files."""


class FileStamp(NamedTuple):
    """What changes when a file is replaced or cut.

    Attributes
    ----------
    size_bytes : int
    mtime_ns : int
        Time of the last change of the contents [ns since 1970].
    inode : int
    """

    size_bytes: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> "FileStamp":
        """Take the three figures out of a `stat` result."""
        return cls(status.st_size, status.st_mtime_ns, status.st_ino)


def probe(path: Path) -> FileStamp:
    """See whether a file can be opened and is a whole HDF5 file, without the HDF5 library.

    Its first 64 kB are read, outside HDF5's global lock: called from several threads it brings the headers of many
    files into memory at once.

    Raises
    ------
    UnreadableFileError
        No permission, vanished, a dangling link, not a regular file, an I/O error.
    NotHDF5Error
        It does not begin as HDF5 does.
    TruncatedFileError
        It is shorter than its superblock says.
    """
    return _inspect(path)[0]


@contextmanager
def open_subband(path: Path) -> Iterator[tuple[h5py.File, FileStamp]]:
    """Open a subband file; an HDF5 error inside the block becomes an `InputError`.

    Keep only reading in the block: a ValueError, KeyError, TypeError, OSError or RuntimeError there is taken for damage
    to the file.

    Raises
    ------
    InputError
        As `probe`; further `UnreadableFileError` for damage that HDF5 finds, and `TruncatedFileError` where it finds
        that the file ends too early.
    """
    stamp, stored_end = _inspect(path)
    try:
        with h5py.File(path, "r", locking=False) as file:
            if stored_end != stamp.size_bytes:
                _require_all_chunks(path, file, stamp.size_bytes)
            yield file, stamp
    except InputError:
        raise
    except (OSError, KeyError, RuntimeError, ValueError, TypeError, MemoryError) as error:
        raise _explain(error, path) from error


def open_dataset(file: h5py.File, path: Path, key: str) -> h5py.h5d.DatasetID:
    """Open ``Header/...`` or ``Data/...`` through h5py's low-level interface, twice as fast as its own.

    Raises
    ------
    HeaderKeyError
        The file has no such dataset.
    """
    try:
        return h5py.h5d.open(file.id, key.encode())
    except KeyError as error:
        if key in file:
            raise
        raise HeaderKeyError(f"{key} is missing", path=path, remedy=COPY_AGAIN) from error


def read_numbers(dataset: h5py.h5d.DatasetID) -> NDArray[Any]:
    """Read a whole numeric dataset, in its own type; a TypeError for any other."""
    dtype = dataset.dtype
    if dtype.kind not in "iuf":
        raise TypeError(f"{dtype} where numbers should be")
    values = np.empty(dataset.shape, dtype)
    dataset.read(h5py.h5s.ALL, h5py.h5s.ALL, values)
    return values


def _inspect(path: Path) -> tuple[FileStamp, int | None]:
    """Return the file's stamp and the end that its superblock gives (None where that is not at the beginning)."""
    try:
        # Without O_NONBLOCK a named pipe would wait for its writer for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise UnreadableFileError(
                    "not a regular file", path=path, remedy="Move it away: its name is that of a subband file."
                )
            head = os.pread(descriptor, _HEAD_BYTES, 0)
        finally:
            os.close(descriptor)
    except InputError:
        raise
    except OSError as error:
        raise _explain(error, path) from error
    stamp = FileStamp.of(status)
    if head[:8] == _SIGNATURE[: len(head)] and len(head) < _SUPERBLOCK_BYTES:
        raise TruncatedFileError(f"the file ends after {len(head)} bytes", path=path, remedy=COPY_AGAIN)
    if not any(head.startswith(_SIGNATURE, at) for at in (0, 512, 1024, 2048, 4096)):
        raise NotHDF5Error("not an HDF5 file", path=path, remedy="Move it away, or copy the subband file again.")
    stored_end = _stored_end(head)
    if stored_end is not None and stored_end > stamp.size_bytes:
        raise TruncatedFileError(
            f"the file ends after {stamp.size_bytes} of {stored_end} bytes", path=path, remedy=COPY_AGAIN
        )
    return stamp, stored_end


def _stored_end(head: bytes) -> int | None:
    """End of the file as its superblock gives it [bytes] (HDF5 File Format Specification 3.0, II.A)."""
    if not head.startswith(_SIGNATURE):
        return None
    version = head[8]
    # The place of "end of file address" for each version, and of the size of the addresses.
    where = {0: (40, 13), 1: (44, 13), 2: (28, 9), 3: (28, 9)}.get(version)
    if where is None or head[where[1]] != 8:
        return None
    return int.from_bytes(head[where[0] : where[0] + 8], "little")


def _require_all_chunks(path: Path, file: h5py.File, size_bytes: int) -> None:
    """Compare the end of every chunk with the file's.

    A superblock that gives the file's own end vouches for every chunk; one that a dying writer left behind does not.
    HDF5 compares the end of a dataset without chunks itself.
    """
    ends = [0]
    for name in ("Data/visdata", "Data/flags", "Data/nsamples"):
        if name not in file:
            continue  # for whoever needs it to complain
        dataset = open_dataset(file, path, name)
        if dataset.get_create_plist().get_layout() == h5py.h5d.CHUNKED:
            dataset.chunk_iter(lambda chunk: ends.append(chunk.byte_offset + chunk.size))
    if max(ends) > size_bytes:
        raise TruncatedFileError(
            f"the file ends after {size_bytes} of at least {max(ends)} bytes", path=path, remedy=COPY_AGAIN
        )


def _explain(error: Exception, path: Path) -> InputError:
    """Say in our words what the operating system or HDF5 found."""
    if isinstance(error, FileNotFoundError):
        return UnreadableFileError(
            "the file vanished, or is a link that leads nowhere", path=path, remedy="See who moved it, and list again."
        )
    if isinstance(error, PermissionError):
        return UnreadableFileError(
            "no permission to read", path=path, remedy="Make it readable for the user that runs the pipeline."
        )
    text = str(error)
    code = _error_number(error, text)
    if code is not None:
        return UnreadableFileError(
            f"cannot be read ({os.strerror(code)})",
            path=path,
            remedy="Look after the disk or the mount, and try again.",
        )
    if "truncated" in text or "addr overflow" in text:
        return TruncatedFileError("the file ends before its data do", path=path, remedy=COPY_AGAIN)
    return UnreadableFileError(f"its HDF5 structure is damaged ({_first_line(text)})", path=path, remedy=COPY_AGAIN)


def _error_number(error: Exception, text: str) -> int | None:
    """Return the system's error number, also where HDF5 hides it in its message."""
    if isinstance(error, OSError) and error.errno:
        return error.errno
    found = re.search(r"errno = (\d+)", text)
    return int(found[1]) or None if found else None


def _first_line(text: str) -> str:
    return text.strip("'\"").splitlines()[0][:200] if text else "no details"
