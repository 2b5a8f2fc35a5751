"""The checks of one file's header, each a statement about what the correlator writes.

A failed one raises a `HeaderValueError` or an `UnknownAntennaError` that says what was found and what was expected.
"""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dsa110_contimg.errors import HeaderValueError, UnknownAntennaError
from dsa110_contimg.telescope.band import (
    CHANNEL_WIDTH_HZ,
    CHANNELS_PER_SUBBAND,
    POLARIZATIONS,
)
from dsa110_contimg.telescope.site import Site
from dsa110_contimg.telescope.stations import load_stations
from dsa110_contimg.uvh5.opening import NOT_OURS

Values = Mapping[str, NDArray[Any]]
Layout = Mapping[str, tuple[tuple[int, ...], np.dtype[np.generic]]]

_DAY_S = 86400.0
_TIME_TOLERANCE_S = 1e-3
_WIDTH_TOLERANCE_HZ = 1.0
_DEC_TOLERANCE_RAD = 5e-6
_DTYPES = {"visdata": np.dtype("<c8"), "flags": np.dtype(bool), "nsamples": np.dtype("<f4")}


class Rows(NamedTuple):
    """The columns that have one value a row (time x baseline), in the order of the file."""

    time_jd: NDArray[np.float64]
    integration_s: NDArray[np.float64]
    ant_1: NDArray[np.int64]
    ant_2: NDArray[np.int64]


def require(path: Path, holds: bool, otherwise: str) -> None:
    """Raise a `HeaderValueError` that says `otherwise`, unless the statement holds."""
    if not holds:
        raise HeaderValueError(otherwise, path=path, remedy=NOT_OURS)


def scalar(path: Path, key: str, value: NDArray[Any]) -> float:
    """Return the one number of a dataset."""
    require(path, value.size == 1, f"Header/{key} has {value.size} values, not one")
    number = float(value.ravel()[0])
    require(path, np.isfinite(number), f"Header/{key} is {number}")
    return number


def check_counts(path: Path, counts: Mapping[str, int]) -> None:
    """Nblts = Ntimes x Nbls, 48 channels, 2 polarizations."""
    require(path, counts["Nfreqs"] == CHANNELS_PER_SUBBAND, f"{counts['Nfreqs']} channels, not {CHANNELS_PER_SUBBAND}")
    require(path, counts["Npols"] == len(POLARIZATIONS), f"{counts['Npols']} polarizations, not {len(POLARIZATIONS)}")
    n_times, n_baselines, n_rows = counts["Ntimes"], counts["Nbls"], counts["Nblts"]
    require(
        path,
        n_times > 0 and n_baselines > 0 and n_times * n_baselines == n_rows,
        f"Nblts is {n_rows}, and Ntimes x Nbls is {n_times} x {n_baselines}",
    )


def check_data(path: Path, counts: Mapping[str, int], data: Layout) -> None:
    """Shape and type of the three data sets; the spectral-window axis of old UVH5 may be there or not."""
    new = (counts["Nblts"], CHANNELS_PER_SUBBAND, len(POLARIZATIONS))
    old = (counts["Nblts"], 1, CHANNELS_PER_SUBBAND, len(POLARIZATIONS))
    shape = data["visdata"][0]
    for key, (found, dtype) in data.items():
        require(path, found in {old, new}, f"Data/{key} has the shape {found}, not {old}")
        require(path, found == shape, f"Data/{key} has the shape {found}, and Data/visdata {shape}")
        require(path, dtype == _DTYPES[key], f"Data/{key} is {dtype}, not {_DTYPES[key]}")


def check_rows(path: Path, counts: Mapping[str, int], rows: Rows) -> None:
    """Rows are time-major: every integration has all baselines, in the same order."""
    n_times, n_baselines = counts["Ntimes"], counts["Nbls"]
    for key, column in zip(("time_array", "integration_time", "ant_1_array", "ant_2_array"), rows, strict=True):
        require(
            path, column.size == counts["Nblts"], f"Header/{key} has {column.size} values for {counts['Nblts']} rows"
        )
    times_jd = rows.time_jd.reshape(n_times, n_baselines)
    require(path, bool((times_jd == times_jd[:, :1]).all()), "the rows are not in the order of time, then baseline")
    for key, column in (("ant_1_array", rows.ant_1), ("ant_2_array", rows.ant_2)):
        by_time = column.reshape(n_times, n_baselines)
        require(path, bool((by_time == by_time[0]).all()), f"the baselines change between integrations ({key})")


def check_times(path: Path, times_mjd: NDArray[np.float64], integration_s: NDArray[np.float64]) -> None:
    """Check that integrations are equally long and follow each other without a gap."""
    length_s = float(integration_s[0])
    require(
        path,
        bool(integration_s.max() - integration_s.min() < _TIME_TOLERANCE_S),  # False for NaN
        "the integrations have different lengths",
    )
    steps_s = np.diff(times_mjd) * _DAY_S
    wrong = np.flatnonzero(~(np.abs(steps_s - length_s) < _TIME_TOLERANCE_S))
    if wrong.size:
        at = int(wrong[0])
        raise HeaderValueError(
            f"integration {at + 1} follows {steps_s[at]:.3f} s after the one before, and integrations last "
            f"{length_s:.3f} s",
            path=path,
            remedy=NOT_OURS,
        )


def check_channels(
    path: Path,
    freq_hz: NDArray[np.float64],
    width_hz: NDArray[Any],
    polarizations: NDArray[Any],
) -> None:
    """48 contiguous channels of 244.140625 kHz, up or down; polarizations XX and YY."""
    require(path, freq_hz.size == CHANNELS_PER_SUBBAND, f"{freq_hz.size} channels, not {CHANNELS_PER_SUBBAND}")
    found = tuple(int(p) for p in polarizations.ravel())
    require(path, found == POLARIZATIONS, f"polarizations {list(found)}, not {list(POLARIZATIONS)}")
    widths_hz = np.abs(width_hz.astype(np.float64)).ravel()
    require(
        path,
        bool((np.abs(widths_hz - CHANNEL_WIDTH_HZ) < _WIDTH_TOLERANCE_HZ).all()),
        f"channel_width is {widths_hz[0]} Hz, not {CHANNEL_WIDTH_HZ} Hz",
    )
    steps_hz = np.diff(freq_hz)
    contiguous = np.abs(steps_hz - np.sign(steps_hz[0]) * CHANNEL_WIDTH_HZ) < _WIDTH_TOLERANCE_HZ
    require(path, bool(contiguous.all()), "the channels are not contiguous")


def check_baselines(path: Path, ant_1: NDArray[np.int64], ant_2: NDArray[np.int64]) -> None:
    """No baseline twice in an integration, in either direction."""
    low, high = np.minimum(ant_1, ant_2), np.maximum(ant_1, ant_2)
    n_antennas = int(high.max()) + 1
    pairs, n_found = np.unique(low * n_antennas + high, return_counts=True)
    repeated = np.flatnonzero(n_found > 1)
    if repeated.size:
        a, b = divmod(int(pairs[repeated[0]]), n_antennas)
        raise HeaderValueError(
            f"the baseline of antennas {a} and {b} occurs {n_found[repeated[0]]} times in an integration",
            path=path,
            remedy=NOT_OURS,
        )


def check_antennas(
    path: Path,
    numbers: NDArray[np.int64],
    names: tuple[str, ...],
    ant_1: NDArray[np.int64],
    ant_2: NDArray[np.int64],
) -> None:
    """Every antenna of a baseline stands in the header's table, under the name of a station: its number + 1."""
    require(path, len(names) == numbers.size, f"{len(names)} antenna names for {numbers.size} antenna numbers")
    require(path, np.unique(numbers).size == numbers.size, "antenna_numbers has a number twice")
    name_of = dict(zip(numbers.tolist(), names, strict=True))
    stations = _station_names()
    for antenna in sorted({*ant_1.tolist(), *ant_2.tolist()}):
        name = name_of.get(antenna)
        if name is None:
            problem = f"antenna {antenna} is not in the header's antenna_numbers"
        elif name != str(antenna + 1):
            problem = f"antenna {antenna} is named {name!r}, and should be station {antenna + 1}"
        elif name not in stations:
            problem = f"antenna {antenna} is station {name!r}, which the array does not have"
        else:
            continue
        raise UnknownAntennaError(
            problem, path=path, remedy="See whether the array or the correlator's antenna table has changed."
        )


@functools.cache
def _station_names() -> frozenset[str]:
    return frozenset(load_stations().names)


def declination(path: Path, values: Values, text: Mapping[str, list[str]]) -> float:
    """Return the apparent declination of the phase centre [rad], after a look at all that the header says of it."""
    dec_rad = scalar(path, "extra_keywords/phase_center_dec", values["extra_keywords/phase_center_dec"])
    require(path, abs(dec_rad) <= np.pi / 2, f"phase_center_dec is {dec_rad} rad, beyond the pole")
    if "phase_center_app_dec" in values:
        other_rad = scalar(path, "phase_center_app_dec", values["phase_center_app_dec"])
        require(
            path,
            abs(other_rad - dec_rad) < _DEC_TOLERANCE_RAD,
            f"phase_center_dec is {np.degrees(dec_rad):.4f} deg, and phase_center_app_dec "
            f"{np.degrees(other_rad):.4f} deg",
        )
    if "extra_keywords/ha_phase_center" in values:
        ha_rad = scalar(path, "extra_keywords/ha_phase_center", values["extra_keywords/ha_phase_center"])
        require(path, ha_rad == 0.0, f"ha_phase_center is {ha_rad} rad, not the meridian")
    if "phase_type" in text:
        found = text["phase_type"][0].strip()
        require(path, found == "drift", f"phase_type is {found!r}, not 'drift'")
    return dec_rad


def site(path: Path, values: Values) -> Site:
    """Return where the header says the array stands."""
    latitude_deg, longitude_deg, height_m = (
        scalar(path, key, values[key]) for key in ("latitude", "longitude", "altitude")
    )
    require(
        path,
        abs(latitude_deg) <= 90 and abs(longitude_deg) <= 360,
        f"latitude {latitude_deg} and longitude {longitude_deg} deg are on no globe",
    )
    return Site(latitude_deg, longitude_deg, height_m)


def positions(path: Path, offsets_m: NDArray[Any], n_antennas: int) -> NDArray[np.float64]:
    """Return the antenna positions, ITRF offsets from the site, shape (n_antennas, 3) [m]."""
    require(
        path,
        offsets_m.shape == (n_antennas, 3),
        f"antenna_positions has the shape {offsets_m.shape}, not {(n_antennas, 3)}",
    )
    as_float = offsets_m.astype(np.float64)
    require(path, bool(np.isfinite(as_float).all()), "antenna_positions has values that are not finite")
    return as_float
