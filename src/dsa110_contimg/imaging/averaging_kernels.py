"""The inner loops of averaging, compiled by numba without the interpreter's lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@numba.njit(cache=True, nogil=True)
def add_integration(
    visibilities: NDArray[np.complex64],
    flags: NDArray[np.bool_],
    weights: NDArray[np.float32],
    uvw_m: NDArray[np.float64],
    rows: NDArray[np.int64],
    mirrored: NDArray[np.bool_],
    width: int,
    either: bool,
    sums: NDArray[np.complex64],
    sum_weights: NDArray[np.float32],
    differences: NDArray[np.complex64],
    difference_weights: NDArray[np.float32],
    sum_uvw_m: NDArray[np.float64],
    row_weights: NDArray[np.float64],
    channel_weights: NDArray[np.float64],
    powers: NDArray[np.float64],
) -> None:
    """Add Stokes I of some baselines of one integration to the rows that they are averaged in.

    Parameters
    ----------
    visibilities, flags, weights : (B, C, 2) complex64, bool, float32
        XX and YY, see `VisibilityBlock`; weights may be (B, 1, 2), those of all channels.
    uvw_m : (B, 3) float64
        [m].
    rows : (B,) int64
        Where each baseline is added; negative: nowhere.
    mirrored : (B,) bool
        Whether its antennas are the other way round.
    width : int
        Channels that are averaged to one.
    either : bool
        Whether XX or YY alone will do.
    sums, sum_weights : (N, D) complex64, float32
        Added to: sum of w I, and of w.
    differences, difference_weights : (N, D) complex64, float32; or (0, D)
        Added to: sum of w (XX - YY) / 2 where both are good, and of w; none if they have no rows.
    sum_uvw_m, row_weights : (N, 3), (N,) float64
        Added to: sum over channels of w uvw, and of w.
    channel_weights : (C,) float64
        Added to: sum of w over baselines.
    powers : (B, 3) float64
        Added to: sums of w |XX - YY|^2 / 4 and of w |I|^2 where both are good, and how many are.
    """
    n_channels, last = visibilities.shape[1], weights.shape[1] - 1
    with_difference = differences.shape[0] > 0
    for b in range(rows.size):
        row = rows[b]
        if row < 0:
            continue
        whole = 0.0
        difference_power, power, n_both = 0.0, 0.0, 0
        for d in range(sums.shape[1]):
            sum_re, sum_im, sum_w = 0.0, 0.0, 0.0
            dif_re, dif_im, dif_w = 0.0, 0.0, 0.0
            for c in range(d * width, min((d + 1) * width, n_channels)):
                w_x, w_y = weights[b, min(c, last), 0], weights[b, min(c, last), 1]
                good_x = not flags[b, c, 0] and w_x > 0.0
                good_y = not flags[b, c, 1] and w_y > 0.0
                if good_x and good_y:
                    weight = 4.0 * w_x * w_y / (w_x + w_y)
                    x, y = visibilities[b, c, 0], visibilities[b, c, 1]
                    re, im = 0.5 * (x.real + y.real), 0.5 * (x.imag + y.imag)
                    half_re, half_im = 0.5 * (x.real - y.real), 0.5 * (x.imag - y.imag)
                    difference_power += weight * (half_re * half_re + half_im * half_im)
                    power += weight * (re * re + im * im)
                    n_both += 1
                    if with_difference:
                        dif_re += weight * half_re
                        dif_im += weight * half_im
                        dif_w += weight
                elif either and (good_x or good_y):
                    weight = w_x if good_x else w_y
                    value = visibilities[b, c, 0] if good_x else visibilities[b, c, 1]
                    re, im = value.real, value.imag
                else:
                    continue
                sum_re += weight * re
                sum_im += weight * im
                sum_w += weight
                channel_weights[c] += weight
            if mirrored[b]:
                sum_im, dif_im = -sum_im, -dif_im
            if sum_w > 0.0:
                sums[row, d] += complex(sum_re, sum_im)
                sum_weights[row, d] += sum_w
                whole += sum_w
            if dif_w > 0.0:
                differences[row, d] += complex(dif_re, dif_im)
                difference_weights[row, d] += dif_w
        sign = -1.0 if mirrored[b] else 1.0
        powers[b, 0] += difference_power
        powers[b, 1] += power
        powers[b, 2] += n_both
        row_weights[row] += whole
        for k in range(3):
            sum_uvw_m[row, k] += whole * sign * uvw_m[b, k]


@numba.njit(cache=True, nogil=True)
def divide(sums: NDArray[np.complex64], weights: NDArray[np.float32]) -> None:
    """Turn sums of w V into means, in place; 0 where there is no weight.

    Parameters
    ----------
    sums : (N, D) complex64
        Changed.
    weights : (N, D) float32
        Sums of w.
    """
    for n in range(sums.shape[0]):
        for d in range(sums.shape[1]):
            if weights[n, d] > 0.0:
                sums[n, d] /= weights[n, d]


def compile_kernels() -> None:
    """Take a small problem through every kernel, with arrays as averaging has them."""
    shape = (2, 4, 2)
    sums, weights = np.zeros((2, 2), np.complex64), np.zeros((2, 2), np.float32)
    add_integration(
        np.ones(shape, np.complex64),
        np.zeros(shape, np.bool_),
        np.ones(shape, np.float32),
        np.ones((2, 3)),
        np.arange(2),
        np.zeros(2, np.bool_),
        2,
        False,
        sums,
        weights,
        sums[:0],
        weights[:0],
        np.zeros((2, 3)),
        np.zeros(2),
        np.zeros(4),
        np.zeros((2, 3)),
    )
    divide(sums, weights)
