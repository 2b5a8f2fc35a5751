"""What averaging takes from a model: its visibilities are those of samples that are wide in frequency and in time.

The mean of f channels, or of n integrations, of a smooth function V is to second order (Euler-Maclaurin)

    V + (f^2 - 1) / 24 d^2 V'',

where d is the distance from one to the next. What is predicted in the middle of every sample tells V'' by itself, from
the samples beside it, so that nothing more is degridded for it. Along frequency these are the neighbouring channels,
along time the rows of the same baseline; at its ends V'' is extrapolated from within.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dsa110_contimg.imaging.samples import Samples

# Samples of which V'' is made.
_POINTS = 4
_FEWEST = 3


class Widths(NamedTuple):
    """Of N rows, how what is predicted beside them is added to what is predicted for them.

    Attributes
    ----------
    rows : (N, K) int64
        Rows of the same baseline, nearest in time; K is 0 if no integrations were averaged.
    parts : (N, K) float32
        How much of each is added.
    by_channel : float
        How much of the second difference along channels is added, where there are four of them at least.
    """

    rows: NDArray[np.int64]
    parts: NDArray[np.float32]
    by_channel: float


def no_widths(n_rows: int) -> Widths:
    """Nothing is added to rows that were not averaged."""
    return Widths(np.empty((n_rows, 0), np.int64), np.empty((n_rows, 0), np.float32), 0.0)


def sample_widths(samples: Samples, piece: slice) -> Widths:
    """Say how wide some of the rows of samples are, of which no others are predicted together.

    Parameters
    ----------
    samples : Samples
        N rows in the order of time, C channels.
    piece : slice
        Some of their rows; those of the result are counted from its beginning.
    """
    n_rows = piece.stop - piece.start
    extent = samples.extent
    if extent is None:
        return no_widths(n_rows)
    by_channel = (1.0 - 1.0 / extent.channels**2) / 24.0
    times = extent.times[piece]
    if not (times > 1).any():
        return no_widths(n_rows)._replace(by_channel=by_channel)
    mjd = samples.mjd[piece]
    baseline = samples.antenna1[piece].astype(np.int64) * (int(samples.antenna2.max()) + 1) + samples.antenna2[piece]
    order = np.lexsort((mjd, baseline))
    rows, parts = _second_derivative(baseline[order], mjd[order])
    in_order = times[order]
    interval = _interval(baseline[order], mjd[order], in_order)
    parts *= ((in_order**2 - 1) * (interval**2 / 24.0))[:, None]
    widths = Widths(np.empty_like(rows), np.empty(parts.shape, np.float32), by_channel)
    widths.rows[order], widths.parts[order] = order[rows], parts
    return widths


def _interval(baseline: NDArray[np.int64], mjd: NDArray[np.float64], times: NDArray[np.int64]) -> float:
    """Distance of one integration to the next [d], of rows in the order of baselines and time."""
    same = baseline[1:] == baseline[:-1]
    if not same.any():
        return 0.0
    return float((np.diff(mjd) / (times[1:] + times[:-1]))[same].min() * 2.0)


def _second_derivative(
    baseline: NDArray[np.int64], mjd: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Say of which rows the second derivative at each is made, and of how much of them [1/d^2]; both (N, 4).

    Rows are in the order of baselines and time.
    """
    n_rows = mjd.size
    rows = np.repeat(np.arange(n_rows)[:, None], _POINTS, axis=1)
    parts = np.zeros((n_rows, _POINTS))
    begins = np.flatnonzero(np.concatenate([[True], baseline[1:] != baseline[:-1]]))
    counts = np.diff(np.append(begins, n_rows))
    begin, count = np.repeat(begins, counts), np.repeat(counts, counts)
    at = np.arange(n_rows)
    middle = np.flatnonzero((count >= _FEWEST) & (at > begin) & (at < begin + count - 1))
    before, after = mjd[middle] - mjd[middle - 1], mjd[middle + 1] - mjd[middle]
    low, high = 2.0 / (before * (before + after)), 2.0 / (after * (before + after))
    rows[middle, :3] = middle[:, None] + [-1, 0, 1]
    parts[middle, :3] = np.stack([low, -low - high, high], axis=1)
    for ends, inward in ((begins, 1), (begins + counts - 1, -1)):
        few, many = ends[counts == _FEWEST], ends[counts > _FEWEST]
        rows[few], parts[few] = rows[few + inward], parts[few + inward]
        # Extrapolated in a straight line from the two that are next.
        one, two = many + inward, many + 2 * inward
        share = (mjd[one] - mjd[many]) / (mjd[two] - mjd[one])
        first, last = np.minimum(many, many + 3 * inward), np.arange(_POINTS)
        rows[many] = first[:, None] + last
        line = np.zeros((many.size, _POINTS))
        offset = {1: (0, 1), -1: (1, 0)}[inward]
        line[:, offset[0] : offset[0] + 3] += (1.0 + share)[:, None] * parts[one, :3]
        line[:, offset[1] : offset[1] + 3] -= share[:, None] * parts[two, :3]
        parts[many] = line
    return rows, parts
