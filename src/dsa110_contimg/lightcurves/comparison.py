"""Which sources vary more than others like them: eta and V against those of the sources of like flux density.

Errors are never quite right, and less so for bright sources; so a reduced chi-square of 3 may be nothing. What most
sources of a flux density have is what a steady one has, as most are steady (Rowlinson et al. 2019, Astronomy and
Computing 27, 111, fit normal distributions to log eta and log V, for the same reason).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dsa110_contimg.lightcurves.variability import Statistics

LIKE = 100
"""Sources of like flux density that each is compared with, at most."""
_LEAST_N = 3


class Comparison(NamedTuple):
    """Where each of S sources stands among those of like flux density; NaN where its statistics are.

    Attributes
    ----------
    eta, v : (S,) float64
        What a steady source of its flux density has: medians.
    eta_sigma, v_sigma : (S,) float64
        How far its own are above, in standard deviations of the logarithm.
    significance : (S,) float64
        The smaller of the two: both have to be large.
    """

    eta: NDArray[np.float64]
    v: NDArray[np.float64]
    eta_sigma: NDArray[np.float64]
    v_sigma: NDArray[np.float64]
    significance: NDArray[np.float64]


def compare(statistics: Statistics) -> Comparison:
    """Compare each source with those of like mean flux density.

    The spread of log eta is never taken for less than the number of measurements gives: sqrt(2 / (n - 1)) in eta.
    """
    n = statistics.n.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        flux, eta, v = (np.log10(each) for each in (statistics.mean, statistics.eta, statistics.v))
        least = np.where(n >= _LEAST_N, np.sqrt(2.0 / (n - 1.0)) / np.log(10.0), np.nan)
    use = np.isfinite(flux) & np.isfinite(eta) & np.isfinite(v) & np.isfinite(least)
    order = np.flatnonzero(use)[np.argsort(flux[use], kind="stable")]
    steady, sigma = np.full((2, 2, n.size), np.nan)
    if order.size:
        for k, (values, floor) in enumerate(((eta[order], least[order]), (v[order], least[order] / 2.0))):
            middle, spread = _of_like(flux[order], values)
            steady[k, order] = 10.0**middle
            sigma[k, order] = (values - middle) / np.maximum(spread, floor)
    return Comparison(steady[0], steady[1], sigma[0], sigma[1], np.fmin(sigma[0], sigma[1]))


def _of_like(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the median and the spread of y at each x, of the nearest points; x is sorted.

    What changes with x is taken off as a line through the medians of their lower and upper halves.
    """
    width = min(x.size, LIKE + 1)
    near_x, near_y = (sliding_window_view(each, width) for each in (x, y))
    slope = np.zeros(near_x.shape[0])
    if width > LIKE // 5:
        half = width // 2
        run, rise = (np.median(each[:, half:], axis=1) - np.median(each[:, :half], axis=1) for each in (near_x, near_y))
        slope = np.divide(rise, run, out=slope, where=run > 0.0)
    window = np.clip(np.arange(x.size) - width // 2, 0, x.size - width)
    level = near_y[window] - slope[window, None] * (near_x[window] - x[:, None])
    low, middle, high = np.quantile(level, [0.25, 0.5, 0.75], axis=1)
    # Variables among them widen one side, mostly the upper one.
    return middle, np.minimum(middle - low, high - middle) / 0.67448975
