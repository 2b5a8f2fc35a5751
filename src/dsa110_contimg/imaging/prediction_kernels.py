"""The inner loop of taking a model out of visibilities, compiled by numba without the interpreter's lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def compile_kernels() -> None:
    """Compile everything here, or take it from the cache."""
    predicted = np.ones((2, 3), np.complex64)
    factor, time = np.ones((1, 3), np.float32), np.zeros(2, np.int64)
    for parts in (np.zeros((2, 0), np.float32), np.zeros((2, 4), np.float32)):
        subtract_wide(predicted, factor, time, np.zeros(parts.shape, np.int64), parts, 0.0, 0, 2, predicted.copy())


@numba.njit(cache=True, nogil=True, fastmath=True)
def subtract_wide(
    predicted: NDArray[np.complex64],
    factor: NDArray[np.float32],
    time: NDArray[np.int64],
    rows: NDArray[np.int64],
    parts: NDArray[np.float32],
    by_channel: float,
    first: int,
    last: int,
    visibilities: NDArray[np.complex64],
) -> None:
    """Subtract predicted visibilities as samples see them that are wide in frequency and time.

    Parameters
    ----------
    predicted : (N, C) complex64
        In the middle of each sample.
    factor : (T, C) float32
        By which they are multiplied.
    time : (N,) int64
        Which of the factors.
    rows, parts : (N, K) int64, float32
        What is added to each row, see `Widths`.
    by_channel : float
        How much of the second difference along channels is added.
    first, last : int
        The rows from which it is subtracted.
    visibilities : (N, C) complex64
        Changed in place.
    """
    n_channels = predicted.shape[1]
    line = np.empty(n_channels, np.complex64)
    bend = np.zeros(n_channels, np.complex64)
    beside = np.float32(by_channel if n_channels > 3 else 0.0)
    for row in range(first, last):
        for c in range(n_channels):
            line[c] = predicted[row, c]
        for k in range(rows.shape[1]):
            part = parts[row, k]
            if part != 0.0:
                other = rows[row, k]
                for c in range(n_channels):
                    line[c] += part * predicted[other, c]
        here = factor[time[row]]
        if beside == 0.0:
            for c in range(n_channels):
                visibilities[row, c] -= here[c] * line[c]
            continue
        for c in range(1, n_channels - 1):
            bend[c] = line[c - 1] - line[c] - line[c] + line[c + 1]
        # In a straight line beyond the ends.
        bend[0] = bend[1] + bend[1] - bend[2]
        bend[-1] = bend[-2] + bend[-2] - bend[-3]
        for c in range(n_channels):
            visibilities[row, c] -= here[c] * (line[c] + beside * bend[c])
