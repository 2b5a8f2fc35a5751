"""Copying the files of trees: in parallel, checked, and going on where a killed copy stopped.

Files are copied in pieces. What was read is summed up (XXH3, 128 bits), written, read back from the system and summed
up again. A journal keeps the sums of pieces that are done; a later copy reads those pieces of the unfinished tree again
and copies none whose sum is right. The sum of a file is that of its piece, or of the sums of its pieces.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import xxhash

from dsa110_contimg.errors import OutputError, StagingError
from dsa110_contimg.storage.files import output_errors
from dsa110_contimg.storage.trees import (
    below,
    files_of,
    finish_directories,
    make_directories,
    reading_errors,
    scan,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from dsa110_contimg.storage.trees import Entry

PIECE_BYTES = 64 << 20
_BLOCK_BYTES = 4 << 20
_BATCH_BYTES = 16 << 20
_BATCH_PIECES = 64
_WRITE_SOON_BYTES = 1 << 20
_SYNC_FILE_RANGE_WRITE = 2
_NO_FALLOCATE = {errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}
_CREATE = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
_ZEROS = bytes(_BLOCK_BYTES)


class Piece(NamedTuple):
    """A part of a file."""

    name: str
    offset: int
    length: int


class Journal:
    """The sums of the pieces that are copied, kept in a file of one line each so that they outlive this process.

    Parameters
    ----------
    path : Path
        The file; it need not exist.
    what : str
        What is copied, for those who find the file.
    """

    def __init__(self, path: Path, what: str = "") -> None:
        self._path = path
        self._sums: dict[tuple[str, int, int, int, int], str] = {}
        if path.exists():
            for line in path.read_bytes().splitlines():
                try:
                    said = json.loads(line)
                except ValueError:
                    continue  # the line that was being written
                if isinstance(said, list):
                    *key, checksum = said
                    self._sums[tuple(key)] = checksum
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        os.write(self._fd, f"\n{json.dumps({'what': what})}\n".encode())  # on a new line, after a torn one

    def __len__(self) -> int:
        return len(self._sums)

    def sum_of(self, piece: Piece, entry: Entry) -> str | None:
        """Give the sum of a piece of a file as it is now, if it was copied."""
        return self._sums.get((piece.name, entry.size, entry.mtime_ns, entry.ctime_ns, piece.offset))

    def names(self) -> set[str]:
        """List the files of which anything was copied."""
        return {key[0] for key in self._sums}

    def add(self, done: Iterable[tuple[Piece, Entry, str]]) -> None:
        """Keep the sums of pieces."""
        lines = (
            json.dumps([piece.name, entry.size, entry.mtime_ns, entry.ctime_ns, piece.offset, checksum])
            for piece, entry, checksum in done
        )
        os.write(self._fd, "".join(f"{line}\n" for line in lines).encode())

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)

    def remove(self) -> None:
        """Forget everything."""
        self._path.unlink(missing_ok=True)


def journal_of(path: Path) -> str:
    """Read what a journal says is copied; nothing where it is not whole."""
    with path.open("rb") as file:
        for line in file:
            try:
                said = json.loads(line)
            except ValueError:
                continue
            if isinstance(said, dict):
                return str(said["what"])
    return ""


def copy_files(
    source: Path,
    target: Path,
    files: Mapping[str, Entry],
    *,
    workers: int,
    journal: Journal | None = None,
    progress: Callable[[int], object] = lambda nbytes: None,
) -> dict[str, str]:
    """Copy files of a tree into another in which their directories are.

    Parameters
    ----------
    source, target : Path
        The trees.
    files : mapping
        The files of `source`, by name, as `trees.scan` found them.
    workers : int
        Threads.
    journal : Journal, optional
        What was copied before, and where to keep what is.
    progress : callable
        Is told the bytes that are done.

    Returns
    -------
    dict
        Checksum of each file.

    Raises
    ------
    StagingError
        A file cannot be read, or changed meanwhile.
    OutputError
        A copy cannot be written, or is not what was written.
    """
    pieces = [piece for name, entry in files.items() for piece in pieces_of(name, entry.size)]
    copier = _Copier(source, target, files, journal, progress)
    long = [name for name, entry in files.items() if entry.size > PIECE_BYTES]
    for name in long:
        copier.prepare(name)
    sums = _in_parallel(copier.copy, _batches(pieces), workers)
    for name in long:
        copier.finish(name)
    return _file_sums(pieces, sums)


def copy_tree(source: Path, target: Path, workers: int | None = None) -> None:
    """Copy a file or a tree to where nothing is; see `copy_files`. Links may lead anywhere.

    Raises
    ------
    StagingError, OutputError
        As of `copy_files`.
    """
    tree = scan(source, [Path("/")])
    make_directories(tree, target)
    files = {name: tree[name] for name in files_of(tree)}
    copy_files(source, target, files, workers=workers or len(os.sched_getaffinity(0)))
    finish_directories(tree, target)


def sum_files(
    root: Path,
    files: Mapping[str, Entry],
    *,
    workers: int,
    from_disk: bool = False,
    progress: Callable[[int], object] = lambda nbytes: None,
) -> dict[str, str]:
    """Sum up files of a tree as `copy_files` does.

    Parameters
    ----------
    root : Path
        The tree.
    files : mapping
        Its files, by name.
    workers : int
        Threads.
    from_disk : bool
        Whether to flush each file, and to forget what the system's cache has of it, so that the disk itself is read.
    progress : callable
        Is told the bytes that are done.

    Raises
    ------
    StagingError
        A file cannot be read.
    """

    def work(batch: list[Piece]) -> list[tuple[Piece, str]]:
        buffer = memoryview(bytearray(min(_BLOCK_BYTES, max(piece.length for piece in batch) or 1)))
        done = []
        for piece in batch:
            path = below(root, piece.name)
            with reading_errors(path):
                fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
                try:
                    if from_disk:
                        os.fdatasync(fd)
                        os.posix_fadvise(fd, piece.offset, piece.length, os.POSIX_FADV_DONTNEED)
                    done.append((piece, _sum_piece(fd, piece, buffer) or ""))
                finally:
                    os.close(fd)
            progress(piece.length)
        return done

    pieces = [piece for name, entry in files.items() for piece in pieces_of(name, entry.size)]
    return _file_sums(pieces, _in_parallel(work, _batches(pieces), workers))


def pieces_of(name: str, size: int) -> list[Piece]:
    """Cut a file into pieces; an empty one is one empty piece."""
    return [Piece(name, at, min(PIECE_BYTES, size - at)) for at in range(0, max(size, 1), PIECE_BYTES)]


def sync_file_system(path: Path) -> None:
    """Flush all that was written on the file system of a path: for many files, quicker than one after the other.

    Raises
    ------
    OSError
        Something could not be written.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.syncfs(fd):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), os.fspath(path))
    finally:
        os.close(fd)


class _Copier:
    """Copies pieces; threads share it."""

    def __init__(
        self,
        source: Path,
        target: Path,
        files: Mapping[str, Entry],
        journal: Journal | None,
        progress: Callable[[int], object],
    ) -> None:
        self._source, self._target = os.fspath(source), os.fspath(target)
        self._files, self._journal, self._progress = files, journal, progress
        self._fresh = journal is None or len(journal) == 0
        self._as_root = os.geteuid() == 0
        self._owner = (os.geteuid(), os.getegid())
        self._libc = ctypes.CDLL(None)
        self._umask = _umask()
        self._local = threading.local()

    def prepare(self, name: str) -> None:
        """Make a file of several pieces as long as it will be, with room set aside."""
        entry, path = self._files[name], below(self._target, name)
        with output_errors(Path(path)):
            fd = os.open(path, _CREATE, 0o600)
            try:
                os.ftruncate(fd, entry.size)
                if not entry.sparse:
                    os.posix_fallocate(fd, 0, entry.size)
            except OSError as error:
                if error.errno not in _NO_FALLOCATE:
                    raise
            finally:
                os.close(fd)

    def finish(self, name: str) -> None:
        """Give a file of several pieces its owner, mode and times."""
        path = below(self._target, name)
        with output_errors(Path(path)):
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                self._attributes(fd, self._files[name])
            finally:
                os.close(fd)

    def copy(self, batch: list[Piece]) -> list[tuple[Piece, str]]:
        """Copy some pieces, and give the sum of each."""
        if not hasattr(self._local, "buffer"):
            self._local.buffer = memoryview(bytearray(_BLOCK_BYTES))
        done = []
        for piece in batch:
            try:
                done.append((piece, self._copy(piece, self._local.buffer)))
            except OSError:
                with output_errors(Path(below(self._target, piece.name))):
                    raise
            self._progress(piece.length)
        if self._journal is not None:
            self._journal.add((piece, self._files[piece.name], checksum) for piece, checksum in done)
        return done

    def _copy(self, piece: Piece, buffer: memoryview) -> str:
        entry, path = self._files[piece.name], below(self._source, piece.name)
        try:
            source = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError as error:
            raise _unreadable(path, error) from error
        try:
            mode = entry.mode & 0o777
            target = os.open(below(self._target, piece.name), _CREATE, mode | 0o600)
            try:
                checksum = None if self._fresh else self._done_before(piece, entry, target, buffer)
                if checksum is None:
                    checksum = self._write_piece(piece, entry, source, target, buffer)
                if entry.size <= PIECE_BYTES:
                    if entry.sparse or not self._fresh:
                        os.ftruncate(target, entry.size)
                    self._attributes(
                        target, entry, has_mode=self._fresh and entry.mode == (mode | 0o600) & ~self._umask
                    )
            finally:
                os.close(target)
        finally:
            os.close(source)
        return checksum

    def _done_before(self, piece: Piece, entry: Entry, target: int, buffer: memoryview) -> str | None:
        """Give the sum of a piece that a copy before this one left, if it is as that left it."""
        assert self._journal is not None, "a copy without one is always fresh"
        known = self._journal.sum_of(piece, entry)
        if known is None:
            return None
        return known if _sum_piece(target, piece, buffer) == known else None

    def _write_piece(self, piece: Piece, entry: Entry, source: int, target: int, buffer: memoryview) -> str:
        if piece.length == entry.size < _BLOCK_BYTES:
            return self._write_small(piece, entry, source, target, buffer)
        path = below(self._source, piece.name)
        read, written = xxhash.xxh3_128(), xxhash.xxh3_128()
        at, end = piece.offset, piece.offset + piece.length
        while at < end:
            block = buffer[: _read(source, buffer[: end - at], at, path)]
            if not block:
                raise _changed(path)
            read.update(block)
            if entry.sparse and self._fresh and block == _ZEROS[: len(block)]:
                written.update(block)  # a hole stays one
            else:
                _pwrite(target, block, at)
                if os.preadv(target, [block], at) == len(block):
                    written.update(block)
            at += len(block)
        checksum = read.hexdigest()
        if written.hexdigest() != checksum:
            raise _corrupted(below(self._target, piece.name))
        if piece.length >= _WRITE_SOON_BYTES and hasattr(self._libc, "sync_file_range"):
            # The disk can begin: there is less to wait for at the end. It is advice, so its answer is not asked.
            self._libc.sync_file_range(
                target, ctypes.c_int64(piece.offset), ctypes.c_int64(piece.length), _SYNC_FILE_RANGE_WRITE
            )
        return checksum

    def _write_small(self, piece: Piece, entry: Entry, source: int, target: int, buffer: memoryview) -> str:
        """Do the same for a file of less than a block, of which there are many."""
        path = below(self._source, piece.name)
        n = _read(source, buffer, 0, path)
        if n != entry.size:
            raise _changed(path)
        block = buffer[:n]
        checksum = xxhash.xxh3_128_hexdigest(block)
        if n:
            _pwrite(target, block, 0)
            if os.preadv(target, [block], 0) != n or xxhash.xxh3_128_hexdigest(block) != checksum:
                raise _corrupted(below(self._target, piece.name))
        return checksum

    def _attributes(self, fd: int, entry: Entry, *, has_mode: bool = False) -> None:
        if self._as_root and (entry.uid, entry.gid) != self._owner and entry.uid >= 0:
            os.fchown(fd, entry.uid, entry.gid)
            has_mode = False
        if not has_mode:
            os.fchmod(fd, entry.mode)
        os.utime(fd, ns=(entry.mtime_ns, entry.mtime_ns))


def _umask() -> int:
    """Say which permissions the system takes from new files; asking os.umask would change it for all threads."""
    for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("Umask:"):
            return int(line.split()[1], 8)
    return 0o777


def _read(fd: int, buffer: memoryview, at: int, path: str) -> int:
    try:
        return os.preadv(fd, [buffer], at)
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: str, error: OSError) -> StagingError:
    return StagingError(
        f"cannot be read ({error.strerror or error})",
        path=path,
        remedy="check that it is there, its permissions and its disk",
    )


def _corrupted(path: str) -> OutputError:
    return OutputError("does not hold what was written", path=path, remedy="check the disk")


def _changed(path: str) -> StagingError:
    return StagingError(
        "changed while it was copied", path=path, remedy="wait until nobody writes it, then run the command again"
    )


def _pwrite(fd: int, block: memoryview, at: int) -> None:
    while block:
        n = os.pwrite(fd, block, at)
        block, at = block[n:], at + n


def _sum_piece(fd: int, piece: Piece, buffer: memoryview) -> str | None:
    """Sum up a piece of an open file; None if the file ends before it does."""
    digest = xxhash.xxh3_128()
    at, end = piece.offset, piece.offset + piece.length
    while at < end:
        n = os.preadv(fd, [buffer[: end - at]], at)
        if n == 0:
            return None
        digest.update(buffer[:n])
        at += n
    return digest.hexdigest()


def _batches(pieces: list[Piece]) -> list[list[Piece]]:
    """Put small pieces together, so that a thread has some work before it asks for more."""
    batches: list[list[Piece]] = []
    room, places = 0, 0
    for piece in pieces:
        if room < piece.length or places == 0:
            batches.append([])
            room, places = _BATCH_BYTES, _BATCH_PIECES
        batches[-1].append(piece)
        room, places = room - piece.length, places - 1
    return batches


def _in_parallel(
    work: Callable[[list[Piece]], list[tuple[Piece, str]]], batches: list[list[Piece]], workers: int
) -> dict[Piece, str]:
    """Do all batches; the first error ends those that are not begun."""
    sums: dict[Piece, str] = {}
    with ThreadPoolExecutor(workers, thread_name_prefix="copy") as pool:
        try:
            for future in as_completed([pool.submit(work, batch) for batch in batches]):
                sums.update(future.result())
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return sums


def _file_sums(pieces: list[Piece], sums: Mapping[Piece, str]) -> dict[str, str]:
    by_file: dict[str, list[str]] = {}
    for piece in pieces:
        by_file.setdefault(piece.name, []).append(sums[piece])
    return {name: parts[0] if len(parts) == 1 else _sum_of_sums(parts) for name, parts in by_file.items()}


def _sum_of_sums(parts: list[str]) -> str:
    return xxhash.xxh3_128("".join(parts).encode()).hexdigest()
