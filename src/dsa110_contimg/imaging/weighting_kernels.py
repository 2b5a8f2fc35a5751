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
def _cell(u: float, v: float, height: int, width: int) -> tuple[int, int]:
    """Row and column of the cell at (u, v), in cells; a row of -1 if there is none."""
    if v < 0.0:
        u, v = -u, -v
    row, column = int(np.floor(v)), int(np.floor(u + width // 2))
    if row < height and 0 <= column < width:
        return row, column
    return -1, 0


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
    for n in range(uvw_m.shape[0]):
        u_m, v_m = uvw_m[n, 0], uvw_m[n, 1]
        n_times = times[n]
        for c in range(freq_hz.size):
            if weights[n, c] > 0.0:
                part = weights[n, c] / (channels * n_times)
                for k in range(channels):
                    offset_hz = ((k + 0.5) / channels - 0.5) * width_hz
                    scale = (freq_hz[c] + offset_hz) / SPEED_OF_LIGHT * per_wavelength
                    for t in range(n_times):
                        along = t / (n_times - 1) - 0.5 if n_times > 1 else 0.0
                        u, v = (u_m + along * span_m[n, 0]) * scale, (v_m + along * span_m[n, 1]) * scale
                        row, column = _cell(u, v, height, width)
                        if row >= 0:
                            cells[row, column] += part


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
    total, squares, natural = 0.0, 0.0, 0.0
    for n in range(uvw_m.shape[0]):
        u_m, v_m = uvw_m[n, 0], uvw_m[n, 1]
        n_times = times[n]
        for c in range(freq_hz.size):
            weight = weights[n, c]
            if not weight > 0.0:
                out[n, c] = 0.0
                continue
            factor = 0.0
            for k in range(channels):
                offset_hz = ((k + 0.5) / channels - 0.5) * width_hz
                scale = (freq_hz[c] + offset_hz) / SPEED_OF_LIGHT * per_wavelength
                for t in range(n_times):
                    along = t / (n_times - 1) - 0.5 if n_times > 1 else 0.0
                    u, v = (u_m + along * span_m[n, 0]) * scale, (v_m + along * span_m[n, 1]) * scale
                    row, column = _cell(u, v, height, width)
                    if row >= 0:
                        factor += factors[row, column]
            factor /= channels * n_times
            if taper > 0.0:
                waves = freq_hz[c] / SPEED_OF_LIGHT
                factor *= np.exp(-taper * (u_m * u_m + v_m * v_m) * waves * waves)
            result = weight * factor
            out[n, c] = result
            total += result
            squares += result * factor
            natural += weight if factor > 0.0 else 0.0
    return total, squares, natural


def compile_kernels() -> None:
    """Take a small problem through every kernel, with arrays as weighting has them."""
    uvw_m, freq_hz = np.ones((2, 3)), np.full(2, 1.4e9)
    weights, cells = np.ones((2, 2), np.float32), np.zeros((4, 8))
    extent = (1, 1e6, np.ones(2, np.int64), np.zeros((2, 2)))
    count(uvw_m, freq_hz, weights, 0.1, *extent, cells)
    weigh(uvw_m, freq_hz, weights, 0.1, *extent, cells, 0.0, np.empty_like(weights))
