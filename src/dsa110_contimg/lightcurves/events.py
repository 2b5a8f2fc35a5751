"""Candidates for extreme scattering events: a matched search of light curves, and what speaks for each.

Templates (`lightcurves.shapes`) are fitted together with the flux beside them, day after day. A ratio of signal to
noise is compared first with those of the same template along the same source, so that one that flickers all the time is
no event; then the best of each source with the best of all sources, most of which have none: it is distributed as the
largest of some number of normal values, which a search of noise says, of some spread, which the sources say. What is
left has to be seen in both halves of the band, not by the neighbours, and on more than one day.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import log_ndtr, ndtri_exp

from dsa110_contimg.catalogue.matching import unit_vectors
from dsa110_contimg.lightcurves.events_kernels import own_spread, slide
from dsa110_contimg.lightcurves.shapes import LEAST_DAYS, LENSES, Shape, Template, templates
from dsa110_contimg.photometry.measurements import position_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from dsa110_contimg.lightcurves.days import Days

    Halves = Callable[[NDArray[np.int64]], tuple[Days, Days]]

# Searches of white noise that say how large its extreme values are.
_DRAWN = 1000
_SEED = 110
# Logarithms of the fewest and the most independent trials that a search can be.
_TRIALS = (np.log(3.0), np.log(1e6))
# Fewer sources than this are no ensemble.
_ENSEMBLE = 20
# Quantiles of the sources that are taken for steady.
_OF_SOURCES = np.array([0.5, 0.75])
# A source whose mean is not so many times its error has no light curve to speak of.
_LEAST_MEAN = 5.0
# Neighbours: so many, no nearer (they may be blends) and no farther than this.
_NEIGHBOURS, _NEAREST_DEG, _FARTHEST_DEG = 12, 0.05, 1.5
# Seen in a half band: so many times the error; and such a part of what the other half has, unless the difference is
# less than so many times its error (a lens acts as 1 / frequency^2, which is 0.87 for the halves).
_HALF_SIGMA, _HALF_LEAST, _HALVES_SIGMA = 2.0, 1.0 / 3.0, 3.0
# Shared with the neighbours: so much of the size, and so many times the error.
_SHARED, _SHARED_SIGMA = 0.35, 3.0
# What is left of the ratio of signal to noise without the day that says most.
_WITHOUT_ONE = 0.4


class Verdict(StrEnum):
    """What became of something that stands out."""

    CANDIDATE = "candidate"
    UNCONFIRMED = "unconfirmed"  # nothing speaks against it, but not everything could be asked
    ONE_HALF = "one-half-band"
    SHARED = "shared"
    ONE_DAY = "one-day"


class Search(NamedTuple):
    """The best that was found of every source, (S,) each; the shape is an index into `made`, -1 for none.

    Attributes
    ----------
    made : list of Template
        What was searched for.
    template, centre : (S,) int64
        Which one, and on which day its middle is.
    size, e_size : (S,) float64
        Its factor, as a part of the source's mean flux, and the error, scatter of the source included.
    snr : (S,) float64
        Ratio of signal to noise, against the source's own scatter; 0 where nothing could be searched.
    """

    made: list[Template]
    template: NDArray[np.int64]
    centre: NDArray[np.int64]
    size: NDArray[np.float64]
    e_size: NDArray[np.float64]
    snr: NDArray[np.float64]


class Extremes(NamedTuple):
    """How the best ratios of sources without events are distributed: as the largest of normal values.

    Attributes
    ----------
    trials : float
        Of so many independent ones.
    spread : float
        Their standard deviation.
    n_sources : int
        Sources that were searched.
    """

    trials: float
    spread: float
    n_sources: int

    def false_alarms(self, snr: NDArray[np.float64]) -> NDArray[np.float64]:
        """Say how many of the sources are expected to reach a ratio by chance."""
        return -self.n_sources * np.expm1(self.trials * log_ndtr(np.asarray(snr) / self.spread))


class Event(NamedTuple):
    """Something that stands out in a light curve; sizes are parts of the source's mean flux, NaN where not known.

    Attributes
    ----------
    source_id : int
        The source.
    shape : Shape
        What it looks like.
    mjd, width_d : float
        Its middle [MJD, UTC] and its width [d].
    size, e_size : float
        The factor of the template: the depth of a dip, the height of a flare.
    snr : float
        That over its error.
    false_alarms : float
        How many such are expected by chance in all sources that were searched.
    lower, e_lower, upper, e_upper : float
        The size in the halves of the band.
    neighbours, e_neighbours : float
        The mean size at the same time of the sources around it.
    verdict : Verdict
        What becomes of it.
    reasons : tuple of str
        Why.
    """

    source_id: int
    shape: Shape
    mjd: float
    width_d: float
    size: float
    e_size: float
    snr: float
    false_alarms: float
    lower: float
    e_lower: float
    upper: float
    e_upper: float
    neighbours: float
    e_neighbours: float
    verdict: Verdict
    reasons: tuple[str, ...]

    @property
    def is_lens(self) -> bool:
        """Whether it is a candidate, and of a shape that a lens makes."""
        return self.shape in LENSES and self.verdict in {Verdict.CANDIDATE, Verdict.UNCONFIRMED}


def find_events(days: Days, halves: Halves | None = None, *, false_alarms: float = 0.1) -> list[Event]:
    """Search all light curves for events.

    Parameters
    ----------
    days : Days
        Light curves of the full band.
    halves : callable, optional
        Gives the light curves of some sources, by their numbers, in the lower and the upper half of the band; called
        once, with those that stand out.
    false_alarms : float
        What is expected by chance more often than this, in all sources together, is not given.

    Returns
    -------
    list of Event
        The least probable first.
    """
    weight, weighted = relative(days)
    found = search(weight, weighted, days.bin_d)
    extremes = calibrate(found, weight, days.bin_d)
    chance = extremes.false_alarms(found.snr)
    kept = np.flatnonzero((chance <= false_alarms) & (found.template >= 0))
    asked = (None, None) if halves is None or not kept.size else halves(days.source_id[kept])
    both = [None if half is None else (half, *relative(half)) for half in asked]
    events = []
    for source in kept[np.argsort(chance[kept], kind="stable")]:
        template, centre = found.made[found.template[source]], int(found.centre[source])
        size, e_size, snr = float(found.size[source]), float(found.e_size[source]), float(found.snr[source])
        parts = [_in_half(days, half, source, template, centre) for half in both]
        around = _around(days, weight, weighted, int(source), template, centre, size)
        alone = _without_one_day(weight[source], weighted[source], template, centre)
        verdict, reasons = _judge(size, parts, around, alone)
        events.append(
            Event(
                int(days.source_id[source]),
                template.shape,
                float(days.mjd[centre]),
                template.width_d,
                size,
                e_size,
                snr,
                float(chance[source]),
                *parts[0],
                *parts[1],
                *around,
                verdict,
                reasons,
            )
        )
    return events


def relative(days: Days) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give weights and weighted changes of flux, both of the flux over its mean, less 1; (S, T) each.

    Errors are widened where the middle half of a source's days scatters more than they say. Sources without a mean
    flux to speak of have weight 0.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        w, wf = days.w.sum(axis=1), days.wf.sum(axis=1)
        mean = np.where(wf > _LEAST_MEAN * np.sqrt(w), wf / w, np.nan)[:, None]
        change, error = days.flux / mean - 1.0, days.e_flux / mean
        z = change / error
        spread = np.ones(mean.shape)
        some = np.isfinite(z).any(axis=1)
        if some.any():
            low, high = np.nanquantile(z[some], [0.25, 0.75], axis=1)
            spread[some, 0] = np.maximum((high - low) / 1.3489795, 1.0)
        weight = np.nan_to_num(1.0 / (error * spread) ** 2, nan=0.0, posinf=0.0)
    return weight, weight * np.nan_to_num(change)


def search(weight: NDArray[np.float64], weighted: NDArray[np.float64], bin_d: float) -> Search:
    """Find the best template and its best place in every light curve, (S, T) weights and weighted changes."""
    n_sources, n_days = weight.shape
    made = templates(n_days, bin_d)
    best = Search(
        made,
        np.full(n_sources, -1),
        np.zeros(n_sources, np.int64),
        np.full(n_sources, np.nan),
        np.full(n_sources, np.nan),
        np.zeros(n_sources),
    )
    each = np.arange(n_sources)
    for k, template in enumerate(made):
        centres = np.arange(0, n_days, max(1, round(template.width_d / bin_d / 5.0)))
        size, snr = np.empty((2, n_sources, centres.size))
        slide(weight, weighted, template.values, centres, LEAST_DAYS, size, snr)
        spread = np.empty(n_sources)
        own_spread(snr, spread)
        at = snr.argmax(axis=1)
        ratio = snr[each, at] / spread
        better = ratio > best.snr
        best.template[better], best.centre[better] = k, centres[at[better]]
        best.size[better], best.snr[better] = size[each, at][better], ratio[better]
    best.e_size[:] = np.divide(best.size, best.snr, out=best.e_size, where=best.snr > 0.0)
    return best


def calibrate(found: Search, weight: NDArray[np.float64], bin_d: float) -> Extremes:
    """Say how the best ratios of sources without events are distributed.

    How many independent trials a search is follows from white noise with the weights of the sources; how widely they
    spread from the middle and the upper quartile of what was found, the larger of the two. Of a handful of sources
    any may have an event: then the noise says that, too.

    Parameters
    ----------
    found : Search
        What was found in all sources.
    weight : (S, T) float64
        Their weights.
    bin_d : float
        Length of a day [d].
    """
    searched = np.flatnonzero(found.snr > 0.0)
    if not searched.size:
        return Extremes(1.0, 1.0, 0)
    rng = np.random.default_rng(_SEED)
    drawn = weight[np.resize(rng.permutation(searched), _DRAWN)]
    best = search(drawn, np.sqrt(drawn) * rng.normal(size=drawn.shape), bin_d).snr
    low, high = np.quantile(best[best > 0.0], [0.25, 0.75])

    def ratio(log_trials: float) -> float:
        quartiles = ndtri_exp(np.log([0.25, 0.75]) / np.exp(log_trials))
        return float(quartiles[1] / quartiles[0])

    # The more trials, the nearer are the quartiles to each other.
    log_trials = brentq(lambda log: ratio(log) - np.clip(high / low, ratio(_TRIALS[1]), ratio(_TRIALS[0])), *_TRIALS)
    trials = float(np.exp(log_trials))
    of_sources = found.snr[searched] if searched.size >= _ENSEMBLE else best[best > 0.0]
    spread = np.quantile(of_sources, _OF_SOURCES) / ndtri_exp(np.log(_OF_SOURCES) / trials)
    return Extremes(trials, float(spread.max()), int(searched.size))


def _fit(
    weight: NDArray[np.float64], weighted: NDArray[np.float64], template: Template, centre: int, least_days: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fit a template in its place to some sources: its sizes and their errors, NaN where there are too few days."""
    size, snr = np.empty((2, weight.shape[0], 1))
    slide(
        np.ascontiguousarray(weight),
        np.ascontiguousarray(weighted),
        template.values,
        np.array([centre]),
        least_days,
        size,
        snr,
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(snr != 0.0, size, np.nan)[:, 0], np.abs(size / snr)[:, 0]


def _in_half(
    days: Days,
    half: tuple[Days, NDArray[np.float64], NDArray[np.float64]] | None,
    source: int,
    template: Template,
    centre: int,
) -> tuple[float, float]:
    if half is None:
        return np.nan, np.nan
    of, weight, weighted = half
    row = np.flatnonzero(of.source_id == days.source_id[source])
    if not row.size:
        return np.nan, np.nan
    shifted = centre + round((days.mjd[0] - of.mjd[0]) / days.bin_d)
    size, error = _fit(weight[row], weighted[row], template, shifted, LEAST_DAYS)
    return float(size[0]), float(error[0])


def _around(
    days: Days,
    weight: NDArray[np.float64],
    weighted: NDArray[np.float64],
    source: int,
    template: Template,
    centre: int,
    at_most: float,
) -> tuple[float, float]:
    """Give the median size, and its error, of the same event in the nearest sources whose own error is small enough."""
    ra, dec = position_of(days.source_id)
    apart = unit_vectors(ra, dec) @ unit_vectors(ra[source], dec[source])[0]
    near = (apart <= np.cos(np.radians(_NEAREST_DEG))) & (apart >= np.cos(np.radians(_FARTHEST_DEG)))
    index = np.flatnonzero(near & (weight > 0.0).any(axis=1))
    if not index.size:
        return np.nan, np.nan
    size, error = _fit(weight[index], weighted[index], template, centre, LEAST_DAYS)
    told = np.flatnonzero(error < at_most)
    best = told[np.argsort(-apart[index[told]], kind="stable")[:_NEIGHBOURS]]
    if not best.size:
        return np.nan, np.nan
    # One that has an event of its own must not decide: hence the median.
    return float(np.median(size[best])), float(1.2533 * np.sqrt(np.mean(error[best] ** 2) / best.size))


def _without_one_day(
    weight: NDArray[np.float64], weighted: NDArray[np.float64], template: Template, centre: int
) -> float:
    """Say what part of the ratio of signal to noise is left without the day that says most."""
    half = template.values.size // 2
    there = [day for day in range(max(0, centre - half), min(weight.size, centre + half + 1)) if weight[day] > 0.0]
    weights, changes = (np.tile(each, (len(there) + 1, 1)) for each in (weight, weighted))
    rows = np.arange(len(there))
    weights[rows, there] = changes[rows, there] = 0.0
    size, error = _fit(weights, changes, template, centre, 1)
    ratio = np.nan_to_num(size / error)
    return float(ratio[:-1].min() / ratio[-1])


def _judge(
    size: float, parts: list[tuple[float, float]], around: tuple[float, float], alone: float
) -> tuple[Verdict, tuple[str, ...]]:
    against: list[tuple[Verdict, str]] = []
    unknown = []
    if alone < _WITHOUT_ONE:
        against.append((Verdict.ONE_DAY, "it rests on one day"))
    for name, (part, e_part), (other, e_other) in zip(("lower", "upper"), parts, parts[::-1], strict=True):
        if not np.isfinite(e_part):
            unknown.append(f"the {name} half of the band has no light curve")
        elif part < _HALF_SIGMA * e_part and size < 2.0 * _HALF_SIGMA * e_part:
            unknown.append(f"the {name} half of the band is too noisy to tell")
        elif part < _HALF_SIGMA * e_part or (
            part < _HALF_LEAST * other and other - part > _HALVES_SIGMA * np.hypot(e_part, e_other)
        ):
            against.append((Verdict.ONE_HALF, f"it is not in the {name} half of the band"))
    shared, e_shared = around
    if not np.isfinite(e_shared):
        unknown.append("there are no neighbours that could tell")
    elif shared > _SHARED * size and shared > _SHARED_SIGMA * e_shared:
        against.append((Verdict.SHARED, f"its neighbours do it, too ({shared / size:.0%} of it)"))
    elif e_shared * _SHARED_SIGMA > size:
        unknown.append("its neighbours are too noisy to tell")
    if against:
        return against[0][0], tuple(text for _, text in against)
    return (Verdict.UNCONFIRMED, tuple(unknown)) if unknown else (Verdict.CANDIDATE, ())
