"""A first look at all data, an integration at a time: what is missing, the powers of the antennas, the band as a whole.

The band is looked at through the correlation coefficient rho = V_ij / sqrt(V_ii V_jj), which knows neither gains nor
passbands: noise gives |rho|^2 = 1 / (dnu dt) in every channel. Its mean over all baselines shows interference an
order of magnitude fainter than one baseline does (the idea of Wilensky et al. 2019, PASP 131, 114507). So that a
calibrator does not drown it, and a fault of one baseline does not enter it, each baseline counts relative to its own
median, and with no more than `CLIP`; antennas that stand out from the others in a channel do not count there.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import numba
import numpy as np

from dsa110_contimg.flagging.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Executor

    from numpy.typing import NDArray

    from dsa110_contimg.ms.columns import OpenMs

#: The most that one baseline's power counts, relative to the mean that noise has: exceeded by 0.03% of noise.
CLIP = 8.0
# The median of exponentially distributed noise, relative to its mean.
_MEDIAN_OF_NOISE = float(np.log(2.0))
# An antenna stands out if its mean power is so many times the median antenna's, and so many standard deviations above.
_STANDS_OUT, _STANDS_OUT_SIGMA = 1.5, 6.0
# So many integrations, and every so many channels, are enough for a median.
_MEDIAN_TIMES, _MEDIAN_STEP = 5, 4
# Baselines are divided into so many parts, for threads to take.
_MEDIAN_PARTS = 16

_GOOD, _ZERO, _NOT_FINITE, _BEFORE = (
    np.uint8(reason) for reason in (Reason.GOOD, Reason.ZERO, Reason.NOT_FINITE, Reason.BEFORE)
)
_NOTHING, _ONE, _CLIP, _INFINITE = (np.float32(value) for value in (0, 1, CLIP, np.inf))


class Missing(NamedTuple):
    """What an integration lacks: B baselines, P polarizations.

    Attributes
    ----------
    here : (B, P) int64
        How many samples of each baseline are zero or not finite.
    everywhere : (P,) int64
        How many channels all baselines lack.
    flagged : (B,) bool
        Baselines of which some were flagged before.
    """

    here: NDArray[np.int64]
    everywhere: NDArray[np.int64]
    flagged: NDArray[np.bool_]


class Survey(NamedTuple):
    """What the first look finds: T times, B baselines, C channels, P polarizations, A antennas with data.

    Attributes
    ----------
    antennas : (A,) int64
        Their rows of ANTENNA.
    first, second : (B,) int64
        Positions in `antennas` of ANTENNA1 and ANTENNA2.
    reasons : (T, B, C, P) uint8
        Which samples are zero, not finite or flagged already, as `Reason`.
    powers : (T, A, C, P) float32
        Autocorrelations; NaN where there is none [counts].
    band : (T, C) float64
        Mean power of the baselines relative to noise; NaN where there are no data.
    missing : (A, P) float64
        Fraction of samples that an antenna lacks and others have: in the median baseline.
    flagged : (B,) bool
        Baselines of which some were flagged before.
    """

    antennas: NDArray[np.int64]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    reasons: NDArray[np.uint8]
    powers: NDArray[np.float32]
    band: NDArray[np.float64]
    missing: NDArray[np.float64]
    flagged: NDArray[np.bool_]

    @property
    def has_powers(self) -> bool:
        """Whether there are autocorrelations."""
        return bool(np.isfinite(self.powers).any())


def survey(ms: OpenMs, workers: int = 1, progress: Callable[[], object] = lambda: None) -> Survey:
    """Look at all data of a Measurement Set once.

    Parameters
    ----------
    ms : OpenMs
        The Measurement Set.
    workers : int
        Threads.
    progress : callable
        Is called after every integration.

    Raises
    ------
    MeasurementSetError
        It cannot be read.
    """
    info = ms.info
    antennas = info.working
    first, second = (np.searchsorted(antennas, column) for column in (info.antenna1, info.antenna2))
    n_corr = len(info.correlations)
    samples = info.n_channels * n_corr
    shape = (info.n_times, info.n_baselines, info.n_channels, n_corr)
    reasons = np.zeros(shape, np.uint8)
    powers = np.full((info.n_times, antennas.size, *shape[2:]), np.nan, np.float32)
    band = np.full((info.n_times, info.n_channels), np.nan)
    lacks, nowhere = np.zeros((info.n_baselines, n_corr), np.int64), np.zeros(n_corr, np.int64)
    flagged = np.zeros(info.n_baselines, np.bool_)

    def look_at(time: int) -> Missing:
        total, count = np.zeros((2, antennas.size, samples))
        for data, start, scale in _tiles(ms, time, first, second, reasons[time], powers[time]):
            add_to_band(data, start, reasons[time].reshape(-1, samples), scale, noise, first, second, total, count)
        band[time] = of_array(*(sums.reshape(-1, info.n_channels, n_corr).sum(axis=-1) for sums in (total, count)))
        return count_missing(reasons[time])

    with ThreadPoolExecutor(workers) as pool:
        noise = noise_of_baselines(ms, first, second, pool)
        for found in pool.map(look_at, range(info.n_times)):
            lacks += found.here
            nowhere += found.everywhere
            flagged |= found.flagged
            progress()
    there = np.maximum(info.n_times * info.n_channels - nowhere, 1)
    missing = _of_antennas((lacks - nowhere) / there, first, second)
    return Survey(antennas, first, second, reasons, powers, band, missing, flagged)


def noise_of_baselines(
    ms: OpenMs, first: NDArray[np.int64], second: NDArray[np.int64], pool: Executor
) -> NDArray[np.float32]:
    """Mean power of the baselines' noise, with the sky's, shape (B, P), in units of their antennas' powers.

    From the median of some integrations: those in which an emitter is on are seldom most of them.
    """
    info = ms.info
    times = np.unique(np.linspace(0, info.n_times - 1, _MEDIAN_TIMES).astype(int))
    shape = (info.n_baselines, info.n_channels, len(info.correlations))
    n_some = len(range(0, info.n_channels, _MEDIAN_STEP))
    some = np.full((info.n_baselines, shape[2], times.size, n_some), np.nan, np.float32)
    n_antennas = int(max(first.max(), second.max())) + 1

    def sample(k: int) -> None:
        reasons = np.zeros(shape, np.uint8)
        powers = np.full((n_antennas, *shape[1:]), np.nan, np.float32)
        for data, start, scale in _tiles(ms, int(times[k]), first, second, reasons, powers):
            sample_powers(data, start // shape[2], reasons, scale, first, second, _MEDIAN_STEP, some[:, :, k])

    list(pool.map(sample, range(times.size)))
    parts = np.array_split(some.reshape(*some.shape[:2], -1), _MEDIAN_PARTS)
    return np.concatenate(list(pool.map(medians, parts))) / np.float32(_MEDIAN_OF_NOISE)


def _tiles(
    ms: OpenMs,
    time: int,
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    reasons: NDArray[np.uint8],
    powers: NDArray[np.float32],
) -> Iterator[tuple[NDArray[np.complex64], int, NDArray[np.float32]]]:
    """Read an integration, and fill in what is wrong with it and the powers of the antennas.

    Tile by tile, as it is stored: to put an integration together takes longer than to read it.

    Yields
    ------
    data : (B, S) complex64
        A tile in which the power of an antenna is known; any tile, if there is none such in the integration.
    start : int
        Where its S samples begin among the C P of a baseline.
    scale : (A, S) float32
        `unit_scales` of them.
    """
    n_baselines, n_channels, n_corr = reasons.shape
    autos = np.nonzero(first == second)[0]
    for block in range(ms.n_blocks):
        channels = ms.block_channels(block)
        start, stop = channels.start * n_corr, channels.stop * n_corr
        tile = np.ascontiguousarray(ms.read_tile("DATA", time, block))
        data = tile.reshape(n_baselines, -1)
        flags = np.ascontiguousarray(ms.read_tile("FLAG", time, block)).reshape(data.shape)
        classify(data, flags, start, reasons.reshape(n_baselines, -1))
        powers[first[autos], channels] = good_powers(tile[autos], reasons[autos, channels])
        if np.isfinite(powers[:, channels]).any():
            yield data, start, unit_scales(powers.reshape(-1, n_channels * n_corr)[:, start:stop])
    if not np.isfinite(powers).any():
        for block in range(ms.n_blocks):
            data = np.ascontiguousarray(ms.read_tile("DATA", time, block)).reshape(n_baselines, -1)
            scale = np.ones((powers.shape[0], data.shape[1]), np.float32)
            yield data, ms.block_channels(block).start * n_corr, scale


def unit_scales(powers: NDArray[np.float32]) -> NDArray[np.float32]:
    """What makes the antennas' voltages have unit power; 1 for all if no power is known."""
    return np.reciprocal(np.sqrt(powers)) if np.isfinite(powers).any() else np.ones_like(powers)


def good_powers(autos: NDArray[np.complex64], reasons: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Powers of autocorrelations, NaN where there is none: of zeros and what is not finite.

    Flags of before do not count: a power that is flagged is still the best that is known of the noise.
    """
    good = (reasons != _ZERO) & (reasons != _NOT_FINITE) & (autos.real > 0)
    return np.where(good, autos.real, np.float32(np.nan))


@numba.njit(cache=True, nogil=True)
def classify(data: NDArray[np.complex64], flags: NDArray[np.bool_], start: int, reasons: NDArray[np.uint8]) -> None:
    """Fill in which samples are zero, not finite, or flagged before.

    Parameters
    ----------
    data, flags : (B, S) complex64, bool
        A tile of visibilities, and their flags.
    start : int
        Where it begins in `reasons`.
    reasons : (B, C P) uint8
        Filled in there.
    """
    n_baselines, n_samples = data.shape
    for b in range(n_baselines):
        # A row of its own, whose index cannot be negative: the compiler makes vectors of it.
        row = reasons[b, start : start + n_samples]
        for n in range(n_samples):
            real, imag = data[b, n].real, data[b, n].imag
            reason = _BEFORE if flags[b, n] else _GOOD
            # What is not finite is not less than infinity.
            reason = reason if (abs(real) < _INFINITE) & (abs(imag) < _INFINITE) else _NOT_FINITE
            row[n] = _ZERO if (real == _NOTHING) & (imag == _NOTHING) else reason


def count_missing(reasons: NDArray[np.uint8]) -> Missing:
    """Count the samples of an integration (B, C, P) that are missing."""
    n_baselines, n_channels, n_corr = reasons.shape
    here, flagged = np.zeros((n_baselines, n_corr), np.int64), np.zeros(n_baselines, np.bool_)
    of_samples = np.zeros((n_channels, n_corr), np.int64)
    some = np.nonzero(reasons.reshape(n_baselines, -1).max(axis=1))[0]
    add_missing(reasons, some, here, of_samples, flagged)
    return Missing(here, (of_samples == n_baselines).sum(axis=0), flagged)


@numba.njit(cache=True, nogil=True)
def add_missing(
    reasons: NDArray[np.uint8],
    some: NDArray[np.int64],
    here: NDArray[np.int64],
    of_samples: NDArray[np.int64],
    flagged: NDArray[np.bool_],
) -> None:
    """Add what some baselines of (B, C, P) lack to counts (B, P) and (C, P), and tell which were flagged before."""
    n_channels, n_corr = reasons.shape[1:]
    for b in some:
        for c in range(n_channels):
            for p in range(n_corr):
                missing = reasons[b, c, p] == _ZERO or reasons[b, c, p] == _NOT_FINITE
                here[b, p] += missing
                of_samples[c, p] += missing
                flagged[b] |= reasons[b, c, p] == _BEFORE


@numba.njit(cache=True, nogil=True)
def sample_powers(
    data: NDArray[np.complex64],
    start: int,
    reasons: NDArray[np.uint8],
    scale: NDArray[np.float32],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    step: int,
    some: NDArray[np.float32],
) -> None:
    """Fill in the powers of every so many channels, (B, P, n), in units of the antennas'; NaN where they do not count.

    The tile `data` begins at the channel `start` of `reasons` (B, C, P); the others are those of `add_to_band`.
    """
    n_baselines, n_samples = data.shape
    n_corr = reasons.shape[2]
    for b in range(n_baselines):
        i, j = first[b], second[b]
        for p in range(n_corr):
            for n in range((start + step - 1) // step, (start + n_samples // n_corr + step - 1) // step):
                k = (n * step - start) * n_corr + p
                amplitude = scale[i, k] * scale[j, k]
                power = (data[b, k].real ** 2 + data[b, k].imag ** 2) * amplitude * amplitude
                some[b, p, n] = power if reasons[b, n * step, p] == 0 and np.isfinite(power) else np.nan


@numba.njit(cache=True, nogil=True)
def medians(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Median over the last axis of (B, P, n) of what is not NaN; NaN where all is."""
    found = np.full(values.shape[:2], np.nan, np.float32)
    for b in range(values.shape[0]):
        for p in range(values.shape[1]):
            good = values[b, p][~np.isnan(values[b, p])]
            if good.size > 0:
                found[b, p] = np.median(good)
    return found


@numba.njit(cache=True, nogil=True, error_model="numpy")
def add_to_band(
    data: NDArray[np.complex64],
    start: int,
    reasons: NDArray[np.uint8],
    scale: NDArray[np.float32],
    noise: NDArray[np.float32],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    total: NDArray[np.float64],
    count: NDArray[np.float64],
) -> None:
    """Add the powers of a tile's cross-correlations to those of their antennas.

    Parameters
    ----------
    data : (B, S) complex64
        Visibilities.
    start : int
        Where the tile begins among the samples of an integration.
    reasons : (B, C P) uint8
        Of an integration; 0 for those that count.
    scale : (A, S) float32
        What makes voltages of an antenna have unit power; those where it is NaN do not count.
    noise : (B, P) float32
        Mean power of a baseline's noise then; one for which it is not positive does not count.
    first, second : (B,) int64
        Positions of a baseline's antennas in `scale`.
    total, count : (A, C P) float64
        Are added to.
    """
    n_baselines, n_samples = data.shape
    n_corr = noise.shape[1]
    here = slice(start, start + n_samples)
    usual, powers = np.empty(n_samples, np.float32), np.empty(n_samples, np.float32)
    counts = np.empty(n_samples, np.float32)
    for b in range(n_baselines):
        i, j = first[b], second[b]
        if i == j:
            continue
        for p in range(n_corr):
            for n in range(p, n_samples, n_corr):
                usual[n] = noise[b, p]
        # Loops of few arrays each: the compiler makes vectors of them.
        multiply(scale[i], scale[j], powers)
        for n in range(n_samples):
            real, imag = data[b, n].real, data[b, n].imag
            powers[n] = (real * real + imag * imag) * powers[n] * powers[n] / usual[n]
        row = reasons[b, here]
        for n in range(n_samples):
            # What is not a number is not less than infinity.
            good = (row[n] == _GOOD) & (powers[n] < _INFINITE) & (usual[n] > _NOTHING)
            powers[n] = min(powers[n], _CLIP) if good else _NOTHING
            counts[n] = _ONE if good else _NOTHING
        for k in (i, j):
            add(powers, total[k, here])
            add(counts, count[k, here])


@numba.njit(cache=True, nogil=True)
def multiply(one: NDArray[np.float32], other: NDArray[np.float32], product: NDArray[np.float32]) -> None:
    """Fill in a product."""
    for n in range(product.size):
        product[n] = one[n] * other[n]


@numba.njit(cache=True, nogil=True)
def add(values: NDArray[np.float32], total: NDArray[np.float64]) -> None:
    """Add to a sum."""
    for n in range(total.size):
        total[n] += values[n]


def of_array(total: NDArray[np.float64], count: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean power of the array in each channel, from sums (A, C) over each antenna's baselines; NaN without data.

    Interference that enters at one antenna is on all of its baselines, and so on one of each other antenna's: where an
    antenna stands out, its sums are taken out of those of the others. (Baselines between two such antennas are taken
    out twice: they are few.)
    """
    mean = np.full(total.shape, np.nan)
    np.divide(total, count, out=mean, where=count > 0)
    usual = _median(mean)
    limit = np.maximum(_STANDS_OUT, 1 + _STANDS_OUT_SIGMA / np.sqrt(np.maximum(count, 1))) * usual
    sign = np.where(mean <= limit, 1, -1)
    n_left = (sign * count).sum(axis=0)
    band = usual
    np.divide((sign * total).sum(axis=0), n_left, out=band, where=n_left > 0)
    return band


def _median(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Median over the first axis of what is not NaN; NaN where all is."""
    # nanmedian warns where all is NaN, and warnings cannot be silenced in one thread alone.
    there = ~np.isnan(values).all(axis=0)
    median = np.full(values.shape[1:], np.nan)
    median[there] = np.nanmedian(values[:, there], axis=0)
    return median


def _of_antennas(
    baselines: NDArray[np.float64], first: NDArray[np.int64], second: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Median over the baselines (B, P) of each antenna (A, P), autocorrelations left out where there are others."""
    n_antennas = int(max(first.max(), second.max())) + 1
    cross = first != second
    medians = np.zeros((n_antennas, baselines.shape[1]))
    for antenna in range(n_antennas):
        its = (first == antenna) | (second == antenna)
        its = its & cross if (its & cross).any() else its
        medians[antenna] = np.median(baselines[its], axis=0)
    return medians
