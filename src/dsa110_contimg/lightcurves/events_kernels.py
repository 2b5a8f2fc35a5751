"""The inner loop of the search for events: a template slid along every light curve, compiled by numba."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


# The order of sums is free, so that they can be taken four at a time.
_FREE_ORDER = {"reassoc", "nsz", "contract", "arcp"}


@numba.njit(cache=True, nogil=True, fastmath=_FREE_ORDER)
def _sums(
    weight: NDArray[np.float64], weighted: NDArray[np.float64], shape: NDArray[np.float64], inner: NDArray[np.float64]
) -> tuple[float, float, float, float, float, float, float]:
    """Give the sums that a fit of shape and constant needs, and the days inside and outside with data."""
    w, ws, wss, wx, wxs, inside, days = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for k in range(shape.size):
        here, flux, value = weight[k], weighted[k], shape[k]
        w += here
        ws += here * value
        wss += here * value * value
        wx += flux
        wxs += flux * value
        there = 1.0 if here > 0.0 else 0.0
        days += there
        inside += there * inner[k]
    return w, ws, wss, wx, wxs, inside, days - inside


@numba.njit(cache=True, nogil=True)
def slide(
    weight: NDArray[np.float64],
    weighted: NDArray[np.float64],
    template: NDArray[np.float64],
    centres: NDArray[np.int64],
    least_days: int,
    size: NDArray[np.float64],
    snr: NDArray[np.float64],
) -> None:
    """Fit a template and a constant around it, by least squares, at many places of every light curve.

    Parameters
    ----------
    weight, weighted : (S, T) float64
        1 / error^2 and flux over error^2 of each day; 0 where there is none.
    template : (2 h + 1,) float64
        The shape.
    centres : (C,) int64
        Days on which its middle is put.
    least_days : int
        Days with data that the event must have inside (where the template is above half of its peak), and outside.
    size, snr : (S, C) float64
        Receive the factor of the template, and it over its error; 0 where there are too few days.
    """
    n_sources, n_days = weight.shape
    half = template.size // 2
    peak = np.max(np.abs(template))
    inner = np.where(np.abs(template) > 0.5 * peak, 1.0, 0.0)
    for source in range(n_sources):
        for k in range(centres.size):
            centre = centres[k]
            size[source, k], snr[source, k] = 0.0, 0.0
            first, last = max(0, centre - half), min(n_days - 1, centre + half)
            if first > last:  # all of it is before or after the light curve
                continue
            begin, end = first - centre + half, last - centre + half + 1
            w, ws, wss, wx, wxs, inside, outside = _sums(
                weight[source, first : last + 1],
                weighted[source, first : last + 1],
                template[begin:end],
                inner[begin:end],
            )
            if inside >= least_days and outside >= 2 * least_days:
                information = wss - ws * ws / w
                if information > 0.0:
                    size[source, k] = (wxs - wx * ws / w) / information
                    snr[source, k] = (wxs - wx * ws / w) / np.sqrt(information)


@numba.njit(cache=True, nogil=True)
def own_spread(snr: NDArray[np.float64], spread: NDArray[np.float64]) -> None:
    """Work out how widely a source's signal-to-noise ratios scatter: a quarter of their amounts are below 0.3186 of it.

    Parameters
    ----------
    snr : (S, C) float64
        As `slide` gives them; 0 does not count.
    spread : (S,) float64
        Receives it, 1 at least.
    """
    n_sources, n = snr.shape
    amounts = np.empty(n)
    for source in range(n_sources):
        count = 0
        for k in range(n):
            if snr[source, k] != 0.0:
                amounts[count] = abs(snr[source, k])
                count += 1
        spread[source] = 1.0
        if count >= 8:
            spread[source] = max(1.0, np.partition(amounts[:count], count // 4)[count // 4] / 0.3186393639643752)
