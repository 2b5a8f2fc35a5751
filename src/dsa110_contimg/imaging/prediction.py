"""What is left of visibilities when a model is taken away, and its image.

The model is degridded and subtracted in place, piece by piece: there is no second copy of the visibilities. When it
grows, only what is new of it is degridded, so that faint additions need little accuracy. It drifts through the beam as
far as that matters.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dsa110_contimg.imaging.widths import N_IMAGES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from dsa110_contimg.imaging.drift import DriftingBeam, Modes
    from dsa110_contimg.imaging.gridding import Gridder
    from dsa110_contimg.imaging.widths import Widths

# The most memory for predicted visibilities [bytes]. Each piece costs the Fourier transforms of its own w planes.
_PIECE_BYTES = 128 << 20
# What matters little is degridded less accurately, but not less than this.
_COARSEST = 1e-2
_TINY_JY = 1e-30
# Of what may be wrong beside a source, so much may be wrong of the source itself: its sidelobes are so high.
_OF_ITSELF = 0.05


class Band(NamedTuple):
    """The samples of one image, views of a part of the channels: N rows, C channels.

    Attributes
    ----------
    uvw_m : (N, 3) float64
        [m].
    freq_hz : (C,) float64
        [Hz].
    visibilities : (N, C) complex64
        [Jy]. Models are taken out of them in place.
    weights : (N, C) float32
        Imaging weights.
    sum_weights : float
        Their sum.
    drift : DriftingBeam or None
        How the beam changes; None: the model is the same at all times and frequencies.
    spectrum : (C,) float32
        Of a model that is the same at all times, over its mean.
    mean_spectrum : float
        That mean.
    widths : Widths or None
        How wide the samples are that were averaged; None: not at all.
    """

    uvw_m: NDArray[np.float64]
    freq_hz: NDArray[np.float64]
    visibilities: NDArray[np.complex64]
    weights: NDArray[np.float32]
    sum_weights: float
    drift: DriftingBeam | None
    spectrum: NDArray[np.float32]
    mean_spectrum: float
    widths: Widths | None = None


def psf_image(band: Band, gridder: Gridder) -> NDArray[np.float32]:
    """Image of a source of 1 Jy at the phase centre, (N, N) [1/beam]."""
    pixels = gridder.psf(band.uvw_m, band.freq_hz, band.weights)
    middle = gridder.grid.n_pixels // 2
    pixels /= pixels[middle, middle]
    return pixels


class _Model(NamedTuple):
    """A model (N, N) [Jy], and what its visibilities' amplitudes can be told from."""

    pixels: NDArray[np.float32]
    bright: NDArray[Any]


class Remainder:
    """What is left of a band's visibilities.

    Parameters
    ----------
    band : Band
        The samples.
    gridder : Gridder
        From pixels to visibilities and back.
    taken : (N, N) float32
        The model that was taken out of them already, apparent flux densities [Jy].
    """

    def __init__(self, band: Band, gridder: Gridder, taken: NDArray[np.float32]) -> None:
        self.band = band
        self._gridder = gridder
        self._modes: Modes | None = None
        # The model that is gone in all modes, and in those that were brought further.
        self._first = self._weighed(taken)
        self._taken: dict[int, _Model] = {}
        # And the one of which it was heeded what averaging takes from it.
        self._smeared = taken.copy()
        self._strongest_jy = 0.0

    def image(self, epsilon: float) -> NDArray[np.float32]:
        """Make the image of what is left, (N, N) [Jy/beam], with this accuracy."""
        band = self.band
        gridder = self._gridder._replace(epsilon=epsilon)
        pixels = gridder.image(band.uvw_m, band.freq_hz, band.visibilities, band.weights)
        pixels /= np.float32(band.sum_weights)
        return pixels

    def take_out(self, model: NDArray[np.float32], tolerance_jy: float) -> int:
        """Subtract a model from the visibilities; what was taken out before is put back.

        Parameters
        ----------
        model : (N, N) float32
            Apparent flux densities [Jy].
        tolerance_jy : float
            Rms by which the visibilities' amplitudes may be wrong for the drift of the beam [Jy]: what comes and goes,
            for nothing is wrong in the mean.

        Returns
        -------
        int
            How many images were degridded for it.
        """
        new = self._weighed(model)
        if self.band.drift is not None and self._modes is None:
            self._modes = self.band.drift.modes(model)
        self._strongest_jy = max(self._strongest_jy, float(self._amplitudes(new.bright)[0]))
        pending_jy = self._pending(new)
        # The mean is always taken out, and of the others those that matter most.
        order = 1 + np.argsort(pending_jy[1:])
        lost_jy = np.sqrt(np.cumsum(pending_jy[order] ** 2))
        n_degridded = 0
        for number in [0, *sorted(order[lost_jy > tolerance_jy].tolist())]:
            change = new.pixels - self._taken.get(number, self._first).pixels
            self._taken[number] = new
            if change.any():
                accuracy = self._gridder.epsilon * self._strongest_jy / max(float(pending_jy[number]), _TINY_JY)
                self._subtract(number, change, float(np.clip(accuracy, self._gridder.epsilon, _COARSEST)))
                n_degridded += 1
        return n_degridded + self._smear(model, _OF_ITSELF * tolerance_jy)

    def _smear(self, model: NDArray[np.float32], tolerance_jy: float) -> int:
        """Put back what averaging takes from a model, if it is more than that; the number of images degridded."""
        band, grid = self.band, self._gridder.grid
        change = model - self._smeared
        if band.widths is None or band.widths.lost_jy(change, grid) <= tolerance_jy:
            return 0
        self._smeared = model.copy()
        gridder = self._gridder._replace(epsilon=_COARSEST)
        images = [band.widths.image(number, change, grid) for number in range(N_IMAGES)]
        for piece in _pieces(band):
            left = band.visibilities[piece]
            for number, image in enumerate(images):
                predicted = gridder.visibilities(image, band.uvw_m[piece], band.freq_hz)
                predicted *= band.widths.factor(number, piece)
                left -= predicted
        return N_IMAGES

    def _weighed(self, model: NDArray[np.float32]) -> _Model:
        drift = self.band.drift
        return _Model(model.copy(), model if drift is None else drift.gathered(model))

    def _amplitudes(self, bright: NDArray[Any]) -> NDArray[np.float64]:
        """Rms amplitudes of visibilities in each mode, (K,) [Jy]; only the mean if the beam stands still."""
        return np.array([np.linalg.norm(bright)]) if self._modes is None else self._modes.amplitudes(bright)

    def _pending(self, model: _Model) -> NDArray[np.float64]:
        """Amplitudes of what is not yet taken out in each mode, (K,) [Jy]."""
        pending_jy = self._amplitudes(model.bright - self._first.bright)
        for number, taken in self._taken.items():
            pending_jy[number] = self._amplitudes(model.bright - taken.bright)[number]
        return pending_jy

    def _subtract(self, number: int, change: NDArray[np.float32], epsilon: float) -> None:
        """Degrid a mode of the change of a model, and subtract it."""
        band, gridder = self.band, self._gridder._replace(epsilon=epsilon)
        image, factor = change, band.spectrum[None]
        if self._modes is not None:
            image, factor = self._modes.image(number, change), self._modes.factor(number)
        for piece in _pieces(band):
            predicted = gridder.visibilities(image, band.uvw_m[piece], band.freq_hz)
            left = band.visibilities[piece]
            for rows, of_rows in zip(_integrations(band, piece), factor, strict=True):
                predicted[rows] *= of_rows
                left[rows] -= predicted[rows]


def _integrations(band: Band, piece: slice) -> list[slice]:
    """Rows of each integration within a piece, counted from its beginning; all in one if the beam stands still."""
    if band.drift is None:
        return [slice(0, piece.stop - piece.start)]
    edges = np.clip(band.drift.edges, piece.start, piece.stop) - piece.start
    return [slice(int(start), int(stop)) for start, stop in itertools.pairwise(edges)]


def _pieces(band: Band) -> Iterator[slice]:
    """Cut the rows in the fewest even pieces that are not too large."""
    n_rows, n_channels = band.visibilities.shape
    n_pieces = -(-n_rows * n_channels * np.dtype(np.complex64).itemsize // _PIECE_BYTES)
    edges = np.linspace(0, n_rows, n_pieces + 1).astype(int)
    for start, stop in itertools.pairwise(edges):
        yield slice(int(start), int(stop))
