"""Reading a Measurement Set one integration after another, as it is, whatever the order of its rows."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import casacore.tables as ct
import numpy as np

from dsa110_contimg.errors import MeasurementSetError
from dsa110_contimg.ms.blocks import VisibilityBlock
from dsa110_contimg.ms.columns import OpenMs
from dsa110_contimg.ms.description import CORR_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

#: Rows whose TIMEs differ by no more than this are of one integration [s].
SAME_TIME_S = 1e-3

_DAYS = 86400.0


def read_blocks(ms: Path, column: str = "DATA", workers: int | None = None) -> Iterator[VisibilityBlock]:
    """Read a Measurement Set one integration at a time, in the order of time.

    One that is a regular grid, as ours are, is read from its tiles where it has them, by several threads; any other
    (rows left out, or in another order, or descending channels) through casacore.

    Parameters
    ----------
    ms : Path
        The Measurement Set, with one spectral window.
    column : str
        ``DATA``, ``CORRECTED_DATA`` or ``MODEL_DATA``.
    workers : int, optional
        Threads; one per core.

    Yields
    ------
    VisibilityBlock
        One integration, its correlations XX and YY. A sample is flagged by FLAG, FLAG_ROW, and where it is not
        finite; then it is 0. Weights are WEIGHT_SPECTRUM where there is one, else WEIGHT, perhaps not to be written to:
        the channels of a baseline may share one.

    Raises
    ------
    MeasurementSetError
        It cannot be read, lacks the column, has no XX and YY, or several spectral windows.
    """
    try:
        with ct.table(f"{ms}::SPECTRAL_WINDOW", ack=False) as table:
            n_windows, freq_hz = table.nrows(), table.getcell("CHAN_FREQ", 0)
        with ct.table(f"{ms}::POLARIZATION", ack=False) as table:
            products = [int(code) for code in table.getcell("CORR_TYPE", 0)]
        with ct.table(str(ms), ack=False) as table:
            columns = table.colnames()
    except RuntimeError as error:
        raise MeasurementSetError(f"cannot be read ({error})", path=ms) from error
    if column not in columns or not set(CORR_TYPES) <= set(products):
        raise MeasurementSetError(f"has no {column} with XX and YY", path=ms)
    if n_windows != 1:
        raise MeasurementSetError(f"has {n_windows} spectral windows, where one is needed", path=ms)
    if products == list(CORR_TYPES) and np.all(np.diff(freq_hz) > 0) and (opened := _open_grid(ms)) is not None:
        yield from _grid_blocks(opened, column, workers or len(os.sched_getaffinity(0)))
    else:
        yield from _row_blocks(ms, column, freq_hz, [products.index(code) for code in CORR_TYPES])


def _open_grid(ms: Path) -> OpenMs | None:
    """Open a Measurement Set that is a regular grid; None if it is not."""
    try:
        return OpenMs(ms)
    except MeasurementSetError:
        return None


def _grid_blocks(ms: OpenMs, column: str, workers: int) -> Iterator[VisibilityBlock]:
    with ms, ThreadPoolExecutor(workers, thread_name_prefix="read") as pool:
        info = ms.info
        flag_row = ms.read("FLAG_ROW", 0, info.n_times)
        by_sample = ms.has("WEIGHT_SPECTRUM")
        shape = (info.n_baselines, info.n_channels, len(info.correlations))
        for time in range(info.n_times):
            visibilities, flags = np.empty(shape, np.complex64), np.empty(shape, np.bool_)

            def fill(
                block: int,
                time: int = time,
                visibilities: NDArray[np.complex64] = visibilities,
                flags: NDArray[np.bool_] = flags,
            ) -> None:
                channels = ms.block_channels(block)
                tile = ms.read_tile(column, time, block)
                visibilities[:, channels] = tile
                flags[:, channels] = ms.read_tile("FLAG", time, block)
                if not _is_finite(tile):
                    lost = ~np.isfinite(tile)
                    visibilities[:, channels][lost] = 0
                    flags[:, channels] |= lost

            for _ in pool.map(fill, range(ms.n_blocks)):
                pass
            flags[flag_row[time]] = True
            if by_sample:
                weights = ms.read("WEIGHT_SPECTRUM", time)[0]
            else:
                # One row of weights is that of all channels: a view, not a copy.
                weights = np.broadcast_to(ms.read("WEIGHT", time)[0][:, None], shape)
            antennas = (info.antenna1, info.antenna2)
            uvw_m = ms.read("UVW", time)[0]
            yield VisibilityBlock(
                float(info.times_mjd[time]), *antennas, uvw_m, info.freq_hz, visibilities, flags, weights
            )


def _is_finite(tile: NDArray[np.complex64]) -> bool:
    """Whether all is finite, as its sum tells at once; False as well if that is too large for its type."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(tile.sum()))


def _row_blocks(ms: Path, column: str, freq_hz: NDArray[np.float64], xx_yy: list[int]) -> Iterator[VisibilityBlock]:
    channels = np.argsort(freq_hz)
    try:
        with ct.table(str(ms), ack=False) as table:
            by_sample = "WEIGHT_SPECTRUM" in table.colnames() and bool(table.iscelldefined("WEIGHT_SPECTRUM", 0))
            time_s = table.getcol("TIME")
            order = np.argsort(time_s, kind="stable")
            starts = np.flatnonzero(np.diff(time_s[order], prepend=-np.inf) > SAME_TIME_S)
            for rows in np.split(order, starts[1:]):
                some = _Rows(table, np.sort(rows))
                visibilities = some.get(column)[:, channels][..., xx_yy].astype(np.complex64, copy=False)
                flags = some.get("FLAG")[:, channels][..., xx_yy] | some.get("FLAG_ROW")[:, None, None]
                flags |= ~np.isfinite(visibilities)
                visibilities[~np.isfinite(visibilities)] = 0
                if by_sample:
                    weights = some.get("WEIGHT_SPECTRUM")[:, channels][..., xx_yy]
                else:
                    weights = np.repeat(some.get("WEIGHT")[:, None][..., xx_yy], freq_hz.size, axis=1)
                yield VisibilityBlock(
                    float(time_s[rows[0]] / _DAYS),
                    some.get("ANTENNA1").astype(np.int32),
                    some.get("ANTENNA2").astype(np.int32),
                    some.get("UVW"),
                    freq_hz[channels],
                    visibilities,
                    flags,
                    weights.astype(np.float32, copy=False),
                )
    except RuntimeError as error:
        raise MeasurementSetError(f"cannot be read ({error})", path=ms) from error


class _Rows:
    """Some rows of an open table, ascending; at once where they are neighbours."""

    def __init__(self, table: ct.table, rows: NDArray[np.int64]) -> None:
        self._first, self._count = int(rows[0]), rows.size
        neighbours = int(rows[-1]) - self._first + 1 == rows.size
        self._table = table if neighbours else table.selectrows(rows.tolist())
        if not neighbours:
            self._first = 0

    def get(self, column: str) -> NDArray[Any]:
        """Read a column."""
        return np.asarray(self._table.getcol(column, self._first, self._count))
