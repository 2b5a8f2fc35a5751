"""How far channels and times may be averaged before a source at the image's edge loses too much.

Channels are averaged alike on all baselines, times on each baseline as far as its fringes allow. Of all ways that
keep the limit, the one that leaves the fewest samples is taken.
"""

from __future__ import annotations

import itertools
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dsa110_contimg.imaging.smearing import kept, kept_by_samples, turns
from dsa110_contimg.imaging.weighting import expected_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dsa110_contimg.config.settings import ImageSettings
    from dsa110_contimg.imaging.observation import Observation

log = logging.getLogger(__name__)

_DAYS = 86400.0
# Integrations that are farther apart than so many of their lengths have a gap between them.
_GAP = 1.5
# Of the search for the loss that a single baseline may have by averaging in time.
_SEARCH_STEPS = 24


@dataclass(frozen=True, eq=False)
class AveragingPlan:
    """How far the channels and, on each of P baselines, the times are averaged.

    Losses are those of a source at `radius_rad`, of 1, in the mean over the baselines with the weights that they
    are going to have in the image, by averaging alone.

    Attributes
    ----------
    limit, radius_rad : float
        Loss that is allowed, and where [rad].
    channels : int
        Channels that are averaged to one; the last may have fewer.
    times : (P,) int64
        Integrations that are averaged to one on each baseline, if they lie in one piece.
    antenna1, antenna2 : (P,) int64
        Rows of ANTENNA, antenna1 < antenna2.
    pieces : tuple of slice
        Integrations without a gap, in one chunk of the drifting beam: averaging does not leave them.
    loss, mean_loss : float
        In the worst direction, and in the mean over all directions.
    longest_loss : float
        Mean over directions on the baseline that loses most, of those that are imaged.
    own_loss : float
        Mean loss by the widths of the channels and integrations of the data themselves.
    n_samples_in, n_samples_out : int
        Stokes I samples before and after.
    """

    limit: float
    radius_rad: float
    channels: int
    times: NDArray[np.int64]
    antenna1: NDArray[np.int64]
    antenna2: NDArray[np.int64]
    pieces: tuple[slice, ...]
    loss: float
    mean_loss: float
    longest_loss: float
    own_loss: float
    n_samples_in: int
    n_samples_out: int

    def as_json(self) -> dict[str, Any]:
        """Figures for records."""
        sizes, counts = np.unique(self.times, return_counts=True)
        return {
            "radius_deg": round(float(np.degrees(self.radius_rad)), 4),
            "limit": self.limit,
            "loss": round(self.loss, 6),
            "mean_loss": round(self.mean_loss, 6),
            "longest_baseline_loss": round(self.longest_loss, 6),
            "loss_before_averaging": round(self.own_loss, 6),
            "channels_averaged": self.channels,
            "baselines_by_times_averaged": {str(size): int(n) for size, n in zip(sizes, counts, strict=True)},
            "samples_before": self.n_samples_in,
            "samples_after": self.n_samples_out,
        }


class _Choice(NamedTuple):
    """One way of averaging: channels to one, times to one on each baseline, what it keeps (M, P, K), what it leaves."""

    channels: int
    times: NDArray[np.int64]
    kept: NDArray[np.float64]
    n_samples: int


def plan_averaging(observation: Observation, settings: ImageSettings, radius_rad: float) -> AveragingPlan:
    """Find how to average, so that a source at `radius_rad` loses no more than ``settings.smearing`` anywhere.

    Parameters
    ----------
    observation : Observation
        Antennas, channels and times.
    settings : ImageSettings
        ``smearing``; the weighting and the range of baselines, since long ones lose most; ``drift`` and ``chunks``,
        since a sample must belong to one chunk of the beam; ``channels_out``, since each sub-band needs a channel.
    radius_rad : float
        Distance of the source from the phase centre [rad].
    """
    found = turns(observation, radius_rad)
    weights = expected_weights(observation, radius_rad, settings)
    used = weights > 0
    chunks = settings.chunks if settings.drift else 1
    pieces = _pieces(observation, chunks)
    longest_piece = max(piece.stop - piece.start for piece in pieces)
    sizes = sorted({-(-longest_piece // n) for n in range(1, longest_piece + 1)})
    lengths = [np.concatenate([bin_lengths(piece.stop - piece.start, size) for piece in pieces]) for size in sizes]
    in_time = np.stack([_kept_by_bins(found.by_time, each) for each in lengths])
    counts = np.array([each.size for each in lengths])

    choices = []
    most = max(1, observation.freq_hz.size // settings.channels_out)
    for channels in _divisors(observation.freq_hz.size, most):
        in_band = kept(found.by_channel, channels)
        n_channels = -(-observation.freq_hz.size // channels)
        if channels > 1 and _worst(in_band, weights) > settings.smearing:
            break
        level = _levels(in_band, in_time, weights, settings.smearing)
        kept_now = in_band * _taken(in_time, level)
        choices.append(_Choice(channels, np.array(sizes)[level], kept_now, n_channels * int(counts[level[used]].sum())))
    best = min(choices, key=lambda choice: choice.n_samples)
    antenna1, antenna2 = observation.pairs
    plan = AveragingPlan(
        limit=settings.smearing,
        radius_rad=radius_rad,
        channels=best.channels,
        times=best.times,
        antenna1=antenna1,
        antenna2=antenna2,
        pieces=pieces,
        loss=_worst(best.kept, weights),
        mean_loss=_mean(best.kept, weights),
        longest_loss=float(1 - best.kept[:, used].mean(axis=(0, 2)).min(initial=1.0)),
        own_loss=_mean(kept_by_samples(found.by_channel) * kept_by_samples(found.by_time), weights),
        n_samples_in=antenna1.size * observation.times_mjd.size * observation.freq_hz.size,
        n_samples_out=best.n_samples,
    )
    log.info(
        "averaging %d channels and up to %d integrations: a source %.2f deg off loses %.2f%% (limit %.2f%%), %.2f%% on"
        " the longest baseline; %.1f of %.1f million samples are left",
        plan.channels,
        plan.times.max(initial=1),
        np.degrees(radius_rad),
        100 * plan.loss,
        100 * plan.limit,
        100 * plan.longest_loss,
        plan.n_samples_out / 1e6,
        plan.n_samples_in / 1e6,
    )
    return plan


def bin_lengths(n_times: int, size: int) -> NDArray[np.int64]:
    """Cut a piece of `n_times` integrations into the fewest bins of `size` or less, as equal as they can be."""
    n_bins = -(-n_times // size)
    lengths = np.full(n_bins, n_times // n_bins, np.int64)
    lengths[: n_times % n_bins] += 1
    return lengths


def _kept_by_bins(by_time: NDArray[np.float64], lengths: NDArray[np.int64]) -> NDArray[np.float64]:
    """Amplitude, of 1, that is kept in the mean over the integrations of bins of these lengths."""
    each, counts = np.unique(lengths, return_counts=True)
    parts = (n * length * kept(by_time, int(length)) for length, n in zip(each, counts, strict=True))
    return np.asarray(sum(parts) / lengths.sum())


def _pieces(observation: Observation, chunks: int) -> tuple[slice, ...]:
    """Cut the integrations where there is a gap between them or a chunk of the drifting beam ends."""
    times_mjd = observation.times_mjd
    gaps = np.flatnonzero(np.diff(times_mjd) * _DAYS > _GAP * observation.interval_s) + 1
    edges = np.searchsorted(times_mjd, observation.chunk_edges_mjd(chunks)[1:-1])
    cuts = [0, *np.union1d(gaps, edges).tolist(), times_mjd.size]
    return tuple(slice(first, last) for first, last in itertools.pairwise(cuts) if last > first)


def _divisors(n_channels: int, most: int) -> list[int]:
    """Counts of channels to average, ascending; those that do not divide all, where nothing does."""
    divisors = [k for k in range(1, most + 1) if n_channels % k == 0]
    return divisors if len(divisors) > 1 or most == 1 else list(range(1, most + 1))


def _levels(
    in_band: NDArray[np.float64], in_time: NDArray[np.float64], weights: NDArray[np.float64], limit: float
) -> NDArray[np.int64]:
    """Choose the averaging in time of each baseline, as an index of `in_time` (S, M, P, K).

    All baselines may lose the same by it, as much as keeps the limit; without any, the limit may be exceeded.
    """
    lost = 1 - in_time.mean(axis=(1, 3))
    low, high = 0.0, 1.0
    level = np.zeros(lost.shape[1], np.int64)
    for _ in range(_SEARCH_STEPS):
        each = (low + high) / 2
        # Fringes that have turned several times keep a little again: beyond the first that is too much, none counts.
        trial = np.cumprod(lost <= each, axis=0).sum(axis=0) - 1
        trial = np.maximum(trial, 0)
        if _worst(in_band * _taken(in_time, trial), weights) <= limit:
            low, level = each, trial
        else:
            high = each
    return level


def _taken(in_time: NDArray[np.float64], level: NDArray[np.int64]) -> NDArray[np.float64]:
    """Pick for each baseline its level: (M, P, K)."""
    return np.ascontiguousarray(in_time[level, :, np.arange(level.size)].transpose(1, 0, 2))


def _worst(kept_part: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Loss in the direction where it is largest; weights (P,) with sum 1."""
    return float(1 - (weights @ kept_part.mean(axis=0)).min())


def _mean(kept_part: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    return float(1 - (weights @ kept_part.mean(axis=0)).mean())
