"""The header of one subband file: everything but the visibilities, read once and checked.

Required keys (UVH5, Hazelton et al., as the DSA-110 writes it), in ``Header``: Nbls, Nblts, Ntimes, Nfreqs, Npols,
time_array, integration_time, ant_1_array, ant_2_array, antenna_numbers, antenna_names, antenna_positions, freq_array,
channel_width, polarization_array, latitude, longitude, altitude; in ``Header/extra_keywords``: phase_center_dec; in
``Data``: visdata, flags, nsamples. Old files may lack the others: antenna_diameters (then 4.65 m), applied_delays_ns,
phase_center_app_dec, ha_phase_center, phase_type, telescope_name, instrument, object_name, history.
"""

import math
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import h5py
import numpy as np
from numpy.typing import NDArray

from dsa110_contimg.errors import HeaderKeyError, HeaderValueError
from dsa110_contimg.naming import parse_subband_name
from dsa110_contimg.telescope.band import DISH_DIAMETER_M
from dsa110_contimg.telescope.site import Site
from dsa110_contimg.uvh5 import header_checks as checks
from dsa110_contimg.uvh5.opening import NOT_OURS, FileStamp, open_dataset, open_subband, read_numbers
from dsa110_contimg.uvh5.start import StartInfo, check_start

_DAY_S = 86400.0
_MJD_OF_JD_0 = 2400000.5
_MAX_BYTES = 100_000_000  # a hundred times a full header; damage can claim far more than there is
_T = TypeVar("_T", bound=np.generic)
_INTEGER = "iu"
_NUMERIC = "iuf"
_TEXT = "SUO"

_COUNTS = ("Nblts", "Nbls", "Ntimes", "Nfreqs", "Npols")
_REQUIRED = {
    **dict.fromkeys(_COUNTS, _INTEGER),
    **dict.fromkeys(("ant_1_array", "ant_2_array", "antenna_numbers", "polarization_array"), _INTEGER),
    **dict.fromkeys(("time_array", "integration_time", "freq_array", "channel_width"), _NUMERIC),
    **dict.fromkeys(("antenna_positions", "latitude", "longitude", "altitude"), _NUMERIC),
    "extra_keywords/phase_center_dec": _NUMERIC,
    "antenna_names": _TEXT,
}
_OPTIONAL = {
    **dict.fromkeys(("antenna_diameters", "phase_center_app_dec", "extra_keywords/ha_phase_center"), _NUMERIC),
    **dict.fromkeys(("telescope_name", "instrument", "object_name", "history", "phase_type"), _TEXT),
    "extra_keywords/applied_delays_ns": _TEXT,
    # Not extra_keywords/phase_center_epoch: the only text of variable length, and HDF5 can loop for ever over a damaged
    # heap of those. The hour angle says as much.
}


@dataclass(frozen=True, eq=False)
class SubbandHeader:
    """What one subband file says of itself, its rows unfolded into integrations x baselines.

    Attributes
    ----------
    path : Path
    subband : int
        From the name, 0 to 15; the channels agree with it.
    name_time : datetime
        From the name (UTC).
    stamp : FileStamp
        Size, time and inode of the file when its header was read.
    times_mjd : (n_times,) float64
        Mid-times of the integrations, the bits of the file's Julian Dates [MJD, UTC].
    integration_s : float
        Length of an integration, as the file gives it [s].
    ant_1, ant_2 : (n_baselines,) int64
        Antenna numbers (station - 1), in the file's order, the same in each integration.
    freq_hz : (48,) float64
        Channel centres in the file's order, descending from the correlator [Hz].
    channel_width_hz : float
        Positive [Hz].
    dec_rad : float
        Apparent declination of the phase centre (hour angle 0) [rad].
    site : Site
        The header's own.
    antenna_numbers : (n_antennas,) int64
    antenna_names : tuple of str
    antenna_itrf_m : (n_antennas, 3) float64
        Absolute ITRF positions: the site plus the file's offsets [m].
    diameters_m : (n_antennas,) float64
    polarizations : (2,) int64
        AIPS codes: -5, -6.
    data_shape : tuple of int
        Of ``Data/visdata``: (Nblts, 1, 48, 2), or (Nblts, 48, 2) in later UVH5.
    applied_delays_ns : str
        The correlator's delays as the file gives them, one for each antenna and polarization [ns]; may be empty.
    telescope_name, instrument, object_name, history : str
        As the file gives them; may be empty.
    """

    path: Path
    subband: int
    name_time: datetime
    stamp: FileStamp
    times_mjd: NDArray[np.float64]
    integration_s: float
    ant_1: NDArray[np.int64]
    ant_2: NDArray[np.int64]
    freq_hz: NDArray[np.float64]
    channel_width_hz: float
    dec_rad: float
    site: Site
    antenna_numbers: NDArray[np.int64]
    antenna_names: tuple[str, ...]
    antenna_itrf_m: NDArray[np.float64]
    diameters_m: NDArray[np.float64]
    polarizations: NDArray[np.int64]
    data_shape: tuple[int, ...]
    applied_delays_ns: str
    telescope_name: str
    instrument: str
    object_name: str
    history: str

    @property
    def size_bytes(self) -> int:
        """Size of the file [bytes]."""
        return self.stamp.size_bytes

    @property
    def mtime_ns(self) -> int:
        """When the file last changed [ns since 1970]."""
        return self.stamp.mtime_ns

    @property
    def inode(self) -> int:
        """Inode of the file."""
        return self.stamp.inode

    @property
    def n_times(self) -> int:
        """Number of integrations."""
        return self.times_mjd.size

    @property
    def n_baselines(self) -> int:
        """Number of baselines, autocorrelations among them."""
        return self.ant_1.size

    @property
    def start_mjd(self) -> float:
        """Start of the first integration [MJD, UTC]."""
        return float(self.times_mjd[0]) - self.integration_s / 2 / _DAY_S

    @property
    def ascending(self) -> bool:
        """Whether the channels ascend in frequency; the correlator's descend."""
        return bool(self.freq_hz[0] < self.freq_hz[-1])


def read_header(path: str | os.PathLike[str]) -> SubbandHeader:
    """Read and check the header of a subband file; no visibility is read.

    Raises
    ------
    NamingError
        The name is not that of a whole subband file.
    NotHDF5Error, TruncatedFileError, UnreadableFileError
        The file cannot be read.
    HeaderKeyError
        A required key is missing.
    HeaderValueError
        Polarizations, channels, shapes, row order, times or declination that the correlator does not write.
    BogusTimeError
        The name and the data are more than 120 s apart.
    OffGridError
        The channels are not those of the subband in the name.
    UnknownAntennaError
        A baseline of an antenna without a station.
    """
    path = Path(path)
    name = parse_subband_name(path.name)
    raw = _read_raw(path)
    values, text = raw.values, raw.text

    counts = {key: int(checks.scalar(path, key, values[key])) for key in _COUNTS}
    checks.check_counts(path, counts)
    checks.check_data(path, counts, raw.data)
    rows = checks.Rows(*(values[k].ravel() for k in ("time_array", "integration_time", "ant_1_array", "ant_2_array")))
    checks.check_rows(path, counts, rows)
    n_times, n_baselines = counts["Ntimes"], counts["Nbls"]
    times_mjd = rows.time_jd[::n_baselines] - _MJD_OF_JD_0
    integration_s = float(rows.integration_s[0])
    freq_hz = values["freq_array"].ravel().astype(np.float64)
    checks.check_channels(path, freq_hz, values["channel_width"], values["polarization_array"])
    start_mjd = float(times_mjd[0]) - integration_s / 2 / _DAY_S
    first_hz, last_hz = float(freq_hz[0]), float(freq_hz[-1])
    size_bytes, mtime_ns, _ = raw.stamp
    check_start(
        StartInfo(
            path, name.subband, name.time, start_mjd, integration_s, n_times, first_hz, last_hz, size_bytes, mtime_ns
        )
    )
    checks.check_times(path, times_mjd, rows.integration_s)
    dec_rad = checks.declination(path, values, text)
    ant_1 = rows.ant_1[:n_baselines].astype(np.int64)
    ant_2 = rows.ant_2[:n_baselines].astype(np.int64)
    numbers = values["antenna_numbers"].ravel().astype(np.int64)
    names = tuple(label.strip() for label in text["antenna_names"])
    checks.check_antennas(path, numbers, names, ant_1, ant_2)
    checks.check_baselines(path, ant_1, ant_2)
    site = checks.site(path, values)
    offsets_m = checks.positions(path, values["antenna_positions"], numbers.size)
    diameters_m = values.get("antenna_diameters", np.full(numbers.size, DISH_DIAMETER_M)).ravel().astype(np.float64)
    checks.require(path, diameters_m.size == numbers.size, "antenna_diameters has not one value an antenna")
    return SubbandHeader(
        path=path,
        subband=name.subband,
        name_time=name.time,
        stamp=raw.stamp,
        times_mjd=_frozen(times_mjd),
        integration_s=integration_s,
        ant_1=_frozen(ant_1),
        ant_2=_frozen(ant_2),
        freq_hz=_frozen(freq_hz),
        channel_width_hz=abs(float(values["channel_width"].flat[0])),
        dec_rad=dec_rad,
        site=site,
        antenna_numbers=_frozen(numbers),
        antenna_names=names,
        antenna_itrf_m=_frozen(site.itrf_m + offsets_m),
        diameters_m=_frozen(diameters_m),
        polarizations=_frozen(values["polarization_array"].ravel().astype(np.int64)),
        data_shape=raw.data["visdata"][0],
        applied_delays_ns=_one(text, "extra_keywords/applied_delays_ns"),
        telescope_name=_one(text, "telescope_name"),
        instrument=_one(text, "instrument"),
        object_name=_one(text, "object_name"),
        history=_one(text, "history"),
    )


@dataclass
class _Raw:
    """A header as it stands in the file: numbers, texts, and shape and type of the data."""

    stamp: FileStamp
    values: dict[str, NDArray[Any]]
    text: dict[str, list[str]]
    data: dict[str, tuple[tuple[int, ...], np.dtype[np.generic]]]


def _read_raw(path: Path) -> _Raw:
    with open_subband(path) as (file, stamp):
        raw = _Raw(stamp, {}, {}, {})
        for key, kinds in (_REQUIRED | _OPTIONAL).items():
            try:
                dataset = open_dataset(file, path, f"Header/{key}")
            except HeaderKeyError:
                if key in _REQUIRED:
                    raise
                continue
            shape, dtype = dataset.shape, dataset.dtype
            if dtype.kind not in kinds or not 0 < math.prod(shape) * dtype.itemsize < _MAX_BYTES:
                raise HeaderValueError(f"Header/{key} is {dtype} of the shape {shape}", path=path, remedy=NOT_OURS)
            if kinds == _TEXT:
                raw.text[key] = [_decode(item) for item in np.asarray(h5py.Dataset(dataset)[()]).ravel()]
            else:
                raw.values[key] = read_numbers(dataset)
        for key in ("visdata", "flags", "nsamples"):
            dataset = open_dataset(file, path, f"Data/{key}")
            raw.data[key] = (dataset.shape, dataset.dtype)
    return raw


def _decode(item: object) -> str:
    return item.decode("utf-8", "replace") if isinstance(item, bytes) else str(item)


def _one(text: dict[str, list[str]], key: str) -> str:
    return text[key][0].strip() if key in text else ""


def _frozen(array: NDArray[_T]) -> NDArray[_T]:
    array.flags.writeable = False
    return array
