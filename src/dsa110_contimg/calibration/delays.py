"""Delays of the antennas, from the fringes of all baselines.

The spectrum N_pq(nu) of a baseline turns with the difference of its antennas' delays: its Fourier transform has a peak
there, with a signal-to-noise ratio of its own (Thompson, Moran & Swenson, 3rd ed., section 9.3). The strongest fringes
that join all antennas (a maximum spanning tree) carry delay and phase from the reference to each; a solution in a few
blocks of channels with all baselines then refines them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import fft
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree

from dsa110_contimg.calibration.stefcal import Stefcal, stefcal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dsa110_contimg.calibration.sums import Baselines, Sums

#: A fringe of this signal-to-noise ratio is found by chance once in 10^9 trials.
LEAST_FRINGE_SNR = 7.0
#: Blocks of channels in which the delays are refined.
N_BLOCKS = 16
# The transform is twice as long as the band, its peak is then interpolated.
_PADDING = 2
_BASELINES_AT_ONCE = 512


class Fringes(NamedTuple):
    """The fringe of each of N baselines in P polarizations.

    Attributes
    ----------
    delay_s : (N, P) float64
        tau_p - tau_q [s].
    phase_rad : (N, P) float64
        Phase in the middle of the band [rad].
    snr : (N, P) float64
        Amplitude of the peak over the rms of a component of the noise; 0 without data.
    """

    delay_s: NDArray[np.float64]
    phase_rad: NDArray[np.float64]
    snr: NDArray[np.float64]


class Delays(NamedTuple):
    """Delays of A antennas in P polarizations.

    Attributes
    ----------
    delay_s : (A, P) float64
        Relative to the reference antenna [s]; 0 where none was found.
    error_s : (A, P) float64
        One sigma [s]; infinite where none was found.
    snr : (A, P) float64
        Of the fringe that it was found in, and once refined of the gain over all channels; 0 where none was found.
    coarse : Stefcal or None
        Gains in blocks of channels, delays taken out; None before they are refined.
    """

    delay_s: NDArray[np.float64]
    error_s: NDArray[np.float64]
    snr: NDArray[np.float64]
    coarse: Stefcal | None = None

    def phasors(self, freq_hz: NDArray[np.float64]) -> NDArray[np.complex128]:
        """exp(2 pi i tau (nu - nu_0)) with nu_0 the middle of the band, (A, C, P)."""
        turns = self.delay_s[:, None, :] * (freq_hz - freq_hz.mean())[:, None]
        return np.asarray(np.exp(2j * np.pi * turns))


def find_fringes(sums: Sums, freq_hz: NDArray[np.float64]) -> Fringes:
    """Find the fringe of each baseline.

    Parameters
    ----------
    sums : Sums
        (N, C, P).
    freq_hz : (C,) float64
        Channels, evenly spaced [Hz].
    """
    n_baselines, n_channels, n_pol = sums.cross.shape
    length = fft.next_fast_len(_PADDING * n_channels)
    # Without a step there is no delay to find: all are 0.
    step_hz = (freq_hz[-1] - freq_hz[0]) / (n_channels - 1) if n_channels > 1 else np.inf
    delay_s, phase_rad, snr = np.zeros((3, n_baselines, n_pol))
    for first in range(0, n_baselines, _BASELINES_AT_ONCE):
        here = slice(first, first + _BASELINES_AT_ONCE)
        spectrum = fft.fft(sums.cross[here], n=length, axis=1)
        size = np.abs(spectrum)
        peak = size.argmax(axis=1)
        left, top, right = (
            np.take_along_axis(size, (peak[:, None] + step) % length, axis=1)[:, 0] for step in (-1, 0, 1)
        )
        # The apex of the parabola through three points.
        bend = left - 2.0 * top + right
        shift = np.divide(0.5 * (left - right), bend, out=np.zeros_like(top), where=bend < 0.0)
        turns = (peak + shift) / length
        turns -= np.rint(turns)
        delay_s[here] = turns / step_hz
        ramp = np.exp(-2j * np.pi * turns[:, None] * (np.arange(n_channels) - (n_channels - 1) / 2)[:, None])
        phase_rad[here] = np.angle(np.einsum("bcp,bcp->bp", sums.cross[here], ramp))
        noise = np.median(size, axis=1) / np.sqrt(2.0 * np.log(2.0))
        np.divide(top, noise, out=snr[here], where=noise > 0.0)
    return Fringes(delay_s, phase_rad, snr)


def fringe_strength(fringes: Fringes, baselines: Baselines) -> NDArray[np.float64]:
    """Median signal-to-noise ratio of the fringes of each antenna, (A, P); 0 if it has none above the least."""
    n_antennas, n_pol = baselines.antennas.size, fringes.snr.shape[1]
    strength = np.zeros((n_antennas, n_pol))
    for antenna in range(n_antennas):
        mine = fringes.snr[(baselines.first == antenna) | (baselines.second == antenna)]
        for pol in range(n_pol):
            known = mine[:, pol][mine[:, pol] > 0.0]
            if known.size and known.max() >= LEAST_FRINGE_SNR:
                strength[antenna, pol] = np.median(known)
    return strength


def delays_along_tree(fringes: Fringes, baselines: Baselines, reference: int) -> tuple[Delays, NDArray[np.float64]]:
    """Carry delays and phases from the reference antenna along the strongest fringes.

    Returns
    -------
    Delays, (A, P) float64
        Delays, and phases in the middle of the band [rad].
    """
    n_antennas, n_pol = baselines.antennas.size, fringes.snr.shape[1]
    delay_s, snr, phase_rad = np.zeros((3, n_antennas, n_pol))
    for pol in range(n_pol):
        good = np.flatnonzero(fringes.snr[:, pol] >= LEAST_FRINGE_SNR)
        p, q = baselines.first[good], baselines.second[good]
        cost = coo_array((1.0 / fringes.snr[good, pol], (p, q)), shape=(n_antennas, n_antennas)).tocsr()
        tree = minimum_spanning_tree(cost)
        order, before = breadth_first_order(tree, reference, directed=False)
        of_pair = {(int(a), int(b)): k for a, b, k in zip(p, q, good, strict=True)}
        snr[reference, pol] = fringes.snr[good, pol].max(initial=0.0)
        for antenna in order[1:].tolist():
            known = int(before[antenna])
            forward = (antenna, known) in of_pair
            k = of_pair[antenna, known] if forward else of_pair[known, antenna]
            sign = 1.0 if forward else -1.0
            delay_s[antenna, pol] = delay_s[known, pol] + sign * fringes.delay_s[k, pol]
            phase_rad[antenna, pol] = phase_rad[known, pol] + sign * fringes.phase_rad[k, pol]
            snr[antenna, pol] = fringes.snr[k, pol]
    return Delays(delay_s, np.where(snr > 0.0, 0.0, np.inf), snr), phase_rad


def refine_delays(
    found: Delays,
    phase_rad: NDArray[np.float64],
    sums: Sums,
    baselines: Baselines,
    freq_hz: NDArray[np.float64],
    reference: int,
    *,
    robust_rounds: int,
) -> Delays:
    """Solve in blocks of channels with all baselines, and fit the slope of the phases that are left.

    Parameters
    ----------
    found, phase_rad
        From `delays_along_tree`.
    sums : Sums
        (N, C, P).
    baselines : Baselines
    freq_hz : (C,) float64
        Channels [Hz].
    reference : int
        Index of the reference antenna.
    robust_rounds : int
        See `stefcal`.
    """
    edges = block_edges(freq_hz.size)
    middles_hz = block_middles(freq_hz, edges)
    blocks = sums.turned(found.phasors(freq_hz), baselines.pairs).blocks(edges)
    start = (found.snr > 0.0) * np.exp(1j * phase_rad) * _typical_gain(blocks)
    start = np.repeat(start[:, None, :], edges.size, axis=1)
    coarse = stefcal(blocks.cross, blocks.power, baselines.pairs, start, robust_rounds=robust_rounds)
    slope_s, slope_error_s = phase_slopes(coarse, middles_hz, reference)
    seen = found.snr > 0.0
    snr = np.where(seen, np.linalg.norm(coarse.snr.astype(np.float64), axis=1), 0.0)
    return Delays(found.delay_s + np.where(seen, slope_s, 0.0), np.where(seen, slope_error_s, np.inf), snr, coarse)


def phase_slopes(
    blocks: Stefcal, middles_hz: NDArray[np.float64], reference: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fit a slope to the phases of gains over blocks of channels.

    Parameters
    ----------
    blocks : Stefcal
        Gains (A, K, P), whose phases relative to the reference turn by less than half a turn from block to block.
    middles_hz : (K,) float64
        Middle of each block [Hz].
    reference : int
        Index of the reference antenna.

    Returns
    -------
    (A, P) float64, (A, P) float64
        Delays and their errors [s]; 0 and infinite with fewer than three blocks, 0 and 0 of the reference.
    """
    relative = blocks.gains * blocks.gains[reference].conj()
    weight = np.where(np.abs(relative) > 0.0, blocks.snr.astype(np.float64) ** 2, 0.0)
    slope_s, error_s = np.zeros(weight[:, 0].shape), np.full(weight[:, 0].shape, np.inf)
    for antenna, pol in np.ndindex(*slope_s.shape):
        some = weight[antenna, :, pol] > 0.0
        if np.count_nonzero(some) < 3:
            continue
        phase, w = np.unwrap(np.angle(relative[antenna, some, pol])), weight[antenna, some, pol]
        x = middles_hz[some] - np.average(middles_hz[some], weights=w)
        spread = np.sum(w * x * x)
        slope_s[antenna, pol] = np.sum(w * x * phase) / spread / (2 * np.pi)
        error_s[antenna, pol] = 1.0 / (2 * np.pi * np.sqrt(spread))
    slope_s[reference] = 0.0
    error_s[reference] = np.where(np.isfinite(error_s[reference]), 0.0, np.inf)
    return slope_s, error_s


def block_edges(n_channels: int) -> NDArray[np.int64]:
    """First channels of the blocks in which delays are refined, (K,)."""
    return np.unique(np.linspace(0, n_channels, min(N_BLOCKS, n_channels) + 1).astype(np.int64)[:-1])


def block_middles(freq_hz: NDArray[np.float64], edges: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean frequency of each block, (K,) [Hz]."""
    return np.asarray(np.add.reduceat(freq_hz, edges) / np.diff([*edges, freq_hz.size]))


def _typical_gain(sums: Sums) -> float:
    """Square root of the median of |N| / D."""
    some = sums.power > 0.0
    return float(np.sqrt(np.median(np.abs(sums.cross[some]) / sums.power[some]))) if some.any() else 1.0
