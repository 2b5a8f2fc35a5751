"""A Measurement Set as blocks of Stokes I visibilities, none of them larger than is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import casacore.tables as ct
import erfa
import numpy as np

from dsa110_contimg.errors import MeasurementSetError
from dsa110_contimg.telescope.geometry import aberration_scale
from dsa110_contimg.telescope.site import Site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

#: Memory that a block may take while it is read [bytes].
BLOCK_BYTES = 512 << 20
# Of one sample: two correlations with their flags, Stokes I, its weight, and room to work.
_BYTES_A_SAMPLE = 48

# CASA's codes of the correlations whose mean is Stokes I.
_XX, _YY = 9, 12
_DAYS = 86400.0
_WGS84 = 1


class Observation(NamedTuple):
    """What an image has to know of a Measurement Set besides its visibilities.

    Attributes
    ----------
    ra_deg, dec_deg : float
        The phase centre, ICRS [deg].
    freq_hz : (C,) float64
        Channel centres [Hz].
    channel_width_hz : float
        Width of a channel [Hz].
    start_mjd, middle_mjd, end_mjd : float
        Start of the first integration, end of the last, and halfway between [MJD, UTC].
    aberration_scale : float
        How much larger the sky appears in the frame of the UVWs than it is in ICRS (see
        `telescope.geometry.aberration_scale`).
    telescope : str
        Its name.
    """

    ra_deg: float
    dec_deg: float
    freq_hz: NDArray[np.float64]
    channel_width_hz: float
    start_mjd: float
    middle_mjd: float
    end_mjd: float
    aberration_scale: float
    telescope: str


class StokesBlock(NamedTuple):
    """Stokes I of some rows; autocorrelations are left out.

    Attributes
    ----------
    uvw_m : (N, 3) float64
        r[ANTENNA1] - r[ANTENNA2] in the frame of the phase centre [m].
    freq_hz : (C,) float64
        Channel centres [Hz].
    visibilities : (N, C) complex64
        (XX + YY) / 2 [Jy]; 0 where the weight is.
    weights : (N, C) float32
        Inverse variance relative to the others; 0 unless both XX and YY are good.
    mjd : (N,) float64
        Middle of the integration [MJD, UTC].
    antenna1, antenna2 : (N,) int32
        Rows of ANTENNA.
    """

    uvw_m: NDArray[np.float64]
    freq_hz: NDArray[np.float64]
    visibilities: NDArray[np.complex64]
    weights: NDArray[np.float32]
    mjd: NDArray[np.float64]
    antenna1: NDArray[np.int32]
    antenna2: NDArray[np.int32]


def describe(ms_path: Path) -> Observation:
    """Read what is known of an observation with one phase centre and one spectral window.

    Raises
    ------
    MeasurementSetError
        It cannot be opened, or has several phase centres or spectral windows, or directions that are not ICRS or J2000.
    """
    try:
        with ct.table(f"{ms_path}::FIELD", ack=False) as table:
            centres = np.unique(table.getcol("PHASE_DIR")[:, 0], axis=0)
            frame = table.getcolkeyword("PHASE_DIR", "MEASINFO")["Ref"]
        with ct.table(f"{ms_path}::SPECTRAL_WINDOW", ack=False) as table:
            n_windows = table.nrows()
            freq_hz, widths_hz = (table.getcell(column, 0) for column in ("CHAN_FREQ", "CHAN_WIDTH"))
        with ct.table(f"{ms_path}::ANTENNA", ack=False) as table:
            array_m = table.getcol("POSITION").mean(axis=0)
        with ct.table(f"{ms_path}::OBSERVATION", ack=False) as table:
            telescope = str(table.getcell("TELESCOPE_NAME", 0))
        with ct.table(str(ms_path), ack=False) as ms:
            time_s, interval_s = ms.getcol("TIME"), ms.getcol("INTERVAL")
    except RuntimeError as error:
        raise MeasurementSetError(f"cannot be read ({error})", path=ms_path) from error
    if len(centres) != 1 or n_windows != 1:
        raise MeasurementSetError(
            f"has {len(centres)} phase centres and {n_windows} spectral windows, where an image needs one of each",
            path=ms_path,
            remedy="convert with --phase-centre meridian",
        )
    if frame not in {"ICRS", "J2000"}:
        raise MeasurementSetError(f"its directions are in {frame}, not ICRS or J2000", path=ms_path)
    ra_deg, dec_deg = np.degrees(centres[0])
    start, end = (time_s - interval_s / 2).min() / _DAYS, (time_s + interval_s / 2).max() / _DAYS
    longitude, latitude, height_m = erfa.gc2gd(_WGS84, array_m)
    site = Site(float(np.degrees(latitude)), float(np.degrees(longitude)), float(height_m))
    middle = (start + end) / 2
    scale = aberration_scale(float(ra_deg), float(dec_deg), middle, site)
    return Observation(
        float(ra_deg % 360.0), float(dec_deg), freq_hz, float(abs(widths_hz[0])), start, middle, end, scale, telescope
    )


def stokes_blocks(ms_path: Path, column: str = "DATA", block_bytes: int = BLOCK_BYTES) -> Iterator[StokesBlock]:
    """Read the cross-correlations of a Measurement Set block by block, as Stokes I.

    Parameters
    ----------
    ms_path : Path
        The Measurement Set.
    column : str
        ``DATA``, ``CORRECTED_DATA`` or ``MODEL_DATA``.
    block_bytes : int
        Memory that a block may take while it is read [bytes].

    Yields
    ------
    StokesBlock
        Consecutive rows. FLAG, FLAG_ROW and samples that are not finite take the weight away; WEIGHT_SPECTRUM is used
        where there is one, else WEIGHT.

    Raises
    ------
    MeasurementSetError
        It cannot be read, lacks the column, or has no XX and YY.
    """
    try:
        with ct.table(f"{ms_path}::SPECTRAL_WINDOW", ack=False) as table:
            freq_hz = table.getcell("CHAN_FREQ", 0)
        with ct.table(f"{ms_path}::POLARIZATION", ack=False) as table:
            products = list(table.getcell("CORR_TYPE", 0))
        with ct.table(str(ms_path), ack=False) as ms:
            if column not in ms.colnames() or _XX not in products or _YY not in products:
                raise MeasurementSetError(f"has no {column} with XX and YY", path=ms_path)
            xx_yy = [products.index(_XX), products.index(_YY)]
            n_rows = max(1, block_bytes // (freq_hz.size * _BYTES_A_SAMPLE))
            for first in range(0, ms.nrows(), n_rows):
                yield _read_block(ms, column, first, min(n_rows, ms.nrows() - first), freq_hz, xx_yy)
    except RuntimeError as error:
        raise MeasurementSetError(f"cannot be read ({error})", path=ms_path) from error


def _read_block(
    ms: ct.table, column: str, first: int, n_rows: int, freq_hz: NDArray[np.float64], xx_yy: list[int]
) -> StokesBlock:
    antenna1, antenna2 = (ms.getcol(name, first, n_rows) for name in ("ANTENNA1", "ANTENNA2"))
    cross = antenna1 != antenna2
    data = ms.getcol(column, first, n_rows)[cross]
    xx, yy = (data[..., index] for index in xx_yy)
    visibilities = xx + yy
    visibilities *= np.float32(0.5)
    flag = ms.getcol("FLAG", first, n_rows)[cross][..., xx_yy].any(axis=-1)
    flag |= ms.getcol("FLAG_ROW", first, n_rows)[cross][:, None]
    flag |= ~np.isfinite(visibilities)
    visibilities[flag] = 0.0
    weights = np.where(flag, np.float32(0.0), _stokes_weights(ms, first, n_rows, xx_yy)[cross])
    return StokesBlock(
        ms.getcol("UVW", first, n_rows)[cross],
        freq_hz,
        visibilities,
        weights,
        ms.getcol("TIME", first, n_rows)[cross] / _DAYS,
        antenna1[cross],
        antenna2[cross],
    )


def _stokes_weights(ms: ct.table, first: int, n_rows: int, xx_yy: list[int]) -> NDArray[np.float32]:
    """Inverse variance of (XX + YY) / 2, shape (rows, 1), or (rows, C) where each sample has a weight of its own."""
    if "WEIGHT_SPECTRUM" in ms.colnames() and ms.iscelldefined("WEIGHT_SPECTRUM", first):
        weights = ms.getcol("WEIGHT_SPECTRUM", first, n_rows)
    else:
        weights = ms.getcol("WEIGHT", first, n_rows)[:, None]
    xx, yy = (weights[..., index] for index in xx_yy)
    both = np.zeros_like(xx)
    np.divide(4 * xx * yy, xx + yy, out=both, where=(xx > 0) & (yy > 0))
    return both
