"""The inner loops of weighting, compiled by numba without the interpreter's lock.

Weights are counted in cells of half the uv plane, the other half being its mirror: a sample with v < 0 counts at
(-u, -v). Cell (row, column) is (floor(v / cell), floor(u / cell) + columns / 2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np

from dsa110_contimg.telescope.geometry import SPEED_OF_LIGHT

if TYPE_CHECKING:
    from numpy.typing import NDArray


@numba.njit(cache=True, nogil=True)
def _cells_per_metre(
    freq_hz: NDArray[np.float64], per_wavelength: float, channels: int, width_hz: float
) -> NDArray[np.float64]:
    """Cells a metre (C * channels,) at the frequencies of the channels that were averaged."""
    scales = np.empty(freq_hz.size * channels)
    for c in range(freq_hz.size):
        for k in range(channels):
            offset_hz = ((k + 0.5) / channels - 0.5) * width_hz
            scales[c * channels + k] = (freq_hz[c] + offset_hz) / SPEED_OF_LIGHT * per_wavelength
    return scales


@numba.njit(cache=True, nogil=True)
def _cross(
    u_m: float,
    v_m: float,
    scales: NDArray[np.float64],
    farthest: float,
    height: int,
    width: int,
    places: NDArray[np.int32],
) -> None:
    """Number the cells (S,) that are crossed as the frequency grows, row by row; -1 outside of them.

    `farthest` is the largest of the scales.
    """
    if v_m < 0.0:
        u_m, v_m = -u_m, -v_m
    middle = float(width // 2)
    if v_m * farthest < height and abs(u_m) * farthest < middle:
        for s in range(scales.size):
            places[s] = np.int32(v_m * scales[s]) * np.int32(width) + np.int32(u_m * scales[s] + middle)
        return
    for s in range(scales.size):
        row, column = np.floor(v_m * scales[s]), np.floor(u_m * scales[s] + middle)
        places[s] = np.int32(row * width + column) if row < height and 0.0 <= column < width else np.int32(-1)


@numba.njit(cache=True, nogil=True)
def count(
    uvw_m: NDArray[np.float64],
    freq_hz: NDArray[np.float64],
    weights: NDArray[np.float32],
    per_wavelength: float,
    channels: int,
    width_hz: float,
    times: NDArray[np.int64],
    span_m: NDArray[np.float64],
    cells: NDArray[np.float64],
) -> None:
    """Add weights to the cells of the uv plane, each where the data are that were averaged.

    Parameters
    ----------
    uvw_m : (N, 3) float64
        [m].
    freq_hz : (C,) float64
        [Hz].
    weights : (N, C) float32
        Inverse variances.
    per_wavelength : float
        Cells a wavelength.
    channels : int
        Channels that were averaged to one.
    width_hz : float
        Width of an averaged channel [Hz].
    times, span_m : (N,) int64, (N, 2) float64
        See `samples.Extent`.
    cells : (n // 2, n) float64
        Added to; what is outside of them is left out.
    """
    height, width = cells.shape
    flat = cells.reshape(-1)
    scales = _cells_per_metre(freq_hz, per_wavelength, channels, width_hz)
    farthest = scales.max() if scales.size else 0.0
    places = np.empty(scales.size, np.int32)
    for n in range(uvw_m.shape[0]):
        n_times = times[n]
        for t in range(n_times):
            along = t / (n_times - 1) - 0.5 if n_times > 1 else 0.0
            u_m, v_m = uvw_m[n, 0] + along * span_m[n, 0], uvw_m[n, 1] + along * span_m[n, 1]
            _cross(u_m, v_m, scales, farthest, height, width, places)
            # Neighbouring channels are often in one cell: what they add to it is added at once.
            place, together = np.int32(-1), 0.0
            for c in range(freq_hz.size):
                if not weights[n, c] > 0.0:
                    continue
                part = weights[n, c] / (channels * n_times)
                for k in range(c * channels, (c + 1) * channels):
                    if places[k] != place:
                        if place >= 0:
                            flat[place] += together
                        place, together = places[k], 0.0
                    together += part
            if place >= 0:
                flat[place] += together


@numba.njit(cache=True, nogil=True)
def weigh(
    uvw_m: NDArray[np.float64],
    freq_hz: NDArray[np.float64],
    weights: NDArray[np.float32],
    per_wavelength: float,
    channels: int,
    width_hz: float,
    times: NDArray[np.int64],
    span_m: NDArray[np.float64],
    factors: NDArray[np.float64],
    taper: float,
    out: NDArray[np.float32],
) -> tuple[float, float, float]:
    """Multiply weights by the mean factor of their cells and by a Gaussian taper.

    Parameters
    ----------
    uvw_m, freq_hz, weights, per_wavelength, channels, width_hz, times, span_m
        See `count`.
    factors : (n // 2, n) float64
        Of the cells.
    taper : float
        The factor is exp(-taper (u^2 + v^2)), u and v in wavelengths.
    out : (N, C) float32
        Filled with the result; 0 outside of the cells.

    Returns
    -------
    total, squares, natural : float
        Sum of the results, of result^2 / weight, and of the weights whose result is not 0.
    """
    height, width = factors.shape
    flat = factors.reshape(-1)
    scales = _cells_per_metre(freq_hz, per_wavelength, channels, width_hz)
    farthest = scales.max() if scales.size else 0.0
    places, sums = np.empty(scales.size, np.int32), np.empty(freq_hz.size)
    total, squares, natural = 0.0, 0.0, 0.0
    for n in range(uvw_m.shape[0]):
        u_m, v_m = uvw_m[n, 0], uvw_m[n, 1]
        n_times = times[n]
        sums[:] = 0.0
        for t in range(n_times):
            along = t / (n_times - 1) - 0.5 if n_times > 1 else 0.0
            now = u_m + along * span_m[n, 0], v_m + along * span_m[n, 1]
            _cross(*now, scales, farthest, height, width, places)
            for c in range(freq_hz.size):
                for k in range(c * channels, (c + 1) * channels):
                    if places[k] >= 0:
                        sums[c] += flat[places[k]]
        for c in range(freq_hz.size):
            weight = weights[n, c]
            if not weight > 0.0:
                out[n, c] = 0.0
                continue
            factor = sums[c] / (channels * n_times)
            if taper > 0.0:
                waves = freq_hz[c] / SPEED_OF_LIGHT
                factor *= np.exp(-taper * (u_m * u_m + v_m * v_m) * waves * waves)
            result = weight * factor
            out[n, c] = result
            total += result
            squares += result * factor
            natural += weight if factor > 0.0 else 0.0
    return total, squares, natural


@numba.njit(cache=True, nogil=True)
def hold_down(factors: NDArray[np.float64], window: int, limit: float) -> NDArray[np.float64]:
    """Hold factors down to `limit` times the mean of those around them that are not 0.

    Parameters
    ----------
    factors : (n // 2, n) float64
        Of the cells; 0 where there is nothing.
    window : int
        Cells along a side of what is around a cell; if it is even, the cell is right and above of the middle.
    limit : float
        How much of the mean is allowed.
    """
    height, width = factors.shape
    out = np.zeros_like(factors)
    # Of the rows in the window: sums over a column, and how many are not 0.
    sums, counts = np.zeros(width), np.zeros(width)
    before, after = window // 2, window - window // 2 - 1
    for row in range(-after, height):
        if row + after < height:
            for column in range(width):
                value = factors[row + after, column]
                sums[column] += value
                counts[column] += 1.0 if value > 0.0 else 0.0
        if row - before - 1 >= 0:
            for column in range(width):
                value = factors[row - before - 1, column]
                sums[column] -= value
                counts[column] -= 1.0 if value > 0.0 else 0.0
        if row < 0:
            continue
        total, count_all = 0.0, 0.0
        for column in range(-after, width):
            if column + after < width:
                total += sums[column + after]
                count_all += counts[column + after]
            if column - before - 1 >= 0:
                total -= sums[column - before - 1]
                count_all -= counts[column - before - 1]
            if column >= 0 and factors[row, column] > 0.0:
                out[row, column] = min(factors[row, column], limit * total / count_all)
    return out


def compile_kernels() -> None:
    """Take a small problem through every kernel, with arrays as weighting has them."""
    uvw_m, freq_hz = np.ones((2, 3)), np.full(2, 1.4e9)
    weights, cells = np.ones((2, 2), np.float32), np.zeros((4, 8))
    extent = (1, 1e6, np.ones(2, np.int64), np.zeros((2, 2)))
    count(uvw_m, freq_hz, weights, 0.1, *extent, cells)
    weigh(uvw_m, freq_hz, weights, 0.1, *extent, cells, 0.0, np.empty_like(weights))
    hold_down(cells, 2, 3.0)
