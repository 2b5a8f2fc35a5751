"""Which of the calibrators that cross a strip to solve on: the one with the smallest error to be expected, and why.

What makes gains wrong is added up in quadrature, each as a fraction of the gain's amplitude:

noise
    of a channel's bandpass, over one transit: SEFD / (S sqrt(2 dnu t (N - 1))), S the flux density through the beam.
structure
    of the source, by the VLA's quality code in its configurations C and D, whose baselines ours are.
flux
    by which the list's value may be off (see `steadiness`), but not more than a scale from an ensemble would be.
spectrum
    half the band's width in ln(nu) times the error of a spectral index that is only assumed.
beam
    half the difference between the two beams that the dishes may have, where the source passes.

Half of each of the last four, as a gain is the root of a flux density.
"""

from __future__ import annotations

from math import log, sqrt
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dsa110_contimg.calibration.flux_scale import ENSEMBLE_ERROR, beam_error
from dsa110_contimg.calibration.steadiness import steadiness
from dsa110_contimg.catalogue.candidates import find_candidates
from dsa110_contimg.catalogue.spectra import standard_spectrum
from dsa110_contimg.errors import NoCalibrationError
from dsa110_contimg.telescope.band import (
    CHANNEL_WIDTH_HZ,
    INTEGRATION_S,
    INTEGRATIONS_PER_GROUP,
    N_CHANNELS,
    SEFD_JY,
    TOP_HZ,
)
from dsa110_contimg.telescope.stations import WORKING_STATIONS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dsa110_contimg.catalogue.calibrators import Calibrator
    from dsa110_contimg.catalogue.candidates import Candidate, Strip

# Errors of the amplitudes that the VLA's letters stand for.
_STRUCTURE = {"P": 0.03, "S": 0.10, "W": 0.20, "?": 0.20, "X": 1.0}
# Spectral indices of sources that are bright at 20 cm scatter by so much about the one that is assumed.
_ALPHA_ERROR = 0.4
LEAST_POWER = 0.5
"""Sources that the beam attenuates more than this are no candidates: it is not known well enough there."""


class Budget(NamedTuple):
    """What the gains' amplitudes would be off by, as fractions, and from what."""

    noise: float
    structure: float
    flux: float
    spectrum: float
    beam: float

    @property
    def total(self) -> float:
        """All of it, in quadrature."""
        return float(np.linalg.norm(self))

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {100 * value:.1f}%" for name, value in self._asdict().items())
        return f"{100 * self.total:.1f}% ({parts})"


class Weighed(NamedTuple):
    """A candidate and its budget; `refused` says why it cannot be taken, if so."""

    candidate: Candidate
    budget: Budget
    refused: str = ""

    def __str__(self) -> str:
        candidate = self.candidate
        source = candidate.calibrator
        text = (
            f"{source.label}: {candidate.apparent_flux_jy:.2f} of {candidate.flux_jy:.2f} Jy through the beam, "
            f"{abs(candidate.offset_deg):.2f} deg from its centre, {steadiness(source).name}, "
            f"quality {source.quality_20cm}; gains expected to {self.budget}"
        )
        return f"{text}; refused: {self.refused}" if self.refused else text


class Choice(NamedTuple):
    """The calibrator that was chosen, why, and the others in order."""

    chosen: Weighed
    why: str
    others: tuple[Weighed, ...]


def choose_calibrator(candidates: Iterable[Candidate], n_antennas: int = len(WORKING_STATIONS)) -> Choice:
    """Choose the source with the smallest error to be expected.

    Parameters
    ----------
    candidates : iterable of Candidate
        Sources that cross the strip (`catalogue.candidates.find_candidates`).
    n_antennas : int
        Antennas at work.

    Raises
    ------
    NoCalibrationError
        None can be taken; it says why not, for each of the brightest.
    """
    weighed = sorted((weigh(item, n_antennas) for item in candidates), key=lambda item: item.budget.total)
    fit = [item for item in weighed if not item.refused]
    unfit = sorted((item for item in weighed if item.refused), key=lambda item: -item.candidate.apparent_flux_jy)
    if not fit:
        said = "; ".join(f"{item.candidate.calibrator.label}: {item.refused}" for item in unfit[:4])
        raise NoCalibrationError(f"no calibrator of this strip can be used ({said or 'none crosses it'})")
    chosen, *rest = fit
    why = str(chosen)
    if rest:
        second, loss = rest[0], _worst(rest[0].budget)
        why += (
            f"; next would be {second.candidate.calibrator.label} with {100 * second.budget.total:.1f}%, mostly {loss}"
        )
    return Choice(chosen, why, (*rest, *unfit))


def crossing(strip: Strip, start_mjd: float, end_mjd: float, least_flux_jy: float) -> list[Candidate]:
    """Find the calibrators that transit a strip in a range of time and are worth solving on.

    Parameters
    ----------
    strip : Strip
        Where the dishes look.
    start_mjd, end_mjd : float
        Range of the transits [MJD, UTC].
    least_flux_jy : float
        Least flux density through the beam at transit [Jy].
    """
    found = find_candidates(strip, start_mjd, end_mjd)
    return [item for item in found if item.apparent_flux_jy >= least_flux_jy and not _refusal(item)]


def weigh(candidate: Candidate, n_antennas: int = len(WORKING_STATIONS)) -> Weighed:
    """Add up what the gains from one source would be off by."""
    source = candidate.calibrator
    on_source_s = INTEGRATION_S * INTEGRATIONS_PER_GROUP
    noise = SEFD_JY / max(candidate.apparent_flux_jy, 1e-3)
    noise /= sqrt(2 * CHANNEL_WIDTH_HZ * on_source_s * max(n_antennas - 1, 1))
    half_band = log(TOP_HZ / (TOP_HZ - N_CHANNELS * CHANNEL_WIDTH_HZ)) / 2
    budget = Budget(
        noise=noise,
        structure=_structure(source) / 2,
        flux=min(steadiness(source).error, ENSEMBLE_ERROR) / 2,
        spectrum=0.0 if standard_spectrum(source.alt_name) else _ALPHA_ERROR * half_band / 2,
        beam=beam_error(candidate.offset_deg) / 2,
    )
    return Weighed(candidate, budget, _refusal(candidate))


def _structure(source: Calibrator) -> float:
    return max(_STRUCTURE.get(letter, 1.0) for letter in source.quality_20cm[2:] or "?")


def _refusal(candidate: Candidate) -> str:
    if candidate.beam_power < LEAST_POWER:
        return f"the beam lets {100 * candidate.beam_power:.0f}% of it through"
    if not candidate.calibrator.is_good_point:
        return f"not a point to our baselines (VLA quality {candidate.calibrator.quality_20cm})"
    if not candidate.transits:
        return "it does not transit then"
    return ""


def _worst(budget: Budget) -> str:
    return max(budget._asdict().items(), key=lambda item: item[1])[0]
