"""Beams of known place and shape fitted to an image: neighbours together, errors by the noise's correlation.

The peaks that leave the least squares are a = N^-1 b, with N the sums of beam times beam and b those of beam times
image. Where noise of variance s^2 has the correlation R between pixels, their covariance is s^2 N^-1 M N^-1, with M the
sums of beam times R times beam. For noise that is correlated as the beam is a single source's error is sqrt(4/3) s; for
noise that is white smoothed by the beam, which J. J. Condon (1997, PASP 109, 166) writes about, it is sqrt(2) s.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from dsa110_contimg.photometry.forced_kernels import beam_sums, residual_sums

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

T = TypeVar("T")

FWHM = np.sqrt(8.0 * np.log(2.0))
#: Sources nearer than this to a brighter one are one place to the image, and not measured [beams].
NEAREST_BEAMS = 0.1
#: The sums over the image end so far from a source [standard deviations of the beam]: at one and a half beams.
REACH = 1.5 * FWHM
# A neighbour up to twice as far as the setting says is fitted together, too, if it would add this part.
_FURTHER, _ADDS = 2.0, 1e-3
_CHUNK = 256


class Chunks(Protocol):
    """Calls a function for parts of a number of things, and gives what it returns."""

    def __call__(self, count: int, function: Callable[[int, int], T]) -> list[T]:
        """Call ``function(first, last)`` for parts of ``range(count)``."""


def threaded(workers: int) -> Chunks:
    """Make `Chunks` that work in threads."""

    def run(count: int, function: Callable[[int, int], T]) -> list[T]:
        with ThreadPoolExecutor(workers) as pool:
            parts = [pool.submit(function, first, min(first + _CHUNK, count)) for first in range(0, count, _CHUNK)]
            return [part.result() for part in parts]

    return run


class Links(NamedTuple):
    """Which sources are fitted together.

    Attributes
    ----------
    starts, others : (S + 1,) and (P,) int64
        Those beside source s, itself the first: ``others[starts[s]:starts[s + 1]]``.
    blend : (S,) int64
        Number of the blend of each source; those of one are fitted together.
    """

    starts: NDArray[np.int64]
    others: NDArray[np.int64]
    blend: NDArray[np.int64]


class Fitted(NamedTuple):
    """Beams that were fitted, each (S,).

    Attributes
    ----------
    peak : float64
        In the unit of the image; NaN where all is blank.
    error : float64
        Its standard deviation over the noise.
    chi2 : float64
        Squares of what is left over their expectation.
    """

    peak: NDArray[np.float64]
    error: NDArray[np.float64]
    chi2: NDArray[np.float64]


def apart(place: NDArray[np.float64], form: NDArray[np.float64], brightness: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which of the places (S, 2) the image can part from brighter ones.

    Parameters
    ----------
    place : (S, 2) ndarray
        Columns and rows.
    form : (2, 2) ndarray
        Inverse of the beam's covariance in pixels squared.
    brightness : (S,) ndarray
        By which of two is kept; of equals, or where it is not a number, the first.
    """
    kept = np.ones(len(place), bool)
    if len(place) < 2:
        return kept
    order = np.argsort(-np.nan_to_num(brightness, nan=-np.inf), kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    pairs = cKDTree(_whitened(place, form)).query_pairs(NEAREST_BEAMS * FWHM, output_type="ndarray")
    # The brightest first: what is left out takes nothing with it.
    pairs = pairs[np.argsort(rank[pairs].min(axis=1), kind="stable")]
    for one, other in pairs.tolist():
        better, worse = (one, other) if rank[one] < rank[other] else (other, one)
        if kept[better]:
            kept[worse] = False
    return kept


def link(
    place: NDArray[np.float64], form: NDArray[np.float64], brightness: NDArray[np.float64], blend_beams: float
) -> Links:
    """Find out which sources are fitted together: neighbours, theirs, and bright ones further off.

    Parameters
    ----------
    place : (S, 2) ndarray
        Columns and rows.
    form : (2, 2) ndarray
        Inverse of the beam's covariance in pixels squared.
    brightness : (S,) ndarray
        About how bright they are; NaN if not known.
    blend_beams : float
        Nearer than this they are neighbours [beams].
    """
    n = len(place)
    itself = np.arange(n)
    if n < 2:
        return Links(np.arange(n + 1), itself, itself)
    white = _whitened(place, form)
    pairs = cKDTree(white).query_pairs(_FURTHER * blend_beams * FWHM, output_type="ndarray")
    square = np.sum((white[pairs[:, 0]] - white[pairs[:, 1]]) ** 2, axis=1)
    flux = np.nan_to_num(brightness, nan=0.0)[pairs]
    # What a neighbour would add to a source that were fitted without it.
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        adds = np.exp(-square / 4.0) * flux.max(axis=1) / np.maximum(flux.min(axis=1), 0.0)
    pairs = pairs[(square <= (blend_beams * FWHM) ** 2) | (adds > _ADDS)]
    first = np.concatenate([itself, pairs[:, 0], pairs[:, 1]])
    second = np.concatenate([itself, pairs[:, 1], pairs[:, 0]])
    order = np.lexsort((np.arange(len(first)), first))
    starts = np.searchsorted(first[order], np.arange(n + 1))
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    blend = connected_components(graph, directed=False)[1]
    return Links(starts.astype(np.int64), second[order].astype(np.int64), blend.astype(np.int64))


def fit(
    pixels: NDArray[np.float32],
    place: NDArray[np.float64],
    covariance: NDArray[np.float64],
    correlation: float,
    links: Links,
    noise: NDArray[np.float64],
    chunks: Chunks,
) -> Fitted:
    """Fit a beam at every place.

    Parameters
    ----------
    pixels : (n_dec, n_ra) float32
        The image; what is not finite is left out.
    place : (S, 2) float64
        Columns and rows.
    covariance : (S, 2, 2) float64
        Of the beam at each, in pixels squared.
    correlation : float
        Width of the noise's correlation over the beam's.
    links : Links
        Which are fitted together.
    noise : (S,) float64
        Around each, for chi-square.
    chunks : Chunks
        Runs kernels over parts of the sources.
    """
    n = len(place)
    narrow, wide = form_of(covariance), form_of(covariance * (1.0 + correlation**2))
    # The correlation, convolved with the beam, is as high as its own sum times how much it widens the beam.
    height = _sum_of(covariance.mean(axis=0) * correlation**2) / (1.0 + correlation**2) if n else 1.0
    flux, overlap, noisy = np.zeros(n), np.zeros(len(links.others)), np.zeros(len(links.others))
    chunks(
        n,
        lambda first, last: beam_sums(
            *(pixels, place, narrow, wide, REACH, links.starts, links.others, first, last), *(flux, overlap, noisy)
        ),
    )
    peak, variance, spent = _solved(links, flux, overlap, noisy * height)
    squares, counts = np.zeros(n), np.zeros(n, np.int64)
    known = np.nan_to_num(peak)
    chunks(
        n,
        lambda first, last: residual_sums(
            *(pixels, place, narrow, REACH, links.starts, links.others, first, last), *(known, squares, counts)
        ),
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        chi2 = squares / (noise**2 * np.where(counts > spent, counts - spent, np.nan))
    return Fitted(peak, np.sqrt(variance), chi2)


def _solved(
    links: Links, flux: NDArray[np.float64], overlap: NDArray[np.float64], noisy: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Peaks, their variances over the noise's, and the pixels that each takes off the freedom of what is left."""
    own = links.starts[:-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        peak, spent = flux / overlap[own], noisy[own] / overlap[own]
        variance = spent / overlap[own]
    count = np.bincount(links.blend)
    together = np.flatnonzero(count[links.blend] > 1)
    order = together[np.argsort(links.blend[together], kind="stable")]
    where = np.empty(len(flux), np.int64)
    for blend in np.split(order, np.flatnonzero(np.diff(links.blend[order])) + 1):
        # Where all around a source is blank there is nothing to be solved for.
        members = blend[overlap[own[blend]] > 0]
        if not members.size:
            continue
        where[members] = np.arange(len(members))
        normal, m = np.zeros((2, len(members), len(members)))
        for row, source in enumerate(members.tolist()):
            part = slice(links.starts[source], links.starts[source + 1])
            there = np.isin(links.others[part], members)
            columns = where[links.others[part][there]]
            normal[row, columns], m[row, columns] = overlap[part][there], noisy[part][there]
        inverse = np.linalg.pinv(normal)
        peak[members] = inverse @ flux[members]
        variance[members] = np.diag(inverse @ ((m + m.T) / 2.0) @ inverse.T)
        spent[members] = np.einsum("ij,ji->i", inverse, m)
    return peak, variance, spent


def _whitened(place: NDArray[np.float64], form: NDArray[np.float64]) -> NDArray[np.float64]:
    """Places so that the beam is round and of standard deviation 1."""
    return np.asarray(place @ np.linalg.cholesky(form))


def form_of(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the quadratic forms (S, 3), of (dx^2, 2 dx dy, dy^2), of covariances (S, 2, 2)."""
    inverse = np.linalg.inv(covariance)
    return np.ascontiguousarray(np.stack([inverse[:, 0, 0], inverse[:, 0, 1], inverse[:, 1, 1]], axis=-1))


def _sum_of(covariance: NDArray[np.float64]) -> float:
    """Sum of a Gaussian of height 1 over pixels."""
    far = int(np.ceil(6.0 * np.sqrt(np.max(np.diag(covariance))))) + 1
    y, x = np.mgrid[-far : far + 1, -far : far + 1]
    a, b, c = form_of(covariance[None])[0]
    return float(np.exp(-0.5 * (a * x * x + 2.0 * b * x * y + c * y * y)).sum())
