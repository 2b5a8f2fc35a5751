"""Bright sources outside of an image: which they are, and taking them out of the visibilities.

A source beyond the image's edge, even in a sidelobe of the dishes, covers the image with its own sidelobes, and
deconvolution cannot reach it. What comes through a sidelobe is not known well enough to be predicted: it is solved for.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dsa110_contimg.catalogue.bright import load_bright_sources
from dsa110_contimg.catalogue.calibrators import load_calibrators
from dsa110_contimg.telescope.beams import beam_offsets
from dsa110_contimg.telescope.geometry import apparent_directions, meridian_direction, uvw_basis
from dsa110_contimg.telescope.prediction import REFERENCE_HZ

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dsa110_contimg.config.settings import ImageSettings
    from dsa110_contimg.imaging.grid import Grid
    from dsa110_contimg.imaging.observation import Observation
    from dsa110_contimg.telescope.beams import BeamModel
    from dsa110_contimg.telescope.prediction import PointSources

log = logging.getLogger(__name__)

# The most sources that are solved for; each takes its time.
_MOST = 24
# What turns out to be fainter than this part of `outlier_jy` is left where it is.
_LEAST = 0.2
# Sources nearer to one another have one gain, since they cannot be told apart [rad].
_TOGETHER_RAD = np.radians(90 / 3600)
# Channels and moments at which it is judged what comes through the beam.
_LOOKS_HZ, _LOOKS = 8, 5
# Sources nearer to a bright one than this are parts of it [rad], whatever its extent.
_PART_RAD = np.radians(3 / 60)
_ARCMIN = np.radians(1 / 60)


class Outlier(NamedTuple):
    """One source outside of the image, or several that cannot be told apart: P points.

    Attributes
    ----------
    name : str
        Of the brightest of them.
    ra_deg, dec_deg : (P,) float64
        ICRS positions [deg].
    flux_jy : (P,) float64
        Flux densities at 1.4 GHz [Jy].
    alpha : (P,) float64
        Spectral indices.
    extent_rad : float
        Diameter of the disc that holds an extended source, else 0 [rad].
    apparent_jy : float
        What should come through the beam, in the mean over the observation and the band [Jy].
    distance_deg : float
        From the phase centre [deg].
    """

    name: str
    ra_deg: NDArray[np.float64]
    dec_deg: NDArray[np.float64]
    flux_jy: NDArray[np.float64]
    alpha: NDArray[np.float64]
    extent_rad: float
    apparent_jy: float
    distance_deg: float


class Outliers(NamedTuple):
    """What `find_outliers` finds.

    Attributes
    ----------
    sources : tuple of Outlier
        The brightest through the beam first.
    grid : Grid
        The image outside of which they are.
    least_jy : float
        What is found to be fainter through the beam is left where it is [Jy].
    threads : int
        Threads that work at once on them.
    """

    sources: tuple[Outlier, ...]
    grid: Grid
    least_jy: float
    threads: int


class _Candidates(NamedTuple):
    """S sources of the sky, the bright ones first."""

    names: list[str]
    ra_deg: NDArray[np.float64]
    dec_deg: NDArray[np.float64]
    flux_jy: NDArray[np.float64]
    alpha: NDArray[np.float64]
    extent_rad: NDArray[np.float64]


def find_outliers(
    observation: Observation,
    grid: Grid,
    settings: ImageSettings,
    beam: BeamModel,
    catalogue: PointSources | None = None,
) -> Outliers:
    """Find the sources outside of an image that are brighter than ``settings.outlier_jy`` through the beam.

    They are looked for among the brightest of the sky (see `catalogue.bright`), the VLA's calibrators, and a
    catalogue; of the same source in several, the first counts.

    Parameters
    ----------
    observation : Observation
        Where the dishes pointed, when, and in which band.
    grid : Grid
        The image.
    settings : ImageSettings
        ``outliers`` (if it is off, none are found), ``outlier_jy`` and ``threads``.
    beam : BeamModel
        The primary beam, sidelobes included.
    catalogue : PointSources, optional
        More sources.
    """
    least_jy = _LEAST * settings.outlier_jy
    if not settings.outliers:
        return Outliers((), grid, least_jy, settings.n_threads)
    sky = _known_sources(observation, catalogue)
    lmn, apparent = _seen(observation, sky, beam)
    half = grid.n_pixels / 2 * grid.cell_rad * grid.magnification
    # An extended source of which a part is in the image is the deconvolver's.
    reach = half + sky.extent_rad / 2
    inside = (lmn[:, 2] > 0.0) & (abs(lmn[:, 0]) < reach) & (abs(lmn[:, 1]) < reach)
    bright = np.flatnonzero(~inside & (apparent > settings.outlier_jy))
    bright = bright[np.argsort(-apparent[bright], kind="stable")]
    found: list[Outlier] = []
    taken = np.zeros(len(sky.names), dtype=np.bool_)
    for index in bright:
        if taken[index]:
            continue
        near = bright[np.linalg.norm(lmn[bright] - lmn[index], axis=1) < _TOGETHER_RAD]
        members = near[~taken[near]] if sky.extent_rad[index] == 0.0 else np.array([index])
        taken[members] = True
        distance = np.arctan2(np.hypot(lmn[index, 0], lmn[index, 1]), lmn[index, 2])
        found.append(
            Outlier(
                sky.names[index],
                sky.ra_deg[members],
                sky.dec_deg[members],
                sky.flux_jy[members],
                sky.alpha[members],
                float(sky.extent_rad[index]),
                float(apparent[members].sum()),
                float(np.degrees(distance)),
            )
        )
    if len(found) > _MOST:
        log.warning("%d sources outside of the image are bright: the %d brightest are taken", len(found), _MOST)
    for outlier in found[:_MOST]:
        log.info(
            "outside of the image: %s, %.2f deg away, %.3f Jy through the beam",
            outlier.name,
            outlier.distance_deg,
            outlier.apparent_jy,
        )
    return Outliers(tuple(found[:_MOST]), grid, least_jy, settings.n_threads)


def _known_sources(observation: Observation, catalogue: PointSources | None) -> _Candidates:
    """All sources that are known; what is nearer to an earlier one than that reaches is left out."""
    low, high = observation.freq_hz[0], observation.freq_hz[-1]
    names: list[str] = []
    rows: list[tuple[float, float, float, float, float]] = []
    for source in load_bright_sources():
        at = source.flux_jy([REFERENCE_HZ, low, high], observation.middle_mjd)
        alpha = np.log(at[2] / at[1]) / np.log(high / low) if high > low else 0.0
        names.append(source.name)
        rows.append((source.ra_deg, source.dec_deg, float(at[0]), float(alpha), source.extent_arcmin * _ARCMIN))
    n_bright = len(rows)
    for calibrator in load_calibrators():
        if np.isnan(calibrator.flux_20cm_jy):
            continue
        at = calibrator.spectrum.flux_jy([REFERENCE_HZ, low, high])
        alpha = np.log(at[2] / at[1]) / np.log(high / low) if high > low else 0.0
        names.append(calibrator.label)
        rows.append((calibrator.ra_deg, calibrator.dec_deg, float(at[0]), float(alpha), 0.0))
    n_known = len(rows)
    table = np.array(rows)
    if catalogue is not None:
        more = np.column_stack([*catalogue, np.zeros(len(catalogue.ra_deg))])
        table = np.concatenate([table, more])
        names += [f"{ra:.4f}{dec:+.4f}" for ra, dec in more[:, :2]]
    towards = _unit_vectors(table[:, 0], table[:, 1])
    reach = np.maximum(table[:, 4] / 2, _PART_RAD)
    own = np.ones(len(table), dtype=np.bool_)
    for index in range(n_bright):
        own[n_bright:] &= np.linalg.norm(towards[n_bright:] - towards[index], axis=1) > reach[index]
    if catalogue is not None:
        # A survey has what the list of calibrators has, at better flux densities or worse: it is one source.
        from scipy.spatial import cKDTree

        nearest, _ = cKDTree(towards[n_bright:n_known]).query(towards[n_known:])
        own[n_known:] &= nearest > np.radians(30 / 3600)
    columns = table[own].T
    return _Candidates([name for name, is_own in zip(names, own, strict=True) if is_own], *columns)


def _seen(
    observation: Observation, sky: _Candidates, beam: BeamModel
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Directions (S, 3) in the frame of the UVWs at mid-time, and mean flux densities (S,) through the beam [Jy]."""
    span = observation.end_mjd - observation.start_mjd
    looks = observation.start_mjd + span * (np.arange(_LOOKS) + 0.5) / _LOOKS
    freq_hz = np.linspace(observation.freq_hz[0], observation.freq_hz[-1], _LOOKS_HZ)
    directions = apparent_directions(sky.ra_deg, sky.dec_deg, looks, observation.site)
    x, y = beam_offsets(directions, observation.pointing_dec_rad)
    spectra = sky.flux_jy[:, None] * (freq_hz / REFERENCE_HZ) ** sky.alpha[:, None]
    in_front = directions @ meridian_direction(observation.pointing_dec_rad) > 0.0
    zenith = meridian_direction(np.radians(observation.site.latitude_deg))
    up = directions @ zenith > 0.0
    power = beam.power(x[..., None], y[..., None], freq_hz)
    apparent = np.where((in_front & up)[..., None], power * spectra, 0.0).mean(axis=(0, 2))
    basis = uvw_basis(observation.ra_deg, observation.dec_deg, looks[_LOOKS // 2], observation.site)[0]
    return directions[_LOOKS // 2] @ basis.T, apparent


def _unit_vectors(ra_deg: NDArray[np.float64], dec_deg: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unit vectors (S, 3) of ICRS."""
    ra, dec = np.radians(ra_deg), np.radians(dec_deg)
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)
