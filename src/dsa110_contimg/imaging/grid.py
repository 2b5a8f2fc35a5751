"""The pixels of an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Grid(NamedTuple):
    """A square of pixels around the phase centre.

    Attributes
    ----------
    n_pixels : int
        Pixels along each side: even, 32 or more. The phase centre is pixel n_pixels // 2, counted from 0.
    cell_rad : float
        Pixel size in ICRS [rad].
    magnification : float
        Of the sky in the frame of the UVWs (`telescope.geometry.aberration_scale`).
    """

    n_pixels: int
    cell_rad: float
    magnification: float = 1.0

    @property
    def offsets(self) -> NDArray[np.float64]:
        """Direction cosines of the pixels along an axis in the frame of the UVWs, ascending, (n_pixels,).

        The second axis of an image falls in right ascension: there l = -offsets; along the first m = offsets.
        """
        return np.asarray((np.arange(self.n_pixels) - self.n_pixels // 2) * (self.cell_rad * self.magnification))
