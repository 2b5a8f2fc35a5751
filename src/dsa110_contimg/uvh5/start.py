"""What grouping needs of a subband file: when its data start, and which channels it has.

Two of a few dozen header datasets are read, in under a millisecond. HDF5 has one lock for all threads, so
threads gain only the time in which the disk fetches the headers (`probe`), which is most of it when nothing is cached.
"""

import json
import logging
import math
import os
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from dsa110_contimg.errors import (
    BogusTimeError,
    HeaderValueError,
    InputError,
    NamingError,
    OffGridError,
)
from dsa110_contimg.naming import group_id_from_mjd, parse_subband_name
from dsa110_contimg.telescope.band import CHANNELS_PER_SUBBAND, subband_frequencies_hz, subband_of
from dsa110_contimg.uvh5.opening import NOT_OURS, FileStamp, open_dataset, open_subband, probe, read_numbers

log = logging.getLogger(__name__)

MAX_NAME_OFFSET_S = 120.0
"""A name further than this from the start of its data means that one of the two is wrong."""

_MJD_OF_JD_0 = 2400000.5
_MJD_EPOCH = datetime(1858, 11, 17, tzinfo=UTC)
_DAY_S = 86400.0
_MAX_INTEGRATION_S = 600.0
_READERS = 8
_CACHE_NAME = "subband-starts.json"
_CACHE_FORMAT = 1


class StartInfo(NamedTuple):
    """The start of one subband file.

    Attributes
    ----------
    path : Path
    subband : int
        From the name, 0 to 15.
    name_time : datetime
        From the name: the clock of the host that opened the file (UTC).
    start_mjd : float
        Start of the first integration [MJD, UTC]: its mid-time less half an integration.
    integration_s : float
        Length of the first integration [s].
    n_times : int
    first_freq_hz, last_freq_hz : float
        Channel centres in the order of the file [Hz].
    size_bytes, mtime_ns : int
        Of the file, when it was read.
    """

    path: Path
    subband: int
    name_time: datetime
    start_mjd: float
    integration_s: float
    n_times: int
    first_freq_hz: float
    last_freq_hz: float
    size_bytes: int
    mtime_ns: int


def mjd_of(time: datetime) -> float:
    """Modified Julian Date of an aware time [MJD, UTC]."""
    return (time - _MJD_EPOCH).total_seconds() / _DAY_S


def read_start(path: str | os.PathLike[str]) -> StartInfo:
    """Read when a subband file starts, and its first and last channel.

    Nothing is judged here: see `check_start`.

    Raises
    ------
    NamingError
        The name is not that of a whole subband file.
    InputError
        The file cannot be read, or lacks one of the keys.
    """
    path = Path(path)
    name = parse_subband_name(path.name)
    with open_subband(path) as (file, stamp):
        mid_jd = _first(file, path, "time_array")
        integration_s = _first(file, path, "integration_time")
        n_times = _first(file, path, "Ntimes")
        freq_hz = _all(file, path, "freq_array", CHANNELS_PER_SUBBAND)
    start_mjd = (mid_jd - _MJD_OF_JD_0) - integration_s / 2 / _DAY_S
    first_hz, last_hz = float(freq_hz[0]), float(freq_hz[-1])
    size_bytes, mtime_ns, _ = stamp
    return StartInfo(
        path, name.subband, name.time, start_mjd, integration_s, int(n_times), first_hz, last_hz, size_bytes, mtime_ns
    )


def check_start(info: StartInfo) -> None:
    """Judge a start against the file's name and the telescope's frequency grid.

    Raises
    ------
    BogusTimeError
        Name and data are more than 120 s apart.
    OffGridError
        The channels are not those of the subband in the name.
    HeaderValueError
        The integration time cannot be.
    """
    if not 0 < info.integration_s < _MAX_INTEGRATION_S:
        raise HeaderValueError(
            f"Header/integration_time is {info.integration_s} s",
            path=info.path,
            remedy=NOT_OURS,
        )
    offset_s = (mjd_of(info.name_time) - info.start_mjd) * _DAY_S
    if not abs(offset_s) <= MAX_NAME_OFFSET_S:
        raise BogusTimeError(
            f"the name says {info.name_time:%Y-%m-%dT%H:%M:%S} and the data start at {_utc_text(info.start_mjd)}",
            path=info.path,
            remedy="Look after the correlator's time server; the data cannot be placed on the sky.",
        )
    highest_hz = max(info.first_freq_hz, info.last_freq_hz)
    expected_hz = float(subband_frequencies_hz(info.subband)[0])
    try:
        subband: int | None = subband_of(highest_hz)
    except (ValueError, OverflowError):
        subband = None
    if subband != info.subband:
        of = "which is on no subband's grid" if subband is None else f"which is sb{subband:02d}'s"
        raise OffGridError(
            f"its highest channel is {highest_hz / 1e6:.6f} MHz, {of}; "
            f"sb{info.subband:02d} begins at {expected_hz / 1e6:.6f} MHz",
            path=info.path,
            remedy="Look after the host that wrote it, and move the file away.",
        )


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


def _first(file: h5py.File, path: Path, key: str) -> float:
    """Return the first number of a header dataset, reading no more than its first chunk."""
    dataset = open_dataset(file, path, f"Header/{key}")
    shape = dataset.shape
    if 0 in shape:
        raise HeaderValueError(f"Header/{key} is empty", path=path, remedy=NOT_OURS)
    if not shape:
        return float(read_numbers(dataset))
    space = dataset.get_space()
    space.select_hyperslab((0,) * len(shape), (1,) * len(shape))
    value = np.empty(1)
    dataset.read(h5py.h5s.create_simple((1,)), space, value)
    return float(value[0])


def _all(file: h5py.File, path: Path, key: str, size: int) -> NDArray[Any]:
    """Return a header dataset of `size` numbers, flat."""
    dataset = open_dataset(file, path, f"Header/{key}")
    found = math.prod(dataset.shape)
    if found != size:
        raise HeaderValueError(f"Header/{key} has {found} values, and a subband has {size}", path=path, remedy=NOT_OURS)
    return read_numbers(dataset).ravel()


def _utc_text(mjd: float) -> str:
    try:
        text = group_id_from_mjd(mjd)
    except NamingError:
        return f"MJD {mjd}"
    return f"{text} (MJD {mjd:.5f})"


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
