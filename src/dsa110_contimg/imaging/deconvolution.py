"""Components from residual images: radler, WSClean's deconvolution as a library (Offringa & Smirnov 2017), made safe."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dsa110_contimg.config.settings import ImageSettings
    from dsa110_contimg.images.fits import RestoringBeam


class Deconvolver:
    """The minor cycles of an image, or of the K images of sub-bands that are cleaned together.

    Parameters
    ----------
    settings : ImageSettings
        How to clean.
    psfs : (K, N, N) float32
        Point spread functions, 1 in pixel (N // 2, N // 2).
    band_edges_hz : (K, 2) float64
        Lower and upper edge of each sub-band [Hz].
    band_weights : (K,) float64
        Their weights (sums of imaging weights).
    cell_rad : float
        Pixel size [rad].
    beam : RestoringBeam
        Gaussian fitted to the PSF.
    mask : (N, N) bool ndarray, optional
        Where components are allowed down to the final threshold from the beginning (a seed).
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
        self._iterations = 0

    @property
    def iterations(self) -> int:
        """Minor iterations so far."""
        return self._iterations

    def clean(self, residuals: NDArray[np.float32], models: NDArray[np.float32]) -> bool:
        """Move flux from residual images (K, N, N) to models (K, N, N), both in place, for one major cycle.

        Returns
        -------
        bool
            Whether another major cycle is worth it: predict, form new residuals, call again. After False, predict once
            more for the final residuals.
        """
        raise NotImplementedError
