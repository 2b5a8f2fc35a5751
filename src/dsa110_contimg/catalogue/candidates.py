"""Which calibrators cross the beam of a declination strip, when, and how bright they then are."""

from __future__ import annotations

from math import isnan, nan
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dsa110_contimg.catalogue.calibrators import load_calibrators, positions
from dsa110_contimg.catalogue.spectra import REFERENCE_HZ
from dsa110_contimg.telescope.beams import AiryBeam
from dsa110_contimg.telescope.geometry import apparent_directions
from dsa110_contimg.telescope.transits import find_transits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dsa110_contimg.catalogue.calibrators import Calibrator
    from dsa110_contimg.telescope.beams import BeamModel
    from dsa110_contimg.telescope.site import Site
    from dsa110_contimg.telescope.transits import Transit

#: Power of the beam at transit, at 1.4 GHz, from which on a source is a candidate: its half width.
SUITABLE_POWER = 0.5


class Strip(NamedTuple):
    """What the dishes see while they stand still.

    Attributes
    ----------
    dec_deg : float
        Apparent declination of the pointing, on the meridian [deg].
    site : Site
        Where they stand.
    beam : BeamModel
        Their beam.
    """

    dec_deg: float
    site: Site
    beam: BeamModel = AiryBeam()


class Candidate(NamedTuple):
    """A source as a strip sees it.

    Attributes
    ----------
    calibrator : Calibrator
        The source.
    transits : tuple of Transit
        Its transits in the range of time that was asked for.
    dec_deg : float
        Its apparent declination [deg].
    offset_deg : float
        How far north of the pointing that is [deg].
    beam_power : float
        Power of the beam there, at transit, at 1.4 GHz.
    flux_jy : float
        Its flux density at 1.4 GHz [Jy]; not a number where the list has none.
    """

    calibrator: Calibrator
    transits: tuple[Transit, ...]
    dec_deg: float
    offset_deg: float
    beam_power: float
    flux_jy: float

    @property
    def apparent_flux_jy(self) -> float:
        """Flux density that comes through the beam at transit, at 1.4 GHz [Jy]."""
        return self.flux_jy * self.beam_power

    @property
    def is_suitable(self) -> bool:
        """Whether it is a good point (see `Calibrator.is_good_point`) within half the beam's width."""
        return self.beam_power >= SUITABLE_POWER and self.calibrator.is_good_point


def find_candidates(strip: Strip, start_mjd: float, end_mjd: float) -> list[Candidate]:
    """Find the calibrators that cross the beam within half its width, in a range of time.

    Parameters
    ----------
    strip : Strip
        Where the dishes look.
    start_mjd, end_mjd : float
        Range of the transits [MJD, UTC].

    Returns
    -------
    list of Candidate
        The one with the most flux through the beam first; suitable ones and others, but for those of unknown flux.
    """
    everything = load_calibrators()
    middle = (start_mjd + end_mjd) / 2
    _, power = _seen_at(strip, *positions(everything), middle)
    near = [everything[index] for index in np.flatnonzero(power >= SUITABLE_POWER)]
    found = [look_at(source, strip, start_mjd, end_mjd) for source in near]
    return sorted(
        (c for c in found if c.transits and not isnan(c.flux_jy)),
        key=lambda c: (-c.apparent_flux_jy, c.calibrator.name),
    )


def look_at(source: Calibrator, strip: Strip, start_mjd: float, end_mjd: float) -> Candidate:
    """Say what a strip sees of one source, be it nothing; parameters as of `find_candidates`."""
    dec_deg, power = _seen_at(strip, *positions([source]), (start_mjd + end_mjd) / 2)
    return Candidate(
        calibrator=source,
        transits=find_transits(source.ra_deg, source.dec_deg, start_mjd, end_mjd, strip.site),
        dec_deg=float(dec_deg[0]),
        offset_deg=float(dec_deg[0]) - strip.dec_deg,
        beam_power=float(power[0]),
        flux_jy=_flux_jy(source),
    )


def _flux_jy(source: Calibrator) -> float:
    return nan if isnan(source.flux_20cm_jy) else float(source.spectrum.flux_jy(REFERENCE_HZ))


def _seen_at(
    strip: Strip, ra_deg: NDArray[np.float64], dec_deg: NDArray[np.float64], mjd: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Apparent declinations of sources [deg], and the beam's power towards them on the meridian; each (S,)."""
    apparent = np.arcsin(apparent_directions(ra_deg, dec_deg, [mjd], strip.site)[0, :, 2])
    away = apparent - np.radians(strip.dec_deg)
    # A sine would bring what is behind the dishes to the front again.
    power = np.where(abs(away) > np.pi / 2, 0.0, strip.beam.power(0.0, np.sin(away), REFERENCE_HZ))
    return np.degrees(apparent), power
