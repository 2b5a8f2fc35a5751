"""Sources of an image, measured: Gaussians fitted by PyBDSF, put together to sources, and corrected for the beam."""

from __future__ import annotations

import logging
import os
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.ndimage import maximum_filter

from dsa110_contimg.errors import UsageError
from dsa110_contimg.images.fits import SkyImage, celestial_wcs, read_image
from dsa110_contimg.photometry.errors import fit_errors
from dsa110_contimg.photometry.fitting import Gaussians, PixelBeam, fit_gaussians
from dsa110_contimg.photometry.merging import Merged, merge, significant
from dsa110_contimg.photometry.shapes import axes_of, deconvolve, shape_of, sky_per_plane, turned
from dsa110_contimg.photometry.sources import iau_names, make_sources
from dsa110_contimg.photometry.troughs import trough_depth

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from dsa110_contimg.config import CatalogueSettings
    from dsa110_contimg.images.fits import ImageHeader
    from dsa110_contimg.photometry.fitting import Fitter
    from dsa110_contimg.photometry.sources import Sources

log = logging.getLogger(__name__)

_ARCSEC = 3600.0
_FAINT_BEAM = 0.2
_EDGE_BEAMS = 2.0
# A flux so much above the peak is what smearing and clean leave of a point.
_POINT_EXCESS = 0.03
_RESOLVED_SIGMA = 3.0
# No source is looked for in so small a part of another within a beam of it: clean leaves as much, and half of the
# Gaussians in a bright field would be fitted to that.
_FINEST = 1e-3


class _Plane(NamedTuple):
    """What is looked at: the image, its noise, the depth of troughs around each pixel, the primary beam, and the beam.

    Planes are (n_dec, n_ra), the image not a number where nothing is to be found; the beam is in pixels.
    """

    pixels: NDArray[np.float32]
    rms: NDArray[np.floating] | None
    troughs: NDArray[np.float64]
    pb: NDArray[np.floating] | None
    beam: PixelBeam


def find_sources(
    image: SkyImage | Path,
    pb: NDArray[np.floating] | None,
    rms: NDArray[np.floating] | None,
    settings: CatalogueSettings,
    *,
    fitter: Fitter | None = None,
    meanwhile: Callable[[], object] | None = None,
) -> Sources:
    """Find and measure the sources of an image.

    Parameters
    ----------
    image : SkyImage or Path
        A restored image, not corrected for the primary beam (so that its noise is even), or its FITS file.
    pb : (n_dec, n_ra) ndarray or None
        Power of the primary beam, averaged as the image is. None: the image is of the sky as it is.
    rms : (n_dec, n_ra) ndarray or None
        Noise of the image. None: PyBDSF measures it.
    settings : CatalogueSettings
        Thresholds, and the errors of calibration.
    fitter : Fitter, optional
        A process of PyBDSF that was started before.
    meanwhile : callable, optional
        What there is to do while that works; not called if there is nothing to fit.

    Returns
    -------
    Sources
        See `dsa110_contimg.photometry.sources`; of no rows if there is nothing.

    Raises
    ------
    UsageError
        The planes are not of one shape, or the image has no beam.
    SourceFindingError
        PyBDSF failed.
    """
    name = image.name if isinstance(image, Path) else ""
    sky = read_image(image) if isinstance(image, Path) else image
    plane = _plane(sky, pb, rms, settings)
    # Beside the image, which a job has on its scratch: if that is killed, what it leaves is found and removed.
    scratch = image.parent if isinstance(image, Path) and os.access(image.parent, os.W_OK) else None
    gaussians = significant(_fit(plane, settings, scratch, fitter, meanwhile), plane.beam, settings.peak_sigma)
    merged, n_ridges = _out_of_troughs(merge(gaussians, plane.beam), plane, settings)
    meta = _meta(sky, settings, name) | {"ridges_left_out": n_ridges}
    return make_sources(_columns(merged, plane, sky.header, settings), meta)


def _plane(
    sky: SkyImage, pb: NDArray[np.floating] | None, rms: NDArray[np.floating] | None, settings: CatalogueSettings
) -> _Plane:
    pixels, header = sky.pixels, sky.header
    for other in (pb, rms):
        if other is not None and other.shape != pixels.shape:
            raise UsageError(f"the image has {pixels.shape} pixels, and its noise or primary beam {other.shape}")
    if not header.beam.minor_deg > 0:
        raise UsageError("the image has no beam", remedy="Its header should have BMAJ, BMIN and BPA.")
    wanted = np.isfinite(pixels)
    if rms is not None:
        wanted &= rms > 0
    if pb is not None:
        wanted &= pb > settings.least_beam
    cell = header.cell_deg
    beam = PixelBeam(header.beam.major_deg / cell, header.beam.minor_deg / cell, header.beam.pa_deg)
    looked_at = np.where(wanted, pixels, np.float32(np.nan))
    return _Plane(looked_at, rms, trough_depth(looked_at, beam), pb, beam)


def _fit(
    plane: _Plane,
    settings: CatalogueSettings,
    scratch: Path | None,
    fitter: Fitter | None,
    meanwhile: Callable[[], object] | None,
) -> Gaussians:
    """Fit the part of the image in which there is something to look at."""
    wanted = np.isfinite(plane.pixels)
    rows, columns = np.flatnonzero(wanted.any(axis=1)), np.flatnonzero(wanted.any(axis=0))
    if not rows.size:
        rows = columns = np.zeros(1, np.int64)
    window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    # With what the troughs tell, islands end before the sidelobes around them, of which Gaussians would be made.
    noise = None if plane.rms is None else np.maximum(plane.rms, plane.troughs / settings.trough_sigma)
    if noise is not None:
        noise = np.maximum(noise, _FINEST * _nearby_peak(plane))
    found = fit_gaussians(
        plane.pixels[window],
        None if noise is None else noise[window],
        plane.beam,
        island_sigma=settings.island_sigma,
        peak_sigma=settings.peak_sigma,
        n_cores=settings.n_workers,
        scratch=scratch,
        fitter=fitter,
        meanwhile=meanwhile,
    )
    return found._replace(x=found.x + columns[0], y=found.y + rows[0])


def _nearby_peak(plane: _Plane) -> NDArray[np.float32]:
    """The highest pixel within a beam of each; 0 where none is positive."""
    reach = max(round(plane.beam.major), 1)
    return np.asarray(maximum_filter(np.nan_to_num(np.maximum(plane.pixels, 0)), size=2 * reach + 1, mode="nearest"))


def _out_of_troughs(merged: Merged, plane: _Plane, settings: CatalogueSettings) -> tuple[Merged, int]:
    """Leave out what stands out of the noise but not of the sidelobes around it; say how many that are."""
    row, column = _nearest_pixels(merged, plane)
    noise = plane.troughs[row, column] / settings.trough_sigma
    stays = merged.peak > settings.peak_sigma * noise
    left_out = int(np.count_nonzero(~stays))
    if left_out:
        log.info("%d sources are no higher than the troughs around them are deep, and left out", left_out)
    return Merged(*(values[stays] for values in merged)), left_out


def _nearest_pixels(merged: Merged, plane: _Plane) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns in which sources are."""
    n_dec, n_ra = plane.pixels.shape
    row, column = np.rint(merged.y).astype(np.int64), np.rint(merged.x).astype(np.int64)
    return np.clip(row, 0, n_dec - 1), np.clip(column, 0, n_ra - 1)


def _columns(
    merged: Merged, plane: _Plane, header: ImageHeader, settings: CatalogueSettings
) -> dict[str, NDArray[Any] | list[Any]]:
    """Every column of the table; what follows is in arcsec and degrees on the sky."""
    n = len(merged.x)
    row, column = _nearest_pixels(merged, plane)
    rms = merged.rms if plane.rms is None else np.asarray(plane.rms[row, column], np.float64)
    pb = np.ones(n) if plane.pb is None else _bilinear(plane.pb, merged.x, merged.y)
    snr = merged.peak / rms

    cell = header.cell_deg * _ARCSEC
    shape, beam = merged.shape * cell**2, shape_of(*plane.beam) * cell**2
    errors = fit_errors(snr, shape, beam)
    ra, dec = celestial_wcs(header, plane.pixels.shape).all_pix2world(merged.x, merged.y, 0)
    step = sky_per_plane(ra, dec, (header.ra_deg, header.dec_deg))
    axes, true = axes_of(turned(shape, step)), axes_of(turned(shape_of(*deconvolve(shape, beam)), step))
    position = turned(errors.position, step) + settings.position_error_arcsec**2 * np.eye(2)

    e_peak = errors.peak * merged.peak
    # Where several make up a source, each has its own error.
    e_flux = np.where(merged.n_gaussians > 1, merged.e_flux_over_rms * rms, errors.flux * merged.flux)
    excess = np.log(merged.flux / merged.peak) - np.log1p(_POINT_EXCESS)
    resolved = excess > _RESOLVED_SIGMA * np.hypot(e_flux / merged.flux, errors.peak)
    # What is not resolved is a beam: what noise adds to its width it takes from its peak.
    flux = np.where(resolved, merged.flux, np.sqrt(merged.flux * merged.peak))
    e_best = np.where(resolved, e_flux, errors.point * flux)
    return {
        "name": iau_names(ra, dec),
        "ra": ra % 360.0,
        "dec": dec,
        "e_ra": np.sqrt(position[:, 0, 0]),
        "e_dec": np.sqrt(position[:, 1, 1]),
        "flux": flux / pb,
        "e_flux": np.hypot(e_best, settings.flux_error * flux) / pb,
        "peak": merged.peak / pb,
        "e_peak": np.hypot(e_peak, settings.flux_error * merged.peak) / pb,
        "apparent": merged.flux,
        "e_apparent": e_flux,
        "apparent_peak": merged.peak,
        "e_apparent_peak": e_peak,
        "rms": rms,
        "snr": snr,
        "pb": pb,
        "major": axes.major,
        "e_major": errors.major,
        "minor": axes.minor,
        "e_minor": errors.minor,
        "pa": axes.pa_deg,
        "e_pa": errors.pa_deg,
        "true_major": true.major,
        "true_minor": true.minor,
        "true_pa": np.where(true.major > 0, true.pa_deg, 0.0),
        "resolved": resolved,
        "island": merged.island,
        "n_gaussians": merged.n_gaussians,
        "flags": _flags(merged, plane, pb),
    }


def _flags(merged: Merged, plane: _Plane, pb: NDArray[np.float64]) -> list[str]:
    in_island = np.bincount(merged.island, minlength=1) if len(merged.island) else np.zeros(1, int)
    reach = int(np.ceil(_EDGE_BEAMS * plane.beam.major))
    words = []
    for index, (x, y) in enumerate(zip(merged.x, merged.y, strict=True)):
        said = {
            "multiple": merged.n_gaussians[index] > 1,
            "shared": in_island[merged.island[index]] > 1,
            "edge": _near_edge(plane.pixels, x, y, reach),
            "faint-beam": pb[index] < _FAINT_BEAM,
            "not-fitted": not merged.fitted[index],
        }
        words.append(",".join(word for word, holds in said.items() if holds))
    return words


def _near_edge(pixels: NDArray[np.float32], x: float, y: float, reach: int) -> bool:
    """Whether the square around a place leaves the image, or has a blank."""
    row, column = round(y), round(x)
    if min(row, column) < reach or row + reach >= pixels.shape[0] or column + reach >= pixels.shape[1]:
        return True
    square = pixels[row - reach : row + reach + 1, column - reach : column + reach + 1]
    return not bool(np.isfinite(square).all())


def _bilinear(plane: NDArray[np.floating], x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values between the pixels of a plane."""
    column = np.clip(np.floor(x).astype(int), 0, plane.shape[1] - 2)
    row = np.clip(np.floor(y).astype(int), 0, plane.shape[0] - 2)
    u, v = np.clip(x - column, 0.0, 1.0), np.clip(y - row, 0.0, 1.0)
    lower = plane[row, column] * (1 - u) + plane[row, column + 1] * u
    upper = plane[row + 1, column] * (1 - u) + plane[row + 1, column + 1] * u
    return np.asarray(lower * (1 - v) + upper * v, np.float64)


def _meta(sky: SkyImage, settings: CatalogueSettings, image: str) -> dict[str, Any]:
    header = sky.header
    return {
        "image": image,
        "ra_deg": float(header.ra_deg),
        "dec_deg": float(header.dec_deg),
        "radius_deg": float(np.hypot(*sky.pixels.shape) / 2.0 * header.cell_deg),
        "freq_hz": float(header.freq_hz),
        "bandwidth_hz": float(header.bandwidth_hz),
        "start_mjd": float(header.start_mjd),
        "middle_mjd": float(header.middle_mjd),
        "end_mjd": float(header.end_mjd),
        "telescope": header.telescope,
        "beam_arcsec": [float(header.beam.major_deg) * _ARCSEC, float(header.beam.minor_deg) * _ARCSEC],
        "beam_pa_deg": float(header.beam.pa_deg),
        "finder": f"PyBDSF {version('bdsf')}",
        "island_sigma": settings.island_sigma,
        "peak_sigma": settings.peak_sigma,
        "trough_sigma": settings.trough_sigma,
        "least_beam": settings.least_beam,
        "flux_error": settings.flux_error,
        "position_error_arcsec": settings.position_error_arcsec,
    }
