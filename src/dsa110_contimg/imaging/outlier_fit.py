"""Solving for what outliers do to the visibilities: linear least squares, jointly for all of them.

Of each source a complex gain is solved for that is smooth in time and frequency: a sum of what the beam says and of
products of Legendre polynomials. Bright ones have three terms more, each with one coefficient: the change of their
visibilities with either coordinate (a place that is off, the ionosphere) and with smearing inside the integrations.
"""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.polynomial import legendre

from dsa110_contimg.imaging.outlier_kernels import project, smearing, subtract
from dsa110_contimg.telescope.geometry import SPEED_OF_LIGHT, meridian_frame, uvw_basis

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from dsa110_contimg.imaging.observation import Observation
    from dsa110_contimg.imaging.samples import Samples

# Turn of the Earth [rad/s of UTC] (IERS Conventions 2010, section 1.2).
_EARTH_RAD_S = 2 * np.pi * 1.00273781191135448 / 86400.0
_DAYS = 86400.0
# Products of columns are added up in about so many channels, which then stand for their neighbours.
_LOOKED_CHANNELS = 64
# Directions of the solution with less than this of the largest eigenvalue are not in the data.
_LEAST_EIGENVALUE = 1e-5

#: What a column is: the source itself, its change with smearing in the integrations, with l, and with m.
ITSELF, SMEARED, EASTWARD, NORTHWARD = range(4)


class Points(NamedTuple):
    """S sources, of P points in all.

    Attributes
    ----------
    middles : (T, S, 3) float64
        (l, m, n - 1) of the middle of each, in each integration.
    further : (P, 3) float64
        The same of the points, less their middle's.
    flux : (P,) float32
        Parts of the source that they have.
    first : (S + 1,) int64
        The points of source s are first[s] to first[s + 1].
    """

    middles: NDArray[np.float64]
    further: NDArray[np.float64]
    flux: NDArray[np.float32]
    first: NDArray[np.int64]

    def only(self, source: int) -> Points:
        """Return one of the sources."""
        here = slice(self.first[source], self.first[source + 1])
        n_points = here.stop - here.start
        middles = np.ascontiguousarray(self.middles[:, source : source + 1])
        return Points(middles, self.further[here], self.flux[here], np.array([0, n_points]))


class Column(NamedTuple):
    """One column of the fit, with the K functions of time and frequency that its gain is a sum of.

    Attributes
    ----------
    source : int
        Of which source.
    kind : int
        `ITSELF`, `SMEARED`, `EASTWARD` or `NORTHWARD`.
    functions : (K, T, C) complex128
        The functions.
    """

    source: int
    kind: int
    functions: NDArray[np.complex128]


class Solution(NamedTuple):
    """Gains of the columns.

    Attributes
    ----------
    gains : (Q, T, C) complex64
        Of each column.
    errors : (Q,) float64
        Error of the mean gain of each, if the noise is as the weights say.
    """

    gains: NDArray[np.complex64]
    errors: NDArray[np.float64]


class Visibilities:
    """The samples, cut into integrations, and how they see directions outside of the image.

    Parameters
    ----------
    samples : Samples
        N rows of C channels; they are changed in place.
    observation : Observation
        T integrations.
    threads : int
        Threads that work at once.
    """

    def __init__(self, samples: Samples, observation: Observation, threads: int) -> None:
        self.samples = samples
        self.threads = threads
        mjd = np.asarray(observation.times_mjd, dtype=np.float64)
        self.edges = np.concatenate(
            [[0], np.searchsorted(samples.mjd, (mjd[1:] + mjd[:-1]) / 2), [samples.mjd.size]]
        ).astype(np.int64)
        self.n_times, self.n_channels = mjd.size, samples.freq_hz.size
        self.even_hz = _even(samples.freq_hz)
        self.integrations = _integrations(samples, mjd)
        self._interval_s, self._channel_width_hz = observation.interval_s, observation.channel_width_hz
        self._bases = uvw_basis(observation.ra_deg, observation.dec_deg, mjd, observation.site)
        self._pole = self._bases @ meridian_frame([0.0, 0.0, 1.0], observation.site)
        n_looked = min(_LOOKED_CHANNELS, self.n_channels)
        self.blocks = np.unique(np.linspace(0, self.n_channels, n_looked + 1).astype(int))
        self.looked = (self.blocks[:-1] + self.blocks[1:]) // 2

    def directions(self, apparent: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn apparent places (T, S, 3) of the meridian frame into (l, m, n - 1)."""
        return np.asarray(np.einsum("tij,tsj->tsi", self._bases, apparent)) - [0.0, 0.0, 1.0]

    def apparent(self, lmn: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn a direction (l, m, n - 1) into apparent places (T, 3) of the meridian frame."""
        return np.asarray((lmn + np.array([0.0, 0.0, 1.0])) @ self._bases)

    def pieces(self) -> Iterator[tuple[int, slice]]:
        """Integrations that have rows, and those."""
        for time, (low, high) in enumerate(itertools.pairwise(self.edges)):
            if high > low:
                yield time, slice(int(low), int(high))

    def smearing(
        self, rows: slice, middles: NDArray[np.float64], time: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Amplitude that averaging leaves of sources (S, 3), and that a single sample leaves, both (N, S)."""
        samples = self.samples
        by_channel = middles * (self._channel_width_hz / SPEED_OF_LIGHT)
        turning = -_EARTH_RAD_S * samples.freq_hz.mean() * self._interval_s / SPEED_OF_LIGHT
        by_time = np.cross(self._pole[time], middles) * turning
        channels = samples.channel_width_hz / self._channel_width_hz
        return smearing(samples.uvw_m[rows], by_channel, by_time, channels, self.integrations[rows])

    def _model(
        self, points: Points, columns: Sequence[Column], time: int, rows: slice
    ) -> tuple[NDArray[np.generic], ...]:
        """Arguments of the kernels that describe the model."""
        middles = np.ascontiguousarray(points.middles[time])
        smear, own = self.smearing(rows, middles, time)
        uvw_m = self.samples.uvw_m[rows]
        source = np.array([column.source for column in columns], dtype=np.int64)
        factor = np.empty((uvw_m.shape[0], len(columns)))
        for q, column in enumerate(columns):
            middle = middles[column.source]
            if column.kind == ITSELF:
                factor[:, q] = 1.0
            elif column.kind == SMEARED:
                factor[:, q] = own[:, column.source] - 1.0
            else:
                axis = 0 if column.kind == EASTWARD else 1
                along = uvw_m[:, axis] - uvw_m[:, 2] * middle[axis] / (middle[2] + 1.0)
                factor[:, q] = 2 * np.pi / SPEED_OF_LIGHT * along
        turned = np.array([column.kind in {EASTWARD, NORTHWARD} for column in columns])
        freq_hz = self.samples.freq_hz
        return (uvw_m, freq_hz, self.even_hz, middles, points.further, points.flux, points.first, smear,
                source, factor, turned)  # fmt: skip

    def solve(self, points: Points, columns: Sequence[Column]) -> Solution:
        """Find the gains of the columns that leave the least of the visibilities."""
        shape = (self.n_times, len(columns))
        right = np.zeros((*shape, self.n_channels), dtype=np.complex128)
        gram = np.zeros((*shape, len(columns), self.looked.size), dtype=np.complex128)
        weight = np.zeros((self.n_times, self.n_channels))
        whole = np.array([column.kind == ITSELF for column in columns])

        def add(piece: tuple[int, slice]) -> None:
            time, rows = piece
            weights = self.samples.weights[rows]
            weight[time] = weights.sum(axis=0)
            model = self._model(points, columns, time, rows)
            data = (self.samples.visibilities[rows], weights, whole, self.looked)
            project(*model, *data, right[time], gram[time])

        with ThreadPoolExecutor(self.threads) as pool:
            list(pool.map(add, self.pieces()))
        # A channel that is looked at stands for its block.
        of_block = np.add.reduceat(weight, self.blocks[:-1], axis=1)
        here = weight[:, self.looked]
        gram *= np.divide(of_block, here, out=np.zeros_like(of_block), where=here > 0.0)[:, None, None, :]
        return Solution(*self._coefficients(columns, right, gram))

    def _coefficients(
        self, columns: Sequence[Column], right: NDArray[np.complex128], gram: NDArray[np.complex128]
    ) -> tuple[NDArray[np.complex64], NDArray[np.float64]]:
        """Solve the normal equations; gains (Q, T, C) and errors of their means (Q,)."""
        ends = np.concatenate([[0], np.cumsum([len(column.functions) for column in columns])])
        vector = np.empty(ends[-1], dtype=np.complex128)
        matrix = np.empty((ends[-1], ends[-1]), dtype=np.complex128)
        looked = [column.functions[:, :, self.looked] for column in columns]
        for q, column in enumerate(columns):
            here = slice(ends[q], ends[q + 1])
            vector[here] = np.einsum("ktc,tc->k", column.functions.conj(), right[:, q])
            for p in range(q, len(columns)):
                there = slice(ends[p], ends[p + 1])
                block = np.einsum("ktd,td,jtd->kj", looked[q].conj(), gram[:, q, p], looked[p], optimize=True)
                matrix[here, there] = block
                matrix[there, here] = block.conj().T
        scale = np.sqrt(np.maximum(np.diagonal(matrix).real, 0.0))
        inverse = np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0.0)
        values, vectors = np.linalg.eigh(matrix * inverse[:, None] * inverse)
        kept = values > _LEAST_EIGENVALUE * values[-1]
        turned = vectors[:, kept] * inverse[:, None]
        covariance = (turned / values[kept]) @ turned.conj().T
        coefficients = covariance @ vector
        gains = np.empty((len(columns), self.n_times, self.n_channels), dtype=np.complex64)
        errors = np.empty(len(columns))
        for q, column in enumerate(columns):
            here = slice(ends[q], ends[q + 1])
            gains[q] = np.einsum("k,ktc->tc", coefficients[here], column.functions)
            mean = column.functions.mean(axis=(1, 2))
            errors[q] = np.sqrt(max(0.0, (mean @ covariance[here, here] @ mean.conj()).real))
        return gains, errors

    def chi2(self) -> float:
        """Mean of w |V|^2 / 2 over the samples with a weight: 1 for noise."""
        power = good = 0.0
        for _, rows in self.pieces():
            weights = self.samples.weights[rows]
            power += float((weights * abs(self.samples.visibilities[rows]) ** 2).sum(dtype=np.float64))
            good += np.count_nonzero(weights)
        return power / max(1.0, 2 * good)

    def subtract(self, points: Points, columns: Sequence[Column], gains: NDArray[np.complex64]) -> None:
        """Take columns times gains (Q, T, C) out of the visibilities."""

        def take(piece: tuple[int, slice]) -> None:
            time, rows = piece
            here = np.ascontiguousarray(gains[:, time])
            data = (self.samples.visibilities[rows], self.samples.weights[rows])
            subtract(*self._model(points, columns, time, rows), here, *data)

        with ThreadPoolExecutor(self.threads) as pool:
            list(pool.map(take, self.pieces()))


def smooth_functions(expected: NDArray[np.float64], order: int) -> NDArray[np.complex128]:
    """Functions of which the gain of a source is a sum.

    Parameters
    ----------
    expected : (T, C) float64
        Flux density that should come through the beam [Jy].
    order : int
        Highest degree of the polynomials, in time and in frequency.

    Returns
    -------
    (K, T, C) complex128
        What is expected, and products of it with Legendre polynomials of degrees up to `order`. In a null of the
        expected beam there may be none in truth: there they do not vanish.
    """
    n_times, n_channels = expected.shape
    if order == 0:
        return expected[None].astype(np.complex128)
    envelope = np.hypot(expected, 0.5 * np.sqrt(np.mean(expected**2)))
    time, band = (
        legendre.legvander(np.linspace(-1.0, 1.0, n) if n > 1 else np.zeros(1), min(order, n - 1))
        for n in (n_times, n_channels)
    )
    products = np.einsum("ti,cj->ijtc", time, band).reshape(-1, n_times, n_channels) * envelope
    return np.concatenate([expected[None], products]).astype(np.complex128)


def _even(freq_hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Evenly spaced frequencies that are nearest to these."""
    index = np.arange(freq_hz.size)
    if freq_hz.size < 2:
        return freq_hz.astype(np.float64)
    return np.asarray(np.polynomial.Polynomial.fit(index, freq_hz, 1)(index), dtype=np.float64)


def _integrations(samples: Samples, mjd: NDArray[np.float64]) -> NDArray[np.float64]:
    """Say how many integrations were averaged to each row (N,): those that are nearest to it on its baseline."""
    baseline = samples.antenna1.astype(np.int64) * (int(samples.antenna2.max(initial=0)) + 1) + samples.antenna2
    order = np.lexsort((samples.mjd, baseline))
    key, when = baseline[order], samples.mjd[order]
    begins = np.concatenate([[True], key[1:] != key[:-1]])
    ends = np.concatenate([begins[1:], [True]])
    gap = np.diff(when) / 2
    before = np.where(begins, np.nan, np.concatenate([[np.nan], gap]))
    after = np.where(ends, np.nan, np.concatenate([gap, [np.nan]]))
    # The first and the last reach as far out as they do to the other side; an only one has everything.
    low = when - np.where(begins, np.where(ends, np.inf, after), before)
    high = when + np.where(ends, np.where(begins, np.inf, before), after)
    counts = np.empty(order.size)
    counts[order] = np.searchsorted(mjd, high) - np.searchsorted(mjd, low)
    return np.maximum(counts, 1.0)
