"""Light curves by the day: sums over the measurements of each source and day, from which all statistics follow.

A source crosses the beam once in a sidereal day, so little is lost; and a year of thousands of sources is a small grid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dsa110_contimg.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class Days(NamedTuple):
    """Sums over the measurements f of S sources in T days, weighted with w = 1 / error^2.

    Attributes
    ----------
    source_id : (S,) int64
        Numbers of the sources, rising.
    mjd : (T,) float64
        Middles of the days [MJD, UTC], evenly spaced.
    n : (S, T) int32
        Measurements.
    w, wf, wff : (S, T) float64
        Sums of w [Jy^-2], w f [Jy^-1] and w f^2.
    f, ff : (S, T) float64
        Sums of f [Jy] and f^2 [Jy^2].
    """

    source_id: NDArray[np.int64]
    mjd: NDArray[np.float64]
    n: NDArray[np.int32]
    w: NDArray[np.float64]
    wf: NDArray[np.float64]
    wff: NDArray[np.float64]
    f: NDArray[np.float64]
    ff: NDArray[np.float64]

    @property
    def bin_d(self) -> float:
        """How long a day is [d]."""
        return float(self.mjd[1] - self.mjd[0]) if self.mjd.size > 1 else 1.0

    @property
    def flux(self) -> NDArray[np.float64]:
        """Weighted means of the days [Jy], (S, T); NaN where there is no measurement."""
        return np.divide(self.wf, self.w, out=np.full(self.w.shape, np.nan), where=self.w > 0.0)

    @property
    def e_flux(self) -> NDArray[np.float64]:
        """Their errors [Jy]."""
        return np.divide(1.0, np.sqrt(self.w), out=np.full(self.w.shape, np.nan), where=self.w > 0.0)

    def choose(self, sources: ArrayLike) -> Days:
        """Give some of the sources, by index or mask."""
        index = np.asarray(sources)
        return Days(self.source_id[index], self.mjd, *(sums[index] for sums in self[2:]))


def days_of(source_id: ArrayLike, mjd: ArrayLike, flux_jy: ArrayLike, e_flux_jy: ArrayLike, bin_d: float = 1.0) -> Days:
    """Sum measurements up by source and day.

    Parameters
    ----------
    source_id : (N,) array_like of int
        Numbers of the sources, in any order.
    mjd : (N,) array_like
        When [MJD, UTC].
    flux_jy, e_flux_jy : (N,) array_like
        Flux densities and their errors [Jy]; where either is not finite, or the error not above 0, it does not count.
    bin_d : float
        Length of a day [d]; days begin at whole multiples of it.
    """
    source, when, flux, error = (np.asarray(each) for each in (source_id, mjd, flux_jy, e_flux_jy))
    flux, error = flux.astype(np.float64), error.astype(np.float64)
    use = np.isfinite(when) & np.isfinite(flux) & np.isfinite(error) & (error > 0.0)
    weight = 1.0 / error[use] ** 2
    flux = flux[use]
    day = np.floor(np.asarray(when, np.float64)[use] / bin_d).astype(np.int64)
    sums = np.ones_like(flux), weight, weight * flux, weight * flux**2, flux, flux**2
    return days_of_sums(source[use], day, sums, bin_d)


def days_of_sums(
    source_id: NDArray[np.int64], day: NDArray[np.int64], sums: tuple[NDArray[np.floating], ...], bin_d: float = 1.0
) -> Days:
    """Lay sums by source and day out as a grid; several rows of one source and day are added.

    Parameters
    ----------
    source_id : (R,) int64
        Numbers of the sources.
    day : (R,) int64
        Days: ``floor(mjd / bin_d)``.
    sums : tuple of (R,)
        n, w, wf, wff, f and ff, as `Days` has them.
    bin_d : float
        Length of a day [d].

    Raises
    ------
    UsageError
        The length of a day is not above 0.
    """
    if not bin_d > 0.0:
        raise UsageError(f"a day cannot be {bin_d} days long")
    sources, row = np.unique(np.asarray(source_id, np.int64), return_inverse=True)
    first, last = (int(day.min()), int(day.max())) if day.size else (0, -1)
    shape = sources.size, last - first + 1
    cell = row * shape[1] + (day - first)
    n, w, wf, wff, f, ff = (
        np.bincount(cell, each, minlength=shape[0] * shape[1]).reshape(shape).astype(np.float64) for each in sums
    )
    middles = (np.arange(first, last + 1, dtype=np.float64) + 0.5) * bin_d
    return Days(sources, middles, n.astype(np.int32), w, wf, wff, f, ff)
