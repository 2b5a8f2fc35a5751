"""From calibrated integrations to the samples that are imaged: Stokes I, averaged as far as smearing allows."""

from __future__ import annotations

import itertools
import logging
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dsa110_contimg.errors import MeasurementSetError
from dsa110_contimg.imaging.averaging_kernels import add_integration, divide
from dsa110_contimg.imaging.averaging_plan import AveragingPlan, bin_lengths, plan_averaging
from dsa110_contimg.imaging.samples import Extent, Samples
from dsa110_contimg.imaging.weighting import in_range
from dsa110_contimg.ms.reading import SAME_TIME_S
from dsa110_contimg.telescope.geometry import SIDEREAL_RAD_S

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from dsa110_contimg.config.settings import ImageSettings
    from dsa110_contimg.imaging.observation import Observation
    from dsa110_contimg.ms.blocks import VisibilityBlock

__all__ = ["AveragingPlan", "Collected", "collect", "noise_scale"]

log = logging.getLogger(__name__)

_DAYS = 86400.0
# Rows that are moved at once when those without weight are taken out.
_MOVED_ROWS = 4096
# XX and YY are the same if their difference has less than this of the power of their mean: digits, not noise.
_SAME = 1e-10
# Samples of a baseline that tell its noise well enough for the middle of all baselines to be without bias.
_ENOUGH = 100


class Collected(NamedTuple):
    """What `collect` makes.

    Attributes
    ----------
    samples : Samples
        Stokes I, (XX + YY) / 2; of samples where only one of them is good and that may do, that one.
    difference : Samples or None
        (XX - YY) / 2 where both are good, if it was asked for.
    plan : AveragingPlan
        How it was averaged.
    noise_scale : float or None
        How much larger the noise of the data is than their own weights say; the weights of the samples are divided by
        its square. None, and nothing done, if XX and YY are the same: there is no noise then.
    """

    samples: Samples
    difference: Samples | None
    plan: AveragingPlan
    noise_scale: float | None


def collect(
    blocks: Iterable[VisibilityBlock], observation: Observation, settings: ImageSettings, radius_rad: float
) -> Collected:
    """Average integrations to what is imaged, one after the other; no second copy of the data is held.

    A sample is the mean of what is averaged, weighted by inverse variances, and has the mean UVW, so weighted too. A
    channel is where the weights of all baselines have their mean frequency. Rows without any weight are left out.
    Weights are put on the scale of the noise that the data have: their own come from the radiometer equation without
    the system's temperature, so that only their ratios are right.

    Parameters
    ----------
    blocks : iterable of VisibilityBlock
        The integrations of the observation, as `calibrated_blocks` or `read_blocks` yields them.
    observation : Observation
        Of the same Measurement Set.
    settings : ImageSettings
        ``smearing``, ``stokes``, ``difference``, ``min_uv_m``, ``max_uv_m`` and ``threads`` count here, and what
        `plan_averaging` heeds.
    radius_rad : float
        Distance from the phase centre for which ``smearing`` holds: the image's edge [rad].

    Raises
    ------
    MeasurementSetError
        There is no good cross-correlation in it, or a block is of another observation.
    """
    plan = plan_averaging(observation, settings, radius_rad)
    sums = _Sums(observation, plan, settings)
    with ThreadPoolExecutor(settings.n_threads, thread_name_prefix="average") as pool:
        pending: list[Future[_Part]] = []
        for block in blocks:
            # One block is averaged while the next is read.
            sums.finish(pending)
            pending = sums.add(block, pool, settings.n_threads)
        sums.finish(pending)
    return sums.collected(plan)


class _Part(NamedTuple):
    """Of some baselines of an integration: their numbers in the plan, and see `add_integration`."""

    pair: NDArray[np.int64]
    channel_weights: NDArray[np.float64]
    powers: NDArray[np.float64]


class _Sums:
    """What is added up: N rows of D averaged channels, in the order of time."""

    def __init__(self, observation: Observation, plan: AveragingPlan, settings: ImageSettings) -> None:
        self._observation = observation
        self._settings = settings
        self._width = plan.channels
        self._pair_of, self._row_of, self._mjd, pairs, self._times = _number_rows(observation, plan)
        self._antenna1 = plan.antenna1[pairs].astype(np.int32)
        self._antenna2 = plan.antenna2[pairs].astype(np.int32)
        shape = (self._mjd.size, -(-observation.freq_hz.size // plan.channels))
        # Pages of zeros take no memory until something is added to them.
        self._visibilities, self._weights = np.zeros(shape, np.complex64), np.zeros(shape, np.float32)
        shape = shape if settings.difference else (0, shape[1])
        self._differences, self._difference_weights = np.zeros(shape, np.complex64), np.zeros(shape, np.float32)
        self._uvw_m, self._row_weights = np.zeros((self._mjd.size, 3)), np.zeros(self._mjd.size)
        self._channel_weights = np.zeros(observation.freq_hz.size)
        self._powers = np.zeros((plan.antenna1.size, 3))

    def add(self, block: VisibilityBlock, pool: ThreadPoolExecutor, threads: int) -> list[Future[_Part]]:
        """Begin to add an integration."""
        observation = self._observation
        time = int(np.argmin(np.abs(observation.times_mjd - block.mjd)))
        if abs(observation.times_mjd[time] - block.mjd) * _DAYS > 2 * SAME_TIME_S:
            raise MeasurementSetError(f"the integration at MJD {block.mjd:.8f} is not of this observation")
        if block.freq_hz.size != observation.freq_hz.size or block.visibilities.shape[2] != 2:
            raise MeasurementSetError(
                f"an integration has {block.visibilities.shape[1:]} channels and correlations, where the observation"
                f" has {observation.freq_hz.size} channels, of XX and YY"
            )
        pair = self._pair_of[block.antenna1, block.antenna2]
        used = (pair >= 0) & in_range(block.uvw_m, self._settings)
        rows = np.where(used, self._row_of[time][pair], -1)
        if np.unique(rows[used]).size < np.count_nonzero(used):
            threads = 1  # baselines that are there twice must not be added at once
        mirrored = block.antenna1 > block.antenna2
        # Weights that are the same for all channels are not made more.
        weights = block.weights if block.weights.strides[1] else block.weights[:, :1].copy()
        arrays = [np.ascontiguousarray(a) for a in (block.visibilities, block.flags, weights, block.uvw_m)]
        cuts = np.linspace(0, rows.size, threads + 1).astype(np.int64)
        return [
            pool.submit(self._add_part, arrays, pair, rows, mirrored, slice(first, last))
            for first, last in itertools.pairwise(cuts)
        ]

    def _add_part(
        self,
        arrays: list[NDArray[Any]],
        pair: NDArray[np.int64],
        rows: NDArray[np.int64],
        mirrored: NDArray[np.bool_],
        part: slice,
    ) -> _Part:
        found = _Part(pair[part], np.zeros_like(self._channel_weights), np.zeros((rows[part].size, 3)))
        add_integration(
            *(array[part] for array in arrays),
            rows[part],
            mirrored[part],
            self._width,
            self._settings.stokes == "either",
            self._visibilities,
            self._weights,
            self._differences,
            self._difference_weights,
            self._uvw_m,
            self._row_weights,
            found.channel_weights,
            found.powers,
        )
        return found

    def finish(self, pending: list[Future[_Part]]) -> None:
        """Wait until an integration is added."""
        for task in pending:
            part = task.result()
            self._channel_weights += part.channel_weights
            cross = part.pair >= 0
            np.add.at(self._powers, part.pair[cross], part.powers[cross])

    def collected(self, plan: AveragingPlan) -> Collected:
        """Divide by the sums of the weights."""
        good = self._row_weights > 0
        if not good.any():
            raise MeasurementSetError(
                "there is no good visibility of two different antennas",
                remedy="look at its flags, at the calibration, and at the range of baselines that is imaged",
            )
        divide(self._visibilities, self._weights)
        divide(self._differences, self._difference_weights)
        self._uvw_m[good] /= self._row_weights[good, None]
        scale = noise_scale(self._powers)
        if scale is not None:
            self._weights /= np.float32(scale**2)
            self._difference_weights /= np.float32(scale**2)
        extent = self._extent(good)
        samples = Samples(
            uvw_m=_taken_out(self._uvw_m, good),
            freq_hz=self._freq_hz(),
            channel_width_hz=self._observation.channel_width_hz * self._width,
            visibilities=_taken_out(self._visibilities, good),
            weights=_taken_out(self._weights, good),
            mjd=self._mjd[good],
            antenna1=self._antenna1[good],
            antenna2=self._antenna2[good],
            extent=extent,
        )
        log.info(
            "%d rows of %d channels are imaged: %.1f million visibilities with a weight; noise is %s of their weights'",
            *samples.weights.shape,
            np.count_nonzero(samples.weights) / 1e6,
            "none" if scale is None else f"{scale:.4g}",
        )
        if not self._settings.difference:
            return Collected(samples, None, plan, scale)
        difference = samples._replace(
            visibilities=_taken_out(self._differences, good), weights=_taken_out(self._difference_weights, good)
        )
        return Collected(samples, difference, plan, scale)

    def _extent(self, good: NDArray[np.bool_]) -> Extent:
        """Say what was averaged; call it when the UVWs are means, and not yet moved."""
        u, v, w = self._uvw_m[good].T
        dec, times = np.radians(self._observation.dec_deg), self._times[good]
        # As the hour angle grows (Thompson, Moran & Swenson 2017, equation 4.1).
        turned_rad = SIDEREAL_RAD_S * self._observation.interval_s * (times - 1)
        span_m = np.column_stack([w * np.cos(dec) - v * np.sin(dec), u * np.sin(dec)]) * turned_rad[:, None]
        return Extent(self._width, times, span_m)

    def _freq_hz(self) -> NDArray[np.float64]:
        """Weighted mean frequency of what is averaged to a channel; the mean where there is no weight."""
        starts = np.arange(0, self._channel_weights.size, self._width)
        freq_hz = self._observation.freq_hz
        lowest_hz = freq_hz[0]
        total = np.add.reduceat(self._channel_weights, starts)
        weighted = np.add.reduceat(self._channel_weights * (freq_hz - lowest_hz), starts)
        counts = np.diff(np.append(starts, freq_hz.size))
        plain = np.add.reduceat(freq_hz - lowest_hz, starts) / counts
        return np.asarray(lowest_hz + np.where(total > 0, weighted / np.where(total > 0, total, 1), plain))


def noise_scale(powers: NDArray[np.float64]) -> float | None:
    """Tell how much larger the noise of (XX - YY) / 2 is than weights say.

    A sky without polarization leaves nothing else in it. Of the baselines the middle one counts, as some may have
    interference or be wrongly calibrated.

    Parameters
    ----------
    powers : (P, 3) ndarray
        Of each baseline: sums of w |XX - YY|^2 / 4 and of w |I|^2, and the number of samples.

    Returns
    -------
    float or None
        The factor; None if XX and YY are the same.
    """
    difference, power, count = powers.T
    if not count.any() or difference.sum() <= _SAME * power.sum():
        return None
    some = count >= _ENOUGH
    if some.any():
        return float(np.sqrt(np.median(difference[some] / (2 * count[some]))))
    return float(np.sqrt(difference.sum() / (2 * count.sum())))


def _number_rows(
    observation: Observation, plan: AveragingPlan
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Number the rows of the samples in the order of their time.

    Returns
    -------
    pair_of : (A, A) int64
        Which baseline of the plan two antennas are, either way round; -1: none, or one antenna.
    row_of : (T, P) int64
        Row to which an integration of a baseline is added.
    mjd : (N,) float64
        Middles of the rows.
    pairs, times : (N,) int64
        Baselines of the rows, and how many integrations are added to each.
    """
    n_antennas, n_pairs = len(observation.antenna_itrf_m), plan.antenna1.size
    pair_of = np.full((n_antennas, n_antennas), -1, np.int64)
    pair_of[plan.antenna1, plan.antenna2] = pair_of[plan.antenna2, plan.antenna1] = np.arange(n_pairs)
    row_of = np.empty((observation.times_mjd.size, n_pairs), np.int64)
    mjd: list[NDArray[np.float64]] = []
    pairs: list[NDArray[np.int64]] = []
    times: list[NDArray[np.int64]] = []
    n_rows = 0
    for piece in plan.pieces:
        for size in np.unique(plan.times):
            those = np.flatnonzero(plan.times == size)
            ends = np.cumsum(bin_lengths(piece.stop - piece.start, int(size)))
            for bin_ in np.split(np.arange(piece.start, piece.stop), ends[:-1]):
                row_of[bin_[:, None], those] = n_rows + np.arange(those.size)
                n_rows += those.size
                mjd.append(np.full(those.size, observation.times_mjd[bin_].mean()))
                pairs.append(those)
                times.append(np.full(those.size, bin_.size))
    if not mjd:
        return pair_of, row_of, np.empty(0), *(np.empty(0, np.int64),) * 2
    all_mjd = np.concatenate(mjd)
    order = np.argsort(all_mjd, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(order.size)
    return pair_of, place[row_of], all_mjd[order], np.concatenate(pairs)[order], np.concatenate(times)[order]


def _taken_out(rows: NDArray[Any], good: NDArray[np.bool_]) -> NDArray[Any]:
    """Move the good rows to the front, in place, and return them: a copy would be a second set of visibilities."""
    if good.all():
        return rows
    end = 0
    for first in range(0, good.size, _MOVED_ROWS):
        some = rows[first : first + _MOVED_ROWS][good[first : first + _MOVED_ROWS]]
        rows[end : end + len(some)] = some
        end += len(some)
    return rows[:end]
