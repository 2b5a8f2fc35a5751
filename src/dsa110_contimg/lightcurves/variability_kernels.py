"""The inner loops of variability: pairs of days and runs of days, compiled by numba without the interpreter's lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@numba.njit(cache=True, nogil=True)
def pairs(
    flux: NDArray[np.float64],
    variance: NDArray[np.float64],
    lag_bin: NDArray[np.int64],
    greatest: NDArray[np.float64],
    where: NDArray[np.int64],
    square: NDArray[np.float64],
    count: NDArray[np.int64],
) -> None:
    """Take every pair of days of every source: the most significant difference, and squared differences by lag.

    Parameters
    ----------
    flux, variance : (S, T) float64
        Means of the days and their squared errors; NaN where there are none.
    lag_bin : (T,) int64
        Bin of the structure function that a lag belongs to [days].
    greatest : (S,) float64
        Receives the difference of the later and the earlier day over its error, of largest amount; NaN without a pair.
    where : (S, 2) int64
        Receives the two days.
    square : (S, L) float64
        Sums of squared differences less their noise; added to.
    count : (S, L) int64
        Pairs; added to.
    """
    n_sources, n_days = flux.shape
    days = np.empty(n_days, np.int64)
    values, noise = np.empty(n_days), np.empty(n_days)
    for source in range(n_sources):
        n = 0
        for day in range(n_days):
            if not np.isnan(flux[source, day]):
                days[n], values[n], noise[n] = day, flux[source, day], variance[source, day]
                n += 1
        best, first, second = -1.0, 0, 0
        for i in range(n):
            for j in range(i + 1, n):
                difference = values[j] - values[i]
                squared, expected = difference * difference, noise[i] + noise[j]
                if squared > best * expected:
                    best, first, second = squared / expected, i, j
                lag = lag_bin[days[j] - days[i]]
                square[source, lag] += squared - expected
                count[source, lag] += 1
        greatest[source] = np.nan
        if best >= 0.0:
            greatest[source] = np.sqrt(best) * (1.0 if values[second] >= values[first] else -1.0)
            where[source, 0], where[source, 1] = days[first], days[second]


@numba.njit(cache=True, nogil=True)
def runs(
    z: NDArray[np.float64], least: float, start: NDArray[np.int64], stop: NDArray[np.int64], sign: NDArray[np.int64]
) -> None:
    """Find the longest run of days on one side of the mean, each by some errors; days without data do not end it.

    Parameters
    ----------
    z : (S, T) float64
        Distance from the mean over the error; NaN where there is none.
    least : float
        How far off a day must be.
    start, stop, sign : (S,) int64
        Receive its first and last day and its side, 1 above and -1 below; 0 if there is none.
    """
    n_sources, n_days = z.shape
    for source in range(n_sources):
        longest, side, first, last, n = 0.0, 0, -1, -1, 0
        start[source], stop[source], sign[source] = -1, -1, 0
        for day in range(n_days):
            value = z[source, day]
            if np.isnan(value):
                continue
            now = 1 if value >= least else (-1 if value <= -least else 0)
            if now == side and side != 0:
                last, n = day, n + 1
            else:
                side, first, last, n = now, day, day, 1
            # The longer one; of two, that of more days with data.
            length = last - first + 1 + n / (n_days + 1.0)
            if side != 0 and length > longest:
                longest = length
                start[source], stop[source], sign[source] = first, last, side
