"""The relative scale of an image: one factor that takes its fluxes to those that steady sources have on average.

Every flux of an image is wrong by the same factor, because of its calibration. Steady sources say by which: the flux f
of each is its mean m over the factor k, plus noise. 1/k is fitted to f/m, weighted by their errors, after Huber (1981,
Robust Statistics, chapter 6): those that are off by more than `TUNING` times the scatter, because they vary or were
measured wrongly, count for less the further they are off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dsa110_contimg.telescope.spread import robust_sigma

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

TUNING = 1.345
"""Huber's constant at which the fit is 95% as good as least squares where all is Gaussian."""

_MOST_ROUNDS = 50
_SETTLED = 1e-9


class Scale(NamedTuple):
    """The relative scale of an image.

    Attributes
    ----------
    scale, e_scale : float
        Factor that takes fluxes to the ensemble's, and its error (NaN if there are too few sources; the factor is 1).
    n : int
        Steady sources that it rests on.
    chi : float
        Scatter of the sources about it, in their errors: 1 if these are right (NaN if there are too few).
    """

    scale: float
    e_scale: float
    n: int
    chi: float


def fit_scale(flux: ArrayLike, e_flux: ArrayLike, mean: ArrayLike, e_mean: ArrayLike, least: int) -> Scale:
    """Fit the factor that takes fluxes to their means.

    Parameters
    ----------
    flux, e_flux : (S,) array_like
        Fluxes of steady sources in the image, and their errors [Jy]; what is not finite is left out.
    mean, e_mean : (S,) array_like
        Their means over the epochs, and the errors of these [Jy].
    least : int
        With fewer sources there is no scale.

    Notes
    -----
    The error is that of an M-estimate (Huber 1981, equation 6.5), from the scatter that there is, but no less than
    follows from the errors of the fluxes: a few bright sources that happen to agree are no better than these.
    """
    f, e, m, em = (np.asarray(array, np.float64) for array in (flux, e_flux, mean, e_mean))
    usable = np.isfinite(f) & np.isfinite(e) & np.isfinite(m) & np.isfinite(em) & (e > 0.0) & (m > 0.0)
    n = int(usable.sum())
    if n < max(least, 2):
        return Scale(1.0, np.nan, n, np.nan)
    ratio = f[usable] / m[usable]
    sigma = np.hypot(e[usable], ratio * em[usable]) / m[usable]
    gain = _weighted_median(ratio, 1.0 / sigma)
    scatter = 1.0
    for _ in range(_MOST_ROUNDS):
        residual = (ratio - gain) / sigma
        scatter = max(robust_sigma(residual, 0.0), 1e-6)
        weight = np.minimum(1.0, TUNING * scatter / np.maximum(np.abs(residual), 1e-300)) / sigma**2
        before, gain = gain, float(weight @ ratio / weight.sum())
        if abs(gain - before) <= _SETTLED * abs(gain):
            break
    if not gain > 0.0:
        return Scale(1.0, np.nan, n, np.nan)
    residual = (ratio - gain) / sigma
    pulled = np.clip(residual, -TUNING * scatter, TUNING * scatter)
    inside = np.abs(residual) <= TUNING * scatter
    slope = float((inside / sigma**2).sum())
    scattered = n / (n - 1) * float((pulled**2 / sigma**2).sum()) / slope**2
    variance = max(scattered, 1.0 / float((1.0 / sigma**2).sum()))
    return Scale(1.0 / gain, float(np.sqrt(variance)) / gain**2, n, scatter)


def _weighted_median(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    order = np.argsort(values)
    upto = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(upto, 0.5 * upto[-1])])
