"""How the flux that comes through the beam changes while a group is taken, and across its band.

An image holds apparent flux densities: what a source has on the average of the integrations and channels, M = S <B s>,
where B is the beam, s the spectrum that is assumed, and the mean has the weights of the image. At a time t and
frequency nu its visibilities are those of M B s / <B s>. That ratio is, for all sources at once, a short sum of images
times factors of t and nu: the eigenvectors of its covariance over the flux of the model. Each image is degridded once,
for all times and channels, and its visibilities are multiplied by the factor. Two or three images are right to a
thousandth of the flux, where a beam that stands still would be wrong by a tenth.
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

# Points in frequency to which polynomials of ln(nu) are fitted, and how many polynomials.
_FREQUENCY_POINTS = 8
_POLYNOMIALS = 4
# Where the mean beam is below this part of its peak its ratios mean nothing, and a model is taken as constant.
_NO_BEAM = 1e-4
# An integration that is flagged weighs this part of the others, so that nothing is divided by 0.
_LEAST_WEIGHT = 1e-3


class Mode(NamedTuple):
    """An image that is degridded, and what its visibilities are multiplied by.

    Attributes
    ----------
    image : (N, N) float32
        [Jy].
    factor : (T, C) float32
        In each integration and channel.
    share : float
        Rms of its visibilities over that of the first, strongest mode: how much less accurate they may be.
    """

    image: NDArray[np.float32]
    factor: NDArray[np.float32]
    share: float


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
        Their mean over the image's weights.
    polynomials : (D, C) float64
        Polynomials of ln(nu) in each channel, orthonormal with the weights of the image; the first is 1.
    """

    over: Lattice
    edges: NDArray[np.int64]
    weights: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    mean: NDArray[np.float64]
    polynomials: NDArray[np.float64]

    def modes(self, model: NDArray[np.float32], tolerance_jy: float) -> list[Mode]:
        """Split a model in what is to be degridded.

        Parameters
        ----------
        model : (N, N) float32
            Apparent flux densities [Jy].
        tolerance_jy : float
            Rms that the visibilities' amplitudes may be wrong by, the sources' errors added in squares [Jy].

        Returns
        -------
        list of Mode
            The visibilities of all of them add up. As few as the tolerance allows, one at least.
        """
        mean = self.over.pixels(self.mean)
        has_beam = mean > _NO_BEAM * float(mean.max())
        scaled = np.zeros_like(model)
        np.divide(model, mean, out=scaled, where=has_beam)
        n_times, n_polynomials = self.coefficients.shape[:2]
        by_weight = np.sqrt(np.maximum(self.weights, _LEAST_WEIGHT / n_times))[:, None]
        weighted = self._ratios() * by_weight[..., None, None] * self._flux(model)
        weighted = weighted.reshape(n_times * n_polynomials, -1)
        squares, vectors = np.linalg.eigh(weighted @ weighted.T)
        lost = np.sqrt(np.cumsum(np.maximum(squares, 0.0)))
        n_modes = max(1, int(np.count_nonzero(lost > tolerance_jy)))
        modes = []
        for vector, square in zip(vectors.T[::-1][:n_modes], squares[::-1], strict=False):
            by_time = vector.reshape(n_times, n_polynomials)
            ratio = np.tensordot(by_time * by_weight, self.coefficients, axes=2)
            factor = (by_time / by_weight) @ self.polynomials
            share = float(np.sqrt(max(square, 0.0) / squares[-1])) if squares[-1] > 0.0 else 1.0
            modes.append(Mode(self.over.pixels(ratio) * scaled, factor.astype(np.float32), share))
        rest = np.where(has_beam, np.float32(0.0), model)
        if rest.any():
            modes.append(Mode(rest, np.ones((n_times, self.polynomials.shape[1]), dtype=np.float32), 1.0))
        return modes

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
    reference_hz = float(seen.weights.sum(axis=0) @ seen.freq_hz / seen.weights.sum())
    power = lattice_power(observation, beam, over, seen.mjd, seen.freq_hz)
    power *= (seen.freq_hz / reference_hz)[:, None, None] ** alpha
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
