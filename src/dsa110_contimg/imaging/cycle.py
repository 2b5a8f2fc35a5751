"""From samples to a deconvolved image: major cycles of cleaning and of taking the model away (Schwab 1984)."""

from __future__ import annotations

import itertools
import logging
import time
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dsa110_contimg.errors import ImagingError
from dsa110_contimg.imaging.deconvolution import Deconvolver
from dsa110_contimg.imaging.drift import drifting_beam
from dsa110_contimg.imaging.gridding import Gridder
from dsa110_contimg.imaging.prediction import Band, dirty_image, psf_image, residual_image
from dsa110_contimg.imaging.primary_beam import average_power
from dsa110_contimg.imaging.psf import fit_beam
from dsa110_contimg.imaging.restore import restore
from dsa110_contimg.imaging.weighting import apply_weighting

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dsa110_contimg.config.settings import ImageSettings
    from dsa110_contimg.images.fits import RestoringBeam
    from dsa110_contimg.imaging.grid import Grid
    from dsa110_contimg.imaging.observation import Observation
    from dsa110_contimg.imaging.samples import Samples
    from dsa110_contimg.telescope.beams import BeamModel

log = logging.getLogger(__name__)

# What an error of the visibilities' amplitudes that is 1 source's flux makes beside it: its sidelobes.
_SIDELOBE = 0.05
# Errors of the prediction stay below these parts of the next cycle's threshold, of the noise, and of the first peak.
_OF_THRESHOLD, _OF_NOISE, _OF_PEAK = 0.2, 0.1, 3e-5
# A residual peak that grows by more than this is a divergence.
_GROWTH = 1.1
# Every so many pixels are enough to tell the noise.
_NOISE_STEP = 3


class Cycle(NamedTuple):
    """Figures of a major cycle.

    Attributes
    ----------
    peak_jy : float
        Largest absolute residual after it [Jy/beam].
    rms_jy : float
        Width of the residuals' distribution, from their median deviation [Jy/beam].
    model_jy : float
        Flux density of the model, apparent [Jy].
    iterations : int
        Minor iterations so far.
    degridded : int
        Images that were degridded: more than the sub-bands where the drift of the beam was followed.
    seconds : float
        It took.
    """

    peak_jy: float
    rms_jy: float
    model_jy: float
    iterations: int
    degridded: int
    seconds: float


class BandImage(NamedTuple):
    """The image of a sub-band.

    Attributes
    ----------
    freq_hz, bandwidth_hz : float
        Mean frequency of its weights, and the width of its channels with a weight [Hz].
    image, residual, model, psf : (N, N) float32
        As in `Imaged`.
    beam : RestoringBeam
        Its own.
    """

    freq_hz: float
    bandwidth_hz: float
    image: NDArray[np.float32]
    residual: NDArray[np.float32]
    model: NDArray[np.float32]
    psf: NDArray[np.float32]
    beam: RestoringBeam


class Imaged(NamedTuple):
    """An image and all that belongs to it; pixels in the order of FITS, (n_dec, n_ra) float32.

    Attributes
    ----------
    image : (N, N) float32
        Model convolved with the beam, plus residual [Jy/beam]; as the sky appears through the primary beam.
    residual : (N, N) float32
        [Jy/beam].
    model : (N, N) float32
        Flux density of each pixel, apparent [Jy].
    psf : (N, N) float32
        Response to a source of 1 Jy at the phase centre, pixel (N // 2, N // 2).
    pb : (N, N) float32
        Mean of the primary beam over integrations and channels, with the image's weights.
    bands : tuple of BandImage
        Images of sub-bands, ascending in frequency; empty if there is only one.
    beam : RestoringBeam
        Gaussian fitted to the PSF.
    grid : Grid
        The pixels.
    observation : Observation
        What was observed.
    freq_hz, bandwidth_hz : float
        Mean frequency of the weights, and the width of all channels with a weight [Hz].
    sum_weights : float
        Sum of the imaging weights.
    thermal_jy : float
        Noise of the image if the samples' weights are the inverse of their variance [Jy/beam].
    n_visibilities : int
        Samples with a weight.
    cycles : tuple of Cycle
        One a major cycle.
    diverged : bool
        Whether the last cycle made it worse; what was before is kept.
    weighting : dict
        Facts about the weighting.
    seconds : float
        All of it took.
    """

    image: NDArray[np.float32]
    residual: NDArray[np.float32]
    model: NDArray[np.float32]
    psf: NDArray[np.float32]
    pb: NDArray[np.float32]
    bands: tuple[BandImage, ...]
    beam: RestoringBeam
    grid: Grid
    observation: Observation
    freq_hz: float
    bandwidth_hz: float
    sum_weights: float
    thermal_jy: float
    n_visibilities: int
    cycles: tuple[Cycle, ...]
    diverged: bool
    weighting: dict[str, object]
    seconds: float


def make_image(
    samples: Samples,
    observation: Observation,
    grid: Grid,
    settings: ImageSettings,
    *,
    mask: NDArray[np.bool_] | None = None,
    beam: BeamModel,
) -> Imaged:
    """Image samples: weigh, grid, and clean in major cycles.

    Parameters
    ----------
    samples : Samples
        The visibilities, which stay as they are. A slice of their channels makes the image of a part of the band.
    observation : Observation
        Where they come from.
    grid : Grid
        The pixels.
    settings : ImageSettings
        Weighting, cleaning, sub-bands, drift.
    mask : (N, N) bool ndarray, optional
        Where components are allowed from the beginning.
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
    weighting = apply_weighting(samples, grid, settings)
    weights = weighting.weights
    by_channel = weights.sum(axis=0, dtype=np.float64)
    total = float(by_channel.sum())
    if not total > 0.0:
        raise ImagingError(
            "no visibility of two different antennas is good", remedy="look at the flags and at the calibration"
        )
    gridder = Gridder(grid, settings.epsilon, settings.n_threads)
    pb = average_power(observation, beam, grid, samples, weights)
    bands = _bands(samples, weights, observation, grid, settings, beam)
    shares = np.array([band.sum_weights for band in bands]) / total
    psfs = np.array([psf_image(band, gridder) for band in bands])
    residuals = np.array([dirty_image(band, gridder) for band in bands])
    if not np.isfinite(residuals).all():
        raise ImagingError("some visibilities that are not flagged are not finite", remedy="flag them")
    psf = _mean(psfs, shares)
    restoring = fit_beam(psf, grid.cell_rad)
    models = np.zeros_like(residuals)
    deconvolver = Deconvolver(
        settings, psfs, _edges_hz(bands, samples.channel_width_hz), shares * total, grid.cell_rad, restoring, mask
    )
    cycles, diverged = _clean(bands, residuals, models, shares, deconvolver, gridder, settings)
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
        thermal_jy=_thermal_jy(samples.weights, weights, total),
        n_visibilities=int(np.count_nonzero(weights)),
        cycles=cycles,
        diverged=diverged,
        weighting=dict(weighting.facts),
        seconds=time.perf_counter() - began,
    )


def _clean(
    bands: list[Band],
    residuals: NDArray[np.float32],
    models: NDArray[np.float32],
    shares: NDArray[np.float64],
    deconvolver: Deconvolver,
    gridder: Gridder,
    settings: ImageSettings,
) -> tuple[tuple[Cycle, ...], bool]:
    """Run the major cycles; residuals and models (K, N, N) change in place, and at the end belong together."""
    cycles: list[Cycle] = []
    first_peak, noise = _figures(_mean(residuals, shares))
    peak = first_peak
    if settings.iterations == 0 or first_peak == 0.0:
        return (), False
    for number in range(1, settings.major_cycles + 1):
        began = time.perf_counter()
        kept = residuals.copy(), models.copy()
        another = deconvolver.clean(residuals, models) and number < settings.major_cycles
        # The next cycle's components must stand above the errors of this prediction; the last one's noise must.
        threshold = (1.0 - settings.major_gain) ** 2 * peak if another else 0.0
        tolerance = max(_OF_THRESHOLD * threshold, _OF_NOISE * noise, _OF_PEAK * first_peak) / _SIDELOBE
        degridded = 0
        for k, band in enumerate(bands):
            residuals[k], n = residual_image(band, models[k], gridder, tolerance)
            degridded += n
        new_peak, new_noise = _figures(_mean(residuals, shares))
        model_jy = float(_mean(models, shares).sum(dtype=np.float64))
        seconds = time.perf_counter() - began
        cycle = Cycle(new_peak, new_noise, model_jy, deconvolver.iterations, degridded, seconds)
        log.info(
            "major cycle %d: peak %.3g, noise %.3g, model %.4g Jy, %d iterations, %d images degridded, %.1f s",
            number, new_peak, new_noise, model_jy, deconvolver.iterations, degridded, seconds,
        )  # fmt: skip
        if not np.isfinite(new_peak) or (new_peak > _GROWTH * peak and new_noise > noise):
            log.warning("major cycle %d made it worse (%.3g to %.3g Jy/beam): left out", number, peak, new_peak)
            residuals[:], models[:] = kept
            return tuple(cycles), True
        cycles.append(cycle)
        peak, noise = new_peak, new_noise
        if not another:
            break
    return tuple(cycles), False


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
            drift = drifting_beam(observation, beam, grid, here, inside, n_chunks=settings.chunks, alpha=settings.alpha)
        spectrum = (here.freq_hz / (by_channel @ here.freq_hz / by_channel.sum())) ** settings.alpha
        spectrum /= by_channel @ spectrum / by_channel.sum()
        bands.append(
            Band(
                here.uvw_m,
                here.freq_hz,
                here.visibilities,
                inside,
                float(by_channel.sum()),
                drift,
                spectrum.astype(np.float32),
            )
        )
    return bands


def _edges_hz(bands: list[Band], width_hz: float) -> NDArray[np.float64]:
    return np.array([[band.freq_hz.min() - width_hz / 2, band.freq_hz.max() + width_hz / 2] for band in bands])


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
                float(by_channel @ band.freq_hz / by_channel.sum()),
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


def _figures(residual: NDArray[np.float32]) -> tuple[float, float]:
    """Largest absolute value, and 1.4826 times the median deviation."""
    peak = float(max(residual.max(), -residual.min()))
    some = residual[::_NOISE_STEP, ::_NOISE_STEP]
    return peak, float(1.4826 * np.median(np.abs(some - np.median(some))))


def _thermal_jy(variances: NDArray[np.float32], weights: NDArray[np.float32], total: float) -> float:
    """Noise sqrt(sum w^2 sigma^2) / sum w of an image, from inverse variances (N, C) and imaging weights (N, C)."""
    noise = 0.0
    for inverse, weight in zip(np.array_split(variances, 32), np.array_split(weights, 32), strict=True):
        good = inverse > 0.0
        noise += float(np.sum(weight[good].astype(np.float64) ** 2 / inverse[good]))
    return float(np.sqrt(noise)) / total
