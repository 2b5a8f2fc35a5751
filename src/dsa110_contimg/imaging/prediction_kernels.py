"""The inner loop of taking a model out of visibilities, compiled by numba without the interpreter's lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np

from dsa110_contimg.telescope.geometry import SPEED_OF_LIGHT

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Rows of an integration whose phases are turned together from channel to channel, so that the compiler makes vectors.
_ROWS = 128
# What is turned further by less than these is turned along the tangent, or by a polynomial: right to 1e-4 [rad].
_TANGENT_RAD, _LITTLE_RAD = 0.014, 0.4


def compile_kernels() -> None:
    """Compile everything here, or take it from the cache."""
    predicted = np.ones((2, 3), np.complex64)
    factor, time = np.ones((1, 3), np.float32), np.zeros(2, np.int64)
    for parts in (np.zeros((2, 0), np.float32), np.zeros((2, 4), np.float32)):
        subtract_wide(predicted, factor, time, np.zeros(parts.shape, np.int64), parts, 0.0, 0, 2, predicted.copy())
    add_sources(
        np.ones((2, 3)), np.full(3, 1e9), time, np.zeros((1, 3)), np.ones((1, 1, 3), np.float32), 0, 2, predicted
    )


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


@numba.njit(cache=True, nogil=True, fastmath=True)
def _delays(uvw_m: NDArray[np.float64], direction: NDArray[np.float64], delay_s: NDArray[np.float64]) -> float:
    """Fill in 2 pi times the delays of a direction at some rows [s]; give the longest."""
    longest_s = 0.0
    for r in range(uvw_m.shape[0]):
        path_m = uvw_m[r, 0] * direction[0] + uvw_m[r, 1] * direction[1] + uvw_m[r, 2] * direction[2]
        delay_s[r] = 2.0 * np.pi * path_m / SPEED_OF_LIGHT
        longest_s = max(longest_s, abs(delay_s[r]))
    return longest_s


@numba.njit(cache=True, nogil=True, fastmath=True)
def _turn(
    little: bool,
    freq_hz: float,
    delay_s: NDArray[np.float64],
    real: NDArray[np.float32],
    imag: NDArray[np.float32],
) -> None:
    """Fill in exp(i freq delay); `little` says that the angles are small."""
    if little:
        for r in range(delay_s.size):
            angle = np.float32(freq_hz * delay_s[r])
            square = angle * angle
            real[r] = np.float32(1.0) - square * (np.float32(0.5) - square * np.float32(1.0 / 24.0))
            imag[r] = angle * (np.float32(1.0) - square * np.float32(1.0 / 6.0))
    else:
        for r in range(delay_s.size):
            real[r], imag[r] = np.cos(freq_hz * delay_s[r]), np.sin(freq_hz * delay_s[r])


@numba.njit(cache=True, nogil=True, fastmath=True)
def add_sources(
    uvw_m: NDArray[np.float64],
    freq_hz: NDArray[np.float64],
    time: NDArray[np.int64],
    direction: NDArray[np.float64],
    table: NDArray[np.float32],
    first: int,
    last: int,
    predicted: NDArray[np.complex64],
) -> None:
    """Add the visibilities of point sources whose flux depends on time and frequency.

    Parameters
    ----------
    uvw_m : (N, 3) float64
        [m].
    freq_hz : (C,) float64
        [Hz].
    time : (N,) int64
        Integration of each row.
    direction : (S, 3) float64
        (l, m, n - 1).
    table : (S, T, C) float32
        Flux density in each integration and channel [Jy].
    first, last : int
        The rows to which it is added.
    predicted : (N, C) complex64
        Changed in place.
    """
    n_channels = freq_hz.size
    # Where channels were averaged of which some are flagged, the mean frequency is beside an even grid.
    step_hz = np.median(np.diff(freq_hz)) if n_channels > 1 else 0.0
    beside_hz = freq_hz - step_hz * np.arange(n_channels)
    first_hz = np.median(beside_hz)
    beside_hz -= first_hz
    real, imag = np.empty((n_channels, _ROWS), np.float32), np.empty((n_channels, _ROWS), np.float32)
    delay_s, short_s = np.empty(_ROWS), np.empty(_ROWS, np.float32)
    here_real, here_imag = np.empty(_ROWS, np.float32), np.empty(_ROWS, np.float32)
    step_real, step_imag = np.empty(_ROWS, np.float32), np.empty(_ROWS, np.float32)
    more_real, more_imag = np.empty(_ROWS, np.float32), np.empty(_ROWS, np.float32)
    begin = first
    while begin < last:
        n = min(_ROWS, last - begin)
        while time[begin + n - 1] != time[begin]:
            n -= 1
        real[:] = 0.0
        imag[:] = 0.0
        for s in range(direction.shape[0]):
            flux = table[s, time[begin]]
            longest_s = _delays(uvw_m[begin : begin + n], direction[s], delay_s)
            for r in range(n):
                here_real[r], here_imag[r] = np.cos(first_hz * delay_s[r]), np.sin(first_hz * delay_s[r])
                step_real[r], step_imag[r] = np.cos(step_hz * delay_s[r]), np.sin(step_hz * delay_s[r])
                short_s[r] = delay_s[r]
            for c in range(n_channels):
                amplitude = flux[c]
                if abs(beside_hz[c]) * longest_s < _TANGENT_RAD:
                    beside = np.float32(beside_hz[c])
                    for r in range(n):
                        a, b = here_real[r], here_imag[r]
                        angle = beside * short_s[r]
                        real[c, r] += amplitude * (a - b * angle)
                        imag[c, r] += amplitude * (b + a * angle)
                        here_real[r] = a * step_real[r] - b * step_imag[r]
                        here_imag[r] = a * step_imag[r] + b * step_real[r]
                    continue
                _turn(abs(beside_hz[c]) * longest_s < _LITTLE_RAD, beside_hz[c], delay_s[:n], more_real, more_imag)
                for r in range(n):
                    a, b = here_real[r], here_imag[r]
                    real[c, r] += amplitude * (a * more_real[r] - b * more_imag[r])
                    imag[c, r] += amplitude * (a * more_imag[r] + b * more_real[r])
                    here_real[r] = a * step_real[r] - b * step_imag[r]
                    here_imag[r] = a * step_imag[r] + b * step_real[r]
        for r in range(n):
            for c in range(n_channels):
                predicted[begin + r, c] += complex(real[c, r], imag[c, r])
        begin += n
