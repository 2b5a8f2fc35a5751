"""The noise of an image, place by place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Side of a box in which the noise is measured [beams], and the least [pixels].
BOX_BEAMS = 24.0
_LEAST_BOX = 32
# Pixels further from the median than so many standard deviations are sources, or their sidelobes.
_CLIP = 3.0
_ROUNDS = 3
# Median absolute deviation of a normal distribution that is cut at 3 standard deviations, in those.
_MAD = 0.6715
# Samples a beam across: neighbouring pixels of an image hardly differ, and need not all be looked at.
_SAMPLES_PER_BEAM = 3


def rms_map(image: NDArray[np.floating], beam_pixels: float) -> NDArray[np.float32]:
    """Measure the noise around every pixel: robust, in boxes that overlap by half, interpolated between their middles.

    In each box the standard deviation is the median absolute deviation, scaled as for normal noise, after pixels
    beyond 3 of it were left out, three times; a median over 3 x 3 boxes removes those that sources fill.

    Parameters
    ----------
    image : (N, M) ndarray
        Brightness, not corrected for the primary beam; pixels that are not finite are left out.
    beam_pixels : float
        Width of the beam at half maximum [pixels].

    Returns
    -------
    (N, M) float32
        Standard deviation of the noise, in the unit of the image; 0 where it has none, and if nothing is finite.
    """
    box = max(_LEAST_BOX, round(BOX_BEAMS * beam_pixels))
    rows, columns = (_middles(size, box) for size in image.shape)
    stride = max(1, int(beam_pixels / _SAMPLES_PER_BEAM))
    measured = np.array([[_noise(_box(image, row, column, box, stride)) for column in columns] for row in rows])
    filled = _fill(measured)
    if min(filled.shape) > 2:
        filled = ndimage.median_filter(filled, size=3, mode="nearest")
    across = _linear(columns, image.shape[1])
    return np.asarray(_linear(rows, image.shape[0]) @ filled @ across.T, dtype=np.float32)


def _middles(size: int, box: int) -> NDArray[np.int64]:
    """Middles of boxes along an axis: one, or from half a box inside an edge to the other in steps of half a box."""
    if size <= box:
        return np.array([size // 2])
    steps = int(np.ceil((size - box) / (box / 2)))
    return np.rint(np.linspace(box / 2, size - box / 2, steps + 1)).astype(np.int64)


def _box(image: NDArray[np.floating], row: int, column: int, box: int, stride: int) -> NDArray[np.floating]:
    half = box // 2
    return image[max(0, row - half) : row + half : stride, max(0, column - half) : column + half : stride]


def _noise(pixels: NDArray[np.floating]) -> float:
    """Return the robust standard deviation; nan if no pixel is finite."""
    values = pixels[np.isfinite(pixels)]
    if not values.size:
        return float("nan")
    middle, sigma = _spread(values)
    for _ in range(_ROUNDS):
        kept = values[np.abs(values - middle) <= _CLIP * sigma]
        if kept.size == values.size or not kept.size:
            break
        values = kept
        middle, sigma = _spread(values)
    return sigma


def _spread(values: NDArray[np.floating]) -> tuple[float, float]:
    middle = float(np.median(values))
    return middle, float(np.median(np.abs(values - middle))) / _MAD


def _fill(measured: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give boxes without a measurement the nearest one's."""
    missing = ~np.isfinite(measured)
    if missing.all():
        return np.zeros_like(measured)
    nearest = ndimage.distance_transform_edt(missing, return_distances=False, return_indices=True)
    return np.asarray(measured[tuple(nearest)])


def _linear(middles: NDArray[np.int64], size: int) -> NDArray[np.float64]:
    """Weights (size, boxes) that interpolate linearly between boxes' middles, and hold beyond the outermost."""
    identity = np.eye(middles.size)
    pixels = np.arange(size)
    return np.stack([np.interp(pixels, middles, row) for row in identity], axis=1)
