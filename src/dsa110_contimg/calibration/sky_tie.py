"""Tying a group to the sky that it sees: what delays and phases did since the last transit.

The gains of a set are taken as they are, and what is left of delay and phase (and amplitude, on request) is solved
against the catalogue of the field, through the drifting beam, by the solver of calibrators. All sources together take
the calibrator's place: 0.7 Jy of rms visibility give 0.8 deg per antenna and integration.

A tie is accepted only where residuals fall, and where neither the flux scale nor the sky's position moves: a catalogue
that is wrong, or a group full of interference, must not spoil gains that are good.
"""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dsa110_contimg.calibration.blocks import BlockSums
from dsa110_contimg.calibration.calibrate import SolutionSet
from dsa110_contimg.calibration.delays import block_edges, block_middles, phase_slopes
from dsa110_contimg.calibration.gains import intervals, phase_then_amplitude
from dsa110_contimg.calibration.observed import Observed, baselines_of, integrations
from dsa110_contimg.calibration.sky_model import Pointing, sky_model
from dsa110_contimg.calibration.stefcal import stefcal
from dsa110_contimg.calibration.tie_checks import Bounds, TieMeasures, measure_tie, residuals_of_tie, why_not
from dsa110_contimg.errors import CalibrationError
from dsa110_contimg.ms.columns import OpenMs
from dsa110_contimg.ms.information import pointing_dec_rad
from dsa110_contimg.telescope.beams import beam_model
from dsa110_contimg.telescope.geometry import SPEED_OF_LIGHT, meridian_frame, uvw_basis

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from dsa110_contimg.calibration.gains import Intervals
    from dsa110_contimg.calibration.residuals import Residuals
    from dsa110_contimg.calibration.solutions import Solutions
    from dsa110_contimg.calibration.sums import Baselines
    from dsa110_contimg.config.settings import CalibrateSettings
    from dsa110_contimg.ms.information import MsInfo
    from dsa110_contimg.telescope.prediction import PointSources

log = logging.getLogger(__name__)

#: An antenna that sees the field with less, in the median interval, keeps the gains that it had.
LEAST_SNR = 5.0
_ROBUST_ROUNDS = 2


class Tie(NamedTuple):
    """A set of solutions tied to one group's sky.

    Attributes
    ----------
    delays, bandpass, gains : Solutions
        K and G as they were in this group, and the bandpass as it was.
    measures : TieMeasures
        What the tie changed.
    reasons : tuple of str
        Why it is not accepted; empty if it is.
    residuals : Residuals
        What it leaves of the data.
    seconds : float
        How long it took.
    """

    delays: Solutions
    bandpass: Solutions
    gains: Solutions
    measures: TieMeasures
    reasons: tuple[str, ...]
    residuals: Residuals
    seconds: float

    @property
    def accepted(self) -> bool:
        """Whether residuals fall, and flux scale and astrometry stay."""
        return not self.reasons

    def as_set(self) -> SolutionSet:
        """Return what is judged and kept as any set is."""
        return SolutionSet(*self.tables, self.residuals, (), self.seconds)

    @property
    def tables(self) -> tuple[Solutions, Solutions, Solutions]:
        """K, B and G."""
        return self.delays, self.bandpass, self.gains


class _Step(NamedTuple):
    """What is to be multiplied to the gains of A antennas: delays (A, P) and gains (A, I, P) in intervals."""

    delay_s: NDArray[np.float64]
    delay_error_s: NDArray[np.float64]
    gains: NDArray[np.complex128]
    error: NDArray[np.float64]
    tied: NDArray[np.bool_]


def tie_to_sky(
    ms: Path,
    tables: Sequence[Solutions],
    catalogue: PointSources,
    settings: CalibrateSettings,
    *,
    amplitude: bool = False,
    bounds: Bounds | None = None,
) -> Tie:
    """Solve for what delays and phases did since a set was measured.

    Parameters
    ----------
    ms : Path
        The group's Measurement Set, flagged.
    tables : sequence of Solutions
        K, B and G of a set; of several times the nearest is taken.
    catalogue : PointSources
        The sources of the field.
    settings : CalibrateSettings
        How.
    amplitude : bool
        Whether amplitudes are solved for too.
    bounds : Bounds, optional
        From where on a tie is not accepted.

    Raises
    ------
    CalibrationError
        The set is not of these antennas and channels, or has not K, B and G.
    MeasurementSetError
        The Measurement Set cannot be read.
    """
    begun = time.perf_counter()
    with OpenMs(ms) as opened:
        info = opened.info
        delays, bandpass, gains = (_nearest(tables, kind, info) for kind in "KBG")
        pointing = Pointing(info.site, pointing_dec_rad(ms), beam_model(settings.beam), info.phase_centre_deg)
        sky = sky_model(None, catalogue, info.freq_hz).pruned(info.times_mjd, pointing, info.freq_hz)
        observed = Observed(opened, pointing, sky)
        baselines = baselines_of(info)
        before = _total_gains((delays, bandpass, gains), info.freq_hz)[baselines.antennas]
        sums = BlockSums.empty(baselines.rows.size, info.n_times, block_edges(info.n_channels), before.shape[2])
        for integration in integrations(observed, baselines, settings):
            sums.add(baselines, integration.sample, integration.time, before)
    if gains.reference_antenna not in baselines.antennas:
        name = gains.antenna_names[gains.reference_antenna]
        raise CalibrationError(f"the set's reference antenna {name} does not observe", path=ms)
    reference = int(np.searchsorted(baselines.antennas, gains.reference_antenna))
    phases = intervals(info.times_mjd, info.interval_s, settings.gain_interval_s)
    amplitudes = intervals(info.times_mjd, info.interval_s, settings.amplitude_interval_s)
    rounds = _ROBUST_ROUNDS if settings.robust else 0
    step = _solve(sums, baselines, info.freq_hz, reference, (phases, amplitudes), rounds, amplitude=amplitude)
    middles_hz = block_middles(info.freq_hz, sums.edges)
    steps = (
        _delay_turns(step.delay_s, middles_hz, info.freq_hz)[:, None]
        * step.gains[:, phases.of(info.n_times)][:, :, None]
    )
    n_parameters = int(step.tied.sum()) * (phases.starts.size + 1)
    uv_waves = _places(observed, baselines)
    measures = measure_tie(sums, steps, step.tied, baselines.pairs, uv_waves, n_parameters)
    reasons = why_not(measures, bounds or Bounds())
    log.info("tie %s: %s%s", ms.name, measures, f"; not accepted: {'; '.join(reasons)}" if reasons else "")
    rows = (info.antenna1[baselines.rows], info.antenna2[baselines.rows])
    facts = {"ms": ms.name, "measures": measures.as_json(), "accepted": not reasons, "reasons": list(reasons)}
    facts |= {"catalogue_sources": int(catalogue.ra_deg.size), "model_sources": int(sky.ra_deg.size)}
    record: dict[str, Any] = {
        "history": (*gains.history, f"tied to the sky of {ms.name}: {measures}"),
        "facts": gains.facts | {"tie": facts},
    }
    return Tie(
        replace(_moved_delays(delays, step, baselines, info), **record),
        replace(bandpass, **record),
        replace(_moved_gains(gains, step, baselines, phases), **record),
        measures,
        reasons,
        residuals_of_tie(sums, steps, rows, baselines.pairs, measures.rms_after),
        time.perf_counter() - begun,
    )


def _solve(
    sums: BlockSums,
    baselines: Baselines,
    freq_hz: NDArray[np.float64],
    reference: int,
    divided: tuple[Intervals, Intervals],
    rounds: int,
    *,
    amplitude: bool,
) -> _Step:
    """Solve in blocks of channels for delays, and then in intervals of time for phases."""
    n_antennas = baselines.antennas.size
    band = sums.over_times()
    start = np.ones((n_antennas, *band.cross.shape[1:]), np.complex128)
    blocks = stefcal(band.cross, band.power, baselines.pairs, start, robust_rounds=rounds)
    middles_hz = block_middles(freq_hz, sums.edges)
    delay_s, delay_error_s = phase_slopes(blocks, middles_hz, reference)
    times = sums.turned(_delay_turns(delay_s, middles_hz, freq_hz), baselines.pairs).over_blocks()
    found = phase_then_amplitude(times, baselines, *divided, reference, robust_rounds=rounds)
    size = np.abs(found.gains)
    snr = np.median(size / found.error, axis=1)
    # Nobody's phase is known where the reference's is not.
    tied = (snr >= LEAST_SNR) & (snr[reference] >= LEAST_SNR)
    gains = found.gains if amplitude else np.divide(found.gains, size, out=np.ones_like(found.gains), where=size > 0.0)
    error = np.divide(found.error, size, out=np.full(size.shape, np.inf), where=size > 0.0)
    return _Step(
        delay_s=np.where(tied, delay_s, 0.0),
        delay_error_s=np.where(tied, delay_error_s, np.inf),
        gains=np.where(tied[:, None] & (size > 0.0), gains, 1.0),
        error=error,
        tied=tied,
    )


def _nearest(tables: Sequence[Solutions], kind: str, info: MsInfo) -> Solutions:
    """Find the solutions of a kind, at the time nearest to the group."""
    found = [table for table in tables if table.kind == kind]
    if len(found) != 1 or found[0].antenna_names != info.antenna_names:
        raise CalibrationError(
            f"a tie begins with one table {kind} of the same antennas, not {len(found)}", path=info.path
        )
    (table,) = found
    here = int(np.argmin(np.abs(table.times_mjd - info.times_mjd.mean())))
    at = slice(here, here + 1)
    return replace(
        table,
        times_mjd=table.times_mjd[at],
        interval_s=table.interval_s[at],
        values=table.values[at],
        error=table.error[at],
        snr=table.snr[at],
        flags=table.flags[at],
    )


def _total_gains(tables: Sequence[Solutions], freq_hz: NDArray[np.float64]) -> NDArray[np.complex64]:
    """Multiply solutions of one time each: (A, C, P), 0 where one of them is flagged."""
    total = np.ones((1, 1, 1), np.complex128)
    for table in tables:
        total = total * np.where(table.flags, 0.0, table.gains(freq_hz))[0]
    return total.astype(np.complex64)


def _delay_turns(
    delay_s: NDArray[np.float64], middles_hz: NDArray[np.float64], freq_hz: NDArray[np.float64]
) -> NDArray[np.complex128]:
    """exp(2 pi i tau (nu - nu_0)) in the blocks of channels, (A, K, P)."""
    return np.asarray(np.exp(2j * np.pi * delay_s[:, None] * (middles_hz - freq_hz.mean())[:, None]))


def _places(observed: Observed, baselines: Baselines) -> NDArray[np.float64]:
    """Where antennas stand across the line of sight, (A, 2) [wavelengths of the middle of the band]."""
    info, pointing = observed.info, observed.pointing
    middle = np.array([info.times_mjd.mean()])
    basis = uvw_basis(*pointing.phase_centre_deg, middle, pointing.site)[0, :2]
    place_m = meridian_frame(info.antenna_itrf_m[baselines.antennas], pointing.site)
    return np.asarray((place_m - place_m.mean(axis=0)) @ basis.T * info.freq_hz.mean() / SPEED_OF_LIGHT)


def _moved_delays(delays: Solutions, step: _Step, baselines: Baselines, info: MsInfo) -> Solutions:
    """K as it is in this group."""
    values, error = np.array(delays.values, np.float64), delays.error.astype(np.float64)
    values[0, baselines.antennas, 0] += step.delay_s
    error[0, baselines.antennas, 0] = np.where(step.tied, step.delay_error_s, error[0, baselines.antennas, 0])
    nothing = delays.flags
    return replace(
        delays,
        times_mjd=np.array([info.times_mjd.mean()]),
        interval_s=np.array([info.interval_s * info.n_times]),
        values=np.where(nothing, delays.values, values),
        error=np.where(nothing, delays.error, error).astype(np.float32),
    )


def _moved_gains(gains: Solutions, step: _Step, baselines: Baselines, phases: Intervals) -> Solutions:
    """G as it is in this group, in its intervals."""
    number = phases.starts.size
    spread: dict[str, Any] = {
        name: np.repeat(getattr(gains, name), number, axis=0) for name in ("values", "error", "snr", "flags")
    }
    rows = baselines.antennas
    values, error = spread["values"], spread["error"].astype(np.float64)
    values[:, rows, 0] *= np.swapaxes(step.gains, 0, 1)
    # Relative errors of what was and of the step, in squares.
    size = np.abs(values[:, rows, 0])
    own = np.hypot(error[:, rows, 0], size * np.swapaxes(step.error, 0, 1))
    error[:, rows, 0] = np.where(step.tied, own, error[:, rows, 0])
    good = ~spread["flags"] & (error > 0.0)
    snr = np.divide(np.abs(values), error, out=np.zeros(error.shape), where=good & np.isfinite(error))
    spread |= {"error": error.astype(np.float32), "snr": snr.astype(np.float32)}
    spread["values"] = np.where(spread["flags"], gains.values, values)
    return replace(gains, times_mjd=phases.times_mjd, interval_s=phases.interval_s, **spread)
