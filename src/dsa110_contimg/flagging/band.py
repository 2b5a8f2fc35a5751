"""Interference that the whole array sees, in the mean power of its baselines, and what one antenna's power shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dsa110_contimg.flagging.interference import Detector

# The sky changes no faster than a polynomial of this degree does over a group and the band.
_DEGREE = 3
_FITS = 20
# What is left of it is smooth over so many integrations and channels.
_SMOOTH = (3.0, 24.0)
_SMOOTHINGS = 3
# Samples further above the rest count as interference while the sky is fitted [standard deviations].
_FIT_SIGMA, _SMOOTH_SIGMA = 2.5, 3.0


def find_in_band(band: NDArray[np.float64], sky: NDArray[np.float64], detector: Detector) -> NDArray[np.bool_]:
    """Find interference in the mean power of the array.

    Parameters
    ----------
    band : (T, C) float64
        `Survey.band`; NaN where there are no data.
    sky : (T, C) float64
        `smooth_part` of it.
    detector : Detector
        For T times and C channels.

    Returns
    -------
    (T, C) bool
    """
    return detector.find(band - sky, ~np.isfinite(band))


def smooth_part(band: NDArray[np.float64]) -> NDArray[np.float64]:
    """Tell what changes slowly: the sky as it drifts through the beam, the noise, and what is left of passbands.

    A calibrator is several times the noise's power, and rises or sets by half in a group: a polynomial in time and
    frequency follows it, a Gaussian mean takes what is left. Both are fitted to what does not stick out upwards, for
    interference only adds power.

    Parameters
    ----------
    band : (T, C) float64
        Mean power; NaN where there are no data.

    Returns
    -------
    (T, C) float64
        Not negative.
    """
    there = np.isfinite(band)
    if not there.any():
        return np.ones(band.shape)
    band = np.where(there, band, 0.0)
    n_times, n_channels = band.shape
    in_time, in_channel = (
        np.polynomial.legendre.legvander(np.linspace(-1, 1, n) if n > 1 else np.zeros(1), _DEGREE)
        for n in (n_times, n_channels)
    )
    degrees = [(i, j) for i in range(min(_DEGREE, n_times - 1) + 1) for j in range(_DEGREE + 1 - i)]
    terms = np.stack([np.outer(in_time[:, i], in_channel[:, j]).ravel() for i, j in degrees], axis=-1)
    fitted = there.ravel()
    left = band
    for _ in range(_FITS):
        chosen = terms[fitted]
        coefficients = np.linalg.lstsq(chosen.T @ chosen, chosen.T @ band.ravel()[fitted], rcond=None)[0]
        left = band - (terms @ coefficients).reshape(band.shape)
        fitted = (there & (left < _usual(left[there & fitted.reshape(band.shape)], _FIT_SIGMA))).ravel()
    rest = left
    for _ in range(_SMOOTHINGS):
        counts = (there & (rest < _usual(rest[there], _SMOOTH_SIGMA))).astype(float)
        weight = gaussian_filter(counts, _SMOOTH, mode="nearest")
        mean = np.zeros_like(left)
        np.divide(gaussian_filter(left * counts, _SMOOTH, mode="nearest"), weight, out=mean, where=weight > 1e-3)
        rest = left - mean
    return np.maximum(band - rest, 0.0)


def find_in_powers(powers: NDArray[np.float32], known: NDArray[np.bool_], detector: Detector) -> NDArray[np.bool_]:
    """Find what comes and goes in an autocorrelation, beside what is known.

    Its noise is a thousandth of it, far less than the structure of any passband: so each channel is held against its
    own median over time, and each integration against its median over channels.

    Parameters
    ----------
    powers : (T, C, P) float32
        NaN where there is none.
    known : (T, C) bool
        What is known.
    detector : Detector
        For T times and C channels.

    Returns
    -------
    (T, C) bool
    """
    there = np.isfinite(powers)
    n_good = there.sum(axis=-1)
    relative = np.where(there, powers, 0.0).astype(np.float64)
    for axis in (0, 1):
        usual = np.median(relative, axis=axis, keepdims=True)
        np.divide(relative, usual, out=relative, where=usual > 0)
    return detector.find(relative.sum(axis=-1) / np.maximum(n_good, 1), known | (n_good == 0))


def _usual(values: NDArray[np.float64], sigma: float) -> float:
    """The median, and so many standard deviations above it, as the lower half of the values tells them."""
    if values.size == 0:
        return np.inf
    low, middle = np.quantile(values, [0.1587, 0.5])
    # Values that are all alike are usual.
    return float(middle + sigma * (middle - low) + np.finfo(float).eps * abs(middle))
