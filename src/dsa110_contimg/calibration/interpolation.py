"""Gains at any moment, in any channels, from solutions at some: interpolated in amplitude and phase.

As CASA's ``linear`` does, between two solutions the amplitude and the phase go straight, the phase the shorter way;
before the first and after the last solution the nearest holds. Unlike CASA's, a phase that moves by more than a limit,
in the mean over the band, is not interpolated: which way it went is not known, and the nearer solution holds. A flagged
solution is passed over for its neighbours in time; of flagged channels only narrow gaps are bridged, along the band.
"""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dsa110_contimg.calibration.solutions import Solutions
from dsa110_contimg.errors import CalibrationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_FREQ_TOLERANCE_HZ = 1.0


class Gains(NamedTuple):
    """Gains of A antennas in C channels and P polarizations.

    Attributes
    ----------
    values : (A, C, P) complex128
        Voltage gains; 1 where there is none.
    missing : (A, C, P) bool
        Where there is none.
    """

    values: NDArray[np.complex128]
    missing: NDArray[np.bool_]


class GainCurve:
    """The product of several kinds of solutions, at any time.

    Parameters
    ----------
    solutions : sequence of Solutions
        One of each kind that there is; see `join` for several sets.
    freq_hz : (C,) float64
        Channels, ascending [Hz].
    max_gap_hz : float
        Width of the widest gap between two channels of a bandpass that is bridged [Hz].
    max_phase_step_deg : float
        Largest change of phase from one solution to the next that is interpolated in time [deg].

    Raises
    ------
    CalibrationError
        There is no solution, two are of one kind, they are of different antennas, or the bandpass has none of the
        channels.
    """

    def __init__(
        self,
        solutions: Sequence[Solutions],
        freq_hz: NDArray[np.float64],
        max_gap_hz: float = 2e6,
        max_phase_step_deg: float = 90.0,
    ) -> None:
        kinds = [item.kind for item in solutions]
        if not kinds or len(set(kinds)) != len(kinds):
            raise CalibrationError(f"one of each kind of solution is wanted, not {', '.join(kinds) or 'none'}")
        if len({item.antenna_names for item in solutions}) != 1:
            raise CalibrationError("the solutions are of different antennas")
        self._freq_hz = freq_hz
        step = np.radians(max_phase_step_deg)
        in_channels = [_in_channels(item, freq_hz, max_gap_hz) if item.kind == "B" else item for item in solutions]
        curves = [_TimeCurve(item, step) for item in in_channels]
        #: The product of those that are the same at all times, and the others.
        self._constant = [curve.at(0.0, freq_hz) for curve in curves if curve.is_constant]
        self._constant = [reduce(_product, self._constant)] if self._constant else []
        self._varying = [curve for curve in curves if not curve.is_constant]

    @property
    def is_constant(self) -> bool:
        """Whether the gains are the same at all times."""
        return not self._varying

    def at(self, mjd: float) -> Gains:
        """Gains at a moment [MJD, UTC]; the axis of channels may be 1 long where they are all alike."""
        return reduce(_product, [*self._constant, *(curve.at(mjd, self._freq_hz) for curve in self._varying)])


def join(earlier: Solutions, later: Solutions) -> Solutions:
    """Make one of two sets of one kind, to be interpolated between.

    The phases of the second are turned to the reference antenna of the first.

    Raises
    ------
    CalibrationError
        They are of different kinds, antennas or channels, or the reference antenna has no solution in both.
    """
    alike = earlier.kind == later.kind and earlier.antenna_names == later.antenna_names
    if not alike or earlier.values.shape[1:] != later.values.shape[1:]:
        raise CalibrationError(f"{earlier.kind} and {later.kind} solutions of different axes cannot be joined")
    if np.abs(earlier.freq_hz - later.freq_hz).max() > _FREQ_TOLERANCE_HZ:
        raise CalibrationError("solutions in different channels cannot be joined")
    later = refer(later, earlier.reference_antenna)
    order = np.argsort(np.concatenate([earlier.times_mjd, later.times_mjd]), kind="stable")
    names = ("times_mjd", "interval_s", "values", "error", "snr", "flags")
    joined: dict[str, Any] = {
        name: np.concatenate([getattr(earlier, name), getattr(later, name)])[order] for name in names
    }
    return replace(earlier, **joined, history=earlier.history + later.history, facts={})


def refer(solutions: Solutions, antenna: int) -> Solutions:
    """Turn all phases (delays) so that those of another antenna are 0.

    Where that antenna has no solution in a channel, nobody else is left one.

    Raises
    ------
    CalibrationError
        The antenna has no solution at all.
    """
    if antenna == solutions.reference_antenna:
        return solutions
    if solutions.flags[:, antenna].all():
        raise CalibrationError(f"the reference antenna {solutions.antenna_names[antenna]} has no solution")
    reference = solutions.values[:, antenna][:, None]
    flags = solutions.flags | solutions.flags[:, antenna][:, None]
    turned = (
        solutions.values - reference if solutions.kind == "K" else solutions.values * np.exp(-1j * np.angle(reference))
    )
    none = 0.0 if solutions.kind == "K" else 1.0
    return replace(
        solutions,
        values=np.where(flags, none, turned),
        error=np.where(flags, np.inf, solutions.error).astype(np.float32),
        snr=np.where(flags, 0, solutions.snr).astype(np.float32),
        flags=flags,
        reference_antenna=antenna,
    )


class _TimeCurve:
    """One kind of solution at any time: of each antenna and polarization the solutions around it."""

    def __init__(self, solutions: Solutions, max_step_rad: float) -> None:
        self._is_delay = solutions.kind == "K"
        self._reference_hz = solutions.freq_hz[0]
        self._max_step_rad = max_step_rad
        self._times_mjd = solutions.times_mjd
        self._values = solutions.values
        self._flags = solutions.flags
        # A time without a solution in any channel is passed over, but a channel is not: one channel's gain from one
        # time and its neighbours' from between two would not fit together.
        none = solutions.flags.all(axis=2, keepdims=True)
        index = np.arange(self._times_mjd.size).reshape(-1, 1, 1, 1)
        #: Index of the last solution up to each time, -1 if none; and of the first from it on, T if none.
        self._before = np.maximum.accumulate(np.where(none, -1, index), axis=0)
        self._after = np.minimum.accumulate(np.where(none, index.size, index)[::-1], axis=0)[::-1]

    @property
    def is_constant(self) -> bool:
        """Whether it is the same at all times."""
        return bool(self._times_mjd.size == 1)

    def at(self, mjd: float, freq_hz: NDArray[np.float64]) -> Gains:
        """Gains at a moment, shapes (A, C, P); of G C is 1."""
        values, missing = (self._values[0], self._flags[0]) if self.is_constant else self._interpolate(mjd)
        if self._is_delay:
            values = np.exp(2j * np.pi * values * (freq_hz - self._reference_hz)[:, None])
        return Gains(np.where(missing, 1.0 + 0j, values), missing)

    def _interpolate(self, mjd: float) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Values and what is missing, (A, C, P)."""
        times = self._times_mjd
        k = int(np.searchsorted(times, mjd, side="right"))
        # The solutions around the moment (A, 1, P); where one side has none, the other side's stands for both.
        before = self._before[k - 1] if k else np.full_like(self._before[0], -1)
        after = self._after[k] if k < times.size else np.full_like(self._after[0], times.size)
        before, after = np.where(before < 0, after, before), np.where(after >= times.size, before, after)
        before, after = (np.clip(index, 0, times.size - 1) for index in (before, after))
        start, end = (np.take_along_axis(self._values, index[None], axis=0)[0] for index in (before, after))
        missing = np.logical_or(*(np.take_along_axis(self._flags, index[None], axis=0)[0] for index in (before, after)))
        span = times[after] - times[before]
        part = np.clip(np.divide(mjd - times[before], span, out=np.zeros(span.shape), where=span > 0), 0, 1)
        if self._is_delay:
            return start + part * (end - start), missing
        turn = end * start.conj()
        # How far a phase went is asked of the band as a whole: no channel goes another way than its neighbours.
        far = np.abs(np.angle(np.where(missing, 0, turn).sum(axis=1, keepdims=True))) > self._max_step_rad
        part_of_phase, step = np.where(far, np.rint(part), part), np.angle(turn)
        amplitude = np.abs(start) + part * (np.abs(end) - np.abs(start))
        return amplitude * np.exp(1j * (np.angle(start) + part_of_phase * step)), missing


def _product(one: Gains, other: Gains) -> Gains:
    return Gains(one.values * other.values, one.missing | other.missing)


def _in_channels(bandpass: Solutions, freq_hz: NDArray[np.float64], max_gap_hz: float) -> Solutions:
    """Bring a bandpass to other channels, and over its gaps."""
    same = freq_hz.shape == bandpass.freq_hz.shape and np.allclose(
        freq_hz, bandpass.freq_hz, rtol=0, atol=_FREQ_TOLERANCE_HZ
    )
    some = ~bandpass.flags.all(axis=2)
    partly = some & bandpass.flags.any(axis=2) if same else some
    shape = (*bandpass.values.shape[:2], freq_hz.size, bandpass.values.shape[3])
    values = bandpass.values.astype(np.complex128) if same else np.ones(shape, np.complex128)
    flags = bandpass.flags.copy() if same else np.ones(shape, np.bool_)
    for t, a, p in np.argwhere(partly):
        good = ~bandpass.flags[t, a, :, p]
        known_hz = bandpass.freq_hz[good]
        values[t, a, :, p] = _along_band(freq_hz, known_hz, bandpass.values[t, a, good, p])
        flags[t, a, :, p] = ~_bridged(freq_hz, known_hz, max_gap_hz + bandpass.channel_width_hz)
    if flags.all() and not bandpass.flags.all():
        raise CalibrationError("the bandpass has none of these channels")
    unknown = np.zeros(shape, np.float32)
    return replace(bandpass, freq_hz=freq_hz, values=values, flags=flags, error=unknown, snr=unknown)


def _along_band(freq_hz: NDArray[np.float64], known_hz: NDArray[np.float64], known: NDArray[Any]) -> NDArray[Any]:
    amplitude = np.interp(freq_hz, known_hz, np.abs(known))
    return np.asarray(amplitude * np.exp(1j * np.interp(freq_hz, known_hz, np.unwrap(np.angle(known)))))


def _bridged(freq_hz: NDArray[np.float64], known_hz: NDArray[np.float64], max_span_hz: float) -> NDArray[np.bool_]:
    """Which channels are known ones, or lie between two that are no more than a span apart."""
    after = np.clip(np.searchsorted(known_hz, freq_hz - _FREQ_TOLERANCE_HZ), 0, known_hz.size - 1)
    known = np.abs(known_hz[after] - freq_hz) <= _FREQ_TOLERANCE_HZ
    before = np.maximum(after - 1, 0)
    between = (known_hz[before] < freq_hz) & (freq_hz < known_hz[after])
    return np.asarray(known | (between & (known_hz[after] - known_hz[before] <= max_span_hz + _FREQ_TOLERANCE_HZ)))
