"""Components from residual images: radler, which is WSClean's deconvolution as a library, made safe.

Cleaning has two phases (Offringa & Smirnov 2017, section 2.3). First components are found wherever the residual stands
out of the local noise (`auto_mask`); then also deeper, where there are components already (`auto_threshold`). The
second phase begins when the first reached its threshold, and ends when the noise has stopped falling: sidelobes of
bright sources pass for noise in the beginning, and what they hide is found as soon as it stands out. Sidelobes pass
for sources, too: nothing new is sought below those of what is bright, and what is faint leaves the model once, when
the mask is made; it comes back if it stands out of the true residual. A mask that is given (a seed) is cleaned deep
from the beginning. A major cycle has one threshold: deeper ones wait for true residuals.
"""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import radler
from astropy.io import fits
from scipy import ndimage
from scipy.fft import next_fast_len

from dsa110_contimg.errors import UsageError
from dsa110_contimg.imaging.noise import rms_map
from dsa110_contimg.imaging.printed import printed_lines

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dsa110_contimg.config.settings import ImageSettings
    from dsa110_contimg.images.fits import RestoringBeam

log = logging.getLogger(__name__)

# Noise that falls below so much of what it was in a major cycle was not all noise.
_QUIETER = 0.95
# Extended components reach to where they are so much of what is sought.
_EXTENDED = 0.5
# The noise changes slowly from pixel to pixel.
_NOISE_STEP = 8
# Where there are to be no components [Jy/beam].
_NEVER = 1e30
# float32 images are not cleaned deeper than this part of the first peak.
_DEEPEST = 1e-6
# A major cycle after which what was cleaned, or anything, is so many times higher has diverged.
_DIVERGED = 1.2
_FAR = 2.0
# Whether it does is looked at after so many iterations.
_WATCHED = 8000
# Until it is known where sources are, new ones are not sought below so many times the highest sidelobe of the peak: the
# PSF is not the same all over the image, and what is wrong with a sidelobe is no source. Some of the peak goes always.
_ABOVE_SIDELOBES, _LEAST_GAIN = 1.2, 0.8
# When it was measured how wrong the last residual was that a minor cycle left: what is new is sought above so many
# times as much, and what is known already is cleaned down to so many times, or to this part of the peak.
_NEW_ABOVE_ERRORS, _KNOWN_ABOVE_ERRORS, _DEEPEST_PART = 1.5, 1.0, 0.05
# The main lobe is above this level, and reaches so many beams further.
_LOBE, _SKIRT_BEAMS = 0.35, 1.0
# What was found before sidelobes were gone stays only if it is so many times the noise.
_CERTAIN = 8.0
# radler convolves in an image that is so much wider; nothing may come around its edges to where components are.
_RADLER_PADDING, _ROOM = 1.1, 1.5
# Of the thresholds in one major cycle: the percentile that stands for the lowest, and how many times higher others are.
_LOW_PERCENT = 10
_RANGE = 2.0
_RANGE_OF_SCALES = 4.0
# radler boosts the gain of the first major cycles; it should not.
_LATE_CYCLE = 1000


class Deconvolver:
    """The minor cycles of an image, or of the K images of sub-bands that are cleaned together.

    Parameters
    ----------
    settings : ImageSettings
        How to clean.
    psfs : (K, N, N) float32
        Point spread functions, 1 in pixel (N // 2, N // 2); N is even.
    band_edges_hz : (K, 2) float64
        Lower and upper edge of each sub-band [Hz].
    band_weights : (K,) float64
        Their weights (sums of imaging weights).
    cell_rad : float
        Pixel size [rad].
    beam : RestoringBeam
        Gaussian fitted to the PSF.
    mask : (N, N) bool ndarray, optional
        Where components are allowed down to the final threshold from the beginning (a seed); without `auto_mask`,
        nowhere else.

    Raises
    ------
    UsageError
        The images cannot be so.
    """

    def __init__(
        self,
        settings: ImageSettings,
        psfs: NDArray[np.float32],
        band_edges_hz: NDArray[np.float64],
        band_weights: NDArray[np.float64],
        cell_rad: float,
        beam: RestoringBeam,
        mask: NDArray[np.bool_] | None = None,
    ) -> None:
        _check(psfs)
        self._psfs = np.ascontiguousarray(psfs, dtype=np.float32)
        n_bands, n_pixels = psfs.shape[:2]
        if band_edges_hz.shape != (n_bands, 2) or band_weights.shape != (n_bands,):
            raise UsageError(f"{n_bands} PSFs need as many bands, not {band_edges_hz.shape}, {band_weights.shape}")
        if mask is not None and mask.shape != (n_pixels, n_pixels):
            raise UsageError(f"a mask of {mask.shape} pixels is not one of {n_pixels} x {n_pixels}")
        self._settings = settings
        self._edges_hz = np.ascontiguousarray(band_edges_hz, dtype=np.float64)
        self._weights = np.ascontiguousarray(band_weights / band_weights.sum(), dtype=np.float64)
        self._cell_rad = cell_rad
        self._beam_rad = float(np.radians(beam.major_deg))
        self._beam_pixels = float(np.radians(np.sqrt(beam.major_deg * beam.minor_deg)) / cell_rad)
        self._seed = mask
        self._sidelobe = _highest_sidelobe(self._joined(self._psfs), self._beam_pixels)
        self._components: NDArray[np.bool_] | None = None
        self._iterations = 0
        self._first_peak = 0.0
        self._left: tuple[NDArray[np.float32], float] | None = None
        self._error: float | None = None

    @property
    def iterations(self) -> int:
        """Minor iterations so far."""
        return self._iterations

    @property
    def masked(self) -> bool:
        """Whether it is now known where there are components, which are cleaned deep."""
        return self._components is not None or self._settings.auto_mask is None

    @property
    def part_left(self) -> float:
        """Part of a peak down to which the next major cycle cleans what is known."""
        usual = 1.0 - self._settings.major_gain
        return usual if self._error is None else min(usual, max(_KNOWN_ABOVE_ERRORS * self._error, _DEEPEST_PART))

    def clean(self, residuals: NDArray[np.float32], models: NDArray[np.float32]) -> bool:
        """Move flux from residual images (K, N, N) to models (K, N, N), both in place, for one major cycle.

        Returns
        -------
        bool
            Whether another major cycle is worth it: predict, form new residuals, call again. After False, predict once
            more for the final residuals.

        Raises
        ------
        UsageError
            The images are of another shape or kind than the PSFs, or not finite.
        """
        for images in (residuals, models):
            self._check_images(images)
        self._learn(residuals)
        peak = self._peak(residuals)
        self._first_peak = self._first_peak or peak
        if peak <= _DEEPEST * self._first_peak or self._iterations >= self._settings.iterations:
            return False
        noise = self._noise(residuals)
        thresholds = self._thresholds(noise)
        above = self._above(residuals, thresholds)
        doubted = False
        if not above.any() and not self.masked:
            doubted = self._close_mask(models, noise)
            thresholds = self._thresholds(noise)
            above = self._above(residuals, thresholds)
        if not above.any():
            return doubted
        before, iterations = (residuals.copy(), models.copy()), self._iterations
        high = float(np.max(np.abs(self._joined(residuals)[above])))
        lowest = float(np.percentile(thresholds[above], _LOW_PERCENT))
        for part in (self.part_left, 1.0 - self._settings.major_gain / 2):
            limit = part * high
            limit_of_new = max(limit, self._doubtful_part() * high)
            this_time = self._this_time(thresholds, above, max(limit, lowest))
            if limit_of_new > limit:
                this_time = np.where(self._beside(models), this_time, np.maximum(this_time, np.float32(limit_of_new)))
            self._run(residuals, models, this_time)
            after, anywhere = float(np.max(np.abs(self._joined(residuals)[above]))), self._peak(residuals)
            if np.isfinite(models).all() and after <= _DIVERGED * high and anywhere <= _FAR * peak:  # never so of NaN
                limited = limit_of_new > lowest and bool(self._above(residuals, thresholds).any())
                self._left = self._joined(residuals).copy(), high
                more = limited or self._goes_on(residuals, models, noise)
                return (more or doubted) and self._iterations < self._settings.iterations
            (residuals[...], models[...]), self._iterations, self._error = before, iterations, None
            log.warning("Cleaning diverged: the residual's peak went from %.4g to %.4g Jy/beam; undone", peak, anywhere)
        return False

    def _doubtful_part(self) -> float:
        """Part of the highest peak up to which what is new may be its sidelobe; 0 in the second phase."""
        if self.masked or self._settings.multiscale:
            return 0.0
        usual = min(_ABOVE_SIDELOBES * self._sidelobe, _LEAST_GAIN)
        return usual if self._error is None else min(usual, _NEW_ABOVE_ERRORS * self._error)

    def _learn(self, residuals: NDArray[np.float32]) -> None:
        """Measure the errors of the residual that the last minor cycle left, as a part of the peak that it cleaned.

        They are those of one PSF for all the image, of the beam that drifts, and of the prediction's accuracy.
        """
        if self._left is not None:
            left, high = self._left
            self._error = float(np.max(np.abs(self._joined(residuals) - left))) / high
            self._left = None

    def _beside(self, models: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Mark the pixels within half a beam of components, and the seed."""
        steps = max(1, round(self._beam_pixels / 2))
        found = ndimage.binary_dilation(np.any(models != 0.0, axis=0), iterations=steps)
        return np.asarray(found if self._seed is None else found | self._seed)

    def _goes_on(self, residuals: NDArray[np.float32], models: NDArray[np.float32], noise: NDArray[np.float32]) -> bool:
        """Decide what follows when all that stood out of the noise is gone: less noise, a mask, or the end."""
        quieter = self._noise(residuals)
        if not self.masked:
            doubted = self._close_mask(models, quieter)
            return doubted or bool(self._above(residuals, self._thresholds(quieter)).any())
        if self._components is not None:
            before = self._components
            self._components = self._found(models, quieter)
            fresh = self._components & ~before
            if np.any(np.abs(self._joined(residuals)[fresh]) > self._thresholds(quieter)[fresh]):
                return True
        some = np.s_[::_NOISE_STEP, ::_NOISE_STEP]
        return bool(np.median(quieter[some]) < _QUIETER * np.median(noise[some]))

    def _close_mask(self, models: NDArray[np.float32], noise: NDArray[np.float32]) -> bool:
        """Take back what is not certain, and let the rest be the mask; tell whether anything was taken back.

        While sidelobes were high some passed for sources. What is real stands out of the next residual, too.
        """
        found = np.any(models != 0.0, axis=0)
        doubtful = np.zeros_like(found)
        if not self._settings.multiscale:
            doubtful = found & (np.abs(self._restored(models)) <= _CERTAIN * noise)
        if self._seed is not None:
            doubtful &= ~self._seed
        models[:, doubtful] = 0.0
        self._left = None
        self._components = self._found(models, noise)
        return bool(doubtful.any())

    def _found(self, models: NDArray[np.float32], noise: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Mark the pixels with components; with extended ones, where they are as bright as what is sought."""
        found = np.any(models != 0.0, axis=0)
        if not self._settings.multiscale or self._settings.auto_mask is None:
            return found
        return found & (np.abs(self._restored(models)) > _EXTENDED * self._settings.auto_mask * noise)

    def _restored(self, models: NDArray[np.float32]) -> NDArray[np.float32]:
        """Components as a round beam shows them, (N, N) [Jy/beam]."""
        sigma = self._beam_pixels / np.sqrt(8.0 * np.log(2.0))
        smooth = ndimage.gaussian_filter(self._joined(models), sigma, mode="constant")
        return np.asarray(2.0 * np.pi * sigma**2 * smooth, dtype=np.float32)

    def _noise(self, residuals: NDArray[np.float32]) -> NDArray[np.float32]:
        return rms_map(self._joined(residuals), self._beam_pixels)

    def _above(self, residuals: NDArray[np.float32], thresholds: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Pixels that stand out of the noise."""
        return np.abs(self._joined(residuals)) > thresholds

    def _thresholds(self, noise: NDArray[np.float32]) -> NDArray[np.float32]:
        """Brightness from which on components are sought, for every pixel (N, N) [Jy/beam]."""
        settings = self._settings
        least = max(settings.threshold_jy, _DEEPEST * self._first_peak)
        deep = np.maximum(settings.auto_threshold * noise, least)
        if settings.auto_mask is None:
            return deep if self._seed is None else np.where(self._seed, deep, np.float32(_NEVER))
        shallow = np.maximum(max(settings.auto_mask, settings.auto_threshold) * noise, least)
        for known in (self._components, self._seed):
            if known is not None:
                shallow = np.where(known, deep, shallow)
        return shallow

    def _this_time(self, thresholds: NDArray[np.float32], above: NDArray[np.bool_], base: float) -> NDArray[np.float32]:
        """Brightness down to which this major cycle cleans (N, N): no deeper than `base`, and much alike.

        radler takes the pixel that is highest relative to its threshold. Near a bright source the noise is its own
        sidelobes: if thresholds there were much higher, sidelobes far away would be taken for it. So thresholds differ
        by a small factor only. What does not stand out of its own noise now is not cleaned now, unless it is wide, or
        there are components already.
        """
        if self._settings.multiscale:
            return np.where(thresholds < _NEVER, np.clip(thresholds, base, _RANGE_OF_SCALES * base), thresholds)
        for known in (self._components, self._seed):
            above = above if known is None else above | known
        return np.where(above, np.clip(thresholds, base, _RANGE * base), np.float32(_NEVER))

    def _run(
        self, residuals: NDArray[np.float32], models: NDArray[np.float32], thresholds: NDArray[np.float32]
    ) -> None:
        """Let radler clean to these thresholds, in slices: one that diverges would go on for ever."""
        n_pixels = residuals.shape[-1]
        # Where components are is known then, and what is around them is small: room would be three times the work.
        n_room = n_pixels if self.masked or self._seed is not None else _with_room(n_pixels)
        wide = [_padded(images, n_room) for images in (self._psfs, residuals, models)]
        limits = _padded(thresholds, n_room, _NEVER)
        inside = _inside(n_pixels, n_room)
        is_open = thresholds < _NEVER
        highest = _DIVERGED * float(np.max(np.abs(self._joined(residuals)[is_open]), initial=0.0))
        with tempfile.TemporaryDirectory(prefix="contimg-") as directory, printed_lines(log):
            path = Path(directory) / "thresholds.fits"
            fits.PrimaryHDU(limits).writeto(path)
            watched = _WATCHED
            while self._iterations < self._settings.iterations:
                most = min(watched, self._settings.iterations - self._iterations)
                done = self._slice(wide, path, most)
                self._iterations += done
                # To begin anew takes radler a second; one that goes well so far goes well for as long again.
                watched *= 2
                peak = float(np.max(np.abs(self._joined(wide[1][:, inside, inside])[is_open]), initial=0.0))
                if done < most or not peak <= highest:  # so of NaN, too
                    break
        residuals[...], models[...] = (images[:, inside, inside] for images in wide[1:])

    def _slice(self, wide: list[NDArray[np.float32]], thresholds: Path, most: int) -> int:
        """Run radler on PSFs, residuals, and models (K, M, M) for so many iterations at most; tell how many it was."""
        settings = self._settings
        made = radler.Settings()
        n_bands, made.trimmed_image_height, made.trimmed_image_width = wide[0].shape
        made.pixel_scale.x = made.pixel_scale.y = self._cell_rad
        made.minor_iteration_count = most
        made.minor_loop_gain = min(1.0, settings.gain * (1.0 if self._components is None else 2.0))
        made.major_loop_gain = 1.0
        made.major_iteration_count = 0
        # The lowest threshold is 1 standard deviation; radler scales the others by what it takes for local noise.
        made.auto_threshold_sigma = 1.0
        made.local_rms.image = str(thresholds)
        made.thread_count = settings.n_threads
        if settings.multiscale:
            made.algorithm_type = radler.AlgorithmType.multiscale
        made.channels_out = n_bands
        if n_bands > 1:
            made.spectral_fitting.mode = radler.SpectralFittingMode.polynomial
            made.spectral_fitting.terms = min(settings.terms, n_bands)
        radler.Radler.worker_thread_count = settings.n_threads
        images = wide if n_bands > 1 else [each[0] for each in wide]
        spectral = {"frequencies": self._edges_hz, "weights": self._weights} if n_bands > 1 else {}
        worker = radler.Radler(made, *images, self._beam_rad, **spectral)
        worker.perform(_LATE_CYCLE)
        done = int(worker.iteration_number)
        del worker  # it prints when it goes
        return done

    def _joined(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Mean of the bands, as radler weighs them, (N, N)."""
        if len(images) == 1:
            return images[0]
        return np.asarray(np.einsum("k,kyx->yx", self._weights, images), dtype=np.float32)

    def _peak(self, residuals: NDArray[np.float32]) -> float:
        return float(np.max(np.abs(self._joined(residuals))))

    def _check_images(self, images: NDArray[np.float32]) -> None:
        if images.shape != self._psfs.shape or images.dtype != np.float32 or not images.flags.c_contiguous:
            raise UsageError(
                f"images to clean are contiguous float32 of shape {self._psfs.shape}, not {images.dtype} {images.shape}"
            )
        if not np.isfinite(images).all():
            raise UsageError("images to clean have pixels that are not finite", remedy="flag what is not")


def _check(psfs: NDArray[np.float32]) -> None:
    if psfs.ndim != 3 or psfs.shape[1] != psfs.shape[2] or psfs.shape[1] % 2:
        raise UsageError(f"PSFs are squares with an even number of pixels on a side, not {psfs.shape}")
    if not np.isfinite(psfs).all():
        raise UsageError("a PSF has pixels that are not finite")


def _highest_sidelobe(psf: NDArray[np.float32], beam_pixels: float) -> float:
    """Height of what is highest, or lowest, outside of the main lobe."""
    lobes, _ = ndimage.label(psf > _LOBE)
    centre = psf.shape[0] // 2
    distance = ndimage.distance_transform_edt(lobes != lobes[centre, centre])
    return float(np.max(np.abs(psf[distance > _SKIRT_BEAMS * beam_pixels]), initial=0.0))


def _with_room(n_pixels: int) -> int:
    """Pixels on a side, even, of an image in which a PSF of `n_pixels` anywhere in the middle is not wrapped."""
    return 2 * int(next_fast_len(int(np.ceil(n_pixels * _ROOM / _RADLER_PADDING / 2))))


def _inside(n_pixels: int, n_room: int) -> slice:
    """Where in an image with room, along both axes, the one without begins and ends: the middles are the same."""
    return slice(n_room // 2 - n_pixels // 2, n_room // 2 - n_pixels // 2 + n_pixels)


def _padded(images: NDArray[np.float32], n_room: int, value: float = 0.0) -> NDArray[np.float32]:
    """Images (..., N, N) within larger ones (..., M, M)."""
    made = np.full((*images.shape[:-2], n_room, n_room), np.float32(value))
    inside = _inside(images.shape[-1], n_room)
    made[..., inside, inside] = images
    return made
