"""How large an image is, and how fine, when nobody says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.fft import next_fast_len

from dsa110_contimg.errors import UsageError
from dsa110_contimg.imaging.grid import Grid
from dsa110_contimg.imaging.gridding import Gridder
from dsa110_contimg.imaging.primary_beam import directions_power
from dsa110_contimg.imaging.psf import fit_beam
from dsa110_contimg.imaging.weighting import expected_weights
from dsa110_contimg.telescope.geometry import SPEED_OF_LIGHT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dsa110_contimg.config.settings import ImageSettings
    from dsa110_contimg.imaging.observation import Observation
    from dsa110_contimg.telescope.beams import BeamModel

_SMALLEST = 64
# Pixels across the finest fringe, of which two are the least that shows it: with fewer, bright sources that lie between
# pixels leave more than noise behind.
_PIXELS_A_FRINGE = 2.5
# Pixels across the beam: components on a coarser lattice come out faint, and beside their places.
_PIXELS_A_BEAM = 5.0
# What the beam is fitted to: a PSF of so many pixels, of which so many are a fringe, and so many frequencies.
_PSF_PIXELS, _FINER, _FREQUENCIES = 256, 8.0, 5
# A Gaussian takes it down at its edges: the exponent there.
_CUT = 8.0
# Pixel sizes that are chosen are multiples of this [arcsec].
_ROUND_ARCSEC = 0.5
# How finely, and how far, the edge of the beam is looked for, in direction cosines.
_STEP = np.radians(0.02)
_FARTHEST = np.radians(20.0)


def choose_grid(observation: Observation, settings: ImageSettings, beam: BeamModel) -> Grid:
    """Choose the pixels of an image: as settings say, or from array, beam and declination.

    Parameters
    ----------
    observation : Observation
        What is imaged.
    settings : ImageSettings
        ``size``, ``cell_arcsec``, ``edge``, and what makes the beam: weighting, taper, baselines.
    beam : BeamModel
        The primary beam.

    Raises
    ------
    UsageError
        The size is odd, or the image would not fit in the sky around the phase centre, or no baseline is left.
    """
    radius = edge_radius(observation, beam, settings.edge)
    cell_rad = finest_cell_rad(observation, settings, radius)
    if settings.size is None:
        pixel = cell_rad * observation.aberration_scale
        n_pixels = max(_SMALLEST, 2 * int(next_fast_len(int(np.ceil(radius / pixel)))))
    else:
        n_pixels = settings.size
    if n_pixels % 2:
        raise UsageError(f"an image has an even number of pixels on a side, not {n_pixels}")
    if cell_rad * n_pixels >= np.sqrt(2.0):
        raise UsageError(
            f"{n_pixels} pixels of {np.degrees(cell_rad) * 3600:g} arcsec are not a part of one hemisphere",
            remedy="choose fewer or smaller pixels",
        )
    return Grid(n_pixels, cell_rad, observation.aberration_scale)


def finest_cell_rad(observation: Observation, settings: ImageSettings, radius: float) -> float:
    """Pixel size: the settings', or as fine as the longest baseline's fringes and the beam need it [rad].

    Parameters
    ----------
    observation : Observation
        Of which the array, the declination and the band count.
    settings : ImageSettings
        ``cell_arcsec``; the weighting and the taper, which make the beam, and the range of baselines.
    radius : float
        Half the width of the field, as `edge_radius` has it: of the cells in which weights are counted.

    Raises
    ------
    UsageError
        There are no two antennas.
    """
    if settings.cell_arcsec is not None:
        return float(np.radians(settings.cell_arcsec / 3600.0))
    longest_m = observation.longest_baseline_m
    if settings.max_uv_m is not None:
        longest_m = min(longest_m, settings.max_uv_m)
    if longest_m <= 0.0:
        raise UsageError("there are no two antennas at work", remedy="give the pixel size")
    fringe_rad = SPEED_OF_LIGHT / float(observation.freq_hz.max()) / longest_m
    finest_rad = min(
        fringe_rad / _PIXELS_A_FRINGE, _beam_rad(observation, settings, radius, fringe_rad) / _PIXELS_A_BEAM
    )
    cell_arcsec = np.degrees(finest_rad) * 3600.0
    if settings.taper_arcsec is not None:
        # What the longest baselines show is tapered away: the beam is no narrower than the taper.
        cell_arcsec = max(cell_arcsec, settings.taper_arcsec / _PIXELS_A_BEAM)
    if cell_arcsec > _ROUND_ARCSEC:
        cell_arcsec = np.floor(cell_arcsec / _ROUND_ARCSEC) * _ROUND_ARCSEC
    return float(np.radians(cell_arcsec / 3600.0))


def _beam_rad(observation: Observation, settings: ImageSettings, radius: float, fringe_rad: float) -> float:
    """Width of the beam that the weighting makes of the array, along its narrow axis, FWHM [rad].

    What is many fringes wide, as the beam of antennas in a line is along it, is cut off.
    """
    weights = expected_weights(observation, radius, settings)
    if not weights.any():
        return np.inf
    uvw_m = observation.uvw_m(observation.times_mjd[[observation.times_mjd.size // 2]])[0]
    some_hz = np.linspace(observation.freq_hz.min(), observation.freq_hz.max(), _FREQUENCIES)
    small = Gridder(Grid(_PSF_PIXELS, fringe_rad / _FINER))
    psf = small.psf(uvw_m, some_hz, np.repeat(weights[:, None], some_hz.size, axis=1).astype(np.float32))
    cut = np.exp(-((np.arange(_PSF_PIXELS) / (_PSF_PIXELS / 2) - 1.0) ** 2) * _CUT)
    psf *= np.outer(cut, cut) / psf[_PSF_PIXELS // 2, _PSF_PIXELS // 2]
    return float(np.radians(fit_beam(psf, small.grid.cell_rad).minor_deg))


def edge_radius(observation: Observation, beam: BeamModel, level: float) -> float:
    """Distance from the phase centre at which the drift-averaged beam has fallen to a level in all four directions.

    Parameters
    ----------
    observation : Observation
        Phase centre, pointing and times.
    beam : BeamModel
        The primary beam.
    level : float
        Part of the average beam's peak.

    Returns
    -------
    float
        The largest distance along the axes, as a direction cosine in the frame of the UVWs.
    """
    steps = np.arange(0.0, np.sin(_FARTHEST), _STEP)
    zero = np.zeros_like(steps)
    east = np.stack([steps, -steps, zero, zero])
    north = np.stack([zero, zero, steps, -steps])
    freqs = np.linspace(observation.freq_hz.min(), observation.freq_hz.max(), 5)
    power = directions_power(observation, beam, east, north, observation.times_mjd, freqs).mean(axis=(0, 1))
    return max(_first_below(steps, along, level * float(power.max())) for along in power)


def _first_below(steps: NDArray[np.float64], power: NDArray[np.float64], level: float) -> float:
    """First step at which the power is below the level, past its maximum; the last if it never is."""
    peak = int(np.argmax(power))
    below = np.flatnonzero(power[peak:] < level)
    return float(steps[peak + below[0]] if below.size else steps[-1])
