"""The bandpass as a table has it: smooth where the calibrator is weak, bridged where channels were left out.

A local fit is a parabola through the channels around each, weighted by their errors: it keeps slope and curvature of
amplitude and phase, which a running mean flattens (Cleveland 1979, J. Am. Stat. Assoc. 74, 829). Its value in the
middle has 9/4 of the variance that a mean of as many channels has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.ndimage import correlate1d

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: At most so many channels are averaged: 4 MHz, an eighth of the fastest ripple that is expected.
MOST_CHANNELS = 16
_PARABOLA_LOSS = 2.25
# Channels to either side that bridge a gap, where they are that near: 6 MHz.
_BRIDGE = 24
_LEAST_POINTS = 5


class Bandpass(NamedTuple):
    """Gains in A antennas, C channels and P polarizations, delays taken out.

    Attributes
    ----------
    gains : (A, C, P) complex128
        0 where there is no solution.
    error : (A, C, P) float64
        One sigma of each component; infinite where there is no solution.
    smoothed : int
        Channels in each local fit; 1 where there was none.
    bridged : int
        Channels that were bridged in any antenna.
    """

    gains: NDArray[np.complex128]
    error: NDArray[np.float64]
    smoothed: int
    bridged: int


def channels_to_average(snr: float, wanted: float) -> int:
    """Give the (odd) number of channels of a local fit that brings a signal-to-noise ratio to what is wanted."""
    if snr >= wanted or snr <= 0.0:
        return 1
    number = int(np.ceil(_PARABOLA_LOSS * (wanted / snr) ** 2))
    return max(min(number, MOST_CHANNELS), _LEAST_POINTS) // 2 * 2 + 1


def smooth_bandpass(
    gains: NDArray[np.complex128],
    error: NDArray[np.float64],
    left_out: NDArray[np.bool_],
    healthy: NDArray[np.bool_],
    wanted_snr: float,
) -> Bandpass:
    """Smooth a bandpass if it needs it, and bridge what was left out.

    Parameters
    ----------
    gains, error : (A, C, P)
        From the solver, delays taken out.
    left_out : (C,) bool
        Channels that were not solved.
    healthy : (A, P) bool
        Antennas whose signal-to-noise ratio decides.
    wanted_snr : float
        Median signal-to-noise ratio below which all antennas are smoothed.
    """
    snr = np.abs(gains) / error
    usual = np.moveaxis(snr, 1, 2)[healthy]
    typical = float(np.median(usual[usual > 0.0])) if (usual > 0.0).any() else 0.0
    number = channels_to_average(typical, wanted_snr)
    if number > 1:
        fitted, fitted_error = local_fit(gains, error, number // 2)
        # A channel without data of its own stays without a solution.
        own = np.isfinite(error) & np.isfinite(fitted_error)
        gains, error = np.where(own, fitted, gains), np.where(own, fitted_error, error)
    empty = left_out[:, None] & ~np.isfinite(error)
    if empty.any():
        fitted, fitted_error = local_fit(gains, error, _BRIDGE)
        found = empty & np.isfinite(fitted_error)
        gains, error = np.where(found, fitted, gains), np.where(found, fitted_error, error)
        return Bandpass(gains, error, number, int(found.any(axis=(0, 2)).sum()))
    return Bandpass(gains, error, number, 0)


def local_fit(
    gains: NDArray[np.complex128], error: NDArray[np.float64], half_width: int
) -> tuple[NDArray[np.complex128], NDArray[np.float64]]:
    """Fit a parabola through each channel's neighbours.

    Parameters
    ----------
    gains, error : (A, C, P)
        Values and errors, infinite where there is none.
    half_width : int
        Channels to either side.

    Returns
    -------
    (A, C, P) complex128, (A, C, P) float64
        Its value in the middle, and the error of that; infinite with fewer than five points.
    """
    x = np.arange(-half_width, half_width + 1) / half_width
    weight = np.where(np.isfinite(error), error, np.inf) ** -2

    def moment(values: NDArray[np.float64], power: int) -> NDArray[np.float64]:
        return np.asarray(correlate1d(values, x**power, axis=1, mode="constant"))

    sums = [moment(weight, power) for power in range(5)]
    points = np.rint(moment((weight > 0.0).astype(np.float64), 0))
    enough = points >= _LEAST_POINTS
    normal = np.stack([np.stack([sums[i + k] for i in range(3)], axis=-1) for k in range(3)], axis=-2)
    normal[~enough] = np.eye(3)
    inverse = np.linalg.inv(normal / normal[..., :1, :1]) / normal[..., :1, :1]
    fitted = np.zeros(gains.shape, np.complex128)
    for power in range(3):
        weighted = moment(weight * gains.real, power) + 1j * moment(weight * gains.imag, power)
        fitted += inverse[..., 0, power] * weighted
    variance = inverse[..., 0, 0]
    enough &= variance > 0.0
    fitted_error = np.full(gains.shape, np.inf)
    np.sqrt(variance, out=fitted_error, where=enough)
    return np.where(enough, fitted, 0.0), fitted_error
