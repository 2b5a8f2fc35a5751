"""The noise of an image, taken apart: receivers, sources too faint to be told apart, and all the rest."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from dsa110_contimg.images.fits import RestoringBeam


class NoiseParts(NamedTuple):
    """Standard deviations whose squares add up [Jy/beam]; None where it is not known.

    Attributes
    ----------
    rms_jy : float
        Measured.
    thermal_jy : float or None
        What the weights of the visibilities tell: receivers and sky.
    confusion_jy : float
        Of sources below the noise, from their counts.
    dynamic_range_jy : float or None
        The rest: sidelobes of what was not cleaned, errors of calibration, interference. 0 if nothing is left.
    """

    rms_jy: float
    thermal_jy: float | None
    confusion_jy: float
    dynamic_range_jy: float | None

    @property
    def largest(self) -> str | None:
        """The part that the noise is made of above all: ``thermal``, ``confusion``, ``dynamic range``."""
        parts = {"thermal": self.thermal_jy, "confusion": self.confusion_jy, "dynamic range": self.dynamic_range_jy}
        known = {name: part for name, part in parts.items() if part is not None}
        return max(known, key=lambda name: known[name]) if len(known) == len(parts) else None

    def as_json(self) -> dict[str, Any]:
        """Return the same for JSON."""
        return {**self._asdict(), "largest": self.largest}


def confusion_jy(beam: RestoringBeam, freq_hz: float) -> float:
    """Estimate the confusion of an image from its beam.

    Condon & Ransom 2016, Essential Radio Astronomy, section 3.7: 0.2 mJy/beam (nu / GHz)^-0.7 (theta / arcmin)^2, for
    beams wider than 0.17 arcmin.

    Parameters
    ----------
    beam : RestoringBeam
        Its geometric mean counts.
    freq_hz : float
        Frequency [Hz].

    Returns
    -------
    float
        Standard deviation [Jy/beam], where the primary beam is 1.
    """
    arcmin = 60.0 * math.sqrt(beam.major_deg * beam.minor_deg)
    return 0.2e-3 * (freq_hz / 1e9) ** -0.7 * arcmin**2


def take_apart(rms_jy: float, thermal_jy: float | None, confused_jy: float) -> NoiseParts:
    """Tell what is left of a noise when thermal noise and confusion are taken from its square."""
    rest = None
    if thermal_jy is not None:
        rest = math.sqrt(max(0.0, rms_jy**2 - thermal_jy**2 - confused_jy**2))
    return NoiseParts(rms_jy, thermal_jy, confused_jy, rest)
