"""What the array should see: the calibrator and the other sources of its field, drifting through the beam.

A model of the calibrator alone would leave the other sources in the gains, 1-3% of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import erfa
import numpy as np

from dsa110_contimg.errors import CalibrationError
from dsa110_contimg.telescope.beams import beam_offsets
from dsa110_contimg.telescope.geometry import apparent_directions, meridian_direction, meridian_frame
from dsa110_contimg.telescope.prediction import REFERENCE_HZ, PointSources, antenna_phasors, sum_sources

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dsa110_contimg.catalogue.spectra import Spectrum
    from dsa110_contimg.telescope.beams import BeamModel
    from dsa110_contimg.telescope.site import Site

#: A source of the catalogue so close to the calibrator is the calibrator [deg].
SAME_DEG = 60 / 3600
#: What is left out is, added in squares, this part of what is in the model; many baselines leave less in a gain.
NEGLIGIBLE = 0.01


class ModelSource(NamedTuple):
    """A source with any spectrum: its name, its ICRS position [deg], and its flux density over frequency."""

    name: str
    ra_deg: float
    dec_deg: float
    spectrum: Spectrum


class Pointing(NamedTuple):
    """Where and with what one looks.

    Attributes
    ----------
    site : Site
        Where the array stands; its longitude is the meridian.
    dec_rad : float
        Apparent declination of the dishes, on the meridian [rad].
    beam : BeamModel
        Their beam.
    phase_centre_deg : (float, float)
        ICRS position that the visibilities are turned to [deg].
    """

    site: Site
    dec_rad: float
    beam: BeamModel
    phase_centre_deg: tuple[float, float]


class SkyModel(NamedTuple):
    """S point sources in C channels.

    Attributes
    ----------
    ra_deg, dec_deg : (S,) float64
        ICRS positions [deg].
    flux_jy : (S, C) float64
        Flux densities, without the beam [Jy].
    """

    ra_deg: NDArray[np.float64]
    dec_deg: NDArray[np.float64]
    flux_jy: NDArray[np.float64]

    def apparent(
        self, mjd: float, pointing: Pointing, freq_hz: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Apparent places (S, 3) at a moment, and flux densities through the beam (S, C) [Jy]."""
        directions = apparent_directions(self.ra_deg, self.dec_deg, mjd, pointing.site)[0]
        x, y = beam_offsets(directions, pointing.dec_rad)
        power = pointing.beam.power(x[:, None], y[:, None], freq_hz)
        in_front = directions @ meridian_direction(pointing.dec_rad) > 0.0
        return directions, np.where(in_front[:, None], self.flux_jy * power, 0.0).astype(np.float32)

    def pruned(self, mjd: NDArray[np.float64], pointing: Pointing, freq_hz: NDArray[np.float64]) -> SkyModel:
        """Leave out the faintest, as seen through the beam at the beginning, middle and end."""
        moments = mjd[[0, mjd.size // 2, -1]]
        seen = np.max([self.apparent(t, pointing, freq_hz)[1].mean(axis=1) for t in moments], axis=0)
        order = np.argsort(seen)
        below = np.sqrt(np.cumsum(seen[order] ** 2))
        kept = np.sort(order[below > NEGLIGIBLE * below[-1]]) if below.size else order
        return SkyModel(self.ra_deg[kept], self.dec_deg[kept], self.flux_jy[kept])


def sky_model(calibrator: ModelSource | None, field: PointSources | None, freq_hz: NDArray[np.float64]) -> SkyModel:
    """Put the calibrator and the sources of a catalogue together, the calibrator once, and first.

    Raises
    ------
    CalibrationError
        There is neither.
    """
    ra, dec, flux = np.empty(0), np.empty(0), np.empty((0, freq_hz.size))
    if field is not None:
        ra, dec = field.ra_deg, field.dec_deg
        flux = field.flux_jy[:, None] * (freq_hz / REFERENCE_HZ) ** field.alpha[:, None]
    if calibrator is not None:
        apart = erfa.seps(*np.radians([calibrator.ra_deg, calibrator.dec_deg]), np.radians(ra), np.radians(dec))
        other = np.degrees(apart) > SAME_DEG
        ra = np.concatenate([[calibrator.ra_deg], ra[other]])
        dec = np.concatenate([[calibrator.dec_deg], dec[other]])
        flux = np.concatenate([calibrator.spectrum.flux_jy(freq_hz)[None], flux[other]])
    if ra.size == 0:
        raise CalibrationError(
            "there is neither a calibrator nor a catalogue to solve against", remedy="Give --calibrator or --catalogue"
        )
    return SkyModel(ra, dec, flux)


def predict_integration(
    sky: SkyModel,
    mjd: float,
    pointing: Pointing,
    antenna_itrf_m: NDArray[np.float64],
    pairs: tuple[NDArray[np.int64], NDArray[np.int64]],
    freq_hz: NDArray[np.float64],
) -> NDArray[np.complex64]:
    """Visibilities of the model in one integration.

    Parameters
    ----------
    sky : SkyModel
    mjd : float
        Middle of the integration [MJD, UTC].
    pointing : Pointing
    antenna_itrf_m : (A, 3) float64
        Positions [m].
    pairs : ((N,) int64, (N,) int64)
        ANTENNA1 and ANTENNA2 of each baseline, as indices into the positions.
    freq_hz : (C,) float64
        Channels [Hz].

    Returns
    -------
    (N, C) complex64
        [Jy].
    """
    directions, apparent = sky.apparent(mjd, pointing, freq_hz)
    centre = apparent_directions(*pointing.phase_centre_deg, mjd, pointing.site)[0]
    antenna_m = meridian_frame(antenna_itrf_m - np.mean(antenna_itrf_m, axis=0), pointing.site)
    phasors = antenna_phasors(antenna_m, directions - centre, freq_hz)
    return sum_sources(phasors, apparent, *pairs)
