"""How the flux that comes through the beam changes while a group is taken, and across its band.

An image holds apparent flux densities: what a source has on the average of the integrations and channels, M = S <B s>,
where B is the beam, s the spectrum that is assumed, and the mean has the weights of the image. At a time and frequency
its visibilities are those of M B s / <B s>. Time is cut in chunks in which the beam stands still; over frequency the
ratio is a cubic in ln(nu). Each combination of the cubic's terms is degridded apart, so they are turned to the
eigenvectors of their covariance over the flux of the model, of which one or two are enough; and each of those takes as
few pieces of time as the accuracy that is asked for needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dsa110_contimg.imaging.primary_beam import Lattice, lattice, lattice_power, weigh

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dsa110_contimg.imaging.grid import Grid
    from dsa110_contimg.imaging.observation import Observation
    from dsa110_contimg.imaging.samples import Samples
    from dsa110_contimg.telescope.beams import BeamModel

# Points in frequency to which the polynomials are fitted, and how many polynomials.
_FREQUENCY_POINTS = 8
_POLYNOMIALS = 4
# Where the mean beam is below this part of its peak its ratios mean nothing, and a model is taken as constant.
_NO_BEAM = 1e-4


class Part(NamedTuple):
    """What is degridded at once.

    Attributes
    ----------
    rows : slice
        Of the samples.
    image : (N, N) float32
        To be degridded [Jy].
    ratio : (n, n) float32 or None
        By which the image is multiplied before, on the lattice.
    factor : (C,) float32
        By which the visibilities are multiplied after.
    share : float
        Rms of its visibilities over that of the first, strongest part: how much less accurate they may be.
    """

    rows: slice
    image: NDArray[np.float32]
    ratio: NDArray[np.float32] | None
    factor: NDArray[np.float32]
    share: float


class DriftingBeam(NamedTuple):
    """The beam of an observation as a factor of time and frequency on an image that shows its mean.

    Attributes
    ----------
    over : Lattice
        Directions in which it is known.
    chunks : tuple of slice
        Rows of the samples, T chunks of time.
    chunk_weights : (T,) float64
        Parts of the weight of the image; their sum is 1.
    coefficients : (T, D, n, n) float64
        Of each polynomial, for beam times spectrum.
    mean : (n, n) float64
        Their mean over the image's weights.
    polynomials : (D, C) float64
        Polynomials of ln(nu) in each channel, orthonormal with the weights of the image; the first is 1.
    """

    over: Lattice
    chunks: tuple[slice, ...]
    chunk_weights: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    mean: NDArray[np.float64]
    polynomials: NDArray[np.float64]

    def parts(self, model: NDArray[np.float32], tolerance_jy: float) -> list[Part]:
        """Split a model in what is to be degridded.

        Parameters
        ----------
        model : (N, N) float32
            Apparent flux densities [Jy].
        tolerance_jy : float
            Rms that the visibilities' amplitudes may be wrong by, if all sources added up in phase [Jy].

        Returns
        -------
        list of Part
            Visibilities of parts with the same rows add up.
        """
        mean = self.over.pixels(self.mean)
        has_beam = mean > _NO_BEAM * float(mean.max())
        scaled = np.zeros_like(model)
        np.divide(model, mean, out=scaled, where=has_beam)
        ratios = self._ratios()
        flux = self._flux(model)
        vectors, strengths = _modes(ratios, self.chunk_weights, flux)
        allowed = tolerance_jy / np.sqrt(len(strengths))
        parts = []
        for k, (vector, strength) in enumerate(zip(vectors, strengths, strict=True)):
            mode = np.tensordot(ratios, vector, axes=(1, 0))
            n_pieces = self._fewest_pieces(mode, flux, allowed, least=int(k == 0))
            factor = (vector @ self.polynomials).astype(np.float32)
            for piece in np.array_split(np.arange(len(self.chunks)), n_pieces) if n_pieces else ():
                ratio = np.tensordot(self._mean_of_chunks(self.coefficients[piece], piece), vector, axes=(0, 0)).astype(
                    np.float32
                )
                rows = slice(self.chunks[piece[0]].start, self.chunks[piece[-1]].stop)
                parts.append(Part(rows, scaled, ratio, factor, float(strength / strengths[0]) if k else 1.0))
        rest = np.where(has_beam, np.float32(0.0), model)
        if rest.any():
            whole = slice(self.chunks[0].start, self.chunks[-1].stop)
            parts.append(Part(whole, rest, None, np.ones(self.polynomials.shape[1], dtype=np.float32), 1.0))
        return parts

    def image(self, part: Part) -> NDArray[np.float32]:
        """Pixels of a part as they are degridded, (N, N) [Jy]."""
        return part.image if part.ratio is None else self.over.pixels(part.ratio) * part.image

    def _fewest_pieces(
        self, mode: NDArray[np.float64], flux: NDArray[np.float64], allowed_jy: float, least: int
    ) -> int:
        """Fewest pieces of time in which a mode (T, n, n) may stand still; 0 if it may be left out."""
        n_pieces = least
        while n_pieces < len(self.chunks):
            error = mode.copy()
            for piece in np.array_split(np.arange(len(self.chunks)), n_pieces) if n_pieces else ():
                error[piece] -= self._mean_of_chunks(mode[piece], piece)
            if np.sqrt(self.chunk_weights @ np.einsum("tij,ij->t", error**2, flux**2)) <= allowed_jy:
                break
            n_pieces = max(1, 2 * n_pieces)
        return min(n_pieces, len(self.chunks))

    def _mean_of_chunks(self, values: NDArray[np.float64], piece: NDArray[np.int64]) -> NDArray[np.float64]:
        """Mean over some chunks with their weights; a plain one if they have none."""
        weights = self.chunk_weights[piece]
        return np.asarray(np.average(values, axis=0, weights=weights if weights.any() else None))

    def _ratios(self) -> NDArray[np.float64]:
        """Coefficients over the mean, (T, D, n, n); 0 where there is no beam."""
        ratios = np.zeros_like(self.coefficients)
        np.divide(self.coefficients, self.mean, out=ratios, where=self.mean > _NO_BEAM * self.mean.max())
        return ratios

    def _flux(self, model: NDArray[np.float32]) -> NDArray[np.float64]:
        """Sum of the absolute flux densities of the pixels nearest to each point of the lattice, (n, n) [Jy]."""
        n_pixels, n_points = model.shape[0], self.mean.shape[0]
        nearest = np.round(np.arange(n_pixels) * ((n_points - 1) / (n_pixels - 1)))
        first = np.searchsorted(nearest, np.arange(n_points))
        rows = np.add.reduceat(np.abs(model), first, axis=0)
        return np.add.reduceat(rows, first, axis=1).astype(np.float64)


def drifting_beam(
    observation: Observation,
    beam: BeamModel,
    grid: Grid,
    samples: Samples,
    weights: NDArray[np.float32],
    *,
    n_chunks: int,
    alpha: float = 0.0,
) -> DriftingBeam:
    """Work out the beam of an observation, chunk by chunk.

    Parameters
    ----------
    observation : Observation
        Phase centre, pointing, site and times.
    beam : BeamModel
        The primary beam.
    grid : Grid
        The pixels.
    samples : Samples
        N rows in the order of time, C channels; their visibilities are not looked at.
    weights : (N, C) float32
        Imaging weights, not all of them 0.
    n_chunks : int
        Pieces of time in which the beam stands still; there are no more than integrations.
    alpha : float
        Spectral index of the sources.
    """
    over = lattice(grid)
    seen = weigh(observation, samples, weights, _FREQUENCY_POINTS)
    reference_hz = float(seen.weights.sum(axis=0) @ seen.freq_hz / seen.weights.sum())
    power = lattice_power(observation, beam, over, seen.mjd, seen.freq_hz)
    power *= (seen.freq_hz / reference_hz)[:, None, None] ** alpha
    cuts = np.searchsorted(seen.mjd, observation.chunk_edges_mjd(n_chunks)[1:-1])
    pieces = [slice(a, b) for a, b in zip((0, *cuts), (*cuts, seen.mjd.size), strict=True)]
    by_chunk = np.array([_mean_over_time(power[piece], seen.weights[piece]) for piece in pieces])
    by_block = seen.weights.sum(axis=0)
    at_points, at_channels = _polynomials(seen.freq_hz, by_block, samples.freq_hz)
    # Least squares with the weights of the blocks; where one has none, it does not count.
    normal = (at_points * by_block) @ at_points.T
    fit = np.linalg.solve(normal, at_points * by_block)
    total = seen.weights.sum()
    return DriftingBeam(
        over,
        tuple(slice(int(seen.edges[piece.start]), int(seen.edges[piece.stop])) for piece in pieces),
        np.array([seen.weights[piece].sum() for piece in pieces]) / total,
        np.einsum("df,tfij->tdij", fit, by_chunk),
        np.tensordot(seen.weights, power, axes=2) / total,
        at_channels,
    )


def _modes(
    ratios: NDArray[np.float64], chunk_weights: NDArray[np.float64], flux: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Combinations (D, D) of the polynomials, one a row, that hold most of the flux, and their rms (D,), descending."""
    weighted = ratios * np.sqrt(chunk_weights)[:, None, None, None] * flux
    covariance = np.einsum("tdij,teij->de", weighted, weighted)
    squares, vectors = np.linalg.eigh(covariance)
    return vectors.T[::-1], np.sqrt(np.maximum(squares[::-1], 1e-30))


def _mean_over_time(power: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean (F, n, n) over the integrations of a chunk (T, F, n, n); a plain one where none has a weight."""
    whole = weights.sum(axis=0)
    parts = np.where(whole > 0.0, weights / np.where(whole > 0.0, whole, 1.0), 1.0 / len(weights))
    return np.asarray(np.einsum("tf,tfij->fij", parts, power))


def _polynomials(
    points_hz: NDArray[np.float64], weights: NDArray[np.float64], channels_hz: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Polynomials of ln(nu), orthonormal over weighted points, at those points (D, F) and in the channels (D, C)."""
    parts = weights / weights.sum()
    origin = float(parts @ np.log(points_hz))
    half = max(float(np.ptp(np.log(channels_hz))) / 2, 1e-9)
    n = min(_POLYNOMIALS, int(np.count_nonzero(weights)))
    powers = np.arange(n)[:, None]
    at_points = ((np.log(points_hz) - origin) / half) ** powers
    at_channels = ((np.log(channels_hz) - origin) / half) ** powers
    # Gram-Schmidt, written as a Cholesky factor of the covariance.
    factor = np.linalg.cholesky((at_points * parts) @ at_points.T)
    return np.linalg.solve(factor, at_points), np.linalg.solve(factor, at_channels)
