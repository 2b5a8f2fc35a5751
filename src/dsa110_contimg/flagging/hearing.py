"""Whether an antenna hears the sky: what it has in common with the rest of the array.

Signals from the sky reach two antennas within a microsecond of each other, cables included, and turn slowly; the noise
of receivers has any delay and any fringe rate. The Fourier transform of a baseline's correlation coefficients, over
frequency and time, has the same noise everywhere; what it has in excess at short delays and slow rates is sky,
however many sources there are, and whatever the gains. If all antennas hear, the excess of a baseline is the product
of what its two antennas hear (the closure of amplitudes), so its median over an antenna's baselines is a measure of
that antenna alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import fft

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Signals are expected at delays up to this [s]; at half of those that there are, where channels are too wide for that.
LONGEST_DELAY_S = 0.6e-6
#: And at rates up to this [turns in an integration]: 1 degree east of the phase centre, on 2.5 km.
FASTEST_RATE = 0.125
# Delays beyond this multiple of the longest have noise only.
_NOISE_FROM = 1.2
# Spread of a median, relative to that of a mean, of Gaussian noise.
_MEDIAN_SPREAD = 1.2533


class SkyWindow(NamedTuple):
    """Where the transform of a baseline, over T times and C channels, has sky, and where only noise.

    Attributes
    ----------
    n_times, n_channels : int
        T and C.
    rates : (R,) int64
        Rates at which there is sky, in the order of the transform.
    near, far : (K,), (F,) int64
        Delays at which there is sky, and those at which there is none, next to each other.
    turning : (R, T) complex64
        The Fourier transform over time, of these rates alone.
    """

    n_times: int
    n_channels: int
    rates: NDArray[np.int64]
    near: NDArray[np.int64]
    far: NDArray[np.int64]
    turning: NDArray[np.complex64]

    @property
    def spread(self) -> float:
        """Standard deviation of the excess that noise gives."""
        return float(np.sqrt(1 / (self.rates.size * self.near.size) + 1 / (self.n_times * self.far.size)))


def sky_window(n_times: int, n_channels: int, channel_width_hz: float) -> SkyWindow:
    """Tell sky from noise by delay and rate."""
    delay_s = np.abs(np.fft.fftfreq(n_channels, channel_width_hz))
    rate = np.abs(np.fft.fftfreq(n_times))
    longest_s = min(LONGEST_DELAY_S, 0.25 / channel_width_hz)
    rates = np.nonzero(rate <= FASTEST_RATE)[0]
    turns = np.outer(rates, np.arange(n_times)) % n_times / n_times
    return SkyWindow(
        n_times,
        n_channels,
        rates,
        np.nonzero(delay_s <= longest_s)[0],
        np.nonzero(delay_s > _NOISE_FROM * longest_s)[0],
        np.exp(-2j * np.pi * turns).astype(np.complex64),
    )


def excess(coefficients: NDArray[np.complex64], window: SkyWindow) -> NDArray[np.float64]:
    """Power that a baseline has from the sky, relative to its noise.

    Parameters
    ----------
    coefficients : (P, T, C) complex64
        Visibilities in any unit in which the noise is the same in all channels; 0 where they do not count.
    window : SkyWindow
        Of (T, C).

    Returns
    -------
    (P,) float64
        0 within `SkyWindow.spread` for noise; NaN where there are no data.
    """
    spectra = fft.fft(coefficients, axis=2)
    # Only where there is sky are the rates needed: summed over all of them, power is what it is in time (Parseval).
    noise = window.n_times * _mean_power(spectra[..., window.far[0] : window.far[-1] + 1])
    sky = _mean_power(window.turning @ np.take(spectra, window.near, axis=2))
    ratio = np.full(sky.shape, np.nan)
    np.divide(sky, noise, out=ratio, where=noise > 0)
    return ratio - 1.0


def _mean_power(values: NDArray[np.complex64]) -> NDArray[np.float64]:
    """Mean over the last two axes of (P, K, N), shape (P,)."""
    rows = [np.ascontiguousarray(row).ravel() for row in values]
    return np.array([np.vdot(row, row).real / row.size for row in rows], np.float64)


class Hearing(NamedTuple):
    """What the antennas hear.

    Attributes
    ----------
    power : (A, P) float64
        Excess of an antenna's median baseline; NaN without data.
    spread : (A, P) float64
        Its standard deviation, if it hears nothing.
    """

    power: NDArray[np.float64]
    spread: NDArray[np.float64]


def of_antennas(
    excesses: NDArray[np.float64],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    well: NDArray[np.bool_],
    spread: float,
) -> Hearing:
    """Work out what each antenna hears.

    Parameters
    ----------
    excesses : (B, P) float64
        Of the baselines; NaN for those without data.
    first, second : (B,) int64
        Positions of their antennas.
    well : (A, P) bool
        Antennas that the others are to be held against.
    spread : float
        Standard deviation of the excess of noise (`SkyWindow.spread`).
    """
    n_antennas, n_corr = well.shape
    power = np.full((n_antennas, n_corr), np.nan)
    deviation = np.full((n_antennas, n_corr), np.nan)
    for antenna in range(n_antennas):
        other = np.where(first == antenna, second, first)
        its = ((first == antenna) | (second == antenna)) & (first != second)
        for p in range(n_corr):
            good = its & well[other, p] & np.isfinite(excesses[:, p])
            if good.any():
                power[antenna, p] = np.median(excesses[good, p])
                deviation[antenna, p] = _MEDIAN_SPREAD * spread / np.sqrt(good.sum())
    return Hearing(power, deviation)
