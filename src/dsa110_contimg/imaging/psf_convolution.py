"""What components bring to an image: their convolution with its PSF."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import fft

if TYPE_CHECKING:
    from numpy.typing import NDArray


class PsfConvolution:
    """Shows components with a PSF, again and again.

    Parameters
    ----------
    psf : (N, N) float32
        Point spread function, its middle in pixel (N // 2, N // 2); N is even. Nothing is beyond its edges.
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

    def seen(self, components: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give components as the PSF shows them; nothing wraps around the edges.

        Of the transforms along rows only those are made that have components, or are in the image.

        Parameters
        ----------
        components : (N, N) float32
            [Jy].

        Returns
        -------
        (N, N) float32
            [Jy/beam].
        """
        rows = np.flatnonzero(components.any(axis=1))
        if not rows.size:
            return np.zeros_like(components)
        n_pixels, room, threads = self._psf.shape[0], self._room, self._threads
        if self._spectrum is None:
            self._spectrum = fft.rfft2(self._psf, s=(room, room), workers=threads)
        filled, inside = slice(int(rows[0]), int(rows[-1]) + 1), slice(n_pixels // 2, n_pixels // 2 + n_pixels)
        spectrum = np.zeros(self._spectrum.shape, dtype=np.complex64)
        spectrum[filled] = fft.rfft(components[filled], n=room, axis=1, workers=threads)
        spectrum = fft.fft(spectrum, axis=0, overwrite_x=True, workers=threads)
        spectrum *= self._spectrum
        spectrum = fft.ifft(spectrum, axis=0, overwrite_x=True, workers=threads)
        return np.asarray(fft.irfft(spectrum[inside], n=room, axis=1, workers=threads)[:, inside])
