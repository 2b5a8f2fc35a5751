"""What an extended outlier looks like: a small image of it, cleaned to points.

The image is around the source, in the (l, m) of the phase centre; the visibilities are matched to the gain of the
source, so that its variation in time and frequency does not count as structure (Hogbom 1974, A&AS 15, 417, for the
cleaning).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import ducc0
import numpy as np

from dsa110_contimg.telescope.geometry import SPEED_OF_LIGHT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dsa110_contimg.imaging.outlier_fit import Visibilities

# Pixels along a side; the disc that holds the source is 3/8 of it, that the point-spread function reaches across.
_PIXELS, _ACROSS = 96, 36
# Pixels in the width to which the longest baselines resolve.
_PER_RESOLUTION = 3.0
_GAIN, _ITERATIONS = 0.1, 2000
# Cleaned to this part of the first peak, and no further than so many times the noise.
_DEPTH, _NOISES = 0.003, 3.0
# Every so many channels are enough.
_CHANNELS = 32
_EPSILON = 1e-4


class Shape(NamedTuple):
    """P points.

    Attributes
    ----------
    further : (P, 3) float64
        Their (l, m, n), less that of the middle.
    flux : (P,) float32
        Flux densities, relative to the gain.
    """

    further: NDArray[np.float64]
    flux: NDArray[np.float32]


#: A source that is a point.
POINT = Shape(np.zeros((1, 3)), np.ones(1, np.float32))


def disc(middle: NDArray[np.float64], extent_rad: float) -> Shape:
    """Spread a source evenly over 37 points of a disc; its middle is (l, m, n - 1)."""
    rings = [np.zeros((1, 2))]
    for number in (6, 12, 18):
        angle = 2 * np.pi * np.arange(number) / number
        rings.append(number / 36 * extent_rad * np.stack([np.sin(angle), np.cos(angle)], axis=-1))
    away = np.concatenate(rings)
    return Shape(_lifted(middle, away), np.full(len(away), 1 / len(away), np.float32))


def find_shape(
    data: Visibilities, middle: NDArray[np.float64], extent_rad: float, gain: NDArray[np.complex64]
) -> Shape | None:
    """Image the surroundings of a source, and clean it.

    Parameters
    ----------
    data : Visibilities
        Samples.
    middle : (3,) float64
        (l, m, n - 1) of the source.
    extent_rad : float
        Diameter of the disc in which it is [rad].
    gain : (T, C) complex64
        Its gain.

    Returns
    -------
    Shape or None
        None if nothing is seen above the noise.
    """
    uv_m = np.hypot(*data.samples.uvw_m[:, :2].T).max()
    finest = SPEED_OF_LIGHT / data.samples.freq_hz[-1] / uv_m / _PER_RESOLUTION
    cell = max(extent_rad / _ACROSS, finest)
    dirty, psf, total = _images(data, middle, cell, gain)
    if total <= 0.0:
        return None
    offset = (np.arange(_PIXELS) - _PIXELS // 2) * cell
    inside = np.hypot(offset[:, None], offset) <= extent_rad / 2 + cell
    outside = ~inside & (np.hypot(offset[:, None], offset) > 0.75 * extent_rad)
    model = _clean(dirty, psf, inside, 1.4826 * float(np.median(abs(dirty[outside]))) if outside.any() else 0.0)
    rows, columns = np.nonzero(model)
    if rows.size == 0:
        return None
    away = np.stack([-offset[rows], offset[columns]], axis=-1)
    return Shape(_lifted(middle, away), model[rows, columns].astype(np.float32))


def _images(
    data: Visibilities, middle: NDArray[np.float64], cell: float, gain: NDArray[np.complex64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Dirty image and point-spread function, first axis towards -l, second towards m, and the sum of the weights."""
    samples = data.samples
    chosen = slice(None, None, max(1, data.n_channels // _CHANNELS))
    freq_hz = np.ascontiguousarray(samples.freq_hz[chosen])
    dirty, psf = (np.zeros((_PIXELS, _PIXELS)) for _ in range(2))
    total = 0.0

    for time, rows in data.pieces():
        uvw_m, weights = samples.uvw_m[rows], np.ascontiguousarray(samples.weights[rows, chosen])
        smear = data.smearing(rows, middle[None], time)[0].astype(np.float32)
        here = gain[time, chosen]
        power = (smear * abs(here)) ** 2
        turns = (uvw_m @ middle)[:, None] * (freq_hz / SPEED_OF_LIGHT)
        point = (power * np.exp(2j * np.pi * turns)).astype(np.complex64)
        matched = samples.visibilities[rows, chosen] * (smear * here.conj())
        for image, values in ((dirty, matched), (psf, point)):
            image[:] += ducc0.wgridder.vis2dirty(
                uvw=uvw_m, freq=freq_hz, vis=values, wgt=weights, npix_x=_PIXELS, npix_y=_PIXELS, pixsize_x=cell,
                pixsize_y=cell, center_x=-middle[0], center_y=-middle[1], epsilon=_EPSILON, do_wgridding=True,
                flip_v=True, divide_by_n=False, nthreads=data.threads,
            )  # fmt: skip
        total += float((weights * power).sum(dtype=np.float64))
    return (dirty / total, psf / total, total) if total > 0.0 else (dirty, psf, total)


def _clean(
    dirty: NDArray[np.float64], psf: NDArray[np.float64], inside: NDArray[np.bool_], noise: float
) -> NDArray[np.float64]:
    """Take components from the inside of an image; the residual ends up outside, and is not wanted."""
    model = np.zeros_like(dirty)
    rows, columns = np.nonzero(inside)
    middle = _PIXELS // 2
    here = dirty[rows, columns]
    depth = max(_DEPTH * float(abs(here).max(initial=0.0)), _NOISES * noise)
    for _ in range(_ITERATIONS):
        peak = int(np.argmax(abs(here)))
        value = float(here[peak])
        if abs(value) <= depth:
            break
        component = _GAIN * value
        model[rows[peak], columns[peak]] += component
        here = here - component * psf[rows - rows[peak] + middle, columns - columns[peak] + middle]
    return model


def _lifted(middle: NDArray[np.float64], away: NDArray[np.float64]) -> NDArray[np.float64]:
    """Offsets (P, 3) in (l, m, n) of points that are (P, 2) away from a middle in l and m."""
    n = np.sqrt(np.maximum(0.0, 1.0 - ((middle[:2] + away) ** 2).sum(axis=1)))
    return np.column_stack([away, n - (middle[2] + 1.0)])
