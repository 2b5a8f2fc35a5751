"""Gains over time: phases in short intervals, then amplitudes in long ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dsa110_contimg.calibration.stefcal import Stefcal, stefcal
from dsa110_contimg.calibration.sums import Sums

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dsa110_contimg.calibration.sums import Baselines

_DAY_S = 86400.0


class Intervals(NamedTuple):
    """Integrations in groups of (nearly) equal number.

    Attributes
    ----------
    starts : (I,) int64
        First integration of each.
    times_mjd : (I,) float64
        Middle of each [MJD, UTC].
    interval_s : (I,) float64
        Length of each [s].
    """

    starts: NDArray[np.int64]
    times_mjd: NDArray[np.float64]
    interval_s: NDArray[np.float64]

    def of(self, n_times: int) -> NDArray[np.int64]:
        """Interval of each integration."""
        return np.searchsorted(self.starts, np.arange(n_times), side="right") - 1


class TimeGains(NamedTuple):
    """Gains of A antennas in I intervals and P polarizations.

    Attributes
    ----------
    gains : (A, I, P) complex128
        0 where there is no solution.
    error : (A, I, P) float64
        One sigma of each component; infinite where there is no solution.
    """

    gains: NDArray[np.complex128]
    error: NDArray[np.float64]


def intervals(times_mjd: NDArray[np.float64], integration_s: float, length_s: float) -> Intervals:
    """Divide integrations into intervals of about this length [s], at least one integration each."""
    n_times = times_mjd.size
    number = 1 if not np.isfinite(length_s) else max(1, round(n_times * integration_s / length_s))
    parts = np.array_split(np.arange(n_times), min(number, n_times))
    return Intervals(
        starts=np.array([part[0] for part in parts]),
        times_mjd=np.array([times_mjd[part].mean() for part in parts]),
        interval_s=np.array([(times_mjd[part[-1]] - times_mjd[part[0]]) * _DAY_S + integration_s for part in parts]),
    )


def solve_times(times: Sums, baselines: Baselines, divided: Intervals, *, robust_rounds: int) -> Stefcal:
    """Solve for complex gains in each interval, from the sums (N, T, P) of each integration."""
    sums = times.blocks(divided.starts)
    n_pol = times.cross.shape[2]
    start = np.ones((baselines.antennas.size, divided.starts.size, n_pol), np.complex128)
    return stefcal(sums.cross, sums.power, baselines.pairs, start, robust_rounds=robust_rounds)


def phase_then_amplitude(
    times: Sums,
    baselines: Baselines,
    phases: Intervals,
    amplitudes: Intervals,
    reference: int,
    *,
    robust_rounds: int,
) -> TimeGains:
    """Solve for phases in short intervals, take them out, and solve for amplitudes in long ones.

    What phases do within a long interval then takes nothing from its amplitude.

    Parameters
    ----------
    times : Sums
        (N, T, P), the model multiplied by delays and bandpass.
    baselines : Baselines
    phases, amplitudes : Intervals
        The solutions are in the former.
    reference : int
        Index of the reference antenna.
    robust_rounds : int
        See `stefcal`.
    """
    n_times = times.cross.shape[1]
    short = solve_times(times, baselines, phases, robust_rounds=robust_rounds)
    turn = referenced_phase(short.gains, reference)
    level = times.turned(turn[:, phases.of(n_times)], baselines.pairs)
    long = solve_times(level, baselines, amplitudes, robust_rounds=robust_rounds)
    of_phase = amplitudes.of(n_times)[phases.starts]
    gains = np.abs(long.gains)[:, of_phase] * np.where(np.abs(short.gains) > 0.0, turn, 0.0)
    found = np.abs(gains) > 0.0
    return TimeGains(gains, np.where(found, short.error.astype(np.float64), np.inf))


def referenced_phase(gains: NDArray[np.complex128], reference: int) -> NDArray[np.complex128]:
    """exp(i phase) of gains (A, C, P) relative to the reference antenna's; 1 where there is no gain."""
    relative = gains * gains[reference].conj()
    size = np.abs(relative)
    return np.asarray(np.divide(relative, size, out=np.ones_like(relative), where=size > 0.0))
