"""CLEAN of one image with components of one pixel (Clark 1980): a list of pixels first, then the image as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import fft

from dsa110_contimg.imaging.clark_kernels import take_peaks

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Pixels that are nearly at their threshold are in the list, too: what is beside them may lift them.
_NEARLY = np.float32(0.99)
# What the PSF shows of components is kept up to so many numbers (64 MB).
_KEPT = 16_000_000


class PointCleaner:
    """Finds components of one pixel with one PSF.

    Parameters
    ----------
    psf : (N, N) float32
        Point spread function, 1 in pixel (N // 2, N // 2); N is even. Nothing is beyond its edges.
    threads : int
        For the Fourier transforms.
    """

    def __init__(self, psf: NDArray[np.float32], threads: int = 1) -> None:
        self._psf = psf
        self._threads = threads
        n_pixels = psf.shape[0]
        # What wraps around in so much room comes down beside the image, which begins in its middle.
        self._room = int(fft.next_fast_len(n_pixels + n_pixels // 2, real=True))
        self._spectrum: NDArray[np.complex64] | None = None

    def clean(
        self,
        residual: NDArray[np.float32],
        model: NDArray[np.float32],
        thresholds: NDArray[np.float32],
        *,
        gain: float,
        most: int,
        limit: float,
    ) -> int:
        """Move flux from a residual to a model, both (N, N) and in place, down to thresholds.

        The list holds the pixels that stand above their thresholds in the beginning, or nearly so; components are in
        these alone. Next is always the one that is highest relative to its threshold.

        Parameters
        ----------
        residual : (N, N) float32
            [Jy/beam].
        model : (N, N) float32
            [Jy].
        thresholds : (N, N) float32
            Positive [Jy/beam].
        gain : float
            Part of a peak that is taken at once.
        most : int
            Iterations.
        limit : float
            A peak that is higher ends it: it diverges [Jy/beam].

        Returns
        -------
        int
            Iterations that were made.
        """
        places = np.flatnonzero(np.abs(residual) >= _NEARLY * thresholds)
        if not places.size:
            return 0
        rows, columns = np.divmod(places, residual.shape[1])
        taken = np.zeros(places.size, dtype=np.float32)
        left, limits = residual[rows, columns], thresholds[rows, columns]
        n_kept = min(places.size, _KEPT // places.size)
        done = int(take_peaks(self._psf, rows, columns, limits, gain, most, limit, n_kept, left, taken))
        model[rows, columns] += taken
        residual -= self._seen(rows, columns, taken)
        return done

    def _seen(
        self, rows: NDArray[np.int64], columns: NDArray[np.int64], flux: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Components, in the order of rows, as the PSF shows them, (N, N) [Jy/beam].

        Of the transforms along rows only those are made that have components, or are in the image.
        """
        n_pixels, room, threads = self._psf.shape[0], self._room, self._threads
        inside = slice(n_pixels // 2, n_pixels // 2 + n_pixels)
        if self._spectrum is None:
            self._spectrum = fft.rfft2(self._psf, s=(room, room), workers=threads)
        first, last = int(rows[0]), int(rows[-1]) + 1
        lines = np.zeros((last - first, n_pixels), dtype=np.float32)
        lines[rows - first, columns] = flux
        spectrum = np.zeros(self._spectrum.shape, dtype=np.complex64)
        spectrum[first:last] = fft.rfft(lines, n=room, axis=1, workers=threads)
        spectrum = fft.fft(spectrum, axis=0, overwrite_x=True, workers=threads)
        spectrum *= self._spectrum
        spectrum = fft.ifft(spectrum, axis=0, overwrite_x=True, workers=threads)
        return np.asarray(fft.irfft(spectrum[inside], n=room, axis=1, workers=threads)[:, inside])
