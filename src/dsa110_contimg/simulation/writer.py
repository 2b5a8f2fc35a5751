"""Write a subband file, byte layout included, as the correlator's fringestopping does.

The correlator creates its datasets with no rows and lets them grow, integration by integration. HDF5 therefore chooses
the chunk shapes (for `visdata` (128, 1, 12, 1): 6984 chunks in a full file), and lays chunks down in the order in
which integrations touch them, those of all datasets mixed. Readers that go to the bytes see all this, so it is kept;
only the way the bytes get there is quicker, a whole chunk at a time.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

import h5py
import numpy as np

from dsa110_contimg.errors import OutputExistsError
from dsa110_contimg.naming import incomplete_name
from dsa110_contimg.storage.files import allocate, output_errors
from dsa110_contimg.telescope.band import CHANNEL_WIDTH_HZ, DISH_DIAMETER_M, FULL_NSAMPLES, POLARIZATIONS

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from dsa110_contimg.telescope.site import Site

#: ``integration_time`` as the files have it: the value in single precision [s].
FILE_INTEGRATION_S = float(np.float32(12.884902))
# visdata, flags and nsamples.
_BYTES_OF_SAMPLE = 8 + 1 + 4


class SubbandData(NamedTuple):
    """What goes into one file.

    Attributes
    ----------
    jd : (T,) float64
        Middle of each integration [JD, UTC].
    freq_hz : (48,) float64
        Channel centres, descending [Hz].
    ant_1, ant_2 : (B,) int64
        Antenna numbers of one integration's rows.
    uvw_m : (B, 3) float32
        r[ant_2] - r[ant_1] for hour angle 0 [m].
    visibilities : (2, T * B, 48) complex64
        <E1* E2> by polarization, row and channel [counts].
    antenna_offsets_m : (N, 3) float64
        ITRF positions of all stations from the site [m].
    dec_rad : float
        Apparent declination of the phase centre [rad].
    site : Site
        Where the header says that the array stands.
    applied_delays_ns, fs_table, history : str
        As the header has them.
    """

    jd: NDArray[np.float64]
    freq_hz: NDArray[np.float64]
    ant_1: NDArray[np.int64]
    ant_2: NDArray[np.int64]
    uvw_m: NDArray[np.float32]
    visibilities: NDArray[np.complex64]
    antenna_offsets_m: NDArray[np.float64]
    dec_rad: float
    site: Site
    applied_delays_ns: str
    fs_table: str
    history: str


def write_subband(path: Path, data: SubbandData) -> None:
    """Write one subband file under its ``_incomplete`` name, then rename it.

    Parameters
    ----------
    path : Path
        The final name.
    data : SubbandData
        What goes into it.

    Raises
    ------
    OutputExistsError
        The file is there already.
    OutputError
        It cannot be written; what there is of it keeps its ``_incomplete`` name.
    """
    if path.exists():
        raise OutputExistsError("will not overwrite a subband file", path=path, remedy="Choose an empty directory.")
    partial = path.with_name(incomplete_name(path.name))
    with output_errors(path):
        with h5py.File(partial, "w", locking=False) as file:
            header, group = file.create_group("Header"), file.create_group("Data")
            _write_header(header, data)
            # Room for the rows at once: it is quicker, and a full disk is seen. HDF5 cuts off what it does not need.
            allocate(partial, data.visibilities.size * _BYTES_OF_SAMPLE)
            _write_rows(header, group, data)
        os.rename(partial, path)


def _write_header(header: h5py.Group, data: SubbandData) -> None:
    """Create everything in ``Header`` but the growing datasets' rows, in the correlator's order."""
    n_antennas = len(data.antenna_offsets_m)
    n_baselines, n_times = data.ant_1.size, data.jd.size
    header["latitude"] = data.site.latitude_deg
    header["longitude"] = data.site.longitude_deg
    header["altitude"] = data.site.height_m
    header["telescope_name"] = np.bytes_("OVRO_MMA")
    header["instrument"] = np.bytes_("DSA")
    header["object_name"] = np.bytes_("search")
    header["history"] = np.bytes_(data.history)
    header["phase_type"] = np.bytes_("drift")
    header["phase_center_app_dec"] = data.dec_rad
    header["Nants_data"] = np.unique(data.ant_1).size
    header["Nants_telescope"] = n_antennas
    header["antenna_diameters"] = np.full(n_antennas, DISH_DIAMETER_M)
    _growing(header, "ant_1_array", np.int64)
    _growing(header, "ant_2_array", np.int64)
    header["antenna_names"] = np.array([str(n + 1) for n in range(n_antennas)], dtype="S4")
    header["antenna_numbers"] = np.arange(n_antennas)
    header["Nbls"] = n_baselines
    header["Nblts"] = n_baselines * n_times
    header["Nfreqs"] = data.freq_hz.size
    header["Npols"] = len(POLARIZATIONS)
    header["Ntimes"] = n_times
    header["Nspws"] = 1
    _growing(header, "uvw_array", np.float32, 3)
    _growing(header, "time_array", np.float64)
    _growing(header, "integration_time", np.float64)
    header["freq_array"] = data.freq_hz[None, :]
    header["channel_width"] = CHANNEL_WIDTH_HZ
    header["spw_array"] = np.array([1])
    header["polarization_array"] = np.array(POLARIZATIONS)
    header["antenna_positions"] = data.antenna_offsets_m
    extra = header.create_group("extra_keywords")
    extra["phase_center_dec"] = data.dec_rad
    extra["ha_phase_center"] = 0.0
    extra["phase_center_epoch"] = "HADEC"
    extra["fs_table"] = np.bytes_(data.fs_table)
    extra["applied_delays_ns"] = np.bytes_(data.applied_delays_ns)


def _growing(group: h5py.Group, name: str, dtype: object, *row: int) -> h5py.Dataset:
    """Create a dataset without rows that can grow; HDF5's Python binding chooses the chunks."""
    return group.create_dataset(name, (0, *row), maxshape=(None, *row), dtype=dtype)


def _write_rows(header: h5py.Group, group: h5py.Group, data: SubbandData) -> None:
    """Let the datasets grow integration by integration, laying down each chunk when it is first touched."""
    sample = (1, data.freq_hz.size, len(POLARIZATIONS))
    n_baselines, n_times = data.ant_1.size, data.jd.size
    visibilities = data.visibilities.transpose(1, 2, 0)[:, None]
    growing: list[tuple[h5py.Dataset, NDArray[np.generic]]] = [
        (header["time_array"], np.repeat(data.jd, n_baselines)),
        (header["integration_time"], np.full(n_baselines * n_times, FILE_INTEGRATION_S)),
        (header["uvw_array"], np.tile(data.uvw_m, (n_times, 1))),
        (header["ant_1_array"], np.tile(data.ant_1, n_times)),
        (header["ant_2_array"], np.tile(data.ant_2, n_times)),
        (_growing(group, "visdata", np.complex64, *sample), visibilities),
        (_growing(group, "flags", np.bool_, *sample), np.broadcast_to(np.False_, visibilities.shape)),
        (
            _growing(group, "nsamples", np.float32, *sample),
            np.broadcast_to(np.float32(FULL_NSAMPLES), visibilities.shape),
        ),
    ]
    written = [0] * len(growing)
    for end in range(n_baselines, n_baselines * n_times + 1, n_baselines):
        for k, (dataset, values) in enumerate(growing):
            dataset.resize(end, axis=0)
            while written[k] < end:
                _write_chunk_row(dataset, values, written[k])
                written[k] += dataset.chunks[0]


def _write_chunk_row(dataset: h5py.Dataset, values: NDArray[np.generic], first: int) -> None:
    """Write all chunks that begin at this row, the last ones padded with zeros."""
    chunk = dataset.chunks
    rows = values[first : first + chunk[0]]
    if rows.shape[0] < chunk[0]:
        padded = np.zeros((chunk[0], *rows.shape[1:]), dtype=rows.dtype)
        padded[: rows.shape[0]] = rows
        rows = padded
    # (rows, a, ...) becomes (1, rows, a / chunk a, chunk a, ...), then chunk indices go before what is in a chunk.
    split = [n for size, part in zip(rows.shape, chunk, strict=True) for n in (size // part, part)]
    blocks = rows.reshape(split).transpose(*range(0, 2 * rows.ndim, 2), *range(1, 2 * rows.ndim, 2))
    blocks = np.ascontiguousarray(blocks)
    for index in np.ndindex(blocks.shape[: rows.ndim]):
        origin = (first, *(i * part for i, part in zip(index[1:], chunk[1:], strict=True)))
        dataset.id.write_direct_chunk(origin, blocks[index])
