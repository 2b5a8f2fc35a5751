"""Forced measurements, pixel by pixel: sums over the beam around each source, the scatter and the blanks around it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Pixels further from the median than so many standard deviations are sources; looked for so often.
_CLIP, _ROUNDS = 3.0, 3
# Standard deviation over the median absolute deviation, of a normal distribution and of one cut at 3 sigma.
_MAD, _MAD_CUT = 1.4826, 1.4892
# Of fewer pixels than this there is no scatter.
_LEAST_PIXELS = 50


@numba.njit(cache=True, nogil=True)
def beam_sums(
    pixels: NDArray[np.float32],
    place: NDArray[np.float64],
    narrow: NDArray[np.float64],
    wide: NDArray[np.float64],
    reach: float,
    starts: NDArray[np.int64],
    others: NDArray[np.int64],
    first: int,
    last: int,
    flux: NDArray[np.float64],
    overlap: NDArray[np.float64],
    noise: NDArray[np.float64],
) -> None:
    """Sum up, around some sources, the image under the beam, and the beam under itself and its neighbours'.

    Parameters
    ----------
    pixels : (n_dec, n_ra) float32
        The image; what is not finite is left out.
    place : (S, 2) float64
        Columns and rows of the sources.
    narrow, wide : (S, 3) float64
        The beam, and the beam smoothed by the noise's correlation: exp(-(a dx^2 + 2 b dx dy + c dy^2) / 2).
    reach : float
        Where that exponent, of the beam, is -reach^2 / 2 the sums end.
    starts, others : (S + 1,) and (P,) int64
        The sources fitted together with source s are ``others[starts[s]:starts[s + 1]]``, itself the first.
    first, last : int
        Sources that are done.
    flux : (S,) float64
        Sum of beam times image; changed.
    overlap, noise : (P,) float64
        Sums of beam times the other's beam, and times the other's smoothed beam; changed.
    """
    n_dec, n_ra = pixels.shape
    for source in range(first, last):
        a, b, c = narrow[source]
        x0, y0 = place[source]
        # Half sizes of the box around the ellipse: the roots of the covariance's diagonal.
        determinant = a * c - b * b
        half_x, half_y = reach * np.sqrt(c / determinant), reach * np.sqrt(a / determinant)
        total = 0.0
        for row in range(max(0, int(np.ceil(y0 - half_y))), min(n_dec, int(np.floor(y0 + half_y)) + 1)):
            for column in range(max(0, int(np.ceil(x0 - half_x))), min(n_ra, int(np.floor(x0 + half_x)) + 1)):
                dx, dy = column - x0, row - y0
                square = a * dx * dx + 2.0 * b * dx * dy + c * dy * dy
                value = pixels[row, column]
                if square > reach * reach or not np.isfinite(value):
                    continue
                beam = np.exp(-0.5 * square)
                total += beam * value
                for k in range(starts[source], starts[source + 1]):
                    other = others[k]
                    dx, dy = column - place[other, 0], row - place[other, 1]
                    p, q, r = narrow[other]
                    overlap[k] += beam * np.exp(-0.5 * (p * dx * dx + 2.0 * q * dx * dy + r * dy * dy))
                    p, q, r = wide[other]
                    noise[k] += beam * np.exp(-0.5 * (p * dx * dx + 2.0 * q * dx * dy + r * dy * dy))
        flux[source] = total


@numba.njit(cache=True, nogil=True)
def residual_sums(
    pixels: NDArray[np.float32],
    place: NDArray[np.float64],
    narrow: NDArray[np.float64],
    reach: float,
    starts: NDArray[np.int64],
    others: NDArray[np.int64],
    first: int,
    last: int,
    flux: NDArray[np.float64],
    squares: NDArray[np.float64],
    counts: NDArray[np.int64],
) -> None:
    """Sum up the squares of what the fitted beams leave, over the same pixels as `beam_sums`, and count these.

    Parameters are those of `beam_sums`; `flux` (S,) are the beams' peaks, `squares` and `counts` (S,) are changed.
    """
    n_dec, n_ra = pixels.shape
    for source in range(first, last):
        a, b, c = narrow[source]
        x0, y0 = place[source]
        determinant = a * c - b * b
        half_x, half_y = reach * np.sqrt(c / determinant), reach * np.sqrt(a / determinant)
        total, count = 0.0, 0
        for row in range(max(0, int(np.ceil(y0 - half_y))), min(n_dec, int(np.floor(y0 + half_y)) + 1)):
            for column in range(max(0, int(np.ceil(x0 - half_x))), min(n_ra, int(np.floor(x0 + half_x)) + 1)):
                dx, dy = column - x0, row - y0
                value = float(pixels[row, column])
                if a * dx * dx + 2.0 * b * dx * dy + c * dy * dy > reach * reach or not np.isfinite(value):
                    continue
                for k in range(starts[source], starts[source + 1]):
                    other = others[k]
                    dx, dy = column - place[other, 0], row - place[other, 1]
                    p, q, r = narrow[other]
                    value -= flux[other] * np.exp(-0.5 * (p * dx * dx + 2.0 * q * dx * dy + r * dy * dy))
                total += value * value
                count += 1
        squares[source], counts[source] = total, count


@numba.njit(cache=True, nogil=True)
def slope_sums(
    pixels: NDArray[np.float32],
    place: NDArray[np.float64],
    narrow: NDArray[np.float64],
    reach: float,
    first: int,
    last: int,
    flux: NDArray[np.float64],
    slopes: NDArray[np.float64],
    squares: NDArray[np.float64],
) -> None:
    """Sum up what a fitted beam leaves times its slopes, and the slopes' own products, around sources.

    Parameters
    ----------
    pixels, place, narrow, reach, first, last
        As those of `beam_sums`.
    flux : (S,) float64
        The beams' peaks.
    slopes : (S, 2) float64
        Sums of what is left times the beam's change with column and row; changed.
    squares : (S, 2, 2) float64
        Sums of the products of these changes; changed.
    """
    n_dec, n_ra = pixels.shape
    for source in range(first, last):
        a, b, c = narrow[source]
        x0, y0 = place[source]
        determinant = a * c - b * b
        half_x, half_y = reach * np.sqrt(c / determinant), reach * np.sqrt(a / determinant)
        for row in range(max(0, int(np.ceil(y0 - half_y))), min(n_dec, int(np.floor(y0 + half_y)) + 1)):
            for column in range(max(0, int(np.ceil(x0 - half_x))), min(n_ra, int(np.floor(x0 + half_x)) + 1)):
                dx, dy = column - x0, row - y0
                square = a * dx * dx + 2.0 * b * dx * dy + c * dy * dy
                value = pixels[row, column]
                if square > reach * reach or not np.isfinite(value):
                    continue
                beam = np.exp(-0.5 * square)
                left = value - flux[source] * beam
                along, down = beam * (a * dx + b * dy), beam * (b * dx + c * dy)
                slopes[source, 0] += left * along
                slopes[source, 1] += left * down
                squares[source, 0, 0] += along * along
                squares[source, 0, 1] += along * down
                squares[source, 1, 0] += along * down
                squares[source, 1, 1] += down * down


@numba.njit(cache=True, nogil=True)
def local_scatter(
    pixels: NDArray[np.float32], place: NDArray[np.float64], half: int, step: int, first: int, last: int
) -> NDArray[np.float64]:
    """Measure the noise in squares around places: by the median absolute deviation, what is 3 sigma off left out.

    Parameters
    ----------
    pixels : (n_dec, n_ra) float32
        The image; what is not finite is left out.
    place : (S, 2) float64
        Columns and rows.
    half, step : int
        Half of the squares' side, and how many pixels apart those are that are looked at.
    first, last : int
        Places that are done.

    Returns
    -------
    (last - first,) float64
        Standard deviations; NaN where there are too few pixels.
    """
    n_dec, n_ra = pixels.shape
    found = np.full(last - first, np.nan)
    side = 2 * (half // step) + 1
    values = np.empty(side * side)
    for source in range(first, last):
        x, y = int(np.rint(place[source, 0])), int(np.rint(place[source, 1]))
        n = 0
        for row in range(y - half // step * step, y + half + 1, step):
            for column in range(x - half // step * step, x + half + 1, step):
                if 0 <= row < n_dec and 0 <= column < n_ra and np.isfinite(pixels[row, column]):
                    values[n] = pixels[row, column]
                    n += 1
        sigma = np.nan
        for turn in range(_ROUNDS):
            if n < _LEAST_PIXELS:
                break
            middle = np.median(values[:n])
            away = np.abs(values[:n] - middle)
            sigma = (_MAD if turn == 0 else _MAD_CUT) * np.median(away)
            kept = 0
            for k in range(n):
                if away[k] <= _CLIP * sigma:
                    values[kept] = values[k]
                    kept += 1
            if kept == n:
                break
            n = kept
        found[source - first] = sigma
    return found


@numba.njit(cache=True, nogil=True)
def blank_within(
    pixels: NDArray[np.float32], place: NDArray[np.float64], radius: float, first: int, last: int
) -> NDArray[np.bool_]:
    """Whether the image ends or is blank within a radius [pixels] of some of the places (S, 2)."""
    n_dec, n_ra = pixels.shape
    found = np.zeros(last - first, np.bool_)
    for source in range(first, last):
        x, y = place[source]
        for row in range(int(np.ceil(y - radius)), int(np.floor(y + radius)) + 1):
            for column in range(int(np.ceil(x - radius)), int(np.floor(x + radius)) + 1):
                if (column - x) ** 2 + (row - y) ** 2 > radius * radius:
                    continue
                if not (0 <= row < n_dec and 0 <= column < n_ra) or not np.isfinite(pixels[row, column]):
                    found[source - first] = True
    return found


def compile_kernels() -> None:
    """Compile for the types that forced measurements have."""
    pixels, place, form = np.ones((12, 12), np.float32), np.full((1, 2), 6.0), np.array([[1.0, 0.0, 1.0]])
    starts, others, one = np.array([0, 1]), np.zeros(1, np.int64), np.ones(1)
    beam_sums(pixels, place, form, form, 3.0, starts, others, 0, 1, one.copy(), one.copy(), one.copy())
    residual_sums(pixels, place, form, 3.0, starts, others, 0, 1, one, one.copy(), others.copy())
    slope_sums(pixels, place, form, 3.0, 0, 1, one, np.zeros((1, 2)), np.zeros((1, 2, 2)))
    local_scatter(pixels, place, 4, 1, 0, 1)
    blank_within(pixels, place, 2.0, 0, 1)
