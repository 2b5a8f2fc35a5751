"""How the flux that comes through the beam changes while a group is taken, and across its band.

An image holds apparent flux densities: what a source has on the average of the integrations and channels, M = S <B s>,
where B is the beam, s the spectrum that is assumed, and the mean has the weights of the image. At a time and frequency
its visibilities are those of M B s / <B s>. Time is cut in chunks in which the beam stands still; over frequency the
ratio is a cubic in ln(nu), of which as many combinations are kept, and each degridded apart, as the accuracy that is
asked for needs: the eigenvectors of the cubics' covariance over the flux of the model. Most often that is one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dsa110_contimg.imaging.primary_beam import Lattice, lattice, lattice_power, weigh

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from dsa110_contimg.imaging.grid import Grid
    from dsa110_contimg.imaging.observation import Observation
    from dsa110_contimg.imaging.samples import Samples
    from dsa110_contimg.telescope.beams import BeamModel

# Points in frequency to which the polynomials are fitted, and how many polynomials.
_FREQUENCY_POINTS = 8
_POLYNOMIALS = 4
# Where the mean beam is below this part of its peak its ratios mean nothing, and a model is taken as constant.
_NO_BEAM = 1e-7


class Term(NamedTuple):
    """A part of a model that is degridded on its own: an image (N, N) [Jy], and its factor in each channel (C,)."""

    image: NDArray[np.float32]
    factor: NDArray[np.float32]


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

    def variation_jy(self, model: NDArray[np.float32]) -> float:
        """Rms of the visibilities' amplitudes that a constant model leaves, if all its sources added up in phase [Jy].

        Parameters
        ----------
        model : (N, N) float32
            Apparent flux densities [Jy].
        """
        ratios = self._ratios()
        ratios[:, 0] -= 1.0
        square = np.einsum("tdij,ij->t", ratios**2, self._flux(model) ** 2)
        return float(np.sqrt(self.chunk_weights @ square))

    def terms(self, model: NDArray[np.float32], tolerance_jy: float) -> Iterator[tuple[slice, list[Term]]]:
        """Split a model in what is to be degridded, chunk by chunk.

        Parameters
        ----------
        model : (N, N) float32
            Apparent flux densities [Jy].
        tolerance_jy : float
            Rms that the visibilities' amplitudes may be wrong by [Jy].

        Yields
        ------
        slice, list of Term
            Rows, and the terms whose degridded visibilities times their factors add up.
        """
        mean = self.over.pixels(self.mean)
        scaled = np.zeros_like(model)
        has_beam = mean > _NO_BEAM * float(mean.max())
        np.divide(model, mean, out=scaled, where=has_beam)
        # What is where there is no beam stays as it is.
        rest = np.where(has_beam, np.float32(0.0), model)
        flux = self._flux(model)
        for rows, coefficients, ratios in zip(self.chunks, self.coefficients, self._ratios(), strict=True):
            weighted = (ratios * flux).reshape(len(ratios), -1)
            square, vectors = np.linalg.eigh(weighted @ weighted.T)
            lost = np.sqrt(np.cumsum(np.maximum(square, 0.0)))
            n_terms = max(1, int(np.count_nonzero(lost > tolerance_jy)))
            terms = []
            for vector in vectors.T[::-1][:n_terms]:
                image = self.over.pixels(np.tensordot(vector, coefficients, axes=1)) * scaled
                terms.append(Term(image, (vector @ self.polynomials).astype(np.float32)))
            if rest.any():
                terms.append(Term(rest, np.ones(self.polynomials.shape[1], dtype=np.float32)))
            yield rows, terms

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
