"""Compiling the kernels of flagging once, when the package is set up, so that no group waits for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dsa110_contimg.flagging import baselines, interference, marks, survey, tables
from dsa110_contimg.flagging.reasons import Reason

if TYPE_CHECKING:
    from numpy.typing import NDArray


def compile_kernels() -> None:
    """Take a small problem through every kernel, with arrays as flagging has them."""
    n_antennas, n_times, n_channels, n_corr = 3, 2, 16, 2
    first, second = (rows.astype(np.int64) for rows in np.triu_indices(n_antennas))
    reasons = np.zeros((n_times, first.size, n_channels, n_corr), np.uint8)
    powers = np.ones((n_times, n_antennas, n_channels, n_corr), np.float32)
    _survey(first, second, reasons[0], powers[0])
    _look(powers)
    marks.mark_band(reasons, np.ones((n_times, n_channels), np.bool_), np.uint8(1))
    marks.mark_rows(reasons, np.ones((n_times, first.size, n_corr), np.bool_), np.uint8(1))
    marks.mark_bits(reasons, 0, np.ones((n_times, first.size, n_channels // 8), np.uint8), np.uint8(1))
    sums = (np.zeros((n, len(Reason)), np.int64) for n in (n_antennas, n_channels, n_corr))
    tables.count(reasons[0], first, second, *sums, *np.zeros((2, n_channels), np.int64))


def _survey(
    first: NDArray[np.int64], second: NDArray[np.int64], reasons: NDArray[np.uint8], powers: NDArray[np.float32]
) -> None:
    """Take one integration, (B, C, P) and (A, C, P), through the kernels of the survey."""
    flat = reasons.reshape(first.size, -1)
    n_antennas, n_channels, n_corr = powers.shape
    data = np.ones(flat.shape, np.complex64)
    survey.classify(data, np.zeros(flat.shape, np.bool_), 0, flat)
    survey.count_missing(reasons)
    some = np.ones((first.size, n_corr, 2, n_channels // 4), np.float32)
    scale = survey.unit_scales(powers.reshape(n_antennas, -1))
    survey.sample_powers(data, 0, reasons, scale, first, second, 4, some[:, :, 0])
    noise = survey.medians(some.reshape(first.size, n_corr, -1))
    total, count = np.zeros((2, n_antennas, flat.shape[1]))
    survey.add_to_band(data, 0, flat, scale, noise, first, second, total, count)


def _look(powers: NDArray[np.float32]) -> None:
    """Take one of two baselines, with powers as (T, A, C, P), through the kernels of one."""
    n_times, _, n_channels, n_corr = powers.shape
    spectra = np.ones((n_times, 2, n_channels, n_corr), np.complex64)
    scales = np.ones((2, n_corr, n_times, n_channels), np.float32)
    coefficients = np.empty((n_corr, n_times, n_channels), np.complex64)
    nothing = np.zeros((n_times, n_channels), np.bool_)
    flags, sick = np.zeros(spectra.shape, np.bool_), np.zeros(n_corr, np.bool_)
    baselines.correlate(spectra[:, 1], flags[:, 1], scales[0], scales[1], sick, nothing, coefficients)
    image = baselines.amplitude(coefficients)
    baselines.take_change_away(image, np.ones((n_times, n_channels)))
    flat, mask = np.empty((n_channels, n_times), np.float32), np.empty((n_channels, n_times), np.bool_)
    for values in (image, image.astype(np.float64)):
        bad, _ = interference.sort_out(values, nothing)
        interference.flatten(values, bad, 1.0, np.zeros(0, np.float32), flat, mask)
