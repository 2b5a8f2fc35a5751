"""The primary beam on the pixels of an image, while the sky drifts through it.

The dishes stand still on the meridian; the image is fixed on the sky. The beam is worked out on a coarse lattice of
directions, a twentieth of its width apart, and carried from there to the pixels by cubic splines, which is exact to
1e-6 of the beam's peak and takes milliseconds instead of minutes. Nothing is asked of the beam but that it is smooth.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.interpolate import make_interp_spline

from dsa110_contimg.telescope.beams import beam_offsets
from dsa110_contimg.telescope.geometry import meridian_direction, uvw_basis

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from dsa110_contimg.imaging.grid import Grid
    from dsa110_contimg.imaging.observation import Observation
    from dsa110_contimg.imaging.samples import Samples
    from dsa110_contimg.telescope.beams import BeamModel

#: Where the mean beam is below this part of its peak, how it changes with time and frequency means nothing.
NO_BEAM = 1e-4
# Spacing of the lattice [rad], and the fewest points along a side.
_SPACING_RAD = np.radians(0.08)
_FEWEST = 8
# Blocks of channels in which an average over frequency takes the beam as constant; 16 of them err by 2e-4 at most.
_FREQUENCY_BLOCKS = 16


class Lattice(NamedTuple):
    """Directions across an image, from which smooth maps are carried to its pixels.

    Attributes
    ----------
    m : (n,) float64
        Direction cosines along an axis, ascending; l = -m along the second axis.
    spread : (N, n) float32
        Cubic spline from the lattice to the pixels of an axis.
    """

    m: NDArray[np.float64]
    spread: NDArray[np.float32]

    def pixels(self, points: NDArray[np.floating]) -> NDArray[np.float32]:
        """Carry a map (n, n) from the lattice to the pixels (N, N)."""
        return np.asarray((self.spread @ points.astype(np.float32)) @ self.spread.T)


def lattice(grid: Grid) -> Lattice:
    """Lay a lattice over an image."""
    offsets = grid.offsets
    n = max(_FEWEST, int(np.ceil((offsets[-1] - offsets[0]) / _SPACING_RAD)) + 1)
    m = np.linspace(offsets[0], offsets[-1], n)
    return Lattice(m, make_interp_spline(m, np.eye(n), k=3)(offsets).astype(np.float32))


def directions_power(
    observation: Observation,
    beam: BeamModel,
    east: NDArray[np.float64],
    north: NDArray[np.float64],
    mjd: ArrayLike,
    freq_hz: ArrayLike,
) -> NDArray[np.float64]:
    """Power of the beam in directions that are fixed on the sky.

    Parameters
    ----------
    observation : Observation
        Phase centre, pointing and site.
    beam : BeamModel
        Power against the direction from the beam's axis.
    east, north : (...) float64
        Direction cosines from the phase centre, in the frame of the UVWs.
    mjd : (T,) array_like
        Moments [MJD, UTC].
    freq_hz : (F,) array_like
        Frequencies [Hz].

    Returns
    -------
    (T, F, ...) float64
        0 behind the dishes.
    """
    times, freqs = np.atleast_1d(mjd), np.atleast_1d(np.asarray(freq_hz, dtype=np.float64))
    forward = np.sqrt(np.maximum(0.0, 1.0 - east**2 - north**2))
    directions = np.stack([east, north, forward], axis=-1)
    axis = meridian_direction(observation.pointing_dec_rad)
    power = np.empty((times.size, freqs.size, *east.shape))
    by_freq = freqs.reshape(-1, *(1,) * east.ndim)
    bases = uvw_basis(observation.ra_deg, observation.dec_deg, times, observation.site)
    for here, basis in zip(power, bases, strict=True):
        apparent = directions @ basis
        x, y = beam_offsets(apparent, observation.pointing_dec_rad)
        here[:] = np.where(apparent @ axis > 0.0, beam.power(x, y, by_freq), 0.0)
    return power


def lattice_power(
    observation: Observation, beam: BeamModel, over: Lattice, mjd: ArrayLike, freq_hz: ArrayLike
) -> NDArray[np.float64]:
    """Power of the beam on a lattice, (T, F, n, n); see `directions_power`."""
    north, east = np.meshgrid(over.m, -over.m, indexing="ij")
    return directions_power(observation, beam, east, north, mjd, freq_hz)


def average_power(
    observation: Observation, beam: BeamModel, grid: Grid, samples: Samples, weights: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Beam by which an image is attenuated: the mean over integrations and channels, with the weights of the image.

    Parameters
    ----------
    observation : Observation
        Phase centre, pointing and site.
    beam : BeamModel
        The primary beam.
    grid : Grid
        The pixels.
    samples : Samples
        For times and frequencies.
    weights : (N, C) float32
        Imaging weights of the samples.

    Returns
    -------
    (N, N) float32
        0 if nothing has a weight.
    """
    over = lattice(grid)
    seen = weigh(observation, samples, weights, _FREQUENCY_BLOCKS)
    power = lattice_power(observation, beam, over, seen.mjd, seen.freq_hz)
    total = seen.weights.sum()
    mean = np.tensordot(seen.weights, power, axes=2) / total if total > 0.0 else np.zeros(power.shape[2:])
    return np.maximum(over.pixels(mean), np.float32(0.0))


class Weighed(NamedTuple):
    """How the weight of an image is spread over time and frequency.

    Attributes
    ----------
    mjd : (T,) float64
        Middles of the integrations [MJD, UTC].
    freq_hz : (F,) float64
        Mean frequencies of blocks of channels [Hz].
    weights : (T, F) float64
        Sums of weights.
    edges : (T + 1,) int64
        The rows of integration t are edges[t] to edges[t + 1].
    """

    mjd: NDArray[np.float64]
    freq_hz: NDArray[np.float64]
    weights: NDArray[np.float64]
    edges: NDArray[np.int64]


def weigh(observation: Observation, samples: Samples, weights: NDArray[np.float32], n_blocks: int) -> Weighed:
    """Sum weights by integration and by block of channels.

    Parameters
    ----------
    observation : Observation
        Its integrations; a sample belongs to the nearest.
    samples : Samples
        N rows in the order of time, C channels.
    weights : (N, C) float32
        Of the samples.
    n_blocks : int
        The most blocks of channels.
    """
    mjd = np.asarray(observation.times_mjd, dtype=np.float64)
    between = (mjd[1:] + mjd[:-1]) / 2
    edges = np.concatenate([[0], np.searchsorted(samples.mjd, between), [samples.mjd.size]])
    n_channels = samples.freq_hz.size
    blocks = np.unique(np.linspace(0, n_channels, min(n_blocks, n_channels) + 1).astype(int))
    by_channel = np.array([weights[a:b].sum(axis=0, dtype=np.float64) for a, b in itertools.pairwise(edges)])
    by_block = np.add.reduceat(by_channel, blocks[:-1], axis=1)
    n_in_block = np.diff(blocks)
    # Where a block has no weight, the mean of its channels stands for it; nothing is made of it.
    moment = np.add.reduceat(by_channel.sum(axis=0) * samples.freq_hz, blocks[:-1])
    whole = by_block.sum(axis=0)
    plain = np.add.reduceat(samples.freq_hz, blocks[:-1]) / n_in_block
    freq_hz = np.where(whole > 0.0, moment / np.where(whole > 0.0, whole, 1.0), plain)
    return Weighed(mjd, freq_hz, by_block, edges)
