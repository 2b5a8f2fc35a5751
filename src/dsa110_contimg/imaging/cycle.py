"""From samples to a deconvolved image: major cycles of cleaning and of taking the model away (Schwab 1984)."""

from __future__ import annotations

import itertools
import logging
import time
from typing import TYPE_CHECKING

import numpy as np

from dsa110_contimg.errors import ImagingError, UsageError
from dsa110_contimg.imaging.deconvolution import Deconvolver
from dsa110_contimg.imaging.drift import REFERENCE_HZ, drifting_beam
from dsa110_contimg.imaging.gridding import Gridder
from dsa110_contimg.imaging.imaged import BandImage, Begun, Cycle, Imaged, Left, Taken
from dsa110_contimg.imaging.prediction import Band, Remainder, psf_image
from dsa110_contimg.imaging.primary_beam import NO_BEAM, average_power
from dsa110_contimg.imaging.psf import fit_beam
from dsa110_contimg.imaging.restore import restore
from dsa110_contimg.imaging.weighting import Weighting, apply_weighting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from dsa110_contimg.config.settings import ImageSettings
    from dsa110_contimg.imaging.grid import Grid
    from dsa110_contimg.imaging.observation import Observation
    from dsa110_contimg.imaging.samples import Samples
    from dsa110_contimg.telescope.beams import BeamModel

__all__ = ["BandImage", "Begun", "Cycle", "Imaged", "begin_part", "make_image"]

log = logging.getLogger(__name__)

# What an error of a source's amplitude that comes and goes with time and frequency leaves beside it in the image.
_SIDELOBE = 0.05
# Errors of the prediction stay below these parts of the next cycle's threshold, of the noise, and of the first peak.
_OF_THRESHOLD, _OF_NOISE, _OF_PEAK = 0.5, 0.3, 1e-4
# A residual peak that grows by more than this is a divergence.
_GROWTH = 1.1
# Errors are parts of an image itself. The last residual may be so many times less accurate than a bright model, which
# is not corrected afterwards; PSFs, and residuals that are cleaned once more, so many times: the next one is right.
_LAST, _NOT_LAST, _COARSEST = 10.0, 100.0, 0.1
# Every so many pixels are enough to tell the noise.
_NOISE_STEP = 3


def make_image(
    samples: Samples,
    observation: Observation,
    grid: Grid,
    settings: ImageSettings,
    *,
    mask: NDArray[np.bool_] | None = None,
    begun: Begun | None = None,
    beam: BeamModel,
) -> Imaged:
    """Image samples: weigh, grid, and clean in major cycles.

    Parameters
    ----------
    samples : Samples
        The visibilities. The model is taken out of them in place: what is left afterwards belongs to the residual.
    observation : Observation
        Where they come from.
    grid : Grid
        The pixels.
    settings : ImageSettings
        Weighting, cleaning, sub-bands, drift.
    mask : (N, N) bool ndarray, optional
        Where components are allowed from the beginning.
    begun : Begun, optional
        What is known of the visibilities, if they were imaged already as a part of others: see `begin_part`.
    beam : BeamModel
        The primary beam.

    Raises
    ------
    ImagingError
        Nothing has a weight, or visibilities that have one are not finite.
    UsageError
        The pixels are too large for the beam to be fitted.
    """
    began = time.perf_counter()
    weighting = apply_weighting(samples, grid, settings) if begun is None else _kept(samples, begun.weights, settings)
    weights = weighting.weights
    by_channel = weights.sum(axis=0, dtype=np.float64)
    total = float(by_channel.sum())
    if not total > 0.0:
        raise ImagingError(
            "no visibility of two different antennas is good", remedy="look at the flags and at the calibration"
        )
    if not np.isfinite(samples.visibilities).all() and not np.isfinite(samples.visibilities[weights > 0.0]).all():
        raise ImagingError("some visibilities that are not flagged are not finite", remedy="flag them")
    gridder = Gridder(grid, settings.epsilon, settings.n_threads)
    first = gridder._replace(epsilon=_coarse(settings, _NOT_LAST)) if settings.iterations else gridder
    pb = average_power(observation, beam, grid, samples, weights)
    bands = _bands(samples, weights, observation, grid, settings, beam)
    shares = np.array([band.sum_weights for band in bands]) / total
    models = np.array([_seen_in(band, () if begun is None else begun.taken, grid) for band in bands])
    left = [Remainder(band, gridder, model) for band, model in zip(bands, models, strict=True)]
    if begun is None or begun.psf is None or begun.dirty is None:
        psfs = np.array([psf_image(band, first) for band in bands])
        residuals = np.array([each.image(first.epsilon) for each in left])
    else:
        psfs, residuals = begun.psf[None], begun.dirty[None].copy()
    dirty = _mean(residuals, shares).copy()
    psf = _mean(psfs, shares)
    restoring = fit_beam(psf, grid.cell_rad)
    deconvolver = Deconvolver(
        settings, psfs, _edges_hz(bands, samples.channel_width_hz), shares * total, grid.cell_rad, restoring, mask
    )
    cycles, diverged = _clean(left, residuals, models, shares, deconvolver, settings)
    residual, model = _mean(residuals, shares), _mean(models, shares)
    parts = _band_images(bands, residuals, models, psfs, grid, samples.channel_width_hz, settings.n_threads)
    return Imaged(
        image=restore(model, residual, restoring, grid.cell_rad, threads=settings.n_threads),
        residual=residual,
        model=model,
        psf=psf,
        pb=pb,
        bands=parts,
        beam=restoring,
        grid=grid,
        observation=observation,
        freq_hz=float(by_channel @ samples.freq_hz / total),
        bandwidth_hz=float(np.count_nonzero(by_channel) * samples.channel_width_hz),
        sum_weights=total,
        thermal_jy=float(weighting.facts["thermal_jy"]),
        n_visibilities=int(np.count_nonzero(weights)),
        cycles=cycles,
        diverged=diverged,
        weighting=dict(weighting.facts),
        seconds=time.perf_counter() - began,
        left=Left(
            tuple(
                Taken(float(band.samples.freq_hz[0]), float(band.samples.freq_hz[-1]), model, _mean_power(band, grid))
                for band, model in zip(bands, models, strict=True)
            ),
            weights,
            dirty,
        ),
    )


def _clean(
    left: list[Remainder],
    residuals: NDArray[np.float32],
    models: NDArray[np.float32],
    shares: NDArray[np.float64],
    deconvolver: Deconvolver,
    settings: ImageSettings,
) -> tuple[tuple[Cycle, ...], bool]:
    """Run the major cycles; residuals and models (K, N, N) change in place, and at the end belong together."""
    cycles: list[Cycle] = []
    peak, noise = _figures(_mean(residuals, shares))
    first_peak = max(peak, float(np.abs(models).max()))
    if settings.iterations == 0 or first_peak == 0.0:
        return (), False
    for number in range(1, settings.major_cycles + 1):
        began = time.perf_counter()
        kept = residuals.copy(), models.copy()
        another = deconvolver.clean(residuals, models) and number < settings.major_cycles
        # The next cycle's components must stand above the errors of this prediction; the last one's noise must.
        threshold = deconvolver.part_left * _peak(_mean(residuals, shares)) if another else 0.0
        tolerance = max(_OF_THRESHOLD * threshold, _OF_NOISE * noise, _OF_PEAK * first_peak) / _SIDELOBE
        degridded = sum(each.take_out(model, tolerance) for each, model in zip(left, models, strict=True))
        for residual, each in zip(residuals, left, strict=True):
            residual[:] = each.image(_coarse(settings, _NOT_LAST if another else _LAST))
        new_peak, new_noise = _figures(_mean(residuals, shares))
        model_jy = float(_mean(models, shares).sum(dtype=np.float64))
        seconds = time.perf_counter() - began
        followed = sum(each.n_followed for each in left)
        cycle = Cycle(new_peak, new_noise, model_jy, deconvolver.iterations, degridded, followed, seconds)
        log.info(
            "major cycle %d: peak %.3g, noise %.3g, model %.4g Jy, %d iterations, %d images degridded, %d sources "
            "followed, %.1f s",
            number, new_peak, new_noise, model_jy, deconvolver.iterations, degridded, followed, seconds,
        )  # fmt: skip
        worse = new_peak > _GROWTH * peak and new_noise > noise and not deconvolver.took_back
        if not np.isfinite(new_peak) or worse:
            log.warning("major cycle %d made it worse (%.3g to %.3g Jy/beam): left out", number, peak, new_peak)
            residuals[:], models[:] = kept
            for each, model in zip(left, models, strict=True):
                each.take_out(model, tolerance)
            return tuple(cycles), True
        cycles.append(cycle)
        peak, noise = new_peak, new_noise
        if not another:
            break
    return tuple(cycles), False


def begin_part(whole: Imaged, channels: slice, other: Imaged | None = None) -> Begun:
    """Say what is known of some channels of samples of which all were imaged.

    Parameters
    ----------
    whole : Imaged
        All of them.
    channels : slice
        The part.
    other : Imaged, optional
        The rest of them, if it was imaged since; it was begun in this way, too.

    Raises
    ------
    UsageError
        The image was made by another program.
    """
    if whole.left is None or (other is not None and other.left is None):
        raise UsageError("a part of the band of an image that was not made here cannot be imaged")
    weights = np.ascontiguousarray(whole.left.weights[:, channels])
    begun = Begun(whole.left.taken, weights)
    total = float(weights.sum(dtype=np.float64))
    if other is None or other.left is None or total <= 0.0:
        return begun
    all_of, less = np.float32(1.0 + other.sum_weights / total), np.float32(other.sum_weights / total)
    return begun._replace(
        psf=all_of * whole.psf - less * other.psf, dirty=all_of * whole.residual - less * other.left.dirty
    )


def _kept(samples: Samples, weights: NDArray[np.float32], settings: ImageSettings) -> Weighting:
    """Keep weights that were found for more than these samples, and say what the noise is with them."""
    good = samples.weights > 0.0
    squares = float(np.sum(weights[good] ** 2 / samples.weights[good], dtype=np.float64))
    total = float(weights.sum(dtype=np.float64))
    facts = {
        "weighting": settings.weighting,
        "robust": settings.robust if settings.weighting == "briggs" else None,
        "taper_arcsec": settings.taper_arcsec,
        "samples": int(np.count_nonzero(weights)),
        "thermal_jy": float(np.sqrt(squares) / total) if total > 0.0 else None,
    }
    return Weighting(weights, facts)


def _coarse(settings: ImageSettings, times: float) -> float:
    """Accuracy of images from which something is taken still, or of which little is left."""
    return min(times * settings.epsilon, _COARSEST)


def _bands(
    samples: Samples,
    weights: NDArray[np.float32],
    observation: Observation,
    grid: Grid,
    settings: ImageSettings,
    beam: BeamModel,
) -> list[Band]:
    """Cut the band in `channels_out` parts of as many channels each; those without any weight are left out."""
    n_channels = samples.freq_hz.size
    edges = np.linspace(0, n_channels, min(settings.channels_out, n_channels) + 1).astype(int)
    bands = []
    for start, stop in itertools.pairwise(edges):
        part = slice(int(start), int(stop))
        inside = weights[:, part]
        by_channel = inside.sum(axis=0, dtype=np.float64)
        if not by_channel.sum() > 0.0:
            log.warning("channels %d to %d have no good visibility: no image of them", start, stop - 1)
            continue
        here = samples._replace(freq_hz=samples.freq_hz[part], visibilities=samples.visibilities[:, part])
        drift = None
        if settings.drift:
            drift = drifting_beam(observation, beam, grid, here, inside, settings.alpha)
        spectrum = (here.freq_hz / REFERENCE_HZ) ** settings.alpha
        mean = float(by_channel @ spectrum / by_channel.sum())
        bands.append(
            Band(
                here,
                inside,
                float(by_channel.sum()),
                drift,
                (spectrum / mean).astype(np.float32),
                mean,
            )
        )
    return bands


def _mean_power(band: Band, grid: Grid) -> NDArray[np.float32]:
    """Mean of beam and spectrum by which a model of a band is apparent, (N, N)."""
    if band.drift is None:
        return np.full((grid.n_pixels,) * 2, band.mean_spectrum, dtype=np.float32)
    return band.drift.over.pixels(band.drift.mean)


def _seen_in(band: Band, start: Sequence[Taken], grid: Grid) -> NDArray[np.float32]:
    """Give the models that were taken out of a band, and of more perhaps, as they appear in it, (N, N) [Jy]."""
    seen = np.zeros((grid.n_pixels,) * 2, dtype=np.float32)
    for taken in start:
        inside = (band.samples.freq_hz >= taken.lowest_hz) & (band.samples.freq_hz <= taken.highest_hz)
        share = float(band.weights[:, inside].sum(dtype=np.float64)) / band.sum_weights
        ratio = np.ones_like(seen)
        np.divide(_mean_power(band, grid), taken.mean, out=ratio, where=taken.mean > NO_BEAM * float(taken.mean.max()))
        seen += np.float32(share) * taken.model * ratio
    return seen


def _edges_hz(bands: list[Band], width_hz: float) -> NDArray[np.float64]:
    return np.array([band.samples.freq_hz[[0, -1]] + np.array([-0.5, 0.5]) * width_hz for band in bands])


def _band_images(
    bands: list[Band],
    residuals: NDArray[np.float32],
    models: NDArray[np.float32],
    psfs: NDArray[np.float32],
    grid: Grid,
    width_hz: float,
    threads: int,
) -> tuple[BandImage, ...]:
    if len(bands) == 1:
        return ()
    made = []
    for band, residual, model, psf in zip(bands, residuals, models, psfs, strict=True):
        by_channel = band.weights.sum(axis=0, dtype=np.float64)
        beam = fit_beam(psf, grid.cell_rad)
        made.append(
            BandImage(
                float(by_channel @ band.samples.freq_hz / by_channel.sum()),
                float(np.count_nonzero(by_channel) * width_hz),
                restore(model, residual, beam, grid.cell_rad, threads=threads),
                residual,
                model,
                psf,
                beam,
            )
        )
    return tuple(made)


def _mean(images: NDArray[np.float32], shares: NDArray[np.float64]) -> NDArray[np.float32]:
    """Mean (N, N) of images (K, N, N) with weights that add up to 1."""
    return images[0] if len(images) == 1 else np.tensordot(shares.astype(np.float32), images, axes=1)


def _peak(residual: NDArray[np.float32]) -> float:
    """Largest absolute value."""
    return float(max(residual.max(), -residual.min()))


def _figures(residual: NDArray[np.float32]) -> tuple[float, float]:
    """Largest absolute value, and 1.4826 times the median deviation."""
    some = residual[::_NOISE_STEP, ::_NOISE_STEP]
    return _peak(residual), float(1.4826 * np.median(np.abs(some - np.median(some))))
