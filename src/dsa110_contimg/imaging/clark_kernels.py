"""The inner loop of CLEAN, compiled by numba without the interpreter's lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def compile_kernels() -> None:
    """Take a small problem through every kernel, with arrays as cleaning has them."""
    places, values = np.arange(1), np.ones(1, np.float32)
    take_peaks(np.ones((2, 2), np.float32), places, places, values, 0.1, 1, 9.0, 1, values + values, values)


@numba.njit(cache=True, nogil=True)
def _see(
    psf: NDArray[np.float32],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    row: int,
    column: int,
    seen: NDArray[np.float32],
) -> None:
    """Give what the pixels (P,) have of a component of 1 Jy at a row and a column."""
    size = psf.shape[0]
    up, left = row - size // 2, column - size // 2
    for pixel in range(rows.size):
        down, across = rows[pixel] - up, columns[pixel] - left
        if 0 <= down < size and 0 <= across < size:
            seen[pixel] = psf[down, across]
        else:
            seen[pixel] = 0.0


@numba.njit(cache=True, nogil=True)
def _subtract(
    flux: float,
    seen: NDArray[np.float32],
    inverse: NDArray[np.float32],
    residual: NDArray[np.float32],
    relative: NDArray[np.float32],
) -> None:
    """Take a component out of the pixels (P,), and say how high they are in their thresholds now."""
    part = np.float32(flux)
    for pixel in range(residual.size):
        residual[pixel] -= part * seen[pixel]
    for pixel in range(residual.size):
        relative[pixel] = abs(residual[pixel]) * inverse[pixel]


@numba.njit(cache=True, nogil=True)
def _highest(relative: NDArray[np.float32]) -> int:
    """Give the place of the pixel (P,) that is highest above its threshold; -1 if none is above."""
    height, place = np.float32(1.0), -1
    for pixel in range(relative.size):
        if relative[pixel] > height:
            height, place = relative[pixel], pixel
    return place


@numba.njit(cache=True, nogil=True)
def take_peaks(
    psf: NDArray[np.float32],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    thresholds: NDArray[np.float32],
    gain: float,
    most: int,
    limit: float,
    n_kept: int,
    residual: NDArray[np.float32],
    taken: NDArray[np.float32],
) -> int:
    """Take away, again and again, part of the pixel that is highest relative to its threshold, as the PSF shows it.

    Most components are taken many times: what the PSF shows of the first ones is kept.

    Parameters
    ----------
    psf : (N, N) float32
        1 in pixel (N // 2, N // 2); 0 beyond its edges.
    rows, columns : (P,) int64
        Where the pixels are.
    thresholds : (P,) float32
        Positive: what is not above it stays [Jy/beam].
    gain : float
        The part.
    most : int
        So many times at most.
    limit : float
        It ends, too, when the pixel is higher than this: it diverges [Jy/beam].
    n_kept : int
        Of so many components, of P pixels each.
    residual : (P,) float32
        What the pixels hold, changed in place [Jy/beam].
    taken : (P,) float32
        Added to: what is taken from each [Jy].

    Returns
    -------
    int
        How many times it was.
    """
    inverse = np.float32(1.0) / thresholds
    relative = np.abs(residual) * inverse
    seen = np.empty((max(1, n_kept), rows.size), np.float32)
    kept_at = np.full(rows.size, -1)
    n_seen = 0
    for done in range(most):
        place = _highest(relative)
        if place < 0 or abs(residual[place]) > limit:
            return done
        at = kept_at[place]
        if at < 0:
            # The last line is for all those that are not kept.
            at = min(n_seen, seen.shape[0] - 1)
            n_seen += 1
            if n_seen < seen.shape[0]:
                kept_at[place] = at
            _see(psf, rows, columns, rows[place], columns[place], seen[at])
        flux = np.float32(gain) * residual[place]
        taken[place] += flux
        _subtract(flux, seen[at], inverse, residual, relative)
    return most
