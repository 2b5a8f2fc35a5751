"""What is left of visibilities when a model is taken away, and its image.

The model is degridded and subtracted piece by piece, and each piece is gridded when it is whole: there is no second
copy of the visibilities. The model drifts through the beam as far as that matters.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dsa110_contimg.imaging.drift import Mode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from dsa110_contimg.imaging.drift import DriftingBeam
    from dsa110_contimg.imaging.gridding import Gridder

# The most memory for residual visibilities [bytes]. Each piece costs the Fourier transforms of its own w planes.
_PIECE_BYTES = 128 << 20
# Modes that matter little are degridded less accurately than the first, but not less than this.
_COARSEST = 1e-2


class Band(NamedTuple):
    """The samples of one image, views of a part of the channels: N rows, C channels.

    Attributes
    ----------
    uvw_m : (N, 3) float64
        [m].
    freq_hz : (C,) float64
        [Hz].
    visibilities : (N, C) complex64
        [Jy].
    weights : (N, C) float32
        Imaging weights.
    sum_weights : float
        Their sum.
    drift : DriftingBeam or None
        How the beam changes; None: the model is the same at all times and frequencies.
    spectrum : (C,) float32
        Of a model that is the same at all times, over its mean.
    """

    uvw_m: NDArray[np.float64]
    freq_hz: NDArray[np.float64]
    visibilities: NDArray[np.complex64]
    weights: NDArray[np.float32]
    sum_weights: float
    drift: DriftingBeam | None
    spectrum: NDArray[np.float32]


class Residual(NamedTuple):
    """An image (N, N) float32 [Jy/beam] of what a model leaves, and how many times the model was degridded for it."""

    image: NDArray[np.float32]
    n_degridded: int


def dirty_image(band: Band, gridder: Gridder) -> NDArray[np.float32]:
    """Image of the visibilities as they are, (N, N) [Jy/beam]."""
    pixels = gridder.image(band.uvw_m, band.freq_hz, band.visibilities, band.weights)
    pixels /= np.float32(band.sum_weights)
    return pixels


def psf_image(band: Band, gridder: Gridder) -> NDArray[np.float32]:
    """Image of a source of 1 Jy at the phase centre, (N, N) [1/beam]."""
    pixels = np.zeros((gridder.grid.n_pixels,) * 2, dtype=np.float32)
    for piece in _pieces(_whole(band), band.freq_hz.size):
        pixels += gridder.psf(band.uvw_m[piece], band.freq_hz, band.weights[piece])
    pixels /= np.float32(band.sum_weights)
    return pixels


def residual_image(band: Band, model: NDArray[np.float32], gridder: Gridder, tolerance_jy: float) -> Residual:
    """Image of what a model leaves of the visibilities.

    Parameters
    ----------
    band : Band
        The samples.
    model : (N, N) float32
        Apparent flux densities [Jy].
    gridder : Gridder
        From pixels to visibilities and back.
    tolerance_jy : float
        Rms by which the visibilities' amplitudes may be wrong for the drift of the beam [Jy].
    """
    pixels = np.zeros_like(model)
    modes = [Mode(model, band.spectrum[None], 1.0)]
    if band.drift is not None:
        modes = band.drift.modes(model, tolerance_jy)
    n_degridded = 0
    for piece in _pieces(_whole(band), band.freq_hz.size):
        left = np.array(band.visibilities[piece])
        for mode in modes:
            coarser = gridder._replace(epsilon=min(_COARSEST, gridder.epsilon / max(mode.share, gridder.epsilon)))
            predicted = coarser.visibilities(mode.image, band.uvw_m[piece], band.freq_hz)
            for rows, factor in zip(_integrations(band, piece), mode.factor, strict=True):
                predicted[rows] *= factor
                left[rows] -= predicted[rows]
            n_degridded += 1
        pixels += gridder.image(band.uvw_m[piece], band.freq_hz, left, band.weights[piece])
    pixels /= np.float32(band.sum_weights)
    return Residual(pixels, n_degridded)


def _integrations(band: Band, piece: slice) -> list[slice]:
    """Rows of each integration within a piece, counted from its beginning; all in one if the beam stands still."""
    if band.drift is None:
        return [slice(0, piece.stop - piece.start)]
    edges = np.clip(band.drift.edges, piece.start, piece.stop) - piece.start
    return [slice(int(start), int(stop)) for start, stop in itertools.pairwise(edges)]


def _whole(band: Band) -> slice:
    return slice(0, band.visibilities.shape[0])


def _pieces(rows: slice, n_channels: int) -> Iterator[slice]:
    """Cut rows in the fewest even pieces that are not too large."""
    n_rows = rows.stop - rows.start
    n_pieces = -(-n_rows * n_channels * np.dtype(np.complex64).itemsize // _PIECE_BYTES)
    edges = np.linspace(rows.start, rows.stop, n_pieces + 1).astype(int)
    for start, stop in itertools.pairwise(edges):
        yield slice(int(start), int(stop))
