"""The inner loops of applying gains to one tile of visibilities, compiled by numba without the interpreter's lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@numba.njit(cache=True, nogil=True)
def correct(
    data: NDArray[np.complex64],
    flag: NDArray[np.bool_],
    antenna1: NDArray[np.int32],
    antenna2: NDArray[np.int32],
    inverse: NDArray[np.complex64],
    missing: NDArray[np.bool_],
    unflagged: NDArray[np.int64],
) -> int:
    """Divide a tile by g[antenna1] conj(g[antenna2]), in place; flag what has no gain or is not finite.

    Parameters
    ----------
    data, flag : (B, C, P) complex64, bool
        Changed in place; samples that are not finite become 0.
    antenna1, antenna2 : (B,) int32
        Rows of the gains.
    inverse : (A, C, P) complex64
        1/g.
    missing : (A, C, P) bool
        Where a missing gain is to flag the sample.
    unflagged : (B,) int64
        Filled with the number of good samples of each baseline.

    Returns
    -------
    int
        Samples flagged that were not.
    """
    n_baselines, n_channels, n_corr = data.shape
    n_new = 0
    for b in range(n_baselines):
        i, j = antenna1[b], antenna2[b]
        good = 0
        for c in range(n_channels):
            for p in range(n_corr):
                value = data[b, c, p] * (inverse[i, c, p] * np.conj(inverse[j, c, p]))
                bad = missing[i, c, p] or missing[j, c, p]
                if not (np.isfinite(value.real) and np.isfinite(value.imag)):
                    value = np.complex64(0)
                    bad = True
                data[b, c, p] = value
                if flag[b, c, p]:
                    continue
                if bad:
                    flag[b, c, p] = True
                    n_new += 1
                else:
                    good += 1
        unflagged[b] = good
    return n_new


@numba.njit(cache=True, nogil=True)
def scale_weights(
    weights: NDArray[np.float32],
    antenna1: NDArray[np.int32],
    antenna2: NDArray[np.int32],
    power: NDArray[np.float32],
) -> None:
    """Multiply inverse variances by |g[antenna1]|^2 |g[antenna2]|^2, in place.

    Parameters
    ----------
    weights : (B, C, P) float32
        Changed in place.
    antenna1, antenna2 : (B,) int32
        Rows of the powers.
    power : (A, C, P) float32
        |g|^2.
    """
    n_baselines, n_channels, n_corr = weights.shape
    for b in range(n_baselines):
        i, j = antenna1[b], antenna2[b]
        for c in range(n_channels):
            for p in range(n_corr):
                weights[b, c, p] *= power[i, c, p] * power[j, c, p]
