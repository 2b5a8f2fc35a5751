"""Sums over visibilities that outliers are solved with, and taking them out: compiled.

A source s of an integration is a set of points around its middle. Its model in row r and channel c is

    M = smear[r, s] exp(2 pi i nu_c path[s] / c) sum over points of f exp(2 pi i nu'_c further / c),

path the projection u l + v m + w (n - 1) of the middle, `further` what a point has besides, and nu' the frequencies of
an even grid next to nu. A column q of the fit is M times a number that differs from row to row and, if it says how M
changes with the position of the source, times i nu.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SPEED_OF_LIGHT = 299792458.0
# A recurrence from channel to channel begins anew after so many.
_ANCHOR_CHANNELS = 48


def compile_kernels() -> None:
    """Compile everything here, or take it from the cache."""
    n_rows, n_channels = 2, 3
    uvw_m, freq_hz = np.ones((n_rows, 3)), np.array([1.0e9, 1.1e9, 1.2e9])
    visibilities = np.ones((n_rows, n_channels), np.complex64)
    weights = np.ones((n_rows, n_channels), np.float32)
    middles, further = np.zeros((1, 3)), np.zeros((1, 3))
    flux, first = np.ones(1, np.float32), np.array([0, 1])
    smear, source, factor = np.ones((n_rows, 1)), np.zeros(1, np.int64), np.ones((n_rows, 1))
    turned = np.zeros(1, np.bool_)
    model = (uvw_m, freq_hz, freq_hz, middles, further, flux, first, smear)
    right = np.zeros((1, n_channels), np.complex128)
    gram = np.zeros((1, 1, 1), np.complex128)
    project(*model, source, factor, turned, visibilities, weights, ~turned, np.array([1]), right, gram)
    subtract(*model, source, factor, turned, np.ones((1, n_channels), np.complex64), visibilities, weights)


@numba.njit(cache=True, nogil=True, fastmath=True)
def _fill_model(
    uvw_m: NDArray[np.float64],
    freq_hz: NDArray[np.float64],
    even_hz: NDArray[np.float64],
    middles: NDArray[np.float64],
    further: NDArray[np.float64],
    flux: NDArray[np.float32],
    first: NDArray[np.int64],
    smear: NDArray[np.float64],
    real: NDArray[np.float32],
    imag: NDArray[np.float32],
    work: NDArray[np.float32],
) -> None:
    """Fill M of one row: real, imag (S, C); `work` is (4, P); the other arrays are as of `project`."""
    n_channels = freq_hz.size
    step_hz = even_hz[1] - even_hz[0] if n_channels > 1 else 0.0
    even = n_channels > 1 and np.abs(freq_hz - even_hz).max() < 1.0
    for s in range(middles.shape[0]):
        delay = (uvw_m[0] * middles[s, 0] + uvw_m[1] * middles[s, 1] + uvw_m[2] * middles[s, 2]) / _SPEED_OF_LIGHT
        step_real, step_imag = np.cos(2 * np.pi * step_hz * delay), np.sin(2 * np.pi * step_hz * delay)
        here_real, here_imag = 1.0, 0.0
        amplitude = smear[s]
        low, high = first[s], first[s + 1]
        single = high - low == 1 and further[low, 0] == 0.0 and further[low, 1] == 0.0 and further[low, 2] == 0.0
        if single:
            amplitude *= flux[low]
        else:
            for p in range(low, high):
                turn = uvw_m[0] * further[p, 0] + uvw_m[1] * further[p, 1] + uvw_m[2] * further[p, 2]
                angle = 2 * np.pi * step_hz * turn / _SPEED_OF_LIGHT
                work[2, p], work[3, p] = np.cos(angle), np.sin(angle)
        for c in range(n_channels):
            if not even or c % _ANCHOR_CHANNELS == 0:
                turns = freq_hz[c] * delay
                angle = 2 * np.pi * (turns - np.floor(turns))
                here_real, here_imag = np.cos(angle), np.sin(angle)
            sum_real, sum_imag = np.float32(1.0), np.float32(0.0)
            if not single:
                if c % _ANCHOR_CHANNELS == 0:
                    for p in range(low, high):
                        turn = uvw_m[0] * further[p, 0] + uvw_m[1] * further[p, 1] + uvw_m[2] * further[p, 2]
                        angle = 2 * np.pi * even_hz[c] * turn / _SPEED_OF_LIGHT
                        work[0, p], work[1, p] = flux[p] * np.cos(angle), flux[p] * np.sin(angle)
                sum_real = np.float32(0.0)
                for p in range(low, high):
                    a, b = work[0, p], work[1, p]
                    sum_real += a
                    sum_imag += b
                    work[0, p] = a * work[2, p] - b * work[3, p]
                    work[1, p] = a * work[3, p] + b * work[2, p]
            real[s, c] = amplitude * (here_real * sum_real - here_imag * sum_imag)
            imag[s, c] = amplitude * (here_real * sum_imag + here_imag * sum_real)
            next_real = here_real * step_real - here_imag * step_imag
            here_imag = here_real * step_imag + here_imag * step_real
            here_real = next_real


@numba.njit(cache=True, nogil=True, fastmath=True)
def _add_products(
    real: NDArray[np.float32],
    imag: NDArray[np.float32],
    freq_hz: NDArray[np.float64],
    source: NDArray[np.int64],
    factor: NDArray[np.float64],
    turned: NDArray[np.bool_],
    whole: NDArray[np.bool_],
    weights: NDArray[np.float32],
    looked: NDArray[np.int64],
    gram: NDArray[np.complex128],
) -> None:
    """Add conj(column) w column of one row, of which the models are real, imag (S, C); see `project`."""
    for q in range(source.size):
        for p in range(q, source.size):
            s, t, number = source[q], source[p], factor[q] * factor[p]
            if t != s and not (whole[q] and whole[p]):
                continue
            for d in range(looked.size):
                c = looked[d]
                w = weights[c] * number
                along = w * (real[s, c] * real[t, c] + imag[s, c] * imag[t, c])
                across = w * (real[s, c] * imag[t, c] - imag[s, c] * real[t, c])
                if turned[q] and turned[p]:
                    gram[q, p, d] += freq_hz[c] ** 2 * complex(along, across)
                elif turned[q]:
                    gram[q, p, d] += freq_hz[c] * complex(across, -along)
                elif turned[p]:
                    gram[q, p, d] += freq_hz[c] * complex(-across, along)
                else:
                    gram[q, p, d] += complex(along, across)


@numba.njit(cache=True, nogil=True, fastmath=True)
def project(
    uvw_m: NDArray[np.float64],
    freq_hz: NDArray[np.float64],
    even_hz: NDArray[np.float64],
    middles: NDArray[np.float64],
    further: NDArray[np.float64],
    flux: NDArray[np.float32],
    first: NDArray[np.int64],
    smear: NDArray[np.float64],
    source: NDArray[np.int64],
    factor: NDArray[np.float64],
    turned: NDArray[np.bool_],
    visibilities: NDArray[np.complex64],
    weights: NDArray[np.float32],
    whole: NDArray[np.bool_],
    looked: NDArray[np.int64],
    right: NDArray[np.complex128],
    gram: NDArray[np.complex128],
) -> None:
    """Add up conj(column) w V, and conj(column) w column, over the rows of an integration.

    Parameters
    ----------
    uvw_m : (N, 3) float64
        [m].
    freq_hz, even_hz : (C,) float64
        Channels, and an even grid next to them [Hz].
    middles : (S, 3) float64
        (l, m, n - 1) of the middles of the sources.
    further : (P, 3) float64
        The same of their points, less the middle's.
    flux : (P,) float32
        Of the points.
    first : (S + 1,) int64
        The points of source s are first[s] to first[s + 1].
    smear : (N, S) float64
        Amplitude that is left.
    source, turned : (Q,) int64, bool
        Of each column: its source, and whether it is times i nu.
    factor : (N, Q) float64
        Number by which it differs from row to row; with `turned` [s].
    visibilities, weights : (N, C) complex64, float32
        Data, and their inverse variances.
    whole : (Q,) bool
        Whether a column is the source itself. Products of other columns of different sources are left out: they are
        small, and only tell how fast repeated solutions converge.
    looked : (D,) int64
        Channels for which the products of columns are added up.
    right : (Q, C) complex128
        Added to: conj(column) w V.
    gram : (Q, Q, D) complex128
        Added to: conj(column) w column, where the second index is not less than the first.
    """
    n_sources, n_channels, n_points = middles.shape[0], freq_hz.size, flux.size
    real = np.empty((n_sources, n_channels), np.float32)
    imag = np.empty((n_sources, n_channels), np.float32)
    work = np.empty((4, n_points), np.float32)
    for row in range(uvw_m.shape[0]):
        _fill_model(uvw_m[row], freq_hz, even_hz, middles, further, flux, first, smear[row], real, imag, work)
        for q in range(source.size):
            s, number = source[q], factor[row, q]
            for c in range(n_channels):
                w = weights[row, c]
                a, b = visibilities[row, c].real, visibilities[row, c].imag
                along = w * (real[s, c] * a + imag[s, c] * b)
                across = w * (real[s, c] * b - imag[s, c] * a)
                if turned[q]:
                    # conj(i nu M) V = -i nu conj(M) V
                    right[q, c] += number * freq_hz[c] * complex(across, -along)
                else:
                    right[q, c] += number * complex(along, across)
        _add_products(real, imag, freq_hz, source, factor[row], turned, whole, weights[row], looked, gram)


@numba.njit(cache=True, nogil=True, fastmath=True)
def subtract(
    uvw_m: NDArray[np.float64],
    freq_hz: NDArray[np.float64],
    even_hz: NDArray[np.float64],
    middles: NDArray[np.float64],
    further: NDArray[np.float64],
    flux: NDArray[np.float32],
    first: NDArray[np.int64],
    smear: NDArray[np.float64],
    source: NDArray[np.int64],
    factor: NDArray[np.float64],
    turned: NDArray[np.bool_],
    gains: NDArray[np.complex64],
    visibilities: NDArray[np.complex64],
    weights: NDArray[np.float32],
) -> None:
    """Take columns, times gains (Q, C), from the visibilities of an integration that have a weight.

    The other parameters are as of `project`.
    """
    n_sources, n_channels, n_points = middles.shape[0], freq_hz.size, flux.size
    real = np.empty((n_sources, n_channels), np.float32)
    imag = np.empty((n_sources, n_channels), np.float32)
    work = np.empty((4, n_points), np.float32)
    for row in range(uvw_m.shape[0]):
        _fill_model(uvw_m[row], freq_hz, even_hz, middles, further, flux, first, smear[row], real, imag, work)
        for c in range(n_channels):
            if weights[row, c] == 0.0:
                continue
            total_real, total_imag = 0.0, 0.0
            for q in range(source.size):
                s = source[q]
                a, b = gains[q, c].real * factor[row, q], gains[q, c].imag * factor[row, q]
                if turned[q]:
                    a, b = -b * freq_hz[c], a * freq_hz[c]
                total_real += a * real[s, c] - b * imag[s, c]
                total_imag += a * imag[s, c] + b * real[s, c]
            visibilities[row, c] -= complex(total_real, total_imag)
