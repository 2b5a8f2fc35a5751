"""Sums over blocks of channels, integration by integration, of data that gains are known for roughly."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numba
import numpy as np

from dsa110_contimg.calibration.sums import Sums

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dsa110_contimg.calibration.sums import Baselines, Sample


@dataclass(frozen=True, eq=False)
class BlockSums:
    """Sums for N baselines, T integrations, K blocks of channels and P polarizations; gains are in the model.

    Attributes
    ----------
    cross : (N, T, K, P) complex64
        sum w V conj(g_p conj(g_q) M).
    power : (N, T, K, P) float32
        sum w |g_p g_q M|^2.
    energy : (N, P) float64
        sum w |V|^2.
    weight : (N, P) float64
        sum w |g_p g_q|^2: the inverse variances of the calibrated data [1/Jy^2].
    samples : (N, P) int64
        How many samples.
    edges : (K,) int64
        First channel of each block.
    """

    cross: NDArray[np.complex64]
    power: NDArray[np.float32]
    energy: NDArray[np.float64]
    weight: NDArray[np.float64]
    samples: NDArray[np.int64]
    edges: NDArray[np.int64]

    @classmethod
    def empty(cls, n_baselines: int, n_times: int, edges: NDArray[np.int64], n_pol: int) -> BlockSums:
        """All sums 0."""
        shape = (n_baselines, n_times, edges.size, n_pol)
        ends = (n_baselines, n_pol)
        return cls(
            cross=np.zeros(shape, np.complex64),
            power=np.zeros(shape, np.float32),
            energy=np.zeros(ends),
            weight=np.zeros(ends),
            samples=np.zeros(ends, np.int64),
            edges=edges,
        )

    def add(self, baselines: Baselines, sample: Sample, time: int, gains: NDArray[np.complex64]) -> None:
        """Add an integration; `gains` (A, C, P) are 0 where there are none."""
        block = np.searchsorted(self.edges, np.arange(gains.shape[1]), side="right") - 1
        _add(
            self.cross[:, time], self.power[:, time], self.energy, self.weight, self.samples,
            block, gains, baselines.rows, *baselines.pairs, *sample,
        )  # fmt: skip

    def turned(self, gains: NDArray[np.complex128], pairs: tuple[NDArray[np.int64], NDArray[np.int64]]) -> BlockSums:
        """Divide the data by gains of modulus 1 (A, K, P)."""
        turn = gains.astype(np.complex64)
        product = (turn[pairs[0]].conj() * turn[pairs[1]])[:, None]
        return replace(self, cross=self.cross * product)

    def over_times(self) -> Sums:
        """Sum over integrations: (N, K, P)."""
        return Sums(self.cross.sum(axis=1), self.power.sum(axis=1))

    def over_blocks(self) -> Sums:
        """Sum over channels: (N, T, P)."""
        return Sums(self.cross.sum(axis=2), self.power.sum(axis=2))


@numba.njit(cache=True, nogil=True, parallel=True, error_model="numpy")
def _add(
    cross: NDArray[np.complex64],
    power: NDArray[np.float32],
    energy: NDArray[np.float64],
    total: NDArray[np.float64],
    samples: NDArray[np.int64],
    block: NDArray[np.int64],
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
    n_baselines, _, n_pol = cross.shape
    for k in numba.prange(n_baselines):
        if not used[k]:
            continue
        row, p, q = rows[k], first[k], second[k]
        for c in range(block.size):
            for pol in range(n_pol):
                weight = sensitivity[p, c, pol] * sensitivity[q, c, pol]
                value = data[row, c, pol]
                if not (weight > 0.0 and not flags[row, c, pol] and np.isfinite(value.real + value.imag)):
                    continue
                gain = gains[p, c, pol] * np.conj(gains[q, c, pol])
                gain_power = gain.real**2 + gain.imag**2
                if gain_power > 0.0:
                    expected = gain * model[k, c]
                    size = expected.real**2 + expected.imag**2
                    total[k, pol] += weight * gain_power
                    cross[k, block[c], pol] += weight * value * np.conj(expected)
                    power[k, block[c], pol] += weight * size
                    energy[k, pol] += weight * (value.real**2 + value.imag**2)
                    samples[k, pol] += 1
