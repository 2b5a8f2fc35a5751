"""Components down to thresholds: radler, which is WSClean's deconvolution as a library, made safe and quick."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import radler
from astropy.io import fits
from scipy.fft import next_fast_len

from dsa110_contimg.imaging.printed import printed_lines
from dsa110_contimg.imaging.psf_convolution import PsfConvolution

if TYPE_CHECKING:
    from numpy.typing import NDArray

log = logging.getLogger(__name__)

#: Threshold where there are to be no components [Jy/beam].
NEVER = 1e30
# Whether it diverges is looked at after so many iterations; to begin anew takes radler half a second, or longer.
_WATCHED, _WATCHED_SCALES = 64_000, 8000
# radler convolves in an image that is so much wider; nothing comes around the edges of one that is so much wider.
_PADDING, _ROOM = 1.1, 1.5
# radler boosts the gain of the first major cycles; it should not.
_LATE_CYCLE = 1000


class RadlerCleaner:
    """Finds components with the PSFs of K bands, with radler.

    Parameters
    ----------
    psfs : (K, N, N) float32
        Point spread functions, 1 in pixel (N // 2, N // 2); N is even.
    edges_hz : (K, 2) float64
        Lower and upper edge of each band [Hz].
    weights : (K,) float64
        Their weights, which add up to 1.
    cell_rad : float
        Pixel size [rad].
    beam_rad : float
        Major axis of the beam [rad].
    multiscale : bool
        Whether components may be extended.
    terms : int
        Of the polynomial in frequency that the bands' components follow.
    threads : int
    """

    def __init__(
        self,
        psfs: NDArray[np.float32],
        edges_hz: NDArray[np.float64],
        weights: NDArray[np.float64],
        *,
        cell_rad: float,
        beam_rad: float,
        multiscale: bool = False,
        terms: int = 1,
        threads: int = 1,
    ) -> None:
        self._psfs, self._edges_hz, self._weights = psfs, edges_hz, weights
        self._cell_rad, self._beam_rad = cell_rad, beam_rad
        self._multiscale, self._terms, self._threads = multiscale, terms, threads
        self._convolutions = [PsfConvolution(psf, threads) for psf in psfs]

    def clean(
        self,
        residuals: NDArray[np.float32],
        models: NDArray[np.float32],
        thresholds: NDArray[np.float32],
        *,
        gain: float,
        most: int,
        limit: float,
        room: bool = True,
    ) -> int:
        """Move flux from residuals to models, both (K, N, N) and in place, down to thresholds.

        It is done in slices: one that diverges would go on for ever. Components of one pixel are found in a list of
        pixels; only the residual that radler leaves is wrapped around the edges, and is made anew.

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
            Whether with extended components nothing must come around the edges; it takes twice the work.

        Returns
        -------
        int
            Iterations that were made.
        """
        n_pixels, total = residuals.shape[-1], 0
        n_room = _fast_size(int(np.ceil(n_pixels * _ROOM / _PADDING)) if room and self._multiscale else n_pixels)
        wide = [_padded(images, n_room) for images in (self._psfs, residuals, models)]
        inside, is_open = _inside(n_pixels, n_room), thresholds < NEVER
        left, found = (images[:, inside, inside] for images in wide[1:])
        # One that diverges goes beyond all numbers.
        calm = np.errstate(over="ignore", invalid="ignore")
        with tempfile.TemporaryDirectory(prefix="contimg-") as directory, printed_lines(log), calm:
            path = Path(directory) / "thresholds.fits"
            fits.PrimaryHDU(_padded(thresholds, n_room, NEVER)).writeto(path)
            watched = _WATCHED_SCALES if self._multiscale else _WATCHED
            while total < most:
                at_most = min(watched, most - total)
                done = self._slice(wide, path, gain, at_most)
                total += done
                if not self._multiscale:
                    for band, psf in enumerate(self._convolutions):
                        left[band] = residuals[band] - psf.seen(found[band] - models[band])
                # One that goes well so far goes well for as long again.
                watched *= 2
                peak = float(np.max(np.abs(joined(left, self._weights)[is_open]), initial=0.0))
                if done < at_most or not peak <= limit:  # so of NaN, too
                    break
        residuals[...], models[...] = left, found
        return total

    def _slice(self, wide: list[NDArray[np.float32]], thresholds: Path, gain: float, most: int) -> int:
        """Run radler on PSFs, residuals, and models (K, M, M) for so many iterations at most; tell how many it was."""
        made = radler.Settings()
        n_bands, made.trimmed_image_height, made.trimmed_image_width = wide[0].shape
        made.pixel_scale.x = made.pixel_scale.y = self._cell_rad
        made.minor_iteration_count = most
        made.minor_loop_gain = gain
        made.major_loop_gain = 1.0
        made.major_iteration_count = 0
        # The lowest threshold is 1 standard deviation; radler scales the others by what it takes for local noise.
        made.auto_threshold_sigma = 1.0
        made.local_rms.image = str(thresholds)
        made.thread_count = self._threads
        if self._multiscale:
            made.algorithm_type = radler.AlgorithmType.multiscale
        made.channels_out = n_bands
        if n_bands > 1:
            made.spectral_fitting.mode = radler.SpectralFittingMode.polynomial
            made.spectral_fitting.terms = min(self._terms, n_bands)
        radler.Radler.worker_thread_count = self._threads
        images = wide if n_bands > 1 else [each[0] for each in wide]
        spectral = {"frequencies": self._edges_hz, "weights": self._weights} if n_bands > 1 else {}
        worker = radler.Radler(made, *images, self._beam_rad, **spectral)
        worker.perform(_LATE_CYCLE)
        done = int(worker.iteration_number)
        del worker  # it prints when it goes
        return done


def joined(images: NDArray[np.float32], weights: NDArray[np.float64]) -> NDArray[np.float32]:
    """Mean of bands (K, N, N), as radler weighs them, (N, N); the image itself, if it is one."""
    if len(images) == 1:
        return images[0]
    return np.asarray(np.einsum("k,kyx->yx", weights, images), dtype=np.float32)


def _fast_size(least: int) -> int:
    """Pixels on a side, even and at least so many, of an image that radler transforms fast.

    A padded size of 2264 = 8 x 283 takes it twice as long as one of 2304.
    """
    n_pixels = least + least % 2
    while True:
        padded = int(np.ceil(_PADDING * n_pixels))
        padded += padded % 2
        if next_fast_len(padded) == padded:
            return n_pixels
        n_pixels += 2


def _inside(n_pixels: int, n_room: int) -> slice:
    """Where in an image with room, along both axes, the one without begins and ends: the middles are the same."""
    return slice(n_room // 2 - n_pixels // 2, n_room // 2 - n_pixels // 2 + n_pixels)


def _padded(images: NDArray[np.float32], n_room: int, value: float = 0.0) -> NDArray[np.float32]:
    """Images (..., N, N) within larger ones (..., M, M)."""
    made = np.full((*images.shape[:-2], n_room, n_room), np.float32(value))
    inside = _inside(images.shape[-1], n_room)
    made[..., inside, inside] = images
    return made
