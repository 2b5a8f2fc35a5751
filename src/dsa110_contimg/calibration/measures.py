"""What a set of solutions is judged by, in numbers, and which antennas stand out of the array."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dsa110_contimg.telescope.spread import SIGMA_OF_MEDIAN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dsa110_contimg.calibration.residuals import Residuals
    from dsa110_contimg.calibration.solutions import Solutions

LONGEST_DELAY_S = 500e-9
"""A delay beyond this is an outlier."""
DELAY_JUMP_S = 5e-9
"""A delay that is off yesterday's by more than this jumped."""
_LOST = 0.5
_DEAF = 1 / 3
_SIGMAS = 6.0
_SCATTER_TIMES = 3.0
_LEAST_PHASE_SCATTER_DEG = 5.0
_LEAST_DRIFT_DEG = 10.0


class Measures(NamedTuple):
    """A set in numbers; what cannot be said is not a number.

    Attributes
    ----------
    flagged : float
        Fraction of the bandpass without a solution, of antennas that have data.
    snr : float
        Median signal-to-noise ratio of the bandpass.
    amplitude_scatter : float
        From channel to channel, median over antennas, as a fraction.
    phase_scatter_deg : float
        Likewise [deg].
    gain_phase_scatter_deg : float
        Of the gains from time to time, about a straight line [deg].
    delay_outliers : float
        Fraction of antennas whose delay is beyond 500 ns or jumped since the set before.
    odd_antennas : float
        Fraction of antennas with anything named in `antennas`.
    closure_deg : float
        See `Residuals`.
    residual_ratio : float
        Residual rms over thermal.
    """

    flagged: float
    snr: float
    amplitude_scatter: float
    phase_scatter_deg: float
    gain_phase_scatter_deg: float
    delay_outliers: float
    odd_antennas: float
    closure_deg: float
    residual_ratio: float


class Judged(NamedTuple):
    """The measures of a set, and by station name what ails antennas that stand out."""

    measures: Measures
    antennas: dict[str, tuple[str, ...]]

    def as_json(self) -> dict[str, Any]:
        """Return the same for JSON: None where it is not a number."""
        values = {name: None if np.isnan(value) else value for name, value in self.measures._asdict().items()}
        return {"measures": values, "antennas": {name: list(said) for name, said in self.antennas.items()}}


def measure(
    delays: Solutions,
    bandpass: Solutions,
    gains: Solutions,
    residuals: Residuals | None = None,
    working: NDArray[np.int64] | None = None,
    previous_delays: Solutions | None = None,
) -> Judged:
    """Measure a set.

    Parameters
    ----------
    delays, bandpass, gains : Solutions
        K, B and G.
    residuals : Residuals, optional
        Of the calibrator's data.
    working : (W,) int array, optional
        Rows of ANTENNA that have data; by default those with any solution in the bandpass.
    previous_delays : Solutions, optional
        K of the set before, to see jumps.
    """
    working = bandpass.working if working is None else working
    if working.size == 0:
        nothing = float("nan")
        return Judged(Measures(1.0, 0.0, nothing, nothing, nothing, nothing, nothing, nothing, nothing), {})
    names = bandpass.antenna_names
    ailments: dict[int, list[str]] = defaultdict(list)
    lost = bandpass.flags[:, working].mean(axis=(0, 2, 3))
    for antenna, fraction in zip(working, lost, strict=True):
        if fraction > _LOST:
            ailments[int(antenna)].append(f"{100 * fraction:.0f}% of its bandpass is lost")
    late = _delay_outliers(delays, previous_delays, working, ailments)
    amplitude, phase_deg = _channel_scatter(bandpass, working)
    _note_deaf(bandpass, gains, working, ailments)
    _note_scatter(phase_deg, working, ailments)
    gain_scatter_deg = _note_drifts(gains, working, ailments)
    snr = bandpass.snr[:, working][~bandpass.flags[:, working]]
    measures = Measures(
        flagged=float(lost.mean()),
        snr=float(np.median(snr)) if snr.size else 0.0,
        amplitude_scatter=_median(amplitude),
        phase_scatter_deg=_median(phase_deg),
        gain_phase_scatter_deg=gain_scatter_deg,
        delay_outliers=late / working.size,
        odd_antennas=len(ailments) / working.size,
        closure_deg=float("nan") if residuals is None else residuals.closure_deg,
        residual_ratio=float("nan") if residuals is None else residuals.ratio,
    )
    return Judged(measures, {names[antenna]: tuple(said) for antenna, said in sorted(ailments.items())})


def _delay_outliers(
    delays: Solutions, previous: Solutions | None, working: NDArray[np.int64], ailments: dict[int, list[str]]
) -> int:
    found = set()
    now_s = _delays_s(delays)
    jump_s = np.zeros_like(now_s)
    if previous is not None and previous.antenna_names == delays.antenna_names:
        jump_s = now_s - _delays_s(previous)
        # Another reference antenna shifts all alike.
        jump_s = jump_s - np.nanmedian(jump_s[working], axis=0) if np.isfinite(jump_s[working]).any() else jump_s * 0
    for antenna in map(int, working):
        longest, jumped = (_largest(values[antenna]) for values in (now_s, jump_s))
        if abs(longest) > LONGEST_DELAY_S:
            ailments[antenna].append(f"its delay is {1e9 * longest:.0f} ns")
            found.add(antenna)
        if abs(jumped) > DELAY_JUMP_S:
            ailments[antenna].append(f"its delay jumped by {1e9 * jumped:+.1f} ns since the set before")
            found.add(antenna)
    return len(found)


def _delays_s(delays: Solutions) -> NDArray[np.float64]:
    """Mean delay of each antenna and polarization (A, P) [s]; not a number where there is none."""
    values = np.where(delays.flags, np.nan, np.real(delays.values))
    fine = ~delays.flags.all(axis=(0, 2))
    mean = np.full(fine.shape, np.nan)
    mean[fine] = np.nanmean(np.moveaxis(values, (1, 3), (0, 1))[fine], axis=(1, 2))
    return mean


def _largest(values: NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(known[np.argmax(abs(known))]) if known.size else 0.0


def _channel_scatter(
    bandpass: Solutions, working: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Robust scatter from channel to channel: of amplitudes, as a fraction, and phases [deg]; each (W, P)."""
    values, flags = bandpass.values[:, working], bandpass.flags[:, working]
    fine = ~(flags[:, :, 1:] | flags[:, :, :-1])
    with np.errstate(divide="ignore", invalid="ignore"):
        step = np.where(fine, np.log(values[:, :, 1:] / values[:, :, :-1]), np.nan)
    amplitude, phase = (_robust(part, (0, 2)) / np.sqrt(2) for part in (step.real, step.imag))
    return amplitude, np.degrees(phase)


def _note_deaf(
    bandpass: Solutions, gains: Solutions, working: NDArray[np.int64], ailments: dict[int, list[str]]
) -> None:
    """Name antennas whose gain is far off that of the others, in a polarization."""
    parts = []
    for table in (bandpass, gains):
        log_gain = np.where(table.flags, np.nan, np.log(np.maximum(abs(table.values), 1e-30)))
        parts.append(_nanmedian(log_gain[:, working], (0, 2)))
    level = parts[0] + parts[1]
    middle = _nanmedian(level, (0,))
    width = np.maximum(_robust(level - middle, (0,)), 0.05)
    for antenna, off in zip(map(int, working), level - middle, strict=True):
        for pol, value in enumerate(off):
            if np.isfinite(value) and value < np.log(_DEAF):
                ailments[antenna].append(f"deaf in {'XY'[pol]}: its gain is {np.exp(value):.2f} of the others'")
            elif np.isfinite(value) and abs(value) > _SIGMAS * width[pol]:
                ailments[antenna].append(f"its gain in {'XY'[pol]} is {np.exp(value):.2f} times the others'")


def _note_scatter(phase_deg: NDArray[np.float64], working: NDArray[np.int64], ailments: dict[int, list[str]]) -> None:
    limit = max(_SCATTER_TIMES * _median(phase_deg), _LEAST_PHASE_SCATTER_DEG)
    for antenna, values in zip(map(int, working), phase_deg, strict=True):
        if _largest(values) > limit:
            ailments[antenna].append(f"its bandpass scatters by {_largest(values):.0f} deg from channel to channel")


def _note_drifts(gains: Solutions, working: NDArray[np.int64], ailments: dict[int, list[str]]) -> float:
    """Name antennas whose phase drifts through the group, as one at a wrong position does; give the others' scatter."""
    if gains.times_mjd.size < 3:
        return float("nan")
    time = gains.times_mjd - gains.times_mjd.mean()
    scatter = []
    drifts_deg = np.full((working.size, gains.values.shape[3]), np.nan)
    for w, antenna in enumerate(working):
        for pol in range(gains.values.shape[3]):
            fine = ~gains.flags[:, antenna, 0, pol]
            if fine.sum() < 3:
                continue
            phase = np.unwrap(np.angle(gains.values[fine, antenna, 0, pol]))
            line = np.polyfit(time[fine], phase, 1)
            drifts_deg[w, pol] = np.degrees(line[0] * np.ptp(gains.times_mjd))
            if antenna != gains.reference_antenna:
                scatter.append(np.degrees(np.std(phase - np.polyval(line, time[fine]), ddof=2)))
    off = drifts_deg - _nanmedian(drifts_deg, (0,))
    limit = np.maximum(_SIGMAS * _robust(off, (0,)), _LEAST_DRIFT_DEG)
    for w, antenna in enumerate(map(int, working)):
        worst = _largest(np.where(abs(off[w]) > limit, off[w], 0.0))
        if worst:
            ailments[antenna].append(f"its phase drifts by {worst:+.0f} deg through the group: is its position right?")
    return float(np.median(scatter)) if scatter else float("nan")


def _robust(values: NDArray[np.float64], axes: tuple[int, ...]) -> NDArray[np.float64]:
    """Robust standard deviation of what scatters about 0."""
    return np.asarray(SIGMA_OF_MEDIAN * _nanmedian(abs(values), axes))


def _nanmedian(values: NDArray[np.float64], axes: tuple[int, ...]) -> NDArray[np.float64]:
    """Median of what is known; not a number where nothing is, without a warning."""
    known = np.isfinite(values).any(axis=axes, keepdims=True)
    median = np.nanmedian(np.where(known, values, 0.0), axis=axes, keepdims=True)
    return np.asarray(np.squeeze(np.where(known, median, np.nan), axis=axes))


def _median(values: NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else float("nan")
