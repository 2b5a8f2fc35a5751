"""What is inside of the image, roughly, so that outliers are not solved for on its sidelobes.

A dirty image of the field, coarse enough to be quick, is cleaned to its brightest components (Hogbom 1974, A&AS 15,
417). They are taken out of the visibilities while the outliers are solved for, and then put back.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dsa110_contimg.imaging.grid import Grid
from dsa110_contimg.imaging.gridding import Gridder
from dsa110_contimg.telescope.geometry import SPEED_OF_LIGHT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dsa110_contimg.imaging.outlier_fit import Visibilities

_MOST_PIXELS = 1024
# Pixels in the finest fringe that is imaged.
_PER_FRINGE = 2.5
_GAIN, _ITERATIONS = 0.2, 600
# Cleaned to this part of the first peak, and no further than so many times the noise.
_DEPTH, _NOISES = 0.02, 5.0
# A peak that has grown by so much since it was least is a divergence.
_GROWTH = 1.2
# How near to an outlier nothing is cleaned [rad].
_BESIDE_RAD = np.radians(12 / 60)
# Components that are no farther apart are one source [pixels].
_TOGETHER = 3
_MOST_PLACES = 8
# About so many channels are enough.
_CHANNELS = 24
_EPSILON = 1e-3
# The most memory for predicted visibilities [bytes].
_PIECE_BYTES = 64 << 20


class Field(NamedTuple):
    """The brightest of a field.

    Attributes
    ----------
    grid : Grid
        Coarse pixels.
    model : (N, N) float32
        Flux density of each, apparent [Jy].
    noise : float
        Width of the residuals' distribution, over what the weights of the samples promise.
    places : (K, 3) float64
        (l, m, n - 1) of the brightest, that are not in the model.
    flux_jy : (K,) float64
        Their apparent flux densities [Jy].
    psf : (N, N) float32
        Point-spread function of the coarse image.
    """

    grid: Grid
    model: NDArray[np.float32]
    noise: float
    places: NDArray[np.float64]
    flux_jy: NDArray[np.float64]
    psf: NDArray[np.float32]


def find_field(
    data: Visibilities,
    grid: Grid,
    least_jy: float,
    outliers: NDArray[np.float64],
    psf: NDArray[np.float32] | None = None,
) -> Field:
    """Image the samples and clean the image, a little.

    Parameters
    ----------
    data : Visibilities
        Samples, without the outliers as far as they are known.
    grid : Grid
        The image; the coarse one covers the same sky.
    least_jy : float
        Sources that are brighter, up to `_MOST_PLACES`, are told apart: the beam drifts across them, so that they are
        to be solved for as the outliers are [Jy].
    outliers : (S, 3) float64
        (l, m, n - 1) of the outliers: beside them nothing is cleaned, or it would take of what is theirs.
    psf : (N, N) float32, optional
        That of the last time: it does not change with the visibilities.
    """
    n_pixels = min(grid.n_pixels, _MOST_PIXELS)
    coarse = Grid(n_pixels, grid.cell_rad * grid.n_pixels / n_pixels, grid.magnification)
    samples = data.samples
    step = max(1, data.n_channels // _CHANNELS)
    freq_hz = np.ascontiguousarray(samples.freq_hz[::step])
    longest_m = SPEED_OF_LIGHT / freq_hz[-1] / (coarse.cell_rad * coarse.magnification * _PER_FRINGE)
    rows = np.hypot(samples.uvw_m[:, 0], samples.uvw_m[:, 1]) < longest_m
    uvw_m, weights = samples.uvw_m[rows], samples.weights[rows, ::step]
    total = float(weights.sum(dtype=np.float64))
    if total <= 0.0:
        nothing = np.zeros((n_pixels, n_pixels), np.float32)
        return Field(coarse, nothing, 1.0, np.empty((0, 3)), np.empty(0), nothing)
    gridder = Gridder(coarse, _EPSILON, data.threads)
    dirty = gridder.image(uvw_m, freq_hz, samples.visibilities[rows, ::step], weights) / np.float32(total)
    if psf is None:
        psf = gridder.psf(uvw_m, freq_hz, weights) / np.float32(total)
    m, l = coarse.offsets[:, None], -coarse.offsets  # noqa: E741 - the direction cosine
    is_open = np.ones(dirty.shape, dtype=np.float32)
    for outlier in outliers:
        is_open[(l - outlier[0]) ** 2 + (m - outlier[1]) ** 2 < _BESIDE_RAD**2] = 0.0
    model = _clean(dirty, psf, is_open)
    noise = 1.4826 * float(np.median(abs(dirty))) * np.sqrt(total)
    return Field(coarse, model, noise, *_take_brightest(model, coarse, least_jy), psf)


def add_field(data: Visibilities, field: Field, sign: float) -> None:
    """Put a field into the visibilities (`sign` 1), or take it out of them (-1)."""
    if not field.model.any():
        return
    samples = data.samples
    gridder = Gridder(field.grid, _EPSILON, data.threads)
    model = np.float32(sign) * field.model
    for rows in _chunks(data):
        predicted = gridder.visibilities(model, samples.uvw_m[rows], samples.freq_hz)
        predicted[samples.weights[rows] == 0.0] = 0.0
        samples.visibilities[rows] += predicted


def _chunks(data: Visibilities) -> list[slice]:
    """Rows in as few parts of the time as the memory allows: each costs the Fourier transforms of its own w planes."""
    n_bytes = data.samples.visibilities.size * np.dtype(np.complex64).itemsize
    edges = np.unique(data.edges[np.linspace(0, data.n_times, 2 + n_bytes // _PIECE_BYTES).astype(int)])
    return [slice(int(low), int(high)) for low, high in itertools.pairwise(edges)]


def _take_brightest(
    model: NDArray[np.float32], grid: Grid, least_jy: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Take the brightest sources out of a model, in place: their (l, m, n - 1), and flux densities [Jy]."""
    places, flux_jy = [], []
    offsets = grid.offsets
    for _ in range(_MOST_PLACES):
        row, column = divmod(int(np.argmax(model)), model.shape[0])
        box = tuple(slice(max(0, at - _TOGETHER), at + _TOGETHER + 1) for at in (row, column))
        part = np.maximum(model[box], 0.0)
        total = float(part.sum())
        if total < least_jy or total <= 0.0:
            break
        m = float((part.sum(axis=1) * offsets[box[0]]).sum() / total)
        l = -float((part.sum(axis=0) * offsets[box[1]]).sum() / total)  # noqa: E741 - the direction cosine
        model[box] = 0.0
        places.append((l, m, np.sqrt(1.0 - l**2 - m**2) - 1.0))
        flux_jy.append(total)
    return np.array(places).reshape(-1, 3), np.array(flux_jy)


def _clean(
    residual: NDArray[np.float32], psf: NDArray[np.float32], is_open: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Take components from an image where it is open (1, else 0), in place; their image (N, N)."""
    n = residual.shape[0]
    model = np.zeros_like(residual)
    noise = 1.4826 * float(np.median(abs(residual)))
    least, depth = np.inf, 0.0
    for iteration in range(_ITERATIONS):
        row, column = divmod(int(np.argmax(abs(residual) * is_open)), n)
        value = residual[row, column]
        size = float(abs(value))
        if iteration == 0:
            depth = max(_DEPTH * size, _NOISES * noise)
        if size <= depth or size > _GROWTH * least:
            break
        least = min(least, size)
        component = np.float32(_GAIN) * value
        model[row, column] += component
        # The point-spread function reaches half the image to either side.
        rows = slice(max(0, row - n // 2), min(n, row + n // 2))
        columns = slice(max(0, column - n // 2), min(n, column + n // 2))
        part = psf[
            rows.start - row + n // 2 : rows.stop - row + n // 2,
            columns.start - column + n // 2 : columns.stop - column + n // 2,
        ]
        residual[rows, columns] -= component * part
    return model
