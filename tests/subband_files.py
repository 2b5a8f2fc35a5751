"""A small writer of valid subband files, independent of the package: the truth of the tests of reading.

Three antennas, a few integrations, everything else in the telescope's own layout. What a test wants to be wrong it
changes afterwards, in the file.
"""

import functools
from datetime import UTC, datetime, timedelta
from pathlib import Path

import h5py
import numpy as np

INTEGRATION_S = 12.884902000427246
GROUP_S = 24 * 12.884901888
START = datetime(2025, 10, 5, 12, 30, tzinfo=UTC)
DEC_RAD = np.radians(54.57)
BASELINES = ((23, 23), (102, 23), (23, 98), (102, 102), (98, 102), (98, 98))
"""Antenna numbers, in an order as unsorted as the correlator's."""
TOP_MHZ = 1498.6431884765625
CHANNEL_MHZ = 0.244140625


def jd(time: datetime) -> float:
    """Julian Date of a time."""
    return 2440587.5 + time.timestamp() / 86400.0


def path_of(directory: Path, subband: int, time: datetime = START, suffix: str = ".hdf5") -> Path:
    """Path of a subband file whose name says this time."""
    return directory / f"{time:%Y-%m-%dT%H:%M:%S}_sb{subband:02d}{suffix}"


def frequencies_hz(subband: int) -> np.ndarray:
    """Channel centres of a subband, descending."""
    return (TOP_MHZ - CHANNEL_MHZ * (48 * subband + np.arange(48))) * 1e6


def write_subband(
    path: Path,
    subband: int,
    start: datetime = START,
    n_times: int = 2,
    seed: int | None = None,
    baselines: tuple[tuple[int, int], ...] = BASELINES,
) -> Path:
    """Write a valid subband file whose first integration begins at `start`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_subband(subband, start, n_times, subband if seed is None else seed, baselines))
    return path


@functools.lru_cache(maxsize=200)
def _subband(subband: int, start: datetime, n_times: int, seed: int, baselines: tuple[tuple[int, int], ...]) -> bytes:
    rng = np.random.default_rng(seed)
    n_baselines = len(baselines)
    n_rows = n_times * n_baselines
    mid_jd = np.array([jd(start + timedelta(seconds=INTEGRATION_S * (i + 0.5))) for i in range(n_times)])
    ant_1, ant_2 = np.array(baselines).T
    shape = (n_rows, 1, 48, 2)
    with h5py.File("in memory", "w", driver="core", backing_store=False) as file:
        header = file.create_group("Header")
        header["latitude"], header["longitude"], header["altitude"] = 37.2334051, -118.283, 1188.0519
        header["telescope_name"], header["instrument"] = np.bytes_(b"OVRO_MMA"), np.bytes_(b"DSA")
        header["object_name"], header["history"] = np.bytes_(b"search"), np.bytes_(b"written by a test")
        header["phase_type"], header["phase_center_app_dec"] = np.bytes_(b"drift"), DEC_RAD
        header["Nants_data"], header["Nants_telescope"] = len({a for b in baselines for a in b}), 117
        header["Nbls"], header["Nblts"], header["Ntimes"] = n_baselines, n_rows, n_times
        header["Nfreqs"], header["Npols"], header["Nspws"] = 48, 2, 1
        header["antenna_diameters"] = np.full(117, 4.65)
        header["antenna_names"] = np.array([str(i + 1) for i in range(117)], "S4")
        header["antenna_numbers"] = np.arange(117)
        header["antenna_positions"] = np.stack([np.arange(117) * 5.0, np.arange(117) * -3.0, np.zeros(117)], axis=1)
        header["freq_array"], header["channel_width"] = frequencies_hz(subband)[None], CHANNEL_MHZ * 1e6
        header["polarization_array"], header["spw_array"] = np.array([-5, -6]), np.array([1])
        extra = header.create_group("extra_keywords")
        extra["applied_delays_ns"] = np.bytes_(b" ".join([b"0"] * 234))
        extra["fs_table"], extra["phase_center_epoch"] = np.bytes_(b"table.npz"), "HADEC"
        extra["ha_phase_center"], extra["phase_center_dec"] = 0.0, DEC_RAD
        for key, values in {
            "time_array": np.repeat(mid_jd, n_baselines),
            "integration_time": np.full(n_rows, INTEGRATION_S),
            "ant_1_array": np.tile(ant_1, n_times),
            "ant_2_array": np.tile(ant_2, n_times),
            "uvw_array": np.zeros((n_rows, 3), np.float32),
        }.items():
            maxshape = (None, *values.shape[1:])
            header.create_dataset(key, data=values, maxshape=maxshape, chunks=(1024, *values.shape[1:]))
        data = file.create_group("Data")
        noise = rng.standard_normal((*shape, 2), dtype=np.float32).view(np.complex64)[..., 0]
        maxshape = (None, 1, 48, 2)
        data.create_dataset("visdata", data=noise, maxshape=maxshape, chunks=(128, 1, 12, 1))
        data.create_dataset("flags", data=np.zeros(shape, bool), maxshape=maxshape, chunks=(256, 1, 24, 1))
        data.create_dataset("nsamples", data=np.full(shape, 96, np.float32), maxshape=maxshape, chunks=(256, 1, 12, 1))
        file.flush()
        return file.id.get_file_image()


def write_group(
    directory: Path,
    start: datetime = START,
    subbands: range | list[int] = range(16),
    jitter_s: dict[int, float] | None = None,
    **kwargs: object,
) -> dict[int, Path]:
    """Write one group; `jitter_s` shifts the times in the names."""
    jitter_s = jitter_s or {}
    return {
        sb: write_subband(path_of(directory, sb, start + timedelta(seconds=jitter_s.get(sb, 0.0))), sb, start, **kwargs)
        for sb in subbands
    }


def replace(path: Path, key: str, value: object) -> None:
    """Put another value in the place of a dataset."""
    with h5py.File(path, "r+") as file:
        del file[key]
        if value is not None:
            file[key] = value
