"""Applying gains: calibrated integrations one after another, or CORRECTED_DATA in the Measurement Set.

A visibility is divided by g[ANTENNA1] conj(g[ANTENNA2]), and its inverse variance, 1/SIGMA^2, is multiplied by
|g[ANTENNA1]|^2 |g[ANTENNA2]|^2. DATA and SIGMA stay as they are, so that to apply twice is to apply once.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from dsa110_contimg.calibration import apply_kernels as kernels
from dsa110_contimg.calibration.interpolation import GainCurve
from dsa110_contimg.errors import CalibrationError
from dsa110_contimg.ms.blocks import VisibilityBlock
from dsa110_contimg.ms.columns import MsInfo, OpenMs
from dsa110_contimg.ms.description import CORR_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from dsa110_contimg.calibration.interpolation import Gains
    from dsa110_contimg.calibration.solutions import Solutions


@dataclass(frozen=True)
class ApplyOptions:
    """How solutions are applied.

    Attributes
    ----------
    missing : {"flag", "pass"}
        Whether a sample without a solution is flagged, or passed as it is.
    max_gap_hz : float
        Width of the widest gap in a bandpass that is bridged [Hz].
    max_phase_step_deg : float
        Largest change of phase between two solutions that is interpolated in time [deg]; beyond, the nearer holds.
    """

    missing: Literal["flag", "pass"] = "flag"
    max_gap_hz: float = 2e6
    max_phase_step_deg: float = 90.0


class Correction(NamedTuple):
    """What one integration is corrected by.

    Attributes
    ----------
    inverse : (A, C, P) complex64
        1/g; 1 where there is no gain.
    missing : (A, C, P) bool
        Where a sample is to be flagged.
    power : (A, C, P) float32
        |g|^2.
    mean_power : (A, P) float32
        Its mean over the channels with a gain; 1 where there is none.
    """

    inverse: NDArray[np.complex64]
    missing: NDArray[np.bool_]
    power: NDArray[np.float32]
    mean_power: NDArray[np.float32]

    def block(self, channels: slice) -> Correction:
        """Return that of some channels."""
        return Correction(
            np.ascontiguousarray(self.inverse[:, channels]),
            np.ascontiguousarray(self.missing[:, channels]),
            np.ascontiguousarray(self.power[:, channels]),
            self.mean_power,
        )


class Calibrator:
    """The corrections of a Measurement Set, integration by integration.

    Parameters
    ----------
    info : MsInfo
        The Measurement Set.
    solutions : sequence of Solutions
        One of each kind that there is.
    options : ApplyOptions
        How they are applied.

    Raises
    ------
    CalibrationError
        The solutions are not for these antennas, channels or correlations.
    """

    def __init__(self, info: MsInfo, solutions: Sequence[Solutions], options: ApplyOptions) -> None:
        if info.correlations != CORR_TYPES:
            raise CalibrationError("its correlations are not XX and YY", path=info.path)
        if any(item.antenna_names != info.antenna_names for item in solutions):
            raise CalibrationError("the solutions are of other antennas", path=info.path)
        if any(item.values.shape[3] != len(CORR_TYPES) for item in solutions):
            raise CalibrationError("the solutions are not of two polarizations", path=info.path)
        self._times_mjd = info.times_mjd
        self._curve = GainCurve(solutions, info.freq_hz, options.max_gap_hz, options.max_phase_step_deg)
        self._flags_missing = options.missing == "flag"
        self._shape = (len(info.antenna_names), info.n_channels, len(CORR_TYPES))
        self._constant: Correction | None = None

    def correction(self, time: int) -> Correction:
        """Give the correction of one integration."""
        if self._constant is not None:
            return self._constant
        found = self._correction(self._curve.at(self._times_mjd[time]))
        if self._curve.is_constant:
            self._constant = found
        return found

    def _correction(self, gains: Gains) -> Correction:
        # A gain of 0 cannot be divided by, and tells nothing.
        missing = np.broadcast_to(gains.missing | (gains.values == 0), self._shape)
        values = np.broadcast_to(gains.values.astype(np.complex64), self._shape)
        values = np.where(missing, np.complex64(1), values)
        power = values.real**2 + values.imag**2
        count = (~missing).sum(axis=1)
        mean_power = np.where(missing, np.float32(0), power).sum(axis=1) / np.maximum(count, 1)
        flagging = missing if self._flags_missing else np.zeros_like(missing)
        return Correction(1 / values, flagging, power, np.where(count, mean_power, 1).astype(np.float32))


class CorrectedTile(NamedTuple):
    """One integration of a block of channels, corrected: see `VisibilityBlock`; good samples a baseline, new flags."""

    visibilities: NDArray[np.complex64]
    flags: NDArray[np.bool_]
    unflagged: NDArray[np.int64]
    n_new_flags: int


def correct_tile(ms: OpenMs, time: int, block: int, correction: Correction) -> CorrectedTile:
    """Read one integration of a block of channels, and correct it."""
    data = ms.read_tile("DATA", time, block)
    flags = ms.read_tile("FLAG", time, block)
    unflagged = np.empty(data.shape[0], np.int64)
    antennas = (ms.info.antenna1, ms.info.antenna2)
    n_new = kernels.correct(data, flags, *antennas, correction.inverse, correction.missing, unflagged)
    return CorrectedTile(data, flags, unflagged, n_new)


def raw_weights(ms: OpenMs) -> str | None:
    """Name the column that has a weight of its own for each sample of DATA, if there is one.

    That is SIGMA_SPECTRUM, and before gains were first applied WEIGHT_SPECTRUM.
    """
    return next((column for column in ("SIGMA_SPECTRUM", "WEIGHT_SPECTRUM") if ms.has(column)), None)


def inverse_variance(sigma: NDArray[np.float32]) -> NDArray[np.float32]:
    """1/sigma^2, and 0 where sigma is 0."""
    return np.divide(1.0, sigma * sigma, out=np.zeros_like(sigma), where=sigma > 0)


def calibrated_blocks(
    ms: Path, solutions: Sequence[Solutions], options: ApplyOptions | None = None, workers: int | None = None
) -> Iterator[VisibilityBlock]:
    """Read a Measurement Set calibrated, one integration at a time; nothing is written.

    Parameters
    ----------
    ms : Path
        The Measurement Set.
    solutions : sequence of Solutions
        One of each kind that there is.
    options : ApplyOptions, optional
        How they are applied.
    workers : int, optional
        Threads; one per core.

    Yields
    ------
    VisibilityBlock
        One integration. A sample is flagged by FLAG, FLAG_ROW, where it is not finite, and where a solution is missing
        if `options` say so.

    Raises
    ------
    CalibrationError
        The solutions do not fit.
    MeasurementSetError
        It cannot be read.
    """
    with OpenMs(ms) as opened, ThreadPoolExecutor(workers or len(os.sched_getaffinity(0))) as pool:
        info = opened.info
        calibrator = Calibrator(info, solutions, options or ApplyOptions())
        by_row = inverse_variance(opened.read("SIGMA", 0, info.n_times))
        flag_row = opened.read("FLAG_ROW", 0, info.n_times)
        by_sample = raw_weights(opened)
        shape = (info.n_baselines, info.n_channels, len(info.correlations))
        for time in range(info.n_times):
            visibilities, flags = np.empty(shape, np.complex64), np.empty(shape, np.bool_)
            weights = np.empty(shape, np.float32)
            correction = calibrator.correction(time)

            def fill(
                block: int,
                time: int = time,
                correction: Correction = correction,
                out: tuple[NDArray[np.complex64], NDArray[np.bool_], NDArray[np.float32]] = (
                    visibilities,
                    flags,
                    weights,
                ),
            ) -> None:
                channels = opened.block_channels(block)
                part = correction.block(channels)
                tile = correct_tile(opened, time, block, part)
                weight = _raw_tile(opened, by_sample, time, block, by_row[time])
                kernels.scale_weights(weight, info.antenna1, info.antenna2, part.power)
                for whole, piece in zip(out, (tile.visibilities, tile.flags, weight), strict=True):
                    whole[:, channels] = piece

            for _ in pool.map(fill, range(opened.n_blocks)):
                pass
            flags |= flag_row[time][:, None, None]
            uvw_m = opened.read("UVW", time)[0]
            antennas = (info.antenna1, info.antenna2)
            yield VisibilityBlock(
                float(info.times_mjd[time]), *antennas, uvw_m, info.freq_hz, visibilities, flags, weights
            )


def _raw_tile(
    ms: OpenMs, column: str | None, time: int, block: int, by_row: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Weights of the samples of DATA in one tile, (B, channels, P)."""
    if column is None:
        shape = (ms.info.n_baselines, ms.info.tile_channels, by_row.shape[1])
        return np.broadcast_to(by_row[:, None], shape).copy()
    values = ms.read_tile(column, time, block)
    return inverse_variance(values) if column == "SIGMA_SPECTRUM" else values
