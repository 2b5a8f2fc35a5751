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

from dsa110_contimg.telescope.geometry import SPEED_OF_LIGHT

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A recurrence from channel to channel begins anew after so many.
_ANCHOR_CHANNELS = 48
# A sample of which no more is left is lost.
_LOST = 1e-3


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
    smearing(uvw_m, middles, middles, 1.0, np.ones(n_rows))


@numba.njit(cache=True, nogil=True)
def _averaged(turns: float, count: float) -> tuple[float, float]:
    """Amplitude that the mean of `count` samples has between which the phase turns so far, and that of a single one.

    The first is of what the single ones have; where those are lost, so is their mean.
    """
    angle = np.pi * turns
    one = np.sin(angle) / angle if angle != 0.0 else 1.0
    if count <= 1.0:
        return 1.0, one
    if abs(one) <= _LOST:
        return 0.0, one
    return (np.sin(count * angle) / (count * angle) / one if angle != 0.0 else 1.0), one


@numba.njit(cache=True, nogil=True)
def smearing(
    uvw_m: NDArray[np.float64],
    by_channel: NDArray[np.float64],
    by_time: NDArray[np.float64],
    channels: float,
    times: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Amplitude (N, S) that averaging leaves of sources, and that a single sample leaves.

    Parameters
    ----------
    uvw_m : (N, 3) float64
        [m].
    by_channel, by_time : (S, 3) float64
        Their projections on the baselines turn the phase so far from one channel, and from one integration, to the
        next [turns/m].
    channels : float
        Channels that were averaged to one.
    times : (N,) float64
        Integrations that were averaged to one.
    """
    shape = uvw_m.shape[0], by_channel.shape[0]
    averaged, own = np.empty(shape), np.empty(shape)
    for n in range(shape[0]):
        u, v, w = uvw_m[n, 0], uvw_m[n, 1], uvw_m[n, 2]
        for s in range(shape[1]):
            in_band, one_channel = _averaged(
                u * by_channel[s, 0] + v * by_channel[s, 1] + w * by_channel[s, 2], channels
            )
            in_time, one_time = _averaged(u * by_time[s, 0] + v * by_time[s, 1] + w * by_time[s, 2], times[n])
            averaged[n, s], own[n, s] = in_band * in_time, one_channel * one_time
    return averaged, own


@numba.njit(cache=True, nogil=True, fastmath=True)
def _turned(turns: float) -> tuple[float, float]:
    """Cosine and sine of so many turns to 1e-8, of the series of those of half of it: loops of it are vectorized."""
    half = np.pi * (turns - np.floor(turns + 0.5))
    x = half * half
    sine = half * (1.0 + x * (-1 / 6 + x * (1 / 120 + x * (-1 / 5040 + x * (1 / 362880 - x * (1 / 39916800))))))
    sine += half * x**6 / 6227020800
    cosine = 1.0 + x * (-1 / 2 + x * (1 / 24 + x * (-1 / 720 + x * (1 / 40320 - x * (1 / 3628800)))))
    cosine += x**6 / 479001600
    return 1.0 - 2.0 * sine * sine, 2.0 * sine * cosine


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
    for s in range(middles.shape[0]):
        delay = (uvw_m[0] * middles[s, 0] + uvw_m[1] * middles[s, 1] + uvw_m[2] * middles[s, 2]) / SPEED_OF_LIGHT
        low, high = first[s], first[s + 1]
        single = high - low == 1 and further[low, 0] == 0.0 and further[low, 1] == 0.0 and further[low, 2] == 0.0
        amplitude = smear[s] * flux[low] if single else smear[s]
        for c in range(n_channels):
            cosine, sine = _turned(freq_hz[c] * delay)
            real[s, c], imag[s, c] = amplitude * cosine, amplitude * sine
        if single:
            continue
        for p in range(low, high):
            turn = uvw_m[0] * further[p, 0] + uvw_m[1] * further[p, 1] + uvw_m[2] * further[p, 2]
            work[2, p], work[3, p] = _turned(step_hz * turn / SPEED_OF_LIGHT)
        for c in range(n_channels):
            if c % _ANCHOR_CHANNELS == 0:
                for p in range(low, high):
                    turn = uvw_m[0] * further[p, 0] + uvw_m[1] * further[p, 1] + uvw_m[2] * further[p, 2]
                    cosine, sine = _turned(even_hz[c] * turn / SPEED_OF_LIGHT)
                    work[0, p], work[1, p] = flux[p] * cosine, flux[p] * sine
            sum_real, sum_imag = np.float32(0.0), np.float32(0.0)
            for p in range(low, high):
                a, b = work[0, p], work[1, p]
                sum_real += a
                sum_imag += b
                work[0, p] = a * work[2, p] - b * work[3, p]
                work[1, p] = a * work[3, p] + b * work[2, p]
            a, b = real[s, c], imag[s, c]
            real[s, c], imag[s, c] = a * sum_real - b * sum_imag, a * sum_imag + b * sum_real


@numba.njit(cache=True, nogil=True, fastmath=True)
def _add_products(
    real: NDArray[np.float32],
    imag: NDArray[np.float32],
    source: NDArray[np.int64],
    factor: NDArray[np.float64],
    whole: NDArray[np.bool_],
    weights: NDArray[np.float32],
    along: NDArray[np.float64],
    across: NDArray[np.float64],
) -> None:
    """Add the real and the imaginary part of conj(M) w M to `along` and `across` (Q, Q, D).

    They are of one row, at the channels that are looked at: real, imag (S, D), weights (D,); see `project`.
    """
    for q in range(source.size):
        for p in range(q, source.size):
            s, t, number = source[q], source[p], factor[q] * factor[p]
            if t != s and not (whole[q] and whole[p]):
                continue
            for d in range(weights.size):
                w = weights[d] * number
                along[q, p, d] += w * (real[s, d] * real[t, d] + imag[s, d] * imag[t, d])
                across[q, p, d] += w * (real[s, d] * imag[t, d] - imag[s, d] * real[t, d])


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
    n_sources, n_channels, n_points, n_columns = middles.shape[0], freq_hz.size, flux.size, source.size
    real, imag = np.empty((n_sources, n_channels), np.float32), np.empty((n_sources, n_channels), np.float32)
    looked_shape = (n_sources, looked.size)
    looked_real, looked_imag = np.empty(looked_shape, np.float32), np.empty(looked_shape, np.float32)
    looked_weights = np.empty(looked.size, np.float32)
    work = np.empty((4, n_points), np.float32)
    # Real and imaginary parts of what is added up, but for the factors i nu.
    right_real, right_imag = np.zeros((n_columns, n_channels)), np.zeros((n_columns, n_channels))
    pairs = (n_columns, n_columns, looked.size)
    along, across = np.zeros(pairs), np.zeros(pairs)
    for row in range(uvw_m.shape[0]):
        _fill_model(uvw_m[row], freq_hz, even_hz, middles, further, flux, first, smear[row], real, imag, work)
        for q in range(n_columns):
            s, number = source[q], factor[row, q]
            for c in range(n_channels):
                w = weights[row, c] * number
                a, b = visibilities[row, c].real, visibilities[row, c].imag
                right_real[q, c] += w * (real[s, c] * a + imag[s, c] * b)
                right_imag[q, c] += w * (real[s, c] * b - imag[s, c] * a)
        for d in range(looked.size):
            c = looked[d]
            looked_weights[d] = weights[row, c]
            for s in range(n_sources):
                looked_real[s, d], looked_imag[s, d] = real[s, c], imag[s, c]
        _add_products(looked_real, looked_imag, source, factor[row], whole, looked_weights, along, across)
    for q in range(n_columns):
        for c in range(n_channels):
            value = complex(right_real[q, c], right_imag[q, c])
            # conj(i nu M) V = -i nu conj(M) V
            right[q, c] += -1j * freq_hz[c] * value if turned[q] else value
        for p in range(q, n_columns):
            for d in range(looked.size):
                value = complex(along[q, p, d], across[q, p, d])
                if turned[q]:
                    value *= -1j * freq_hz[looked[d]]
                if turned[p]:
                    value *= 1j * freq_hz[looked[d]]
                gram[q, p, d] += value


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
    real, imag = np.empty((n_sources, n_channels), np.float32), np.empty((n_sources, n_channels), np.float32)
    work = np.empty((4, n_points), np.float32)
    total_real, total_imag = np.empty(n_channels), np.empty(n_channels)
    for row in range(uvw_m.shape[0]):
        _fill_model(uvw_m[row], freq_hz, even_hz, middles, further, flux, first, smear[row], real, imag, work)
        total_real[:] = 0.0
        total_imag[:] = 0.0
        for q in range(source.size):
            s, number = source[q], factor[row, q]
            if turned[q]:
                for c in range(n_channels):
                    scale = number * freq_hz[c]
                    a, b = -gains[q, c].imag * scale, gains[q, c].real * scale
                    total_real[c] += a * real[s, c] - b * imag[s, c]
                    total_imag[c] += a * imag[s, c] + b * real[s, c]
            else:
                for c in range(n_channels):
                    a, b = gains[q, c].real * number, gains[q, c].imag * number
                    total_real[c] += a * real[s, c] - b * imag[s, c]
                    total_imag[c] += a * imag[s, c] + b * real[s, c]
        for c in range(n_channels):
            if weights[row, c] != 0.0:
                visibilities[row, c] -= complex(total_real[c], total_imag[c])
