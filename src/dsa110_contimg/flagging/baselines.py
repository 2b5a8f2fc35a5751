"""What one baseline has: interference of its own, and a share of the sky.

`examine` is what is done with one; `Examiner` does it with many, in a process of its own if need be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dsa110_contimg.flagging.hearing import excess, sky_window
from dsa110_contimg.flagging.interference import Detector
from dsa110_contimg.ms.columns import OpenMs

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

    from numpy.typing import NDArray

    from dsa110_contimg.flagging.hearing import SkyWindow


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
        self._window = sky_window(info.n_times, info.n_channels, info.channel_width_hz)
        self._has_powers = bool(np.isfinite(outlook.powers).any())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._ms.close()

    def look(self, baselines: slice) -> Seen:
        """Look at some neighbouring baselines."""
        outlook = self._outlook
        data = self._ms.read_baselines("DATA", baselines)
        flags = self._ms.read_baselines("FLAG", baselines)
        n_times, count, n_channels, n_corr = data.shape
        found = np.zeros((n_times, count, n_channels), bool)
        shares = np.full((count, n_corr), np.nan)
        for k in range(count):
            i, j = outlook.first[baselines.start + k], outlook.second[baselines.start + k]
            sick = outlook.sick[i] | outlook.sick[j]
            if i == j or sick.all():
                continue
            coefficients, bad = data[:, k], flags[:, k] | sick | (data[:, k] == 0) | ~np.isfinite(data[:, k])
            if self._has_powers:
                with np.errstate(invalid="ignore"):
                    coefficients = coefficients / np.sqrt(outlook.powers[:, i] * outlook.powers[:, j])
                bad |= ~np.isfinite(coefficients)
            found[:, k], shares[k] = examine(
                coefficients, bad, outlook.known, outlook.sky, self._detector, self._window
            )
        return Seen(baselines, np.packbits(found, axis=-1), shares)


def examine(
    coefficients: NDArray[np.complex64],
    bad: NDArray[np.bool_],
    known: NDArray[np.bool_],
    sky: NDArray[np.float64],
    detector: Detector,
    window: SkyWindow,
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Look at one baseline.

    Interference is looked for in the polarizations together: it has both, in unequal parts, and Stokes I needs both.

    Parameters
    ----------
    coefficients : (T, C, P) complex64
        Visibilities in any unit in which the noise is the same in all channels.
    bad : (T, C, P) bool
        Which do not count.
    known : (T, C) bool
        Interference that is known already.
    sky : (T, C) float64
        How the amplitude changes with the sky in the beam; in any unit.
    detector, window
        For T times and C channels.

    Returns
    -------
    found : (T, C) bool
        Interference that was not known.
    excess : (P,) float64
        `hearing.excess` of what is left.
    """
    bad = bad | known[..., None]
    power = coefficients.real**2 + coefficients.imag**2
    for p in range(power.shape[-1]):
        good = power[..., p][~bad[..., p]]
        power[..., p] /= np.median(good) if good.size else 1.0
    n_good = (~bad).sum(axis=-1)
    image = np.sqrt(np.where(bad, 0.0, power).sum(axis=-1) / np.maximum(n_good, 1))
    found = detector.find(image - _share_of(sky, image, n_good > 0), n_good == 0)
    return found, excess(coefficients, bad | found[..., None], window)


def _share_of(sky: NDArray[np.float64], image: NDArray[np.float64], good: NDArray[np.bool_]) -> NDArray[np.float64]:
    """As much of the sky's change as is in an image, by least squares: none where the sky does not change."""
    if not good.any():
        return np.zeros_like(sky)
    change = sky - sky[good].mean()
    power = (change[good] ** 2).sum()
    return change * ((change[good] * image[good]).sum() / power) if power > 0 else np.zeros_like(sky)
