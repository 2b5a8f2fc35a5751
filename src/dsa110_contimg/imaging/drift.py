"""How the flux that comes through the beam changes while a group is taken, and across its band.

An image holds apparent flux densities: what a source has on the average of the integrations and channels, M = S <B s>,
where B is the beam, s the spectrum that is assumed, and the mean has the weights of the image. At a time t and
frequency nu its visibilities are those of M B s / <B s>. That ratio is, for all sources at once, a short sum of images
times factors of t and nu: first the mean, which is 1 for all of them, then the eigenvectors of the covariance of what
is left, over the flux of the model. Each image is degridded once, for all times and channels, and its visibilities are
multiplied by the factor. Three or four images are right to a thousandth of the flux, where a beam that stands still
would be wrong by a tenth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dsa110_contimg.imaging.primary_beam import NO_BEAM, Lattice, lattice, lattice_power, weigh

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dsa110_contimg.imaging.grid import Grid
    from dsa110_contimg.imaging.observation import Observation
    from dsa110_contimg.imaging.samples import Samples
    from dsa110_contimg.telescope.beams import BeamModel

# Points in frequency to which polynomials of ln(nu) are fitted, and how many polynomials.
_FREQUENCY_POINTS = 8
_POLYNOMIALS = 4
# An integration that is flagged weighs this part of the others, so that nothing is divided by 0.
_LEAST_WEIGHT = 1e-6
# The lattice is about so many times as wide as the beam of the array.
_FINER = 5
# What is assumed of the flux where a model has none, as a part of the brightest, through the beam.
_FAINT = 0.03
# The spectrum that is assumed is 1 here [Hz].
REFERENCE_HZ = 1.4e9


class DriftingBeam(NamedTuple):
    """The beam of an observation as a factor of time and frequency on an image that shows its mean.

    Attributes
    ----------
    over : Lattice
        Directions in which it is known.
    edges : (T + 1,) int64
        The rows of the samples that belong to integration t are edges[t] to edges[t + 1].
    weights : (T,) float64
        Parts of the weight of the image; their sum is 1.
    coefficients : (T, D, n, n) float64
        Of each polynomial, for beam times spectrum.
    mean : (n, n) float64
        Mean of beam times spectrum over the image's weights.
    polynomials : (D, C) float64
        Polynomials of ln(nu) in each channel, orthonormal with the weights of the image; the first is 1.
    """

    over: Lattice
    edges: NDArray[np.int64]
    weights: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    mean: NDArray[np.float64]
    polynomials: NDArray[np.float64]

    def modes(self, model: NDArray[np.float32]) -> Modes:
        """Find the modes of a model (N, N), the strongest first after the mean; they are complete for any model."""
        roots = self.roots
        amplitude = self._amplitude(self.gathered(model))
        # Wherever the model has nothing yet there may be something: modes are good for all that the beam sees.
        faint = _FAINT * (amplitude.max() or 1.0) * self.mean / self.mean.max()
        spread = self._spread(np.hypot(amplitude, faint))
        mean = np.outer(roots, np.eye(len(self.polynomials))[0]).ravel()
        spread -= np.outer(mean, mean @ spread)
        covariance = spread @ spread.T
        # Of the mean nothing is left: so much is added that it comes first.
        covariance += (1.0 + 2.0 * np.trace(covariance)) * np.outer(mean, mean)
        vectors = np.linalg.eigh(covariance).eigenvectors.T[::-1]
        return Modes(self, np.concatenate([mean[None], vectors[1:]]).reshape(-1, roots.size, len(self.polynomials)))

    @property
    def roots(self) -> NDArray[np.float64]:
        """Square roots of the weights of the integrations, (T,); none is 0, and their squares add up to 1."""
        roots = np.sqrt(np.maximum(self.weights, _LEAST_WEIGHT / self.weights.size))
        return np.asarray(roots / np.linalg.norm(roots))

    def spread(self, bright: NDArray[np.float64]) -> NDArray[np.float64]:
        """Spread what `gathered` makes of a model over time, frequency and the lattice, (T * D, n * n) [Jy].

        Sums of its squares are those of the amplitudes of the visibilities: sources add up in squares.
        """
        return self._spread(self._amplitude(bright))

    def _spread(self, amplitude: NDArray[np.float64]) -> NDArray[np.float64]:
        ratios = np.zeros_like(self.coefficients)
        np.divide(self.coefficients, self.mean, out=ratios, where=self.mean > NO_BEAM * self.mean.max())
        ratios *= self.roots[:, None, None, None] * amplitude
        return ratios.reshape(self.weights.size * len(self.polynomials), -1)

    def _amplitude(self, bright: NDArray[np.float64]) -> NDArray[np.float64]:
        """Amplitude of the sources around each point of the lattice, (n, n) [Jy]."""
        n_points = self.mean.shape[0]
        finer = (len(bright) - 1) // (n_points - 1)
        first = np.maximum(0, np.ceil(finer * (np.arange(n_points) - 0.5))).astype(int)
        return np.sqrt(_summed(bright**2, first))

    def cells(self, n_pixels: int) -> NDArray[np.int64]:
        """Number the cells of an axis, about as wide as a beam of the array: to which one each pixel belongs, (N,)."""
        n_points = self.mean.shape[0]
        finer = min(_FINER, max(1, (n_pixels - 1) // (n_points - 1)))
        return np.round(np.arange(n_pixels) * (finer * (n_points - 1) / (n_pixels - 1))).astype(np.int64)

    def gathered(self, model: NDArray[np.float32]) -> NDArray[np.float64]:
        """Add up the flux densities of a model (N, N) in each cell, (n_cells, n_cells) [Jy]."""
        cell_of = self.cells(model.shape[0])
        return _summed(model, np.searchsorted(cell_of, np.arange(cell_of[-1] + 1))).astype(np.float64)

    def beside_mean(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.float64]:
        """Beam times spectrum over its mean, less 1, in some pixels: in each integration, by polynomial, (S, T, D)."""
        down, across = self.over.spread[rows], self.over.spread[columns]
        mean = np.einsum("si,ij,sj->s", down, self.mean, across, optimize=True)
        seen = np.einsum("si,tdij,sj->std", down, self.coefficients, across, optimize=True)
        ratio = np.zeros_like(seen)
        has_beam = mean > NO_BEAM * self.mean.max()
        ratio[has_beam] = seen[has_beam] / mean[has_beam, None, None]
        ratio[:, :, 0] -= (ratio[:, :, 0] @ self.roots**2)[:, None]
        return ratio

    def variation(self) -> NDArray[np.float64]:
        """Rms over time and frequency of beam times spectrum over its mean, on the lattice, (n, n)."""
        spread = self._spread(np.ones_like(self.mean))
        mean = np.outer(self.roots, np.eye(len(self.polynomials))[0]).ravel()
        spread -= np.outer(mean, mean @ spread)
        return np.asarray(np.linalg.norm(spread, axis=0).reshape(self.mean.shape))


class Modes(NamedTuple):
    """The visibilities of a model that drifts, as a sum of images, each times a factor of time and frequency.

    The first has a factor of 1; those of all others are 0 in the mean over the weights of the image. So what is left
    out of the others takes nothing from a source, and adds nothing to it: it is beside it, as sidelobes are.

    Attributes
    ----------
    drift : DriftingBeam
        Whose modes they are.
    vectors : (K, T, D) float64
        Orthonormal: integrations, times the square roots of their weights, and polynomials of frequency.
    """

    drift: DriftingBeam
    vectors: NDArray[np.float64]

    def amplitudes(self, bright: NDArray[np.float64]) -> NDArray[np.float64]:
        """Rms of the visibilities' amplitudes in each mode, (K,) [Jy], of a model that is `gathered`."""
        vectors = self.vectors.reshape(len(self.vectors), -1)
        return np.asarray(np.linalg.norm(vectors @ self.drift.spread(bright), axis=1))

    def image(self, number: int, model: NDArray[np.float32]) -> NDArray[np.float32]:
        """What is to be degridded for a mode of a model, (N, N) [Jy]; without a beam, all of it is in the first."""
        drift = self.drift
        mean = drift.over.pixels(drift.mean)
        ratio = drift.over.pixels(np.tensordot(self.vectors[number] * drift.roots[:, None], drift.coefficients, axes=2))
        made = model.copy() if number == 0 else np.zeros_like(model)
        np.divide(model * ratio, mean, out=made, where=mean > NO_BEAM * float(mean.max()))
        return made

    def factor(self, number: int) -> NDArray[np.float32]:
        """What the visibilities of a mode are multiplied by in each integration and channel, (T, C)."""
        drift = self.drift
        return np.asarray((self.vectors[number] / drift.roots[:, None]) @ drift.polynomials, dtype=np.float32)


def _summed(image: NDArray[np.floating], first: NDArray[np.intp]) -> NDArray[np.floating]:
    """Sum squares of an image that begin in these rows and columns."""
    return np.asarray(np.add.reduceat(np.add.reduceat(image, first, axis=0), first, axis=1))


def drifting_beam(
    observation: Observation,
    beam: BeamModel,
    grid: Grid,
    samples: Samples,
    weights: NDArray[np.float32],
    alpha: float = 0.0,
) -> DriftingBeam:
    """Work out the beam of an observation, integration by integration.

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
    alpha : float
        Spectral index of the sources.
    """
    over = lattice(grid)
    seen = weigh(observation, samples, weights, _FREQUENCY_POINTS)
    power = lattice_power(observation, beam, over, seen.mjd, seen.freq_hz)
    power *= (seen.freq_hz / REFERENCE_HZ)[:, None, None] ** alpha
    by_block = seen.weights.sum(axis=0)
    at_points, at_channels = _polynomials(seen.freq_hz, by_block, samples.freq_hz)
    # Least squares with the weights of the blocks; where one has none, it does not count.
    normal = (at_points * by_block) @ at_points.T
    fit = np.linalg.solve(normal, at_points * by_block)
    total = seen.weights.sum()
    return DriftingBeam(
        over,
        seen.edges,
        seen.weights.sum(axis=1) / total,
        np.einsum("df,tfij->tdij", fit, power),
        np.tensordot(seen.weights, power, axes=2) / total,
        at_channels,
    )


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
