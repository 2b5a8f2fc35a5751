"""What single antennas see of the model in each integration and channel, the others' gains being known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dsa110_contimg.calibration.sums import Baselines, Sample


def antenna_spectra(
    baselines: Baselines, sample: Sample, gains: NDArray[np.complex64], wanted: NDArray[np.int64]
) -> NDArray[np.complex64]:
    """Sum w V conj(M conj(g_q)) over the baselines p-q of each antenna p: its gain, but for a real factor.

    Parameters
    ----------
    baselines : Baselines
    sample : Sample
        One integration.
    gains : (A, C, P) complex64
        Gains of all antennas; 0 for those that are not trusted.
    wanted : (K,) int64
        Indices of the antennas p.

    Returns
    -------
    (K, C, P) complex64
    """
    place = np.full(baselines.antennas.size, -1)
    place[wanted] = np.arange(wanted.size)
    spectra = np.zeros((wanted.size, *gains.shape[1:]), np.complex64)
    _add(spectra, place, gains, baselines.rows, *baselines.pairs, *sample)
    return spectra


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _add(
    spectra: NDArray[np.complex64],
    place: NDArray[np.int64],
    gains: NDArray[np.complex64],
    rows: NDArray[np.int64],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    data: NDArray[np.complex64],
    flags: NDArray[np.bool_],
    model: NDArray[np.complex64],
    sensitivity: NDArray[np.float32],
    used: NDArray[np.bool_],
) -> None:
    _, n_channels, n_pol = spectra.shape
    for k in range(rows.size):
        p, q, row = first[k], second[k], rows[k]
        if not used[k] or (place[p] < 0 and place[q] < 0):
            continue
        for c in range(n_channels):
            for pol in range(n_pol):
                weight = sensitivity[p, c, pol] * sensitivity[q, c, pol]
                value = data[row, c, pol]
                if weight <= 0.0 or flags[row, c, pol] or not np.isfinite(value.real + value.imag):
                    continue
                seen = weight * value * np.conj(model[k, c])
                if place[p] >= 0:
                    spectra[place[p], c, pol] += seen * gains[q, c, pol]
                if place[q] >= 0:
                    spectra[place[q], c, pol] += np.conj(seen) * gains[p, c, pol]
