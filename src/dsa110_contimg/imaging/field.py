"""How large an image is, and how fine, when nobody says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.fft import next_fast_len

from dsa110_contimg.errors import UsageError
from dsa110_contimg.imaging.grid import Grid
from dsa110_contimg.imaging.primary_beam import directions_power
from dsa110_contimg.telescope.geometry import SPEED_OF_LIGHT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dsa110_contimg.config.settings import ImageSettings
    from dsa110_contimg.imaging.observation import Observation
    from dsa110_contimg.telescope.beams import BeamModel

_SMALLEST = 64
# Pixels across the finest fringe: what a third of it does not show, the PSF's fit cannot use either.
_PIXELS_A_FRINGE = 3.0
# Pixels across the beam: components on a coarser lattice come out faint, and beside their places.
_PIXELS_A_BEAM = 4.0
# Robust weighting makes the beam so much narrower than a Gaussian's; the angles that are tried; |x| at its median.
_NARROWER = 0.7
_ANGLES = 18
_MEDIAN_OF_GAUSSIAN = 0.6745
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
        ``size``, ``cell_arcsec``, ``edge``, ``max_uv_m`` and ``taper_arcsec`` count here.
    beam : BeamModel
        The primary beam.

    Raises
    ------
    UsageError
        The size is odd, or the image would not fit in the sky around the phase centre, or no baseline is left.
    """
    cell_rad = finest_cell_rad(observation, settings)
    if settings.size is None:
        radius = edge_radius(observation, beam, settings.edge)
        pixel = cell_rad * observation.aberration_scale
        n_pixels = max(_SMALLEST, 2 * int(next_fast_len(int(np.ceil(radius / pixel)), real=True)))
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


def finest_cell_rad(observation: Observation, settings: ImageSettings) -> float:
    """Pixel size: the settings', or a third of the finest fringe of the baselines that are used, or less [rad].

    Less where the longest baselines are not much longer than the others: then the beam is no wider than a few fringes.

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
    finest_rad = min(fringe_rad / _PIXELS_A_FRINGE, _beam_rad(observation, longest_m) / _PIXELS_A_BEAM)
    cell_arcsec = np.degrees(finest_rad) * 3600.0
    if settings.taper_arcsec is not None:
        # A tapered beam is wider, and so may its pixels be: four across it.
        cell_arcsec = max(cell_arcsec, settings.taper_arcsec / 4.0)
    if cell_arcsec > _ROUND_ARCSEC:
        cell_arcsec = np.floor(cell_arcsec / _ROUND_ARCSEC) * _ROUND_ARCSEC
    return float(np.radians(cell_arcsec / 3600.0))


def _beam_rad(observation: Observation, longest_m: float) -> float:
    """Width of the narrow axis of the beam that most baselines make, FWHM [rad].

    It is that of a Gaussian in the uv plane with their median length along the axis on which it is greatest: a
    Gaussian of width s has the transform exp(-2 (pi s x)^2), and so a FWHM of sqrt(8 ln 2) / (2 pi s).
    """
    middle = observation.times_mjd[[observation.times_mjd.size // 2]]
    uv_m = observation.uvw_m(middle)[0, :, :2]
    uv_m = uv_m[np.hypot(*uv_m.T) <= longest_m]
    if not uv_m.size:
        return np.inf
    angles = np.linspace(0.0, np.pi, _ANGLES, endpoint=False)
    along_m = np.abs(uv_m @ np.stack([np.cos(angles), np.sin(angles)]))
    width_m = float(np.median(along_m, axis=0).max()) / _MEDIAN_OF_GAUSSIAN
    if width_m <= 0.0:
        return np.inf
    wavelength_m = SPEED_OF_LIGHT / float(observation.freq_hz.max())
    return _NARROWER * float(np.sqrt(8 * np.log(2)) / (2 * np.pi)) * wavelength_m / width_m


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
