"""The noise that forced measurements meet: how strong it is around each, and over how far it is correlated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dsa110_contimg.photometry.forced_kernels import local_scatter
from dsa110_contimg.telescope.spread import robust_sigma

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dsa110_contimg.photometry.forced_fit import Chunks

#: Half of the side of a square in which the noise is measured [beams].
BOX_BEAMS = 12.0
_LEAST_HALF = 16
# Pixels along a side of a square that are looked at.
_SAMPLES = 36
# The noise of the whole image is the median of this many squares along a side.
_SQUARES = 12
# Lags at which the correlation is measured, in standard deviations of the beam; how many, and of how many pixels.
_NEAREST_LAG, _FURTHEST_LAG = 0.5, 1.8
_LAGS = 12
_PIXELS = 60_000
_CLIP = 4.0
_LEAST_CORRELATION, _MOST_CORRELATION = 1e-3, 0.99


def noise_around(
    pixels: NDArray[np.float32], place: NDArray[np.float64], beam_pixels: float, chunks: Chunks
) -> NDArray[np.float64]:
    """Measure the noise around places.

    Parameters
    ----------
    pixels : (n_dec, n_ra) float32
        The image; what is not finite is left out.
    place : (S, 2) float64
        Columns and rows.
    beam_pixels : float
        Width of the beam, FWHM [pixels].
    chunks : Chunks
        Runs the kernel over parts of the places.

    Returns
    -------
    (S,) float64
        Standard deviations, in the unit of the image; NaN where nearly all is blank.
    """
    half = max(_LEAST_HALF, round(BOX_BEAMS * beam_pixels))
    step = max(1, 2 * half // _SAMPLES)
    parts = chunks(len(place), lambda first, last: local_scatter(pixels, place, half, step, first, last))
    return np.concatenate(parts) if parts else np.zeros(0)


def usual_noise(pixels: NDArray[np.float32], beam_pixels: float, chunks: Chunks) -> float:
    """Give the median of the noise in squares all over an image; NaN if it is blank."""
    rows, columns = ((np.arange(_SQUARES) + 0.5) / _SQUARES * n for n in pixels.shape)
    place = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)
    found = noise_around(pixels, place, beam_pixels, chunks)
    found = found[found > 0]
    return float(np.median(found)) if found.size else float("nan")


def correlation_width(pixels: NDArray[np.float32], covariance: NDArray[np.float64]) -> float:
    """Measure how wide the correlation of an image's noise is, over its beam.

    Noise as it comes out of the correlator is correlated as the beam is (1); what was smoothed is so over more.
    The correlation at a lag follows from the scatter of differences over that lag, 2 s^2 (1 - r), which hardly
    feels sources; the median over some lags is taken.

    Parameters
    ----------
    pixels : (n_dec, n_ra) float32
        The image, of even noise; what is not finite is left out.
    covariance : (2, 2) ndarray
        Of the beam, in pixels squared along columns and rows.

    Returns
    -------
    float
        Width of the correlation, taken to be a Gaussian of the beam's shape; 1 if nothing can be measured.
    """
    lags = _lags(covariance)
    far = int(np.abs(lags).max(initial=0))
    n_dec, n_ra = pixels.shape
    if min(n_dec, n_ra) <= 4 * far:
        return 1.0
    step = max(1, int(np.sqrt(n_dec * n_ra / _PIXELS)))
    here = pixels[: n_dec - far : step, far : n_ra - far : step]
    scatter = _scatter(here)
    widths = []
    for dx, dy in lags.tolist():
        there = pixels[dy : n_dec - far + dy : step, far + dx : n_ra - far + dx : step]
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = 1.0 - np.square(_scatter(there - here)) / (2.0 * np.square(scatter))
        if np.isfinite(ratio):
            r = np.clip(ratio, _LEAST_CORRELATION, _MOST_CORRELATION)
            widths.append(_distance(np.array([dx, dy]), covariance) / np.sqrt(-2.0 * np.log(r)))
    return float(np.median(widths)) if widths else 1.0


def _lags(covariance: NDArray[np.float64]) -> NDArray[np.int64]:
    """Some lags (L, 2) in columns and rows, rows not negative."""
    far = int(np.ceil(_FURTHEST_LAG * np.sqrt(np.max(np.diag(covariance)))))
    dx, dy = (lag.ravel() for lag in np.meshgrid(np.arange(-far, far + 1), np.arange(far + 1)))
    lags = np.stack([dx, dy], axis=-1)[(dy > 0) | (dx > 0)]
    away = _distance(lags, covariance)
    lags = lags[(away >= _NEAREST_LAG) & (away <= _FURTHEST_LAG)]
    return lags[:: max(1, len(lags) // _LAGS)]


def _distance(lags: NDArray[np.int64], covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lengths of lags (..., 2) in standard deviations of the beam."""
    return np.asarray(np.sqrt(np.einsum("...i,ij,...j", lags, np.linalg.inv(covariance), lags)))


def _scatter(values: NDArray[np.float32]) -> float:
    """Standard deviation, from the median of absolute values, of what is within 4 of it."""
    known = np.abs(values[np.isfinite(values)])
    if not known.size:
        return float("nan")
    sigma = robust_sigma(known, 0.0)
    kept = known[known <= _CLIP * sigma]
    return float(np.sqrt(np.mean(kept.astype(np.float64) ** 2))) if kept.size else float("nan")
