"""The starts of many files: read while the disk fetches the next, and kept until a file changes.

HDF5 has one lock for all threads, and threads that wait for it make it slower than one alone. So one thread reads, and
others fetch the headers of the files to come into memory (`probe`), which is most of the time on a cold disk.
"""

import json
import logging
import os
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from dsa110_contimg.errors import InputError
from dsa110_contimg.naming import parse_subband_name
from dsa110_contimg.uvh5.opening import FileStamp, probe
from dsa110_contimg.uvh5.start import StartInfo, read_start

log = logging.getLogger(__name__)

_READERS = 8
_CACHE_NAME = "subband-starts.json"
_CACHE_FORMAT = 1


def read_starts(
    paths: Iterable[Path], cache: "StartCache | None" = None, readers: int = _READERS
) -> dict[Path, StartInfo | InputError]:
    """Read many starts; a bad file's error stands in the place of its start.

    Parameters
    ----------
    paths
        Names of subband files.
    cache
        Where starts that were read before are kept, and new ones are put.
    readers
        Threads that wait for the disk.

    Returns
    -------
    dict
        One entry a path, in the order given.
    """
    cache = StartCache() if cache is None else cache
    paths = list(paths)
    with ThreadPoolExecutor(readers, thread_name_prefix="fetch-header") as pool:
        known = pool.map(cache.fetch, paths)
        return {path: _outcome(path, start, cache) for path, start in zip(paths, known, strict=True)}


def _outcome(path: Path, known: StartInfo | InputError | None, cache: "StartCache") -> StartInfo | InputError:
    if known is not None:
        return known
    try:
        return cache.read(path)
    except InputError as error:
        return error


class StartCache:
    """Starts that were read before, each good as long as its file keeps its size and time.

    Parameters
    ----------
    directory
        Where `save` keeps them between processes, in ``subband-starts.json``; None keeps them in memory only.
    max_entries
        The least recently used ones beyond this are forgotten.
    """

    def __init__(self, directory: Path | None = None, max_entries: int = 200_000) -> None:
        self._file = None if directory is None else Path(directory) / _CACHE_NAME
        self._max_entries = max_entries
        self._lock = threading.Lock()
        self._starts: OrderedDict[str, StartInfo] = OrderedDict()
        self._changed = False
        if self._file is not None:
            self._starts.update(_load(self._file))

    def __len__(self) -> int:
        return len(self._starts)

    def fetch(self, path: Path) -> StartInfo | InputError | None:
        """Return what is known of a file without HDF5; None once its header is in memory, ready to be read."""
        known = self._known(path)
        if known is not None:
            return known
        try:
            probe(path)
        except InputError as error:
            return error
        return None

    def read(self, path: str | os.PathLike[str]) -> StartInfo:
        """Return the start of a file, from memory if it has not changed since; errors as `read_start`."""
        path = Path(path)
        known = self._known(path)
        if known is not None:
            return known
        info = read_start(path)
        with self._lock:
            self._starts[os.path.abspath(path)] = info
            self._starts.move_to_end(os.path.abspath(path))
            while len(self._starts) > self._max_entries:
                self._starts.popitem(last=False)
            self._changed = True
        return info

    def _known(self, path: Path) -> StartInfo | None:
        key = os.path.abspath(path)
        with self._lock:
            start = self._starts.get(key)
            if start is None:
                return None
            self._starts.move_to_end(key)
        return start._replace(path=path) if (start.size_bytes, start.mtime_ns) == _size_and_mtime(path) else None

    def save(self) -> None:
        """Keep what is known for the next process; what other processes saved in the meantime is kept too.

        The cache only saves time: a directory that cannot be written is a warning.
        """
        if self._file is None or not self._changed:
            return
        with self._lock:
            merged = _load(self._file)
            merged.update(self._starts)
        kept = list(merged.items())[-self._max_entries :]
        document = {"format": _CACHE_FORMAT, "starts": {key: _to_json(info) for key, info in kept}}
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            _replace(self._file, json.dumps(document, separators=(",", ":")))
        except OSError as error:
            log.warning("cannot keep the cache of file starts in %s: %s", self._file, error)
        else:
            self._changed = False


def _size_and_mtime(path: Path) -> tuple[int, int] | None:
    try:
        stamp = FileStamp.of(path.stat())
    except OSError:
        return None  # `read_start` says what is wrong with it
    return stamp.size_bytes, stamp.mtime_ns


def _to_json(info: StartInfo) -> list[float | int]:
    return list(info[3:])


def _from_json(key: str, values: list[Any]) -> StartInfo:
    path = Path(key)
    name = parse_subband_name(path.name)
    start_mjd, integration_s, n_times, first_hz, last_hz, size_bytes, mtime_ns = values
    return StartInfo(
        path,
        name.subband,
        name.time,
        float(start_mjd),
        float(integration_s),
        int(n_times),
        float(first_hz),
        float(last_hz),
        int(size_bytes),
        int(mtime_ns),
    )


def _load(file: Path) -> dict[str, StartInfo]:
    """Read what was saved; a cache that is not ours or is damaged is a warning, and empty."""
    try:
        document = json.loads(file.read_bytes())
        if document["format"] != _CACHE_FORMAT:
            return {}
        return {key: _from_json(key, values) for key, values in document["starts"].items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        log.warning("the cache of file starts in %s cannot be read and is made anew: %r", file, error)
        return {}


def _replace(file: Path, text: str) -> None:
    """Write a file whole or not at all, whoever else writes it."""
    descriptor, temporary = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    try:
        with os.fdopen(descriptor, "w") as out:
            out.write(text)
        os.replace(temporary, file)
    except BaseException:
        os.unlink(temporary)
        raise
