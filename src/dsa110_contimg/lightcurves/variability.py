"""How much the flux density of each source varies: statistics of its light curve.

Reduced chi-square eta and modulation index V are those of TraP (Swinbank et al. 2015, Astronomy and Computing 11, 25,
equations 5 and 6), Vs and m between two epochs those of Mooley et al. 2016 (ApJ 818, 105, section 4.3), the structure
function is that of Simonetti, Cordes and Heeschen 1985 (ApJ 296, 46) with the noise taken off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dsa110_contimg.lightcurves.variability_kernels import pairs, runs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dsa110_contimg.lightcurves.days import Days

EXCURSION_SIGMA = 2.0
"""How far from the median every day of an excursion is, in its errors."""
_LONGEST_LAG_D = 512.0


class Statistics(NamedTuple):
    """Variability of S sources; NaN where there is too little to tell.

    Attributes
    ----------
    source_id : (S,) int64
        Numbers of the sources.
    n, n_days : (S,) int64
        Measurements, and days with any.
    first_mjd, last_mjd : (S,) float64
        Middles of the first and the last of these days [MJD, UTC].
    mean, e_mean : (S,) float64
        Weighted mean of all measurements and its error [Jy].
    eta : (S,) float64
        Reduced chi-square of the measurements against that mean.
    v : (S,) float64
        Their standard deviation over their plain mean.
    vs : (S,) float64
        Of all pairs of days the most significant difference, later less earlier, in its error.
    m : (S,) float64
        That difference over the mean of the two days.
    vs_first_mjd, vs_second_mjd : (S,) float64
        The two days.
    excursion_d : (S,) float64
        Longest time that each day's mean is on the same side of the median of all days, by `EXCURSION_SIGMA` errors at
        least [d]; 0 if no day is.
    excursion_mjd : (S,) float64
        When it begins.
    excursion : (S,) float64
        Weighted mean of its days over that median, less 1.
    lag_d : (L,) float64
        Lags of the structure function [d]: geometric middles of the bins.
    structure : (S, L) float64
        Structure function: mean squared difference of two days less what noise gives, over the squared mean.
    structure_pairs : (S, L) int64
        Pairs of days that it is the mean of.
    """

    source_id: NDArray[np.int64]
    n: NDArray[np.int64]
    n_days: NDArray[np.int64]
    first_mjd: NDArray[np.float64]
    last_mjd: NDArray[np.float64]
    mean: NDArray[np.float64]
    e_mean: NDArray[np.float64]
    eta: NDArray[np.float64]
    v: NDArray[np.float64]
    vs: NDArray[np.float64]
    m: NDArray[np.float64]
    vs_first_mjd: NDArray[np.float64]
    vs_second_mjd: NDArray[np.float64]
    excursion_d: NDArray[np.float64]
    excursion_mjd: NDArray[np.float64]
    excursion: NDArray[np.float64]
    lag_d: NDArray[np.float64]
    structure: NDArray[np.float64]
    structure_pairs: NDArray[np.int64]


def variability(days: Days) -> Statistics:
    """Work out the statistics of every source.

    Parameters
    ----------
    days : Days
        Its light curves.
    """
    n, w, wf, wff, f, ff = (each.sum(axis=1, dtype=np.float64) for each in days[2:])
    with np.errstate(invalid="ignore", divide="ignore"):
        mean, e_mean = wf / w, 1.0 / np.sqrt(w)
        eta = np.maximum(wff - wf * mean, 0.0) / (n - 1.0)
        v = np.sqrt(np.maximum(ff / n - (f / n) ** 2, 0.0) * n / (n - 1.0)) / (f / n)
    few = n < 2
    eta[few] = v[few] = np.nan
    there = days.n > 0
    first = last = np.zeros(n.size, np.int64)
    if there.size:
        first, last = there.argmax(axis=1), there.shape[1] - 1 - there[:, ::-1].argmax(axis=1)
    flux, error = days.flux, days.e_flux
    two = _pairs(days, flux, error, mean)
    run = _excursions(days, flux, error)
    return Statistics(
        source_id=days.source_id,
        n=n.astype(np.int64),
        n_days=there.sum(axis=1),
        first_mjd=days.mjd[first],
        last_mjd=days.mjd[last],
        mean=mean,
        e_mean=e_mean,
        eta=eta,
        v=v,
        vs=two.vs,
        m=two.m,
        vs_first_mjd=two.first_mjd,
        vs_second_mjd=two.second_mjd,
        excursion_d=run.length_d,
        excursion_mjd=run.mjd,
        excursion=run.height,
        lag_d=two.lag_d,
        structure=two.structure,
        structure_pairs=two.n_pairs,
    )


class _Pairs(NamedTuple):
    vs: NDArray[np.float64]
    m: NDArray[np.float64]
    first_mjd: NDArray[np.float64]
    second_mjd: NDArray[np.float64]
    lag_d: NDArray[np.float64]
    structure: NDArray[np.float64]
    n_pairs: NDArray[np.int64]


class _Excursions(NamedTuple):
    length_d: NDArray[np.float64]
    mjd: NDArray[np.float64]
    height: NDArray[np.float64]


def lag_bins(n_days: int, bin_d: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Say which bin each lag belongs to, and the middles of the bins [d]: each is twice as wide as the last."""
    days = np.arange(max(n_days, 2))
    of = np.floor(np.log2(np.maximum(days, 1))).astype(np.int64)
    of = np.minimum(of, int(np.floor(np.log2(max(_LONGEST_LAG_D / bin_d, 1.0)))))
    edges = [days[of == lag] for lag in range(int(of[-1]) + 1)]
    edges[0] = edges[0][1:]  # no lag at all
    return of, np.array([np.sqrt(float(each[0]) * float(each[-1])) * bin_d for each in edges])


def _pairs(days: Days, flux: NDArray[np.float64], error: NDArray[np.float64], mean: NDArray[np.float64]) -> _Pairs:
    n_sources, n_days = flux.shape
    lag_bin, lag_d = lag_bins(n_days, days.bin_d)
    vs, where = np.empty(n_sources), np.zeros((n_sources, 2), np.int64)
    square, count = np.zeros((n_sources, lag_d.size)), np.zeros((n_sources, lag_d.size), np.int64)
    pairs(flux, error**2, lag_bin, vs, where, square, count)
    each = np.arange(n_sources)
    first, second = flux[each, where[:, 0]], flux[each, where[:, 1]]
    lone = np.isnan(vs)
    with np.errstate(invalid="ignore", divide="ignore"):
        m = np.where(lone, np.nan, 2.0 * (second - first) / (second + first))
        structure = np.where(count > 0, square / count, np.nan) / mean[:, None] ** 2
    first_mjd, second_mjd = (np.where(lone, np.nan, days.mjd[where[:, side]]) for side in (0, 1))
    return _Pairs(vs, m, first_mjd, second_mjd, lag_d, structure, count)


def _excursions(days: Days, flux: NDArray[np.float64], error: NDArray[np.float64]) -> _Excursions:
    # From the median: a deep dip moves the mean, and all other days would be an excursion.
    usual = np.full(flux.shape[0], np.nan)
    some = np.isfinite(flux).any(axis=1)
    if some.any():
        usual[some] = np.nanmedian(flux[some], axis=1)
    z = (flux - usual[:, None]) / error
    start, stop, sign = np.empty((3, z.shape[0]), np.int64)
    runs(z, EXCURSION_SIGMA, start, stop, sign)
    none = sign == 0
    index = np.arange(z.shape[1])
    inside = (index >= start[:, None]) & (index <= stop[:, None]) & ~none[:, None]
    w, wf = (np.where(inside, each, 0.0).sum(axis=1) for each in (days.w, days.wf))
    with np.errstate(invalid="ignore", divide="ignore"):
        height = wf / w / usual - 1.0
    length_d = np.where(none, 0.0, (stop - start + 1) * days.bin_d)
    return _Excursions(length_d, np.where(none, np.nan, days.mjd[start] - days.bin_d / 2), height)
