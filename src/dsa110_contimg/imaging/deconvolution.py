"""Components from residual images: what is sought, where, and how deep, from one major cycle to the next.

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
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from dsa110_contimg.errors import UsageError
from dsa110_contimg.imaging.noise import rms_map
from dsa110_contimg.imaging.radler_cleaner import NEVER, RadlerCleaner, joined

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
# float32 images are not cleaned deeper than this part of the first peak.
_DEEPEST = 1e-6
# A major cycle after which what was cleaned, or anything, is so many times higher has diverged.
_DIVERGED = 1.2
_FAR = 2.0
# Until it is known where sources are, new ones are not sought below so many times the highest sidelobe of the peak: the
# PSF is not the same all over the image, and what is wrong with a sidelobe is no source. Some of the peak goes always.
_ABOVE_SIDELOBES, _LEAST_GAIN = 1.2, 0.8
# When it was measured how wrong the residuals are that minor cycles leave: what is new is sought above so many times
# as much, and what is known already is cleaned down to so many times, or to this part of the peak. If they are more
# than this part of what was cleaned, as with few antennas, sidelobes pass for sources anyway: it goes on as usual.
_NEW_ABOVE_ERRORS, _KNOWN_ABOVE_ERRORS, _DEEPEST_PART = 2.5, 1.0, 0.05
_TOO_WRONG = 0.15
# The main lobe is above this level, and reaches so many beams further.
_LOBE, _SKIRT_BEAMS = 0.35, 1.0
# What was found before sidelobes were gone stays only if it is so many times the noise.
_CERTAIN = 8.0
# Of the thresholds in one major cycle: the percentile that stands for the lowest, and how many times higher others are.
_LOW_PERCENT = 10
_RANGE = 2.0
_RANGE_OF_SCALES = 4.0


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
        self._weights = np.ascontiguousarray(band_weights / band_weights.sum(), dtype=np.float64)
        self._beam_pixels = float(np.radians(np.sqrt(beam.major_deg * beam.minor_deg)) / cell_rad)
        self._seed = mask
        self._sidelobe = _highest_sidelobe(self._joined(self._psfs), self._beam_pixels)
        self._components: NDArray[np.bool_] | None = None
        self._iterations = 0
        self._first_peak = 0.0
        self._cleaner = RadlerCleaner(
            self._psfs,
            np.ascontiguousarray(band_edges_hz, dtype=np.float64),
            self._weights,
            cell_rad=cell_rad,
            beam_rad=float(np.radians(beam.major_deg)),
            multiscale=settings.multiscale,
            terms=settings.terms,
            threads=settings.n_threads,
        )
        self._left: tuple[NDArray[np.float32], float] | None = None
        self._error: float | None = None
        self._took_back = False

    @property
    def iterations(self) -> int:
        """Minor iterations so far."""
        return self._iterations

    @property
    def masked(self) -> bool:
        """Whether it is now known where there are components, which are cleaned deep."""
        return self._components is not None or self._settings.auto_mask is None

    @property
    def took_back(self) -> bool:
        """Whether the last major cycle took components back: more is left in its residual than before."""
        return self._took_back

    @property
    def part_left(self) -> float:
        """Part of a peak down to which the next major cycle cleans what is known."""
        usual = 1.0 - self._settings.major_gain
        return min(usual, max(_DEEPEST_PART, self._above_errors(usual, _KNOWN_ABOVE_ERRORS)))

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
        self._took_back = False
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
                if after < high:
                    self._left = self._joined(residuals).copy(), high - after
                more = limited or self._goes_on(residuals, models, noise)
                return (more or doubted) and self._iterations < self._settings.iterations
            (residuals[...], models[...]), self._iterations, self._error = before, iterations, None
            log.warning("Cleaning diverged: the residual's peak went from %.4g to %.4g Jy/beam; undone", peak, anywhere)
        return False

    def _doubtful_part(self) -> float:
        """Part of the highest peak up to which what is new may be its sidelobe; 0 in the second phase."""
        if self.masked or self._settings.multiscale:
            return 0.0
        return self._above_errors(min(_ABOVE_SIDELOBES * self._sidelobe, _LEAST_GAIN), _NEW_ABOVE_ERRORS)

    def _above_errors(self, usual: float, times: float) -> float:
        """Part of a peak that is so many times the errors of what is cleaned down to it, if that is less than usual."""
        if self._error is None or self._error > _TOO_WRONG:
            return usual
        return min(usual, times * self._error / (1.0 + times * self._error))

    def _learn(self, residuals: NDArray[np.float32]) -> None:
        """Measure the errors of the residual that the last minor cycle left, as a part of what it took from the peak.

        They are those of one PSF for all the image, of the beam that drifts, and of the prediction's accuracy.
        """
        if self._left is not None and not self.masked:
            left, taken = self._left
            error = float(np.max(np.abs(self._joined(residuals) - left))) / taken
            self._error = max(error, self._error or 0.0)
        self._left = None

    def _beside(self, models: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Mark the pixels within half a beam of components, and the seed."""
        found = np.any(models != 0.0, axis=0)
        rows, columns = np.nonzero(found)
        steps, edge = max(1, round(self._beam_pixels / 2)), found.shape[0] - 1
        for down in range(-steps, steps + 1):
            for across in range(abs(down) - steps, steps - abs(down) + 1):
                found[np.clip(rows + down, 0, edge), np.clip(columns + across, 0, edge)] = True
        return found if self._seed is None else found | self._seed

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
        self._took_back = bool(doubtful.any())
        self._components = self._found(models, noise)
        return self._took_back

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
            return deep if self._seed is None else np.where(self._seed, deep, np.float32(NEVER))
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
            return np.where(thresholds < NEVER, np.clip(thresholds, base, _RANGE_OF_SCALES * base), thresholds)
        for known in (self._components, self._seed):
            above = above if known is None else above | known
        return np.where(above, np.clip(thresholds, base, _RANGE * base), np.float32(NEVER))

    def _run(
        self, residuals: NDArray[np.float32], models: NDArray[np.float32], thresholds: NDArray[np.float32]
    ) -> None:
        """Clean to these thresholds; where what is cleaned grows it is not gone on with."""
        settings = self._settings
        gain = min(1.0, settings.gain * (1.0 if self._components is None else 2.0))
        most = settings.iterations - self._iterations
        limit = _DIVERGED * float(np.max(np.abs(self._joined(residuals)[thresholds < NEVER]), initial=0.0))
        # Where components are is known then, and what is around them is small.
        room = not self.masked and self._seed is None
        done = self._cleaner.clean(residuals, models, thresholds, gain=gain, most=most, limit=limit, room=room)
        self._iterations += done

    def _joined(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        return joined(images, self._weights)

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
    centre, reach = psf.shape[0] // 2, _SKIRT_BEAMS * beam_pixels
    lobe = lobes == lobes[centre, centre]
    middle = tuple(_around(places, int(reach) + 1) for places in np.nonzero(lobe))
    outside = np.abs(psf)
    outside[middle][ndimage.distance_transform_edt(~lobe[middle]) <= reach] = 0.0
    return float(np.max(outside))


def _around(places: NDArray[np.int64], further: int) -> slice:
    """From so many pixels before the first to so many after the last."""
    return slice(max(0, int(places.min()) - further), int(places.max()) + further + 1)
