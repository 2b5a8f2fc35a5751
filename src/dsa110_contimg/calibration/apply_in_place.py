"""Writing CORRECTED_DATA, with the flags and weights that belong to it, into a Measurement Set, tile by tile."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import casacore.tables as ct
import numpy as np

from dsa110_contimg import __version__
from dsa110_contimg.calibration import apply_kernels as kernels
from dsa110_contimg.calibration.apply import ApplyOptions, Calibrator, correct_tile, inverse_variance
from dsa110_contimg.config.logs import human_bytes
from dsa110_contimg.errors import DiskFullError
from dsa110_contimg.ms.columns import OpenMs
from dsa110_contimg.ms.layout import tile_bytes
from dsa110_contimg.ms.subtables import add_history
from dsa110_contimg.ms.writing import table_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from dsa110_contimg.calibration.apply import Correction
    from dsa110_contimg.calibration.solutions import Solutions

_STATE = "CALIBRATION"
_WHOLE = "WHOLE"
# Left free on the disk beside the new columns, for the tables that casacore writes [bytes].
_SPARE_BYTES = 16 << 20


class Applied(NamedTuple):
    """What came of applying solutions.

    Attributes
    ----------
    ms : Path
        The Measurement Set.
    flagged_before, flagged_after : float
        Fraction of all samples.
    n_bytes : int
        Size of CORRECTED_DATA.
    """

    ms: Path
    flagged_before: float
    flagged_after: float
    n_bytes: int


def apply_in_place(
    path: Path,
    solutions: Sequence[Solutions],
    options: ApplyOptions | None = None,
    *,
    source: str = "",
    workers: int | None = None,
    progress: Callable[[int], object] = lambda nbytes: None,
) -> Applied:
    """Write CORRECTED_DATA, and FLAG, FLAG_ROW, WEIGHT (and WEIGHT_SPECTRUM) to go with it.

    FLAG is only added to: what an earlier solution set flagged stays so until a flag version is restored. WEIGHT is
    1/SIGMA^2 times the mean of |g|^2 over the channels of either antenna, as CASA has it.

    Parameters
    ----------
    path : Path
        The Measurement Set, which nobody else has open.
    solutions : sequence of Solutions
        One of each kind that there is.
    options : ApplyOptions, optional
        How they are applied.
    source : str
        What the solutions are called, for HISTORY.
    workers : int, optional
        Threads; one per core.
    progress : callable
        Is told the bytes of DATA that have been dealt with.

    Returns
    -------
    Applied

    Raises
    ------
    CalibrationError
        The solutions do not fit; nothing was changed.
    DiskFullError
        There is no room for the column; nothing was changed.
    MeasurementSetError, OutputError
        It cannot be read, or written.
    """
    options = options or ApplyOptions()
    with OpenMs(path, writable=True) as ms:
        calibrator = Calibrator(ms.info, solutions, options)
        _require_room(ms)
        ms.add("CORRECTED_DATA")
        _put_keyword(path, "CORRECTED_DATA", _STATE, "being written: not to be used")
        by_sample = ms.has("WEIGHT_SPECTRUM")
        if by_sample:
            _keep_sigma_spectrum(ms)
        with ThreadPoolExecutor(workers or len(os.sched_getaffinity(0)), thread_name_prefix="apply") as pool:
            n_new, unflagged, power = _write_tiles(ms, calibrator, pool, by_sample=by_sample, progress=progress)
        ms.write("WEIGHT", 0, inverse_variance(ms.read("SIGMA", 0, ms.info.n_times)) * power)
        ms.write("FLAG_ROW", 0, ms.read("FLAG_ROW", 0, ms.info.n_times) | (unflagged == 0))
        ms.sync()
        n_samples = unflagged.size * ms.info.n_channels * len(ms.info.correlations)
        _record(path, solutions, options, source)
        flagged = 1 - int(unflagged.sum()) / n_samples
        return Applied(path, flagged - n_new / n_samples, flagged, 8 * n_samples)


def _write_tiles(
    ms: OpenMs,
    calibrator: Calibrator,
    pool: ThreadPoolExecutor,
    *,
    by_sample: bool,
    progress: Callable[[int], object],
) -> tuple[int, NDArray[np.int64], NDArray[np.float32]]:
    """Write all tiles; return the number of new flags, of good samples (T, B), and the mean power (T, B, P)."""
    info = ms.info
    unflagged = np.zeros((info.n_times, info.n_baselines), np.int64)
    power = np.empty((info.n_times, info.n_baselines, len(info.correlations)), np.float32)
    n_new = 0
    for time in range(info.n_times):
        correction = calibrator.correction(time)
        power[time] = correction.mean_power[info.antenna1] * correction.mean_power[info.antenna2]
        work = [
            pool.submit(_write_tile, ms, time, block, correction.block(ms.block_channels(block)), by_sample)
            for block in range(ms.n_blocks)
        ]
        for task in work:
            new, good = task.result()
            n_new += new
            unflagged[time] += good
        progress(info.n_baselines * info.n_channels * len(info.correlations) * 8)
    return n_new, unflagged, power


def _write_tile(
    ms: OpenMs, time: int, block: int, correction: Correction, by_sample: bool
) -> tuple[int, NDArray[np.int64]]:
    tile = correct_tile(ms, time, block, correction)
    ms.write_tile("CORRECTED_DATA", time, block, tile.visibilities)
    if tile.n_new_flags:
        ms.write_tile("FLAG", time, block, tile.flags)
    if by_sample:
        weights = inverse_variance(ms.read_tile("SIGMA_SPECTRUM", time, block))
        kernels.scale_weights(weights, ms.info.antenna1, ms.info.antenna2, correction.power)
        ms.write_tile("WEIGHT_SPECTRUM", time, block, weights)
    return tile.n_new_flags, tile.unflagged


def _keep_sigma_spectrum(ms: OpenMs) -> None:
    """Make SIGMA_SPECTRUM of the weights that belong to DATA, before they are changed for the first time."""
    if ms.has("SIGMA_SPECTRUM") and _WHOLE in _keywords(ms.path, "SIGMA_SPECTRUM"):
        return
    ms.add("SIGMA_SPECTRUM")
    for time in range(ms.info.n_times):
        for block in range(ms.n_blocks):
            weights = ms.read_tile("WEIGHT_SPECTRUM", time, block)
            sigma = np.divide(1.0, np.sqrt(weights), out=np.zeros_like(weights), where=weights > 0)
            ms.write_tile("SIGMA_SPECTRUM", time, block, sigma)
    ms.sync()
    _put_keyword(ms.path, "SIGMA_SPECTRUM", _WHOLE, "yes")


def _require_room(ms: OpenMs) -> None:
    """Look for room for the columns to be added, before casacore lays them out."""
    columns = ["CORRECTED_DATA", *(["SIGMA_SPECTRUM"] if ms.has("WEIGHT_SPECTRUM") else [])]
    n_tiles = ms.info.n_times * ms.n_blocks
    needed = sum(n_tiles * tile_bytes(column, ms.info) for column in columns if not ms.has(column))
    disk = os.statvfs(ms.path)
    free = disk.f_bavail * disk.f_frsize
    if needed and free < needed + _SPARE_BYTES:
        raise DiskFullError(
            f"no room left: {human_bytes(free)} are free where {human_bytes(needed + _SPARE_BYTES)} are needed",
            path=ms.path,
            remedy="free some space, then run the command again",
        )


def _record(path: Path, solutions: Sequence[Solutions], options: ApplyOptions, source: str) -> None:
    """Say in HISTORY, and at CORRECTED_DATA itself, what was applied."""
    kinds = ", ".join(
        f"{item.kind} of {item.field_name} at MJD {item.times_mjd.mean():.5f} ({item.times_mjd.size} times)"
        for item in solutions
    )
    facts = {
        "source": source,
        "missing": options.missing,
        "max_gap_hz": options.max_gap_hz,
        "max_phase_step_deg": options.max_phase_step_deg,
        "solutions": [
            {"kind": item.kind, "field": item.field_name, "times_mjd": item.times_mjd.tolist()} for item in solutions
        ],
    }
    message = f"CORRECTED_DATA: {source + ': ' if source else ''}{kinds}"
    with table_errors(path):
        add_history(path, [message], application=f"dsa110-contimg {__version__}", command=json.dumps(facts))
    _put_keyword(path, "CORRECTED_DATA", _STATE, message)


def _put_keyword(path: Path, column: str, keyword: str, value: str) -> None:
    with table_errors(path), ct.table(str(path), readonly=False, ack=False) as table:
        table.putcolkeyword(column, keyword, value)


def _keywords(path: Path, column: str) -> dict[str, object]:
    with ct.table(str(path), ack=False) as table:
        return dict(table.getcolkeywords(column))
