"""Reading all visibilities of a Measurement Set once, in tiles, by several threads, and counting them."""

from __future__ import annotations

import os
import queue
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import casacore.tables as ct
import numpy as np

from dsa110_contimg.errors import MeasurementSetError
from dsa110_contimg.ms.columns import OpenMs
from dsa110_contimg.qa.fast_plots_axes import PLANE_BINS, UV_BINS
from dsa110_contimg.qa.fast_plots_kernels import Counts, count, no_counts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from dsa110_contimg.qa.fast_plots_axes import PlotAxes

#: What is read at once of a table that is not tiled as ours are [bytes of DATA].
_CHUNK_BYTES = 24_000_000
_ROW_COLUMNS = ("TIME", "ANTENNA1", "ANTENNA2", "UVW", "FLAG_ROW")


def count_samples(
    axes: PlotAxes,
    column: str,
    model: str | None = None,
    workers: int | None = None,
    progress: Callable[[float], None] | None = None,
) -> Counts:
    """Read a column, and count every sample of it.

    Parameters
    ----------
    axes : PlotAxes
        Of the Measurement Set.
    column : str
        ``DATA``, ``CORRECTED_DATA`` or ``MODEL_DATA``.
    model : str, optional
        Column that is subtracted from it.
    workers : int, optional
        Threads; one per core.
    progress : callable, optional
        Told what part is done, up to 1.

    Returns
    -------
    Counts
        Of all samples.

    Raises
    ------
    MeasurementSetError
        There is no such column, or it cannot be read.
    """
    columns = (column,) if model is None else (column, model)
    for name in columns:
        if name not in axes.columns:
            there = [each for each in ("DATA", "CORRECTED_DATA", "MODEL_DATA") if each in axes.columns]
            raise MeasurementSetError(
                f"has no column {name}", path=axes.path, remedy=f"It has {', '.join(there) or 'no visibilities'}."
            )
    counting = _Counting(axes, workers or len(os.sched_getaffinity(0)), progress or (lambda done: None))
    opened = _open_tiled(axes, columns)
    try:
        if opened is None:
            _count_rows(counting, columns)
        else:
            with opened:
                _count_tiles(counting, opened, columns)
    except RuntimeError as error:
        raise MeasurementSetError(f"cannot be read ({error})", path=axes.path) from error
    return counting.total()


class _Counting:
    """Counts of several threads, each with its own cells."""

    def __init__(self, axes: PlotAxes, workers: int, progress: Callable[[float], None]) -> None:
        self.axes, self.workers, self.progress = axes, workers, progress
        shape = (
            len(axes.polarizations),
            axes.time_edges_mjd.size - 1,
            axes.freq_edges_hz.size - 1,
            UV_BINS,
            len(axes.antenna_names),
            PLANE_BINS,
        )
        self._all = [no_counts(*shape) for _ in range(workers)]
        self._free: queue.SimpleQueue[Counts] = queue.SimpleQueue()
        for each in self._all:
            self._free.put(each)

    def add(
        self,
        visibilities: NDArray[np.complex64],
        flags: NDArray[np.bool_],
        rows: dict[str, NDArray[Any]],
        channels: slice = slice(None),
    ) -> None:
        """Count the samples of some rows and channels."""
        where = self.axes.channels
        where = where._replace(
            column=where.column[channels], per_m=where.per_m[channels], log_per_m=where.log_per_m[channels]
        )
        counts = self._free.get()
        try:
            count(visibilities, flags, self.axes.rows(rows), where, counts)
        finally:
            self._free.put(counts)

    def total(self) -> Counts:
        """Add up what the threads counted."""
        first, *others = self._all
        for other in others:
            pairs: list[tuple[NDArray[Any], NDArray[Any]]] = list(zip(first, other, strict=True))
            for mine, theirs in pairs:
                np.add(mine, theirs, out=mine)
        return first


def _open_tiled(axes: PlotAxes, columns: tuple[str, ...]) -> OpenMs | None:
    """Open a Measurement Set of which these columns can be read tile by tile; None if it lies otherwise."""
    try:
        opened = OpenMs(axes.path)
    except MeasurementSetError:
        return None
    try:
        tiled = all(opened.is_tiled(name) for name in (*columns, "FLAG"))
    except MeasurementSetError:
        opened.close()
        raise
    if not tiled:
        opened.close()
    return opened if tiled else None


def _count_tiles(counting: _Counting, ms: OpenMs, columns: tuple[str, ...]) -> None:
    info = ms.info
    tiles = [(time, block) for time in range(info.n_times) for block in range(ms.n_blocks)]
    flag_row = ms.read("FLAG_ROW", 0, info.n_times)
    uvw_m = ms.read("UVW", 0, info.n_times)

    def count_tile(tile: tuple[int, int]) -> None:
        time, block = tile
        rows = {
            "TIME": np.full(info.n_baselines, info.times_mjd[time] * 86400.0),
            "ANTENNA1": info.antenna1,
            "ANTENNA2": info.antenna2,
            "UVW": uvw_m[time],
            "FLAG_ROW": flag_row[time],
        }
        visibilities = ms.read_tile(columns[0], time, block)
        if len(columns) > 1:
            visibilities -= ms.read_tile(columns[1], time, block)
        counting.add(visibilities, ms.read_tile("FLAG", time, block), rows, ms.block_channels(block))

    with ThreadPoolExecutor(counting.workers, thread_name_prefix="plots") as pool:
        for done, _ in enumerate(pool.map(count_tile, tiles)):
            counting.progress((done + 1) / len(tiles))


def _count_rows(counting: _Counting, columns: tuple[str, ...]) -> None:
    """Read through casacore, some rows after others; they may be in any order."""
    axes = counting.axes
    with ThreadPoolExecutor(counting.workers, thread_name_prefix="plots") as pool:
        under_way: list[Any] = []
        for done, (visibilities, flags, rows) in _chunks(axes, columns):
            if len(under_way) > counting.workers:
                under_way.pop(0).result()
            under_way.append(pool.submit(counting.add, visibilities, flags, rows))
            counting.progress(done)
        for each in under_way:
            each.result()


def _chunks(
    axes: PlotAxes, columns: tuple[str, ...]
) -> Iterator[tuple[float, tuple[NDArray[np.complex64], NDArray[np.bool_], dict[str, NDArray[Any]]]]]:
    with ct.table(str(axes.path), ack=False) as table:
        n_bytes = 8 * np.size(table.getcell(columns[0], 0))
        size = max(1, _CHUNK_BYTES // n_bytes)
        for first in range(0, axes.n_rows, size):
            some = (first, min(size, axes.n_rows - first))
            rows = {name: np.asarray(table.getcol(name, *some)) for name in _ROW_COLUMNS}
            visibilities = np.ascontiguousarray(table.getcol(columns[0], *some), np.complex64)
            if len(columns) > 1:
                visibilities -= table.getcol(columns[1], *some)
            flags = np.ascontiguousarray(table.getcol("FLAG", *some), np.bool_)
            yield sum(some) / axes.n_rows, (visibilities, flags, rows)
