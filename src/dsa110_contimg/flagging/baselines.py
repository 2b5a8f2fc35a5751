"""What one baseline has: interference of its own, and a share of the sky.

`examine` is what is done with one; `Examiner` does it with many, in a process of its own if need be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numba
import numpy as np

from dsa110_contimg.flagging.band import find_in_powers
from dsa110_contimg.flagging.hearing import excess, sky_window
from dsa110_contimg.flagging.interference import Detector
from dsa110_contimg.flagging.survey import unit_scales
from dsa110_contimg.ms.columns import OpenMs

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

    from numpy.typing import NDArray

    from dsa110_contimg.flagging.hearing import SkyWindow


# Every so many samples are enough for the median of a baseline's powers.
_MEDIAN_STEP = 4
_NOTHING, _INFINITE = np.float32(0), np.float32(np.inf)


class Outlook(NamedTuple):
    """What all baselines are looked at with.

    Attributes
    ----------
    ms : Path
        The Measurement Set.
    first, second : (B,) int64
        Positions of the baselines' antennas.
    powers : (T, A, C, P) float32
        Autocorrelations of these; NaN where there is none.
    flagged : (B,) bool
        Baselines of which some were flagged before.
    sick : (A, P) bool
        Antennas that nothing can be seen with.
    known : (T, C) bool
        Interference that the whole array sees.
    sky : (T, C) float64
        How the amplitude of a baseline changes with the sky in the beam; in any unit.
    """

    ms: Path
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    powers: NDArray[np.float32]
    flagged: NDArray[np.bool_]
    sick: NDArray[np.bool_]
    known: NDArray[np.bool_]
    sky: NDArray[np.float64]


class Seen(NamedTuple):
    """What was seen on neighbouring baselines.

    Attributes
    ----------
    baselines : slice
        Which.
    bits : (T, b, C/8) uint8
        Interference, beside what was known, in both polarizations: packed along the channels.
    excess : (b, P) float64
        Power from the sky (`hearing.excess`); NaN without data.
    """

    baselines: slice
    bits: NDArray[np.uint8]
    excess: NDArray[np.float64]


class Examiner:
    """Looks at baselines; a context manager, because it keeps the Measurement Set open."""

    def __init__(self, outlook: Outlook) -> None:
        self._outlook = outlook
        self._ms = OpenMs(outlook.ms)
        info = self._ms.info
        self._detector = Detector(info.n_times, info.n_channels, "baseline")
        self._of_powers = Detector(info.n_times, info.n_channels, "array")
        self._window = sky_window(info.n_times, info.n_channels, info.channel_width_hz)
        self._scales = unit_scales(np.ascontiguousarray(outlook.powers.transpose(1, 3, 0, 2)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._ms.close()

    def look(self, baselines: slice) -> Seen:
        """Look at some neighbouring baselines."""
        outlook = self._outlook
        data = self._ms.read_baselines("DATA", baselines)
        n_times, count, n_channels, n_corr = data.shape
        flags = np.zeros(data.shape, np.bool_)
        if outlook.flagged[baselines].any():
            flags = self._ms.read_baselines("FLAG", baselines)
        found = np.zeros((n_times, count, n_channels), bool)
        shares = np.full((count, n_corr), np.nan)
        coefficients = np.empty((n_corr, n_times, n_channels), np.complex64)
        for k in range(count):
            i, j = outlook.first[baselines.start + k], outlook.second[baselines.start + k]
            sick = outlook.sick[i] | outlook.sick[j]
            if i == j:
                found[:, k] = find_in_powers(outlook.powers[:, i], outlook.known, self._of_powers)
            elif not sick.all():
                scales = self._scales[i], self._scales[j]
                correlate(data[:, k], flags[:, k], *scales, sick, outlook.known, coefficients)
                found[:, k], shares[k] = examine(coefficients, outlook.sky, self._detector, self._window)
        return Seen(baselines, np.packbits(found, axis=-1), shares)


def examine(
    coefficients: NDArray[np.complex64], sky: NDArray[np.float64], detector: Detector, window: SkyWindow
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Look at one baseline.

    Interference is looked for in the polarizations together: it has both, in unequal parts, and Stokes I needs both.

    Parameters
    ----------
    coefficients : (P, T, C) complex64
        Visibilities in any unit in which the noise is the same in all channels; 0 where they do not count. Becomes 0
        where there is interference.
    sky : (T, C) float64
        How the amplitude changes with the sky in the beam; in any unit.
    detector, window
        For T times and C channels.

    Returns
    -------
    found : (T, C) bool
        Interference.
    excess : (P,) float64
        `hearing.excess` of what is left.
    """
    image = amplitude(coefficients)
    take_change_away(image, sky)
    found = detector.find(image, np.zeros(image.shape, np.bool_))
    coefficients[:, found] = 0
    return found, excess(coefficients, window)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def correlate(
    data: NDArray[np.complex64],
    flags: NDArray[np.bool_],
    scale1: NDArray[np.float32],
    scale2: NDArray[np.float32],
    sick: NDArray[np.bool_],
    known: NDArray[np.bool_],
    coefficients: NDArray[np.complex64],
) -> None:
    """Fill in correlation coefficients.

    Parameters
    ----------
    data : (T, C, P) complex64
        Visibilities.
    flags : (T, C, P) bool
        Their flags.
    scale1, scale2 : (P, T, C) float32
        What makes the voltages of the two antennas have unit power.
    sick : (P,) bool
        Polarizations that do not count.
    known : (T, C) bool
        Interference that is known.
    coefficients : (P, T, C) complex64
        Filled in: 0 for what is flagged, sick, known, not finite, or of unknown power.
    """
    n_times, n_channels, n_corr = data.shape
    for p in range(n_corr):
        for t in range(n_times):
            for c in range(n_channels):
                scale = scale1[p, t, c] * scale2[p, t, c]
                real, imag = data[t, c, p].real * scale, data[t, c, p].imag * scale
                good = (abs(real) < _INFINITE) & (abs(imag) < _INFINITE) & ~(flags[t, c, p] | sick[p] | known[t, c])
                coefficients[p, t, c] = complex(real if good else _NOTHING, imag if good else _NOTHING)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def amplitude(coefficients: NDArray[np.complex64]) -> NDArray[np.float32]:
    """Rms over the polarizations, each relative to its own median power.

    Parameters
    ----------
    coefficients : (P, T, C) complex64
        Those that are 0 do not count.

    Returns
    -------
    (T, C) float32
        NaN where none counts.
    """
    n_corr, n_times, n_channels = coefficients.shape
    n_samples = n_times * n_channels
    flat = coefficients.reshape(n_corr, n_samples)
    total, count = np.zeros(n_samples, np.float32), np.zeros(n_samples, np.float32)
    powers, some = np.empty(n_samples, np.float32), np.empty(n_samples, np.float32)
    for p in range(n_corr):
        n = 0
        for k in range(n_samples):
            value = flat[p, k]
            powers[k] = value.real * value.real + value.imag * value.imag
            some[n] = powers[k]
            n += powers[k] > 0
        if n == 0:
            continue
        median = np.median(some[:n:_MEDIAN_STEP])
        for k in range(n_samples):
            # What does not count adds nothing.
            total[k] += powers[k] / median
            count[k] += powers[k] > 0
    for k in range(n_samples):
        total[k] = np.sqrt(total[k] / count[k]) if count[k] > 0 else np.nan
    return total.reshape(n_times, n_channels)


@numba.njit(cache=True, nogil=True)
def take_change_away(image: NDArray[np.float32], sky: NDArray[np.float64]) -> None:
    """Take as much of the sky's change from an image (T, C), NaN where it does not count, as is in it (in place).

    By least squares; nothing where the sky does not change.
    """
    n_times, n_channels = image.shape
    n, sky_mean, image_mean = 0, 0.0, 0.0
    for t in range(n_times):
        for c in range(n_channels):
            if not np.isnan(image[t, c]):
                n += 1
                sky_mean += sky[t, c]
                image_mean += image[t, c]
    if n == 0:
        return
    sky_mean, image_mean = sky_mean / n, image_mean / n
    square, product = 0.0, 0.0
    for t in range(n_times):
        for c in range(n_channels):
            if not np.isnan(image[t, c]):
                square += (sky[t, c] - sky_mean) ** 2
                product += (sky[t, c] - sky_mean) * (image[t, c] - image_mean)
    if square > 0:
        for t in range(n_times):
            for c in range(n_channels):
                image[t, c] -= product / square * (sky[t, c] - sky_mean)
