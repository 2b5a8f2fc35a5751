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
_ROUNDS = 2
# Median absolute deviation of a normal distribution that is cut at 3 standard deviations, in those.
_MAD = 0.6715
# Pixels along a side of a box that are looked at: neighbours in an image hardly differ.
_SAMPLES = 40


def rms_map(image: NDArray[np.floating], beam_pixels: float) -> NDArray[np.float32]:
    """Measure the noise around every pixel: robust, in boxes that overlap by half, interpolated between their middles.

    In each box the standard deviation is the median absolute deviation, scaled as for normal noise, after pixels
    beyond 3 of it were left out, twice; a median over 3 x 3 boxes removes those that sources fill.

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
    measured = np.stack([_noise(_boxes(image, row, columns, box)) for row in rows])
    filled = _fill(measured)
    if min(filled.shape) > 2:
        filled = ndimage.median_filter(filled, size=3, mode="nearest")
    down, across = _linear(rows, image.shape[0]), _linear(columns, image.shape[1])
    return np.asarray((down @ filled.astype(np.float32)) @ across.T)


def _middles(size: int, box: int) -> NDArray[np.int64]:
    """Middles of boxes along an axis: one, or from half a box inside an edge to the other in steps of half a box."""
    if size <= box:
        return np.array([size // 2])
    steps = int(np.ceil((size - box) / (box / 2)))
    return np.rint(np.linspace(box / 2, size - box / 2, steps + 1)).astype(np.int64)


def _boxes(image: NDArray[np.floating], row: int, columns: NDArray[np.int64], box: int) -> NDArray[np.floating]:
    """Pixels (boxes, samples) of the boxes around some columns of a row; what is not finite is NaN."""
    height, width = image.shape
    steps = np.arange(0, box, max(1, box // _SAMPLES)) - box // 2
    across = np.clip(columns[:, None] + steps, 0, width - 1)
    down = np.clip(row + steps, 0, height - 1)
    pixels = image[down[None, :, None], across[:, None, :]].reshape(columns.size, -1)
    return np.where(np.isfinite(pixels), pixels, np.nan)


def _noise(pixels: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the robust standard deviation of each row; NaN where nothing is finite."""
    values = pixels
    for _ in range(_ROUNDS + 1):
        middle = _medians(values)
        deviations = np.abs(values - middle)
        sigma = _medians(deviations) / _MAD
        values = np.where(deviations <= _CLIP * sigma, values, np.nan)
    return np.asarray(sigma[:, 0], dtype=np.float64)


def _medians(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """Medians (rows, 1) of what is not NaN; NaN where nothing is."""
    ordered = np.sort(values, axis=1)
    n_known = np.count_nonzero(~np.isnan(ordered), axis=1)[:, None]
    return np.take_along_axis(ordered, np.maximum(n_known - 1, 0) // 2, axis=1)


def _fill(measured: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give boxes without a measurement the nearest one's."""
    missing = ~np.isfinite(measured)
    if missing.all():
        return np.zeros_like(measured)
    nearest = ndimage.distance_transform_edt(missing, return_distances=False, return_indices=True)
    return np.asarray(measured[tuple(nearest)])


def _linear(middles: NDArray[np.int64], size: int) -> NDArray[np.float32]:
    """Weights (size, boxes) that interpolate linearly between boxes' middles, and hold beyond the outermost."""
    identity = np.eye(middles.size)
    pixels = np.arange(size)
    return np.stack([np.interp(pixels, middles, row) for row in identity], axis=1).astype(np.float32)
