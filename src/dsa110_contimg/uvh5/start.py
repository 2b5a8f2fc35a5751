"""What grouping needs of a subband file: when its data start, and which channels it has.

Four of a few dozen header datasets are read, in a millisecond. For many files see `start_cache`.
"""

import math
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from dsa110_contimg.errors import (
    BogusTimeError,
    HeaderValueError,
    NamingError,
    OffGridError,
)
from dsa110_contimg.naming import group_id_from_mjd, parse_subband_name
from dsa110_contimg.telescope.band import CHANNELS_PER_SUBBAND, subband_frequencies_hz, subband_of
from dsa110_contimg.uvh5.opening import NOT_OURS, open_dataset, open_subband, read_numbers

MAX_NAME_OFFSET_S = 120.0
"""A name further than this from the start of its data means that one of the two is wrong."""

_MJD_OF_JD_0 = 2400000.5
_MJD_EPOCH = datetime(1858, 11, 17, tzinfo=UTC)
_DAY_S = 86400.0
_MAX_INTEGRATION_S = 600.0


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
    if not (n_times >= 1 and n_times.is_integer()):
        raise HeaderValueError(f"Header/Ntimes is {n_times}", path=path, remedy=NOT_OURS)
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
