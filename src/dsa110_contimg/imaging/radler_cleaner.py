"""Components of many scales, or of many bands together: radler, WSClean's deconvolution as a library, made safe."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import radler
from astropy.io import fits
from scipy.fft import next_fast_len

from dsa110_contimg.imaging.printed import printed_lines

if TYPE_CHECKING:
    from numpy.typing import NDArray

log = logging.getLogger(__name__)

#: Threshold where there are to be no components [Jy/beam].
NEVER = 1e30
# Whether it diverges is looked at after so many iterations.
_WATCHED = 8000
# radler convolves in an image that is so much wider; nothing may come around its edges to where components are.
_RADLER_PADDING, _ROOM = 1.1, 1.5
# radler boosts the gain of the first major cycles; it should not.
_LATE_CYCLE = 1000


class RadlerCleaner(NamedTuple):
    """Finds components with the PSFs of K bands, with radler."""

    psfs: NDArray[np.float32]
    """Point spread functions (K, N, N), 1 in pixel (N // 2, N // 2); N is even."""
    edges_hz: NDArray[np.float64]
    """Lower and upper edge of each band (K, 2) [Hz]."""
    weights: NDArray[np.float64]
    """Their weights (K,), which add up to 1."""
    cell_rad: float
    """Pixel size [rad]."""
    beam_rad: float
    """Major axis of the beam [rad]."""
    multiscale: bool
    """Whether components may be extended."""
    terms: int
    """Of the polynomial in frequency that the bands' components follow."""
    threads: int

    def clean(
        self,
        residuals: NDArray[np.float32],
        models: NDArray[np.float32],
        thresholds: NDArray[np.float32],
        *,
        gain: float,
        most: int,
        limit: float,
        room: bool,
    ) -> int:
        """Move flux from residuals to models, both (K, N, N) and in place, down to thresholds.

        It is done in slices: one that diverges would go on for ever.

        Parameters
        ----------
        residuals : (K, N, N) float32
            [Jy/beam].
        models : (K, N, N) float32
            [Jy].
        thresholds : (N, N) float32
            Of the mean of the bands; `NEVER` where there are to be no components [Jy/beam].
        gain : float
            Part of a peak that is taken at once.
        most : int
            Iterations.
        limit : float
            A residual that is higher where there may be components ends it: it diverges [Jy/beam].
        room : bool
            Whether the PSF of what is bright must not come around the edges; it takes three times the work.

        Returns
        -------
        int
            Iterations that were made.
        """
        n_pixels, total = residuals.shape[-1], 0
        n_room = _with_room(n_pixels) if room else n_pixels
        wide = [_padded(images, n_room) for images in (self.psfs, residuals, models)]
        inside, is_open = _inside(n_pixels, n_room), thresholds < NEVER
        with tempfile.TemporaryDirectory(prefix="contimg-") as directory, printed_lines(log):
            path = Path(directory) / "thresholds.fits"
            fits.PrimaryHDU(_padded(thresholds, n_room, NEVER)).writeto(path)
            watched = _WATCHED
            while total < most:
                at_most = min(watched, most - total)
                done = self._slice(wide, path, gain, at_most)
                total += done
                # To begin anew takes radler a second; one that goes well so far goes well for as long again.
                watched *= 2
                middle = joined(wide[1][:, inside, inside], self.weights)
                peak = float(np.max(np.abs(middle[is_open]), initial=0.0))
                if done < at_most or not peak <= limit:  # so of NaN, too
                    break
        residuals[...], models[...] = (images[:, inside, inside] for images in wide[1:])
        return total

    def _slice(self, wide: list[NDArray[np.float32]], thresholds: Path, gain: float, most: int) -> int:
        """Run radler on PSFs, residuals, and models (K, M, M) for so many iterations at most; tell how many it was."""
        made = radler.Settings()
        n_bands, made.trimmed_image_height, made.trimmed_image_width = wide[0].shape
        made.pixel_scale.x = made.pixel_scale.y = self.cell_rad
        made.minor_iteration_count = most
        made.minor_loop_gain = gain
        made.major_loop_gain = 1.0
        made.major_iteration_count = 0
        # The lowest threshold is 1 standard deviation; radler scales the others by what it takes for local noise.
        made.auto_threshold_sigma = 1.0
        made.local_rms.image = str(thresholds)
        made.thread_count = self.threads
        if self.multiscale:
            made.algorithm_type = radler.AlgorithmType.multiscale
        made.channels_out = n_bands
        if n_bands > 1:
            made.spectral_fitting.mode = radler.SpectralFittingMode.polynomial
            made.spectral_fitting.terms = min(self.terms, n_bands)
        radler.Radler.worker_thread_count = self.threads
        images = wide if n_bands > 1 else [each[0] for each in wide]
        spectral = {"frequencies": self.edges_hz, "weights": self.weights} if n_bands > 1 else {}
        worker = radler.Radler(made, *images, self.beam_rad, **spectral)
        worker.perform(_LATE_CYCLE)
        done = int(worker.iteration_number)
        del worker  # it prints when it goes
        return done


def joined(images: NDArray[np.float32], weights: NDArray[np.float64]) -> NDArray[np.float32]:
    """Mean of bands (K, N, N), as radler weighs them, (N, N); the image itself, if it is one."""
    if len(images) == 1:
        return images[0]
    return np.asarray(np.einsum("k,kyx->yx", weights, images), dtype=np.float32)


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
