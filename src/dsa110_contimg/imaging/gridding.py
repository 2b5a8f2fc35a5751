"""From visibilities to pixels and back: ducc0's wgridder with the signs of a Measurement Set and the axes of FITS.

The measurement equation is V = sum I(l, m) exp(2 pi i nu/c (u l + v m + w (n - 1))), without a division by n: a point
source of S Jy is a pixel of S Jy, wherever it is (Thompson, Moran & Swenson 2017, section 10.2; Arras et al. 2021 for
the method). Gridding is the adjoint of degridding; pixels are ICRS and the UVWs are magnified by aberration, so
direction cosines are taken that much larger.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import ducc0
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dsa110_contimg.imaging.grid import Grid


class Gridder(NamedTuple):
    """How visibilities become pixels.

    Attributes
    ----------
    grid : Grid
        The pixels.
    epsilon : float
        Accuracy, relative.
    threads : int
        Threads that work at once.
    """

    grid: Grid
    epsilon: float = 1e-4
    threads: int = 1

    def image(
        self,
        uvw_m: NDArray[np.float64],
        freq_hz: NDArray[np.float64],
        visibilities: NDArray[np.complex64],
        weights: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Sum w V exp(-2 pi i nu/c (u l + v m + w (n - 1))) for every pixel.

        Parameters
        ----------
        uvw_m : (N, 3) float64
            [m].
        freq_hz : (C,) float64
            [Hz].
        visibilities : (N, C) complex64
            [Jy].
        weights : (N, C) float32
            Imaging weights.

        Returns
        -------
        (n_pixels, n_pixels) float32
            In the order of a FITS image; divided by the sum of the weights it is in Jy/beam.
        """
        # ducc sums V exp(2 pi i nu/c (u l + v m - w (n - 1))), l along the first axis. Flipping v puts the sign of m
        # right; u as it is lets l rise to the west, as in a FITS image.
        pixels = ducc0.wgridder.vis2dirty(
            uvw=uvw_m,
            freq=freq_hz,
            vis=visibilities,
            wgt=weights,
            npix_x=self.grid.n_pixels,
            npix_y=self.grid.n_pixels,
            pixsize_x=self._pixel,
            pixsize_y=self._pixel,
            epsilon=self.epsilon,
            do_wgridding=True,
            flip_v=True,
            divide_by_n=False,
            nthreads=self.threads,
        )
        return np.ascontiguousarray(pixels.T)

    def psf(
        self, uvw_m: NDArray[np.float64], freq_hz: NDArray[np.float64], weights: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Image of a source of 1 Jy at the phase centre, times the sum of the weights."""
        ones = np.broadcast_to(np.complex64(1.0), weights.shape)
        return self.image(uvw_m, freq_hz, ones, weights)

    def visibilities(
        self, model: NDArray[np.float32], uvw_m: NDArray[np.float64], freq_hz: NDArray[np.float64]
    ) -> NDArray[np.complex64]:
        """Degrid: what the array would measure of a model.

        Parameters
        ----------
        model : (n_pixels, n_pixels) float32
            Flux density of each pixel [Jy], in the order of a FITS image.
        uvw_m : (N, 3) float64
            [m].
        freq_hz : (C,) float64
            [Hz].

        Returns
        -------
        (N, C) complex64
            [Jy].
        """
        predicted = ducc0.wgridder.dirty2vis(
            uvw=uvw_m,
            freq=freq_hz,
            dirty=np.ascontiguousarray(model.T, dtype=np.float32),
            pixsize_x=self._pixel,
            pixsize_y=self._pixel,
            epsilon=self.epsilon,
            do_wgridding=True,
            flip_v=True,
            divide_by_n=False,
            nthreads=self.threads,
        )
        return np.asarray(predicted)

    @property
    def _pixel(self) -> float:
        return self.grid.cell_rad * self.grid.magnification
