"""How far an image as a whole is off the places of a list: the ionosphere moves it by arcseconds.

Five arcseconds cost a point 2 per cent of its flux, seen with a beam of 64 by 38 arcsec. What bright sources that
have no neighbours leave when a beam is taken off them says how far each is off, for small offsets linearly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dsa110_contimg.photometry.forced_fit import REACH, form_of
from dsa110_contimg.photometry.forced_kernels import slope_sums
from dsa110_contimg.photometry.ties import robust_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dsa110_contimg.photometry.forced_fit import Chunks

# Sources so much above the noise count; from so many on, and from so many times its error on, the image is moved.
_LEAST_SNR, _LEAST_SOURCES, _LEAST_SIGMA = 15.0, 5, 3.0
# A source that is further off than this part of the beam's standard deviation is another, or moves by itself.
_FURTHEST = 1.0


def image_offset(
    pixels: NDArray[np.float32],
    place: NDArray[np.float64],
    covariance: NDArray[np.float64],
    peak: NDArray[np.float64],
    noise: NDArray[np.float64],
    chunks: Chunks,
) -> NDArray[np.float64] | None:
    """Measure how far an image is off.

    Parameters
    ----------
    pixels : (n_dec, n_ra) float32
        The image.
    place : (S, 2) float64
        Columns and rows of sources without neighbours.
    covariance : (S, 2, 2) float64
        Of the beam at each, in pixels squared.
    peak, noise : (S,) float64
        What was fitted to them, and the noise there.
    chunks : Chunks
        Runs the kernel over parts of the sources.

    Returns
    -------
    (2,) float64 or None
        Columns and rows that the image has its sources further on than `place`; None where they are too few to tell, or
        nothing is off.
    """
    bright = np.flatnonzero(peak > _LEAST_SNR * noise)
    if bright.size < _LEAST_SOURCES:
        return None
    place, peak, noise, form = place[bright], peak[bright], noise[bright], form_of(covariance[bright])
    slopes, squares = np.zeros((len(place), 2)), np.zeros((len(place), 2, 2))
    chunks(len(place), lambda first, last: slope_sums(pixels, place, form, REACH, first, last, peak, slopes, squares))
    known = np.linalg.det(squares) > 0
    offset = np.full(slopes.shape, np.nan)
    offset[known] = np.linalg.solve(squares[known], slopes[known][:, :, None])[:, :, 0] / peak[known, None]
    width = np.sqrt(np.diagonal(covariance[bright], axis1=1, axis2=2))
    near = known & (np.abs(offset) < _FURTHEST * width).all(axis=1)
    if np.count_nonzero(near) < _LEAST_SOURCES:
        return None
    # Condon's error of a position: the beam's standard deviation over the signal to noise.
    errors = width[near] * (noise[near] / peak[near])[:, None]
    means = [robust_mean(offset[near, axis], errors[:, axis]) for axis in (0, 1)]
    if all(abs(mean.value) <= _LEAST_SIGMA * mean.error for mean in means):
        return None
    return np.array([mean.value for mean in means])
