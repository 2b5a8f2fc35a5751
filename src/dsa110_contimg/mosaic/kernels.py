"""Adding an image to the sums of a tile, pixel by pixel of the mosaic.

Each pixel's place in the image follows from the rotation between the two planes; there the image is interpolated by
cubic B-splines (Unser 1999, IEEE Signal Processing Magazine 16, 22), whose coefficients are given, and the beam, which
is smooth, linearly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@numba.njit(cache=True, nogil=True)
def add_image(
    splines: NDArray[np.float32],
    pb: NDArray[np.float32],
    weight: float,
    turn: NDArray[np.float64],
    cell_rad: float,
    onto_cell_rad: float,
    offset: tuple[float, float],
    least_pb: float,
    flux: NDArray[np.float64],
    power: NDArray[np.float64],
    best: NDArray[np.float32],
) -> None:
    """Add one image, seen through its beam, to the sums of some rows of a mosaic.

    Parameters
    ----------
    splines : (n_dec, n_ra) float32
        Coefficients of the image's cubic B-splines, mirrored at its edges.
    pb : (n_dec, n_ra) float32
        Its primary beam; 0 or NaN where the image is not to count.
    weight : float
        1 / noise^2 [Jy^-2].
    turn : (3, 3) float64
        Rotation of direction cosines from the mosaic's plane to the image's.
    cell_rad, onto_cell_rad : float
        Pixel sizes of the image and of the mosaic [rad].
    offset : (float, float)
        Row and column of the tile's first pixel, from the mosaic's centre.
    least_pb : float
        Below this the image does not count.
    flux, power : (rows, columns) float64
        Sums of pb * image * weight, and of pb^2 * weight; added to.
    best : (rows, columns) float32
        Largest beam so far; changed.
    """
    n_dec, n_ra = splines.shape
    first_row, first_column = offset
    a, b = np.empty(4), np.empty(4)
    for row in range(flux.shape[0]):
        m = (first_row + row) * onto_cell_rad
        for column in range(flux.shape[1]):
            l = -(first_column + column) * onto_cell_rad  # noqa: E741 - the field's letter
            square = 1.0 - l * l - m * m
            if square <= 0.0:
                continue
            n = np.sqrt(square)
            if turn[2, 0] * l + turn[2, 1] * m + turn[2, 2] * n <= 0.0:
                continue
            x = n_ra // 2 - (turn[0, 0] * l + turn[0, 1] * m + turn[0, 2] * n) / cell_rad
            y = n_dec // 2 + (turn[1, 0] * l + turn[1, 1] * m + turn[1, 2] * n) / cell_rad
            if not (1.0 <= x < n_ra - 2.0 and 1.0 <= y < n_dec - 2.0):
                continue
            i, j = int(y), int(x)
            t, s = y - i, x - j
            beam = (pb[i, j] * (1 - s) + pb[i, j + 1] * s) * (1 - t) + (
                pb[i + 1, j] * (1 - s) + pb[i + 1, j + 1] * s
            ) * t
            if not beam >= least_pb:
                continue
            for weights, u in ((a, t), (b, s)):
                weights[0] = (1 - u) ** 3 / 6
                weights[1] = (4 - 6 * u * u + 3 * u**3) / 6
                weights[2] = (1 + 3 * u + 3 * u * u - 3 * u**3) / 6
                weights[3] = u**3 / 6
            value = 0.0
            for p in range(4):
                line = 0.0
                for q in range(4):
                    line += b[q] * splines[i - 1 + p, j - 1 + q]
                value += a[p] * line
            flux[row, column] += beam * value * weight
            power[row, column] += beam * beam * weight
            best[row, column] = max(best[row, column], beam)


def compile_kernels() -> None:
    """Compile for the types that a mosaic has."""
    image, sums, best = np.ones((8, 8), np.float32), np.zeros((2, 3)), np.zeros((2, 3), np.float32)
    add_image(image, image, 1.0, np.eye(3), 1e-5, 1e-5, (-1.0, -1.0), 0.1, sums, sums.copy(), best)
