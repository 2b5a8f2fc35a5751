"""Solving a calibrator's Measurement Set: delays K, bandpass B, gains G, and what ails which antenna.

The data are looked at twice. The first look, at a third of them if the calibrator is strong to all antennas, gives
the sums of which delays and a bandpass are found; the second weighs each sample by how it fits these, sums again for
the bandpass, and over channels for the gains in time. A third, at few antennas, is for those that see the calibrator
less well than they should.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dsa110_contimg.calibration.bandpass import Bandpass, smooth_bandpass
from dsa110_contimg.calibration.delays import (
    Delays,
    delays_along_tree,
    find_fringes,
    fringe_strength,
    refine_delays,
)
from dsa110_contimg.calibration.gains import TimeGains, intervals, phase_then_amplitude, referenced_phase, solve_times
from dsa110_contimg.calibration.health import (
    POLARIZATIONS,
    Ailment,
    Signs,
    coherence,
    exchange_turns,
    find_swapped,
    name_ailments,
)
from dsa110_contimg.calibration.observed import Observed, baselines_of, integrations, left_out
from dsa110_contimg.calibration.outcome import antenna_rms, facts_of, model_jy, residuals_of
from dsa110_contimg.calibration.reference import choose_reference, preference
from dsa110_contimg.calibration.residuals import Residuals
from dsa110_contimg.calibration.spectra import antenna_spectra
from dsa110_contimg.calibration.stefcal import Stefcal, stefcal
from dsa110_contimg.calibration.sums import Baselines, Refined, Sums
from dsa110_contimg.calibration.weights import sefd_jy, without_power
from dsa110_contimg.telescope.geometry import apparent_directions, meridian_frame

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dsa110_contimg.config.settings import CalibrateSettings

log = logging.getLogger(__name__)

_ROBUST_ROUNDS = 2
# All antennas have this signal-to-noise ratio in a channel with a third of the data, or all the data are looked at.
# Gains that are found with the model multiplied by a noisy bandpass, of ratio s, are too small by 4/3 / s^2: by 0.05%.
_STRONG_SNR = 50.0


class Solved(NamedTuple):
    """What was found, for the A antennas that observe (`baselines.antennas` says which rows of ANTENNA they are).

    Attributes
    ----------
    baselines : Baselines
    delays : Delays
        Relative to the reference antenna.
    bandpass : Bandpass
        (A, C, P), with the reference's phase 0.
    gains : TimeGains
        (A, I, P), with the reference's phase 0.
    times_mjd, interval_s : (I,) float64
        Of the gains [MJD, UTC; s].
    reference : int
        Index of the reference antenna.
    ailments : tuple of Ailment
    lost : (A, P) bool
        Antennas that have no solutions, for what ails them.
    residuals : Residuals
        What the solutions leave of the data, the lost apart.
    facts : dict
        Figures for records, as JSON can say them.
    """

    baselines: Baselines
    delays: Delays
    bandpass: Bandpass
    gains: TimeGains
    times_mjd: NDArray[np.float64]
    interval_s: NDArray[np.float64]
    reference: int
    ailments: tuple[Ailment, ...]
    lost: NDArray[np.bool_]
    residuals: Residuals
    facts: dict[str, Any]


class _FirstLook(NamedTuple):
    """What the first look at the data gives."""

    power: NDArray[np.float32]
    delays: Delays
    bandpass: Stefcal
    strength: NDArray[np.float64]
    reference: int


def solve(observed: Observed, settings: CalibrateSettings) -> Solved:
    """Solve for delays, bandpass and gains.

    Parameters
    ----------
    observed : Observed
        The data and their model.
    settings : CalibrateSettings
        How.

    Raises
    ------
    CalibrationError
        Nothing can be solved: no antenna sees the calibrator.
    """
    info = observed.info
    baselines = baselines_of(info)
    rounds = _ROBUST_ROUNDS if settings.robust else 0
    first = _first_look(observed, baselines, settings, rounds)
    gains = first.bandpass.gains.astype(np.complex64)
    _, n_channels, n_pol = gains.shape
    refined = Refined.empty(baselines.rows.size, info.n_times, n_channels, n_pol)
    for integration in integrations(observed, baselines, settings):
        refined.add(baselines, integration.sample, integration.time, gains, robust=settings.robust)
    band = stefcal(refined.band.cross, refined.band.power, baselines.pairs, first.bandpass.gains, robust_rounds=rounds)

    every = intervals(info.times_mjd, info.interval_s, info.interval_s)
    moving = solve_times(refined.times, baselines, every, robust_rounds=rounds)
    signs = _signs(first, baselines, refined, band, moving, model_jy(observed))
    names = [info.antenna_names[row] for row in baselines.antennas]
    swapped = _swapped(observed, baselines, settings, gains, signs.suspects) if signs.suspects.size > 1 else []
    ailments = name_ailments(signs, names, swapped, settings.min_snr)
    lost = _lost(ailments, names, signs)
    reference, why = _reference(observed, baselines, settings, signs, lost, band)

    delays, bandpass = _referenced(first, band, lost, reference, observed, settings)
    phases = intervals(info.times_mjd, info.interval_s, settings.gain_interval_s)
    amplitudes = intervals(info.times_mjd, info.interval_s, settings.amplitude_interval_s)
    in_time = phase_then_amplitude(refined.times, baselines, phases, amplitudes, reference, robust_rounds=rounds)
    in_time = TimeGains(np.where(lost[:, None], 0.0, in_time.gains), np.where(lost[:, None], np.inf, in_time.error))
    facts = facts_of(observed, names, signs, antenna_rms(baselines, refined, lost), band, bandpass, ailments)
    facts |= {"reference_antenna": names[reference], "reference_chosen": why}
    for ailment in ailments:
        log.warning("%s: %s", info.path.name, ailment)
    return Solved(
        baselines,
        delays,
        bandpass,
        in_time,
        phases.times_mjd,
        phases.interval_s,
        reference,
        ailments,
        lost,
        residuals_of(observed, baselines, refined, signs, lost),
        facts,
    )


def _first_look(observed: Observed, baselines: Baselines, settings: CalibrateSettings, rounds: int) -> _FirstLook:
    """Sum all integrations, find fringes and delays, and a bandpass without them taken out."""
    info = observed.info
    sums = Sums.empty(baselines.rows.size, info.n_channels, len(info.correlations))
    power = np.zeros((baselines.antennas.size, *sums.cross.shape[1:]), np.float32)
    times = np.arange(info.n_times)
    a_third = times[1::3]
    n_taken = 0
    for part in (a_third, np.setdiff1d(times, a_third)):
        n_taken += part.size
        for integration in integrations(observed, baselines, settings, part.tolist()):
            sums.add(baselines, integration.sample)
            power += integration.power
        fringes = find_fringes(sums, info.freq_hz)
        strength = fringe_strength(fringes, baselines)
        # The fringe of a baseline is of all channels; a channel's gain is of all baselines.
        in_channel = strength * np.sqrt(baselines.antennas.size / info.n_channels)
        if (in_channel >= _STRONG_SNR)[~without_power(power)].all() and part.size:
            break
    power /= n_taken
    # The tree begins at the strongest fringes; the reference of the tables is chosen when all is known.
    start, _ = choose_reference([], strength, np.ones_like(strength))
    delays, phase_rad = delays_along_tree(fringes, baselines, start)
    delays = refine_delays(delays, phase_rad, sums, baselines, info.freq_hz, start, robust_rounds=rounds)
    assert delays.coarse is not None, "refining made it"
    near = np.arange(info.n_channels) * delays.coarse.gains.shape[1] // info.n_channels
    begin = delays.coarse.gains[:, near] * delays.phasors(info.freq_hz)
    bandpass = stefcal(sums.cross, sums.power, baselines.pairs, begin, robust_rounds=rounds)
    return _FirstLook(power, delays, bandpass, strength, start)


def _signs(
    first: _FirstLook, baselines: Baselines, refined: Refined, band: Stefcal, moving: Stefcal, sky_jy: float
) -> Signs:
    solved = np.isfinite(band.error)
    snr = np.where(solved, band.snr, np.nan)
    channel_snr = np.zeros(first.strength.shape)
    some = solved.any(axis=1)
    channel_snr[some] = np.nanmedian(np.moveaxis(snr, 1, 2)[some], axis=-1)
    has_data = np.zeros(first.strength.shape, np.bool_)
    for ends in baselines.pairs:
        np.logical_or.at(has_data, ends, refined.samples > 0)
    return Signs(
        has_data=has_data,
        dead=without_power(first.power),
        seen=np.where(first.delays.snr > 0.0, first.strength, 0.0),
        coherence=coherence(moving.gains, moving.snr),
        channel_snr=channel_snr,
        sefd_jy=sefd_jy(first.power, band.gains, solved, sky_jy),
    )


def _swapped(
    observed: Observed,
    baselines: Baselines,
    settings: CalibrateSettings,
    gains: NDArray[np.complex64],
    suspects: NDArray[np.int64],
) -> list[tuple[int, int]]:
    """Look a third time, at the antennas that see the calibrator less well than they should."""
    info, site = observed.info, observed.pointing.site
    trusted = gains.copy()
    trusted[suspects] = 0.0
    spectra = np.zeros((suspects.size, info.n_times, *gains.shape[1:]), np.complex64)
    for integration in integrations(observed, baselines, settings):
        spectra[:, integration.time] = antenna_spectra(baselines, integration.sample, trusted, suspects)
    ra_deg, dec_deg = float(observed.sky.ra_deg[0]), float(observed.sky.dec_deg[0])
    directions = apparent_directions(ra_deg, dec_deg, info.times_mjd, site)[:, 0]
    antenna_m = meridian_frame(info.antenna_itrf_m[baselines.antennas], site)

    def turns(p: int, q: int) -> NDArray[np.complex128]:
        return exchange_turns(antenna_m[p], antenna_m[q], directions, info.freq_hz)

    return find_swapped(spectra, suspects, turns)


def _lost(ailments: tuple[Ailment, ...], names: list[str], signs: Signs) -> NDArray[np.bool_]:
    lost = np.zeros(signs.seen.shape, np.bool_)
    place = {name: k for k, name in enumerate(names)}
    for ailment in ailments:
        if ailment.is_lost:
            lost[place[ailment.antenna], [POLARIZATIONS.index(pol) for pol in ailment.polarizations]] = True
    return lost


def _reference(
    observed: Observed,
    baselines: Baselines,
    settings: CalibrateSettings,
    signs: Signs,
    lost: NDArray[np.bool_],
    band: Stefcal,
) -> tuple[int, str]:
    info = observed.info
    preferred = preference(info.antenna_names, info.antenna_itrf_m, settings.reference)
    place = {int(row): k for k, row in enumerate(baselines.antennas)}
    channels = np.isfinite(band.error).mean(axis=1)
    strength = np.where(lost | (signs.coherence < signs.coherence.max() * 0.95), 0.0, signs.seen)
    return choose_reference([place[row] for row in preferred if row in place], strength, channels)


def _referenced(
    first: _FirstLook,
    band: Stefcal,
    lost: NDArray[np.bool_],
    reference: int,
    observed: Observed,
    settings: CalibrateSettings,
) -> tuple[Delays, Bandpass]:
    """Divide gains into delays and the rest, both relative to the reference antenna."""
    info = observed.info
    found = (first.delays.snr > 0.0) & ~lost
    delay_s = np.where(found, first.delays.delay_s - first.delays.delay_s[reference], 0.0)
    error_s = np.where(found, first.delays.error_s, np.inf)
    delays = Delays(delay_s, error_s, np.where(found, first.delays.snr, 0.0), first.delays.coarse)
    size = np.abs(band.gains)
    rest = _in_step(band.gains * delays.phasors(info.freq_hz).conj(), first.delays, found, reference)
    # Without the reference there is no phase; and what is common to all channels is in the gains, which were found
    # with the bandpass of the first look.
    solved = (size > 0.0) & (size[reference] > 0.0) & found[:, None]
    both = solved & (np.abs(first.bandpass.gains) > 0.0)
    ratio = np.divide(size, np.abs(first.bandpass.gains), out=np.full(size.shape, np.nan), where=both)
    level = np.ones(found.shape)
    some = both.any(axis=1)
    level[some] = np.nanmedian(np.moveaxis(ratio, 1, 2)[some], axis=-1)
    rest = np.where(solved, rest / level[:, None], 0.0)
    error = np.where(solved, band.error, np.inf).astype(np.float64)
    skipped = left_out(info.freq_hz, settings)
    smooth = smooth_bandpass(rest, error, skipped, found, settings.smooth_snr)
    referenced = np.abs(smooth.gains) * referenced_phase(smooth.gains, reference)
    return delays, smooth._replace(gains=referenced)


def _in_step(
    gains: NDArray[np.complex128], delays: Delays, found: NDArray[np.bool_], reference: int
) -> NDArray[np.complex128]:
    """Turn all antennas of each channel together, so that their phases go on from channel to channel.

    A channel's solution has any common phase. The reference antenna's would do to align them, but where the calibrator
    is weak its noise would be in all antennas, and what is smoothed then would lose coherence; all antennas together,
    against the gains in blocks of channels, do not.
    """
    assert delays.coarse is not None, "the first look made it"
    blocks = delays.coarse.gains
    near = np.arange(gains.shape[1]) * blocks.shape[1] // gains.shape[1]
    expected = (np.abs(blocks) * referenced_phase(blocks, reference))[:, near]
    common = np.sum(np.where(found[:, None], gains * expected.conj(), 0.0), axis=0)
    size = np.abs(common)
    return np.asarray(gains * np.divide(common.conj(), size, out=np.ones_like(common), where=size > 0.0))
