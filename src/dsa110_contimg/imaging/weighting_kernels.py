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
def count(
    uvw_m: NDArray[np.float64],
    freq_hz: NDArray[np.float64],
    weights: NDArray[np.float32],
    per_wavelength: float,
    cells: NDArray[np.float64],
) -> None:
    """Add weights to the cells of the uv plane.

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
    cells : (n // 2, n) float64
        Added to; samples outside of it are left out.
    """
    height, width = cells.shape
    for n in range(uvw_m.shape[0]):
        sign = -1.0 if uvw_m[n, 1] < 0.0 else 1.0
        u, v = sign * uvw_m[n, 0] * per_wavelength, sign * uvw_m[n, 1] * per_wavelength
        for c in range(freq_hz.size):
            if weights[n, c] > 0.0:
                waves = freq_hz[c] / SPEED_OF_LIGHT
                x, y = int(np.floor(u * waves + width // 2)), int(np.floor(v * waves))
                if 0 <= x < width and y < height:
                    cells[y, x] += weights[n, c]


@numba.njit(cache=True, nogil=True)
def weigh(
    uvw_m: NDArray[np.float64],
    freq_hz: NDArray[np.float64],
    weights: NDArray[np.float32],
    per_wavelength: float,
    factors: NDArray[np.float64],
    taper: float,
    out: NDArray[np.float32],
) -> tuple[float, float, float]:
    """Multiply weights by the factor of their cell and by a Gaussian taper.

    Parameters
    ----------
    uvw_m, freq_hz, weights, per_wavelength
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
        sign = -1.0 if uvw_m[n, 1] < 0.0 else 1.0
        u, v = sign * uvw_m[n, 0], sign * uvw_m[n, 1]
        square_m2 = u * u + v * v
        for c in range(freq_hz.size):
            out[n, c] = 0.0
            weight = weights[n, c]
            if weight > 0.0:
                waves = freq_hz[c] / SPEED_OF_LIGHT
                x = int(np.floor(u * per_wavelength * waves + width // 2))
                y = int(np.floor(v * per_wavelength * waves))
                if 0 <= x < width and y < height:
                    factor = factors[y, x]
                    if taper > 0.0:
                        factor *= np.exp(-taper * square_m2 * waves * waves)
                    result = weight * factor
                    out[n, c] = result
                    total += result
                    squares += result * factor
                    natural += weight
    return total, squares, natural


def compile_kernels() -> None:
    """Take a small problem through every kernel, with arrays as weighting has them."""
    uvw_m, freq_hz = np.ones((2, 3)), np.full(2, 1.4e9)
    weights, cells = np.ones((2, 2), np.float32), np.zeros((4, 8))
    count(uvw_m, freq_hz, weights, 0.1, cells)
    weigh(uvw_m, freq_hz, weights, 0.1, cells, 0.0, np.empty_like(weights))
