"""What is left of visibilities when a model is taken away, and its image.

The model is degridded and subtracted in place, piece by piece: there is no second copy of the visibilities. When it
grows, only what is new of it is degridded, so that faint additions need little accuracy. It drifts through the beam as
far as that matters: bright sources one by one, and the rest in as many images as it takes. It is seen by samples that
are wide in frequency and time.
"""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dsa110_contimg.imaging.drifting_sources import DriftingSources, Sources, components
from dsa110_contimg.imaging.prediction_kernels import add_sources, subtract_wide
from dsa110_contimg.imaging.widths import Widths, sample_widths
from dsa110_contimg.telescope.geometry import SPEED_OF_LIGHT

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from dsa110_contimg.imaging.drift import DriftingBeam, Modes
    from dsa110_contimg.imaging.gridding import Gridder
    from dsa110_contimg.imaging.samples import Samples

# The most memory for predicted visibilities [bytes]. Each piece costs the Fourier transforms of its own w planes.
_PIECE_BYTES = 256 << 20
# What matters little is degridded less accurately, but not less than this.
_COARSEST = 1e-2
_TINY_JY = 1e-30
# So many sources or components take as long as an image. Fewer are added up directly: the components of an image, and
# what the brightest sources lose and gain by the drift, to this part of what is tolerated.
_MOST_SOURCES, _OF_TOLERANCE = 200, 0.5


class Band(NamedTuple):
    """What one image is made of: N rows, C channels.

    Attributes
    ----------
    samples : Samples
        Views of a part of the channels. Models are taken out of the visibilities in place.
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
    """

    samples: Samples
    weights: NDArray[np.float32]
    sum_weights: float
    drift: DriftingBeam | None
    spectrum: NDArray[np.float32]
    mean_spectrum: float


def psf_image(band: Band, gridder: Gridder) -> NDArray[np.float32]:
    """Image of a source of 1 Jy at the phase centre, (N, N) [1/beam]."""
    pixels = gridder.psf(band.samples.uvw_m, band.samples.freq_hz, band.weights)
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
        self._pieces = _pieces(band)
        self._strongest_jy = 0.0
        self._sources: DriftingSources | None = None
        if band.drift is not None:
            self._sources = DriftingSources(band.drift, gridder.grid, _uv_rms(band.samples), taken)

    def image(self, epsilon: float) -> NDArray[np.float32]:
        """Make the image of what is left, (N, N) [Jy/beam], with this accuracy."""
        samples, gridder = self.band.samples, self._gridder._replace(epsilon=epsilon)
        pixels = gridder.image(samples.uvw_m, samples.freq_hz, samples.visibilities, self.band.weights)
        pixels /= np.float32(self.band.sum_weights)
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
            How many images were degridded for it, or added up component by component.
        """
        new = rest = self._weighed(model)
        sources = None
        if self.band.drift is not None and self._modes is None:
            self._modes = self.band.drift.modes(model)
        if self._sources is not None:
            sources = self._sources.change(model, _OF_TOLERANCE * tolerance_jy, _MOST_SOURCES)
            rest = self._without(self._sources, new)
        self._strongest_jy = max(self._strongest_jy, float(self._amplitudes(new.bright)[0]))
        pending_jy = self._pending(new, rest)
        # The mean is always taken out, and of the others those that matter most.
        order = 1 + np.argsort(pending_jy[1:])
        lost_jy = np.sqrt(np.cumsum(pending_jy[order] ** 2))
        n_degridded = 0
        for number in [0, *sorted(order[lost_jy > tolerance_jy].tolist())]:
            wanted = rest if number else new
            change = wanted.pixels - self._taken.get(number, self._first).pixels
            self._taken[number] = wanted
            with_sources = sources if number == 0 else None
            if change.any() or (with_sources is not None and len(with_sources.table)):
                accuracy = self._gridder.epsilon * self._strongest_jy / max(float(pending_jy[number]), _TINY_JY)
                epsilon = float(np.clip(accuracy, self._gridder.epsilon, _COARSEST))
                self._subtract(number, change, epsilon, with_sources)
                n_degridded += bool(change.any())
        return n_degridded

    @property
    def n_followed(self) -> int:
        """Number of sources whose drift is followed one by one."""
        return 0 if self._sources is None else int(np.count_nonzero(self._sources.followed))

    def _without(self, sources: DriftingSources, model: _Model) -> _Model:
        """Give the model whose drift the modes have to follow: where sources are followed it is as at first."""
        return _Model(
            np.where(sources.pixels, self._first.pixels, model.pixels),
            np.where(sources.followed.reshape(model.bright.shape), self._first.bright, model.bright),
        )

    def _weighed(self, model: NDArray[np.float32]) -> _Model:
        drift = self.band.drift
        return _Model(model.copy(), model if drift is None else drift.gathered(model))

    def _amplitudes(self, bright: NDArray[Any]) -> NDArray[np.float64]:
        """Rms amplitudes of visibilities in each mode, (K,) [Jy]; only the mean if the beam stands still."""
        return np.array([np.linalg.norm(bright)]) if self._modes is None else self._modes.amplitudes(bright)

    def _pending(self, model: _Model, rest: _Model) -> NDArray[np.float64]:
        """Amplitudes of what is not yet taken out in each mode, (K,) [Jy]; `rest` is for all but the mean."""
        pending_jy = self._amplitudes(rest.bright - self._first.bright)
        pending_jy[0] = self._amplitudes(model.bright - self._taken.get(0, self._first).bright)[0]
        for number, taken in self._taken.items():
            if number > 0:
                pending_jy[number] = self._amplitudes(rest.bright - taken.bright)[number]
        return pending_jy

    def _subtract(self, number: int, change: NDArray[np.float32], epsilon: float, sources: Sources | None) -> None:
        """Degrid a mode of the change of a model, or add it up; add sources to it, and subtract it."""
        samples, gridder = self.band.samples, self._gridder._replace(epsilon=epsilon)
        image, factor = change, self.band.spectrum[None]
        if self._modes is not None:
            image, factor = self._modes.image(number, change), self._modes.factor(number)
        added = [] if sources is None else [sources]
        few = np.count_nonzero(image) <= _MOST_SOURCES
        if few:
            n_times = 1 if self.band.drift is None else len(self.band.drift.edges) - 1
            added.append(components(image, gridder.grid, n_times, samples.freq_hz.size))
        added = [each for each in added if len(each.table)]
        with ThreadPoolExecutor(gridder.threads) as pool:
            for piece in self._pieces:
                uvw_m, left = samples.uvw_m[piece.rows], samples.visibilities[piece.rows]
                edges = np.linspace(0, len(left), gridder.threads + 1).astype(int).tolist()
                predicted = (
                    np.zeros(left.shape, np.complex64) if few else gridder.visibilities(image, uvw_m, samples.freq_hz)
                )
                for each in added:
                    _run(pool, edges, add_sources, uvw_m, samples.freq_hz, piece.time, *each, out=predicted)
                _run(pool, edges, subtract_wide, predicted, factor, piece.time, *piece.widths, out=left)


def _run(
    pool: ThreadPoolExecutor, edges: list[int], kernel: Callable[..., None], *inputs: Any, out: NDArray[Any]
) -> None:
    """Run a kernel on parts of the rows at once."""
    tasks = [pool.submit(kernel, *inputs, first, last, out) for first, last in itertools.pairwise(edges)]
    for task in tasks:
        task.result()


def _uv_rms(samples: Samples) -> float:
    """Rms of u, or v, of the samples [wavelengths]."""
    return float(np.sqrt(np.mean(samples.uvw_m[:, :2] ** 2)) * samples.freq_hz.mean() / SPEED_OF_LIGHT)


class _Piece(NamedTuple):
    """Rows that are predicted at once, the integration of each, and how wide they are."""

    rows: slice
    time: NDArray[np.int64]
    widths: Widths


def _pieces(band: Band) -> list[_Piece]:
    """Cut the rows in the fewest even pieces that are not too large."""
    n_rows, n_channels = band.weights.shape
    time = np.zeros(n_rows, np.int64)
    if band.drift is not None:
        time = np.repeat(np.arange(len(band.drift.edges) - 1), np.diff(band.drift.edges))
    n_pieces = -(-n_rows * n_channels * np.dtype(np.complex64).itemsize // _PIECE_BYTES)
    edges = np.linspace(0, n_rows, n_pieces + 1).astype(int)
    pieces = [slice(int(start), int(stop)) for start, stop in itertools.pairwise(edges)]
    return [_Piece(rows, time[rows], sample_widths(band.samples, rows)) for rows in pieces]
