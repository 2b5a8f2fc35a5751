"""The fast writer: each subband is read, turned and written into its own tiles of the Measurement Set.

Nothing larger than an integration of a subband is in memory. Threads take a subband each; reading, turning and writing
run without the interpreter's lock.
"""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING

import casacore.tables as ct
import numpy as np

from dsa110_contimg.conversion import kernels
from dsa110_contimg.conversion.kernels import Rows, Tile
from dsa110_contimg.conversion.writers.result import WriteResult, require_good, zero_filled
from dsa110_contimg.errors import InputError
from dsa110_contimg.ms.layout import add_bulk_column, create_ms, fill_weights
from dsa110_contimg.ms.tiles import TileFile
from dsa110_contimg.telescope.band import CHANNELS_PER_SUBBAND, N_SUBBANDS
from dsa110_contimg.telescope.geometry import SPEED_OF_LIGHT
from dsa110_contimg.uvh5.visibilities import SubbandReader

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from dsa110_contimg.conversion.plan import ConversionPlan
    from dsa110_contimg.uvh5.visibilities import Samples

log = logging.getLogger(__name__)

_DAYS = 86400.0


def write(
    plan: ConversionPlan,
    ms_path: Path,
    *,
    min_subbands: int,
    workers: int,
    model: NDArray[np.float64] | None = None,
    progress: Callable[[int], object] = lambda nbytes: None,
    bulk_written: Callable[[], object] = lambda: None,
) -> WriteResult:
    """Write the Measurement Set of a plan.

    Parameters
    ----------
    plan : ConversionPlan
        What to write.
    ms_path : Path
        Directory to be made; a half-written one is left where an error ends the work.
    min_subbands : int
        How many subbands must be good when they have been read.
    workers : int
        Threads.
    model : (T', C') float64, optional
        Flux density of a source at the phase centre [Jy], for each time and channel of the output: makes MODEL_DATA.
    progress : callable
        Is told the bytes of input that have been dealt with.
    bulk_written : callable
        Is told when only small tables are still to be written.

    Raises
    ------
    IncompleteGroupError
        Too few subbands were left.
    OutputError
        The output cannot be written, or the disk is full.
    """
    columns = ["DATA", "FLAG"]
    if plan.averaging.is_on:
        columns.append("WEIGHT_SPECTRUM")
    if model is not None:
        columns.append("MODEL_DATA")
    create_ms(ms_path, plan.description, tuple(columns))
    with ExitStack() as stack:
        files = {name: stack.enter_context(TileFile(ms_path, name, plan.description)) for name in columns}
        pass_ = _Pass(plan, files, model, progress)
        set_aside = pass_.run(workers)
    good = sorted(set(plan.headers) - set(set_aside))
    require_good(len(good), set_aside, min_subbands)
    bulk_written()
    if not (plan.averaging.is_on or pass_.uniform):
        _write_weight_spectrum(plan, ms_path, good)
    _finish_rows(plan, ms_path, pass_)
    return WriteResult(set_aside, pass_.zeros, float(1 - pass_.counts.sum() / pass_.samples))


class _Pass:
    """One pass through the subbands: what its threads share."""

    def __init__(
        self,
        plan: ConversionPlan,
        files: Mapping[str, TileFile],
        model: NDArray[np.float64] | None,
        progress: Callable[[int], object],
    ) -> None:
        self.plan = plan
        self.files = files
        self.model = model
        self.progress = progress
        self.rows = Rows(plan.row, plan.conjugate, plan.antenna_1, plan.antenna_2)
        n_times, n_baselines = plan.times_mjd.size, plan.row.size
        self.samples = n_times * n_baselines * 2 * plan.freq_hz.size
        #: Sum and number of nsamples over the unflagged samples of each integration and baseline, by correlation.
        self.weights = np.zeros((n_times, n_baselines, 2))
        self.counts = np.zeros((n_times, n_baselines, 2), np.int64)
        self.zeros: dict[int, float] = {}
        #: nsamples of each good subband where it is the same in all samples, else None.
        self._nsamples: dict[int, float | None] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()

    @property
    def uniform(self) -> bool:
        """Whether nsamples is the same in all samples of the good subbands."""
        values = set(self._nsamples.values())
        return len(values) == 1 and None not in values

    def run(self, workers: int) -> dict[int, InputError]:
        """Write all tiles; return the subbands that had to be left out, with their errors."""
        set_aside: dict[int, InputError] = {}
        with ThreadPoolExecutor(workers, thread_name_prefix="subband") as pool:
            tasks = {sb: pool.submit(self._subband, sb) for sb in range(N_SUBBANDS)}
            try:
                for subband, task in tasks.items():
                    try:
                        task.result()
                    except InputError as error:
                        set_aside[subband] = error
                        self._missing(subband)
            except BaseException:
                self._stop.set()
                pool.shutdown(cancel_futures=True)
                raise
        return set_aside

    def _subband(self, subband: int) -> None:
        header = self.plan.headers.get(subband)
        if header is None:
            self._missing(subband)
            return
        weights, counts = np.zeros_like(self.weights), np.zeros_like(self.counts)
        n_zero, uniform, usual = 0, True, None
        n_baselines = self.plan.row.size
        tile = kernels.empty_tile(n_baselines, CHANNELS_PER_SUBBAND)
        phase_per_m = 2 * np.pi * self.plan.subband_frequencies_hz(subband) / SPEED_OF_LIGHT
        output = _Output(self, subband)
        with SubbandReader(header) as reader:
            for k in range(header.n_times):
                if self._stop.is_set():
                    return
                samples = reader.read_integration(k)
                phasors = np.exp(1j * self.plan.turn_m[k, :, None] * phase_per_m).astype(np.complex64)
                # The first value that is read of a subband is what all its others are compared with.
                usual = _first_value(samples.nsamples) if usual is None else usual
                found = kernels.turn_and_flag(samples, self.rows, phasors, tile, usual)
                n_zero += found.n_zero
                uniform &= found.uniform
                if found.n_flagged == 0 and found.uniform:
                    counts[k] = CHANNELS_PER_SUBBAND
                    weights[k] = CHANNELS_PER_SUBBAND * tile.nsamples[0, 0, 0]
                else:
                    kernels.tally(tile, weights[k], counts[k])
                output.put(k, tile)
                self.progress(header.size_bytes // header.n_times)
            reader.check_unchanged()
        if n_zero == counts.size * CHANNELS_PER_SUBBAND:
            raise zero_filled(header.path)
        with self._lock:
            self.weights += weights
            self.counts += counts
            self._nsamples[subband] = usual if uniform else None
            self.zeros[subband] = n_zero / (counts.size * CHANNELS_PER_SUBBAND)

    def _missing(self, subband: int) -> None:
        description = self.plan.description
        tile = kernels.missing_tile(description.n_baselines, description.tile_channels)
        output = _Output(self, subband)
        for k in range(description.n_times):
            output.write(k, tile)


def _first_value(samples: Samples) -> float:
    first = samples.skip % samples.rows_per_block * samples.row_stride + samples.offsets[0, 0]
    return float(samples.values[first])


class _Output:
    """Takes the tiles of one subband, averages them where wanted, and writes them."""

    def __init__(self, shared: _Pass, subband: int) -> None:
        self._files = shared.files
        self._plan = shared.plan
        self._block = shared.plan.block(subband)
        self._model = shared.model
        description = shared.plan.description
        self._shape = (description.n_baselines, description.tile_channels, 2)
        if self._model is not None:
            self._model_tile = np.empty(self._shape, np.complex64)
        if shared.plan.averaging.is_on:
            self._sums = np.zeros(self._shape, np.complex128)
            self._weights = np.zeros(self._shape)

    def put(self, integration: int, tile: Tile) -> None:
        """Take one integration at the correlator's own resolution."""
        averaging = self._plan.averaging
        if not averaging.is_on:
            self.write(integration, tile)
            return
        kernels.accumulate(tile, self._sums, self._weights)
        if (integration + 1) % averaging.times == 0:
            self.write(integration // averaging.times, kernels.averaged_tile(self._sums, self._weights))
            self._sums[:] = 0
            self._weights[:] = 0

    def write(self, time: int, tile: Tile) -> None:
        """Write one tile of each column."""
        self._files["DATA"].write(time, self._block, tile.data)
        self._files["FLAG"].write(time, self._block, np.packbits(tile.flag, bitorder="little"))
        if "WEIGHT_SPECTRUM" in self._files:
            self._files["WEIGHT_SPECTRUM"].write(time, self._block, self._plan.weight(tile.nsamples))
        if self._model is not None:
            n_channels = self._shape[1]
            flux = self._model[time, self._block * n_channels : (self._block + 1) * n_channels]
            self._model_tile[:] = flux[None, :, None]
            self._files["MODEL_DATA"].write(time, self._block, self._model_tile)


def _write_weight_spectrum(plan: ConversionPlan, ms_path: Path, good: list[int]) -> None:
    """Add WEIGHT_SPECTRUM to a Measurement Set whose nsamples vary; a missing subband weighs nothing."""
    log.info("nsamples vary: WEIGHT_SPECTRUM is written")
    add_bulk_column(ms_path, "WEIGHT_SPECTRUM", plan.description)
    tile = np.empty((plan.row.size, CHANNELS_PER_SUBBAND, 2), np.float32)
    with TileFile(ms_path, "WEIGHT_SPECTRUM", plan.description) as file:
        for subband in good:
            header = plan.headers[subband]
            with SubbandReader(header) as reader:
                for k in range(header.n_times):
                    samples = reader.read_integration(k).nsamples
                    kernels.take(samples, plan.row, tile)
                    file.write(k, plan.block(subband), plan.weight(tile))


def _finish_rows(plan: ConversionPlan, ms_path: Path, sums: _Pass) -> None:
    """Write what is known of the rows only at the end: WEIGHT, SIGMA, FLAG_ROW, and an average's centroids."""
    times = plan.averaging.times
    n_out = plan.description.n_times
    shape = (n_out, times, plan.row.size, 2)
    # The tallies are by the output's rows already: a tile's baselines are in their places.
    weights, counts = sums.weights.reshape(shape), sums.counts.reshape(shape)
    unflagged = counts.sum(axis=(1, 3)) > 0
    if plan.averaging.is_on:
        # The mean of WEIGHT_SPECTRUM over the channels of the good subbands.
        mean = weights.sum(axis=1) / (len(sums.zeros) * plan.description.tile_channels)
    elif sums.uniform:
        # One value for all rows, flagged ones too.
        mean = np.full(shape[:1] + shape[2:], sums.weights.sum() / max(sums.counts.sum(), 1))
    else:
        mean = weights.sum(axis=1) / np.maximum(counts.sum(axis=1), 1)
    fill_weights(ms_path, plan.weight(mean).reshape(-1, 2), unflagged.reshape(-1))
    if times == 1:
        return
    by_time = weights.sum(axis=-1)
    # A row without data keeps the middle of its interval.
    by_time[np.broadcast_to(by_time.sum(axis=1, keepdims=True) == 0, by_time.shape)] = 1.0
    by_time /= by_time.sum(axis=1, keepdims=True)
    centroid = np.einsum("okb,ok->ob", by_time, plan.times_mjd.reshape(n_out, times)) * _DAYS
    uvw = np.einsum("okb,okbi->obi", by_time, plan.uvw_m.reshape(n_out, times, -1, 3))
    exposure = (counts.sum(axis=-1) > 0).sum(axis=1) * plan.description.exposure_s / times
    with ct.table(str(ms_path), readonly=False, ack=False) as ms:
        ms.putcol("UVW", uvw.reshape(-1, 3))
        ms.putcol("TIME_CENTROID", centroid.reshape(-1))
        ms.putcol("EXPOSURE", exposure.reshape(-1))
