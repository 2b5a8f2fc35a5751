"""Sums over time of the products of data and model: all that a least-squares solver needs of the visibilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numba
import numpy as np

from dsa110_contimg.calibration.stefcal import CUT

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Baselines(NamedTuple):
    """The baselines that are solved with, and the antennas that have data.

    Attributes
    ----------
    antennas : (A,) int64
        Rows of ANTENNA.
    rows : (N,) int64
        Rows of an integration that are cross-correlations.
    first, second : (N,) int64
        ANTENNA1 and ANTENNA2 of these as indices into `antennas`.
    auto_rows : (A,) int64
        Rows of the autocorrelations.
    """

    antennas: NDArray[np.int64]
    rows: NDArray[np.int64]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    auto_rows: NDArray[np.int64]

    @property
    def pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Indices into `antennas` of each baseline."""
        return self.first, self.second


class Sample(NamedTuple):
    """One integration, as a solver takes it.

    Attributes
    ----------
    data : (B, C, P) complex64
        Visibilities of all rows [counts].
    flags : (B, C, P) bool
        Their flags.
    model : (N, C) complex64
        Model of the cross-correlations [Jy].
    sensitivity : (A, C, P) float32
        s of each antenna, with weight s_p s_q; 0 where nothing is to be solved.
    used : (N,) bool
        Cross-correlations that are solved with, by their length.
    """

    data: NDArray[np.complex64]
    flags: NDArray[np.bool_]
    model: NDArray[np.complex64]
    sensitivity: NDArray[np.float32]
    used: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Sums:
    """Sums over time for N baselines, C channels (or intervals of time) and P polarizations.

    Attributes
    ----------
    cross : (N, C, P) complex64
        sum w V conj(M).
    power : (N, C, P) float32
        sum w |M|^2.
    """

    cross: NDArray[np.complex64]
    power: NDArray[np.float32]

    @classmethod
    def empty(cls, *shape: int) -> Sums:
        """All sums 0."""
        return cls(np.zeros(shape, np.complex64), np.zeros(shape, np.float32))

    def add(self, baselines: Baselines, sample: Sample) -> None:
        """Add one integration."""
        _add(self.cross, self.power, baselines.rows, *baselines.pairs, *sample)

    def turned(self, antenna: NDArray[np.complex128], pairs: tuple[NDArray[np.int64], NDArray[np.int64]]) -> Sums:
        """Divide the data by gains of modulus 1, (A, C, P)."""
        turn = antenna.astype(np.complex64)
        return Sums(self.cross * turn[pairs[0]].conj() * turn[pairs[1]], self.power)

    def blocks(self, edges: NDArray[np.int64]) -> Sums:
        """Sum over blocks of channels, each from one edge to the next, the last to the end."""
        return Sums(np.add.reduceat(self.cross, edges, axis=1), np.add.reduceat(self.power, edges, axis=1))


class Refined(NamedTuple):
    """What the second look at the data gives, once gains are known.

    Attributes
    ----------
    band : Sums
        (N, C, P): sums over time, without the samples that fit badly.
    times : Sums
        (N, T, P): sums over channels of each integration, with the model multiplied by the gains.
    misfit : (N, P) float64
        Sum over the samples of each baseline of the squared residual, over what the weights say.
    samples : (N, P) int64
        How many samples that is.
    """

    band: Sums
    times: Sums
    misfit: NDArray[np.float64]
    samples: NDArray[np.int64]

    @classmethod
    def empty(cls, n_baselines: int, n_times: int, n_channels: int, n_pol: int) -> Refined:
        """All sums 0."""
        return cls(
            Sums.empty(n_baselines, n_channels, n_pol),
            Sums.empty(n_baselines, n_times, n_pol),
            np.zeros((n_baselines, n_pol)),
            np.zeros((n_baselines, n_pol), np.int64),
        )

    def add(
        self, baselines: Baselines, sample: Sample, time: int, gains: NDArray[np.complex64], *, robust: bool
    ) -> None:
        """Add the integration `time`; `gains` (A, C, P) are those of the first look."""
        cut = CUT if robust else np.inf
        _add_fitting(
            self.band.cross, self.band.power, self.times.cross[:, time], self.times.power[:, time],
            self.misfit, self.samples, gains, np.float32(cut * cut), baselines.rows, *baselines.pairs, *sample,
        )  # fmt: skip


@numba.njit(cache=True, nogil=True, parallel=True, error_model="numpy")
def _add(
    cross: NDArray[np.complex64],
    power: NDArray[np.float32],
    rows: NDArray[np.int64],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    data: NDArray[np.complex64],
    flags: NDArray[np.bool_],
    model: NDArray[np.complex64],
    sensitivity: NDArray[np.float32],
    used: NDArray[np.bool_],
) -> None:
    n_baselines, n_channels, n_pol = cross.shape
    for k in numba.prange(n_baselines):
        if not used[k]:
            continue
        row, p, q = rows[k], first[k], second[k]
        for c in range(n_channels):
            expected = model[k, c]
            size = expected.real**2 + expected.imag**2
            for pol in range(n_pol):
                weight = sensitivity[p, c, pol] * sensitivity[q, c, pol]
                value = data[row, c, pol]
                if weight > 0.0 and not flags[row, c, pol] and np.isfinite(value.real + value.imag):
                    cross[k, c, pol] += weight * value * np.conj(expected)
                    power[k, c, pol] += weight * size


@numba.njit(cache=True, nogil=True, parallel=True, error_model="numpy")
def _add_fitting(
    cross: NDArray[np.complex64],
    power: NDArray[np.float32],
    time_cross: NDArray[np.complex64],
    time_power: NDArray[np.float32],
    misfit: NDArray[np.float64],
    samples: NDArray[np.int64],
    gains: NDArray[np.complex64],
    cut_square: np.float32,
    rows: NDArray[np.int64],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    data: NDArray[np.complex64],
    flags: NDArray[np.bool_],
    model: NDArray[np.complex64],
    sensitivity: NDArray[np.float32],
    used: NDArray[np.bool_],
) -> None:
    n_baselines, n_channels, n_pol = cross.shape
    for k in numba.prange(n_baselines):
        if not used[k]:
            continue
        row, p, q = rows[k], first[k], second[k]
        for c in range(n_channels):
            expected = model[k, c]
            size = expected.real**2 + expected.imag**2
            for pol in range(n_pol):
                weight = sensitivity[p, c, pol] * sensitivity[q, c, pol]
                value = data[row, c, pol]
                if not (weight > 0.0 and not flags[row, c, pol] and np.isfinite(value.real + value.imag)):
                    continue
                gain = gains[p, c, pol] * np.conj(gains[q, c, pol])
                off = value - gain * expected
                square = weight * (off.real**2 + off.imag**2)
                if square > cut_square:
                    weight *= cut_square / square
                    square = cut_square
                misfit[k, pol] += 0.5 * square
                samples[k, pol] += 1
                cross[k, c, pol] += weight * value * np.conj(expected)
                power[k, c, pol] += weight * size
                time_cross[k, pol] += weight * value * np.conj(gain * expected)
                time_power[k, pol] += weight * size * (gain.real**2 + gain.imag**2)
