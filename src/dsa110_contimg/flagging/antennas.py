"""Which antennas are sick, in which polarization, and what ails them.

Each is held against the median of the array at the same time, so nothing has to be calibrated.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from dsa110_contimg.config.settings import FlagSettings
    from dsa110_contimg.flagging.hearing import Hearing

# The array hears the sky if its better half does by so many standard deviations: else nobody is called deaf.
_HEARD_SIGMA = 10.0
# An antenna that hears something by so many standard deviations is not deaf.
_HEARS_SIGMA = 3.0


class AilmentKind(StrEnum):
    """What can ail an antenna."""

    #: Its samples are zero, or are not numbers.
    MISSING = "missing"
    #: It has next to no power.
    DEAD = "dead"
    #: It has far more power than others.
    HOT = "hot"
    #: It has noise, but no sky.
    DEAF = "deaf"


class Ailment(NamedTuple):
    """What ails one polarization of an antenna.

    Attributes
    ----------
    antenna : int
        Row of ANTENNA.
    name : str
        Name of the station.
    polarization : str
        ``XX`` or ``YY``.
    kind : AilmentKind
        What it is.
    evidence : str
        What was measured.
    """

    antenna: int
    name: str
    polarization: str
    kind: AilmentKind
    evidence: str

    def __str__(self) -> str:
        return f"station {self.name} {self.polarization} is {self.kind}: {self.evidence}"


class Patients:
    """The antennas with data, and what has been found to ail them.

    Parameters
    ----------
    antennas : (A,) int64
        Rows of ANTENNA.
    names : sequence of str
        Names of all rows of ANTENNA.
    polarizations : sequence of str
        Their names.

    Attributes
    ----------
    sick : (A, P) bool
        Which are sick.
    ailments : list of Ailment
        With what.
    """

    def __init__(self, antennas: NDArray[np.int64], names: Sequence[str], polarizations: Sequence[str]) -> None:
        self.sick = np.zeros((antennas.size, len(polarizations)), bool)
        self.ailments: list[Ailment] = []
        self._antennas = antennas
        self._names = names
        self._polarizations = polarizations

    def check_presence(self, missing: NDArray[np.float64], settings: FlagSettings) -> None:
        """Find those that lack data which others have; `missing` is (A, P), a fraction."""
        for k, p in self._well_where(missing > settings.missing_above):
            self._add(k, p, AilmentKind.MISSING, f"{missing[k, p]:.0%} of its samples are missing")

    def check_powers(self, powers: NDArray[np.float32], settings: FlagSettings) -> None:
        """Find those whose power is far from the array's.

        Parameters
        ----------
        powers : (T, A, C, P) float32
            Autocorrelations; NaN where there is none.
        settings : FlagSettings
            How far is too far.
        """
        levels = median_powers(powers)
        for p in range(levels.shape[1]):
            among = ~self.sick[:, p] & np.isfinite(levels[:, p])
            if not among.any():
                continue
            relative = levels[:, p] / np.median(levels[among, p])
            for k in np.nonzero(among)[0]:
                evidence = f"its power is {relative[k]:.2g} of the array's median"
                if relative[k] < settings.dead_below:
                    self._add(int(k), p, AilmentKind.DEAD, evidence)
                elif relative[k] > settings.hot_above:
                    self._add(int(k), p, AilmentKind.HOT, evidence)

    def check_hearing(self, hearing: Hearing, settings: FlagSettings) -> bool:
        """Find those that do not hear what the others hear.

        Returns
        -------
        bool
            Whether the array hears enough to tell.
        """
        told = True
        for p in range(self.sick.shape[1]):
            power, spread = hearing.power[:, p], hearing.spread[:, p]
            among = ~self.sick[:, p] & np.isfinite(power)
            if not among.any():
                continue
            # The upper quartile, so that an array of which a third is deaf is not taken for a blank sky.
            heard = float(np.quantile(power[among], 0.75))
            if heard < _HEARD_SIGMA * float(np.median(spread[among])):
                told = False
                continue
            for k in np.nonzero(among & (power < np.maximum(settings.deaf_below * heard, _HEARS_SIGMA * spread)))[0]:
                share = max(0.0, float(power[k]) / heard)
                evidence = f"it shares {share:.0%} of the power that others share (noise {spread[k] / heard:.0%})"
                self._add(int(k), p, AilmentKind.DEAF, evidence)
        return told

    def _well_where(self, bad: NDArray[np.bool_]) -> Iterable[tuple[int, int]]:
        return [(int(k), int(p)) for k, p in zip(*np.nonzero(bad & ~self.sick), strict=True)]

    def _add(self, k: int, p: int, kind: AilmentKind, evidence: str) -> None:
        antenna = int(self._antennas[k])
        self.sick[k, p] = True
        self.ailments.append(Ailment(antenna, self._names[antenna], self._polarizations[p], kind, evidence))


def median_powers(powers: NDArray[np.float32]) -> NDArray[np.float64]:
    """Median over times and channels of powers (T, A, C, P), shape (A, P); NaN where there is none."""
    _, n_antennas, _, n_corr = powers.shape
    levels = np.full((n_antennas, n_corr), np.nan)
    for k in range(n_antennas):
        for p in range(n_corr):
            good = powers[:, k, :, p]
            good = good[np.isfinite(good)]
            if good.size:
                levels[k, p] = np.median(good)
    return levels


def noise_of_powers(powers: NDArray[np.float32], samples: float) -> float:
    """Noise of the autocorrelations, relative to what a radiometer has.

    From second differences over channels, in which the passband cancels: their variance is 6 times that of the noise,
    which is power / sqrt(dnu dt).

    Parameters
    ----------
    powers : (T, A, C, P) float32
        NaN where there is none.
    samples : float
        Bandwidth of a channel times length of an integration.

    Returns
    -------
    float
        1 for a radiometer, 0 for data without noise; NaN without autocorrelations.
    """
    if powers.shape[2] < 3:
        return float("nan")
    middle = powers[:, :, 1:-1]
    difference = (powers[:, :, 2:] - 2 * middle + powers[:, :, :-2]) / middle
    difference = np.abs(difference[np.isfinite(difference)])
    if difference.size == 0:
        return float("nan")
    return float(np.median(difference) / 0.6745 / np.sqrt(6.0) * np.sqrt(samples))
