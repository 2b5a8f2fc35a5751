"""Negative peaks: the sky has none, so they tell how many of the positive ones may be sidelobes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Peaks so many times the noise above zero, and below it, are counted.
SIGMA = 5.0
# Thermal noise, and the edges of boxes in which noise is measured, make a few in a large image.
_BY_CHANCE = 3


class Holes(NamedTuple):
    """Peaks of an image, those beside each other within a beam as one.

    Attributes
    ----------
    number : int
        More than 5 times the noise below zero.
    peaks : int
        As much above it: sources, and sidelobes.
    ratio : float or None
        Of the two, without what chance makes; None where there is no peak.
    """

    number: int
    peaks: int
    ratio: float | None

    def as_json(self) -> dict[str, Any]:
        """Return the same for JSON."""
        return self._asdict()


def count_holes(
    image: NDArray[np.floating], rms: NDArray[np.floating], where: NDArray[np.bool_], beam_pixels: float
) -> Holes:
    """Count the holes of an image, and its peaks.

    Errors of calibration and what was not cleaned are about as often negative as positive.

    Parameters
    ----------
    image, rms : (N, M) ndarray
        Brightness, and the noise around every pixel [Jy/beam].
    where : (N, M) ndarray of bool
        Where sources are looked for.
    beam_pixels : float
        Width of the beam at half maximum [pixels].
    """
    # A comparison with NaN is false.
    with np.errstate(invalid="ignore"):
        significance = np.divide(image, rms, out=np.zeros_like(image), where=where & (rms > 0.0))
    step = max(1, round(beam_pixels / 2.0))
    number, peaks = (_islands(above, step) for above in (significance < -SIGMA, significance > SIGMA))
    return Holes(number, peaks, max(0, number - _BY_CHANCE) / peaks if peaks else None)


def _islands(mask: NDArray[np.bool_], step: int) -> int:
    """Count islands in squares of so many pixels, of which one that is set is enough."""
    rows, columns = (-(-size // step) * step for size in mask.shape)
    padded = np.zeros((rows, columns), bool)
    padded[: mask.shape[0], : mask.shape[1]] = mask
    squares = padded.reshape(rows // step, step, columns // step, step).any(axis=(1, 3))
    return int(ndimage.label(squares, structure=np.ones((3, 3)))[1])
