"""Complex gains of the antennas: bandpass, delay, phase, and a drift that knows the time but no group.

The voltage of antenna a is g_a E_a; a file's visibility <E1* E2> is multiplied by conj(g_1) g_2, a Measurement Set's
by g[ANTENNA1] conj(g[ANTENNA2]). In one polarization of one antenna

    g(nu, t) = A (1 + sum_k r_k cos(2 pi nu / p_k + f_k)) (1 + sum_m a_m sin(2 pi t / d_m + q_m))
               exp(i [phi + 2 pi tau (nu - 1.4 GHz) + sum_k h_k sin(2 pi nu / p_k + f_k)
                      + sum_m b_m sin(2 pi t / d_m + q_m)])

with t the MJD (UTC).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dsa110_contimg.simulation.array import outriggers
from dsa110_contimg.telescope.prediction import REFERENCE_HZ

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

_COUNTS_PER_JY = 0.25
_DELAY_S = 20e-9
_OUTRIGGER_DELAY_S = 300e-9
_N_RIPPLES = 3
_N_DRIFTS = 2


class GainModel(NamedTuple):
    """The parameters of the formula above; P = 2 polarizations, A antennas.

    Attributes
    ----------
    amplitude : (P, A)
        A, the mean voltage gain [sqrt(counts/Jy)].
    delay_s : (P, A)
        tau [s].
    phase_rad : (P, A)
        phi, the phase at 1.4 GHz [rad].
    ripple, ripple_rad, ripple_period_hz, ripple_offset_rad : (P, A, K)
        r_k, h_k [rad], p_k [Hz], f_k [rad].
    drift, drift_rad, drift_period_d, drift_offset_rad : (P, A, M)
        a_m, b_m [rad], d_m [days], q_m [rad].
    """

    amplitude: NDArray[np.float64]
    delay_s: NDArray[np.float64]
    phase_rad: NDArray[np.float64]
    ripple: NDArray[np.float64]
    ripple_rad: NDArray[np.float64]
    ripple_period_hz: NDArray[np.float64]
    ripple_offset_rad: NDArray[np.float64]
    drift: NDArray[np.float64]
    drift_rad: NDArray[np.float64]
    drift_period_d: NDArray[np.float64]
    drift_offset_rad: NDArray[np.float64]

    def at(self, mjd: float, freq_hz: NDArray[np.float64]) -> NDArray[np.complex128]:
        """Gains at a moment.

        Parameters
        ----------
        mjd : float
            [MJD, UTC].
        freq_hz : (C,) float64
            [Hz].

        Returns
        -------
        (P, A, C) complex128
        """
        wave = 2 * np.pi * freq_hz / self.ripple_period_hz[..., None] + self.ripple_offset_rad[..., None]
        swing = np.sin(2 * np.pi * mjd / self.drift_period_d + self.drift_offset_rad)
        band = 1 + np.sum(self.ripple[..., None] * np.cos(wave), axis=2)
        amplitude = self.amplitude * (1 + np.sum(self.drift * swing, axis=2))
        turns = self.delay_s[..., None] * (freq_hz - REFERENCE_HZ)
        phase = 2 * np.pi * turns + np.sum(self.ripple_rad[..., None] * np.sin(wave), axis=2)
        phase = phase + (self.phase_rad + np.sum(self.drift_rad * swing, axis=2))[..., None]
        return np.asarray(amplitude[..., None] * band * np.exp(1j * phase))

    def as_json(self) -> dict[str, Any]:
        """Give the parameters as nested lists, for the truth file."""
        return {name: values.tolist() for name, values in self._asdict().items()}


def unit_gains(n_antennas: int) -> GainModel:
    """Gains of exactly 1: the files are in Jy."""
    zero = np.zeros((2, n_antennas))
    none = np.zeros((2, n_antennas, 0))
    return GainModel(zero + 1.0, zero, zero, none, none, none, none, none, none, none, none)


def random_gains(seed: int, stations: Sequence[int]) -> GainModel:
    """Draw gains: each station's own depend on the seed and its number, not on who else observes.

    Amplitudes scatter by 15% and ripple by as much over the band; delays are within 20 ns, except at one outrigger,
    chosen among those that observe: its delay is 300 ns. Phases are anything; over hours they drift by some tenths of
    a radian and amplitudes by some per cent.

    Parameters
    ----------
    seed : int
        Not negative.
    stations : sequence of int
        Station numbers in correlator order.
    """
    drawn = [_random_antenna(np.random.default_rng([seed, station])) for station in stations]
    gains = GainModel(*(np.stack(values, axis=1) for values in zip(*drawn, strict=True)))
    far = sorted(set(outriggers()) & set(stations))
    if far:
        slow = far[int(np.random.default_rng(seed).integers(len(far)))]
        gains.delay_s[:, list(stations).index(slow)] = _OUTRIGGER_DELAY_S
    return gains


def gains_from_json(parameters: Mapping[str, Any]) -> GainModel:
    """Undo `GainModel.as_json`."""
    return GainModel(**{name: np.array(parameters[name], dtype=np.float64) for name in GainModel._fields})


def _random_antenna(rng: np.random.Generator) -> GainModel:
    """Draw one antenna's parameters, arrays with leading axis P."""
    ripples, drifts = (2, _N_RIPPLES), (2, _N_DRIFTS)
    ripple = rng.uniform(0.03, 0.08, ripples)
    return GainModel(
        amplitude=np.sqrt(_COUNTS_PER_JY) * np.exp(rng.normal(0.0, 0.15, 2)),
        delay_s=rng.uniform(-_DELAY_S, _DELAY_S, 2),
        phase_rad=rng.uniform(-np.pi, np.pi, 2),
        ripple=ripple,
        ripple_rad=ripple * rng.uniform(0.0, 1.0, ripples),
        ripple_period_hz=rng.uniform([30e6, 80e6, 200e6], [60e6, 160e6, 500e6], ripples),
        ripple_offset_rad=rng.uniform(-np.pi, np.pi, ripples),
        drift=rng.uniform(0.0, 0.02, drifts),
        drift_rad=rng.uniform(0.0, 0.3, drifts),
        drift_period_d=rng.uniform([0.1, 0.5], [0.3, 1.0], drifts),
        drift_offset_rad=rng.uniform(-np.pi, np.pi, drifts),
    )
