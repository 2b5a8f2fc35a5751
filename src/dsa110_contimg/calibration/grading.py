"""The verdict on a set of solutions: good, usable or bad, and why."""

from __future__ import annotations

from enum import StrEnum
from math import isnan
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dsa110_contimg.calibration.measures import Judged


class Verdict(StrEnum):
    """What a set is worth. A bad one is never registered."""

    GOOD = "good"
    USABLE = "usable"
    BAD = "bad"


class Limit(NamedTuple):
    """From where on a measure lets a set be only usable, or bad; falling measures have `bad` below `usable`."""

    usable: float
    bad: float
    text: str

    def verdict(self, value: float) -> Verdict:
        """Judge one measure; one that is not known does not count."""
        if isnan(value):
            return Verdict.GOOD
        sign = 1.0 if self.bad > self.usable else -1.0
        if sign * value > sign * self.bad:
            return Verdict.BAD
        return Verdict.USABLE if sign * value > sign * self.usable else Verdict.GOOD


LIMITS: Mapping[str, Limit] = {
    "flagged": Limit(0.25, 0.5, "{:.0%} of the bandpass has no solution"),
    "snr": Limit(10.0, 3.0, "its median signal-to-noise ratio is {:.1f}"),
    "amplitude_scatter": Limit(0.10, 0.25, "amplitudes scatter by {:.0%} from channel to channel"),
    "phase_scatter_deg": Limit(6.0, 20.0, "phases scatter by {:.1f} deg from channel to channel"),
    "gain_phase_scatter_deg": Limit(5.0, 20.0, "gain phases scatter by {:.1f} deg in time"),
    "delay_outliers": Limit(0.05, 0.3, "{:.0%} of the antennas have delays that are too long or jumped"),
    "odd_antennas": Limit(0.2, 0.5, "something is odd with {:.0%} of the antennas"),
    "closure_deg": Limit(5.0, 20.0, "triangles close to {:.1f} deg only: the model or baselines are at fault"),
    "residual_ratio": Limit(1.15, 1.5, "residuals are {:.2f} times the thermal noise"),
}
"""By the name of the measure."""
_ORDER = list(Verdict)


class Grade(NamedTuple):
    """The verdict and what speaks against a better one; the worst first."""

    verdict: Verdict
    reasons: tuple[str, ...]
    judged: Judged

    def as_json(self) -> dict[str, Any]:
        """Return the same for JSON."""
        return {"verdict": self.verdict.value, "reasons": list(self.reasons), **self.judged.as_json()}

    def __str__(self) -> str:
        return f"{self.verdict.value}" + (f" ({'; '.join(self.reasons)})" if self.reasons else "")


def grade(judged: Judged, limits: Mapping[str, Limit] = LIMITS) -> Grade:
    """Give the verdict on a set: that on the worst of its measures."""
    found = []
    for name, value in judged.measures._asdict().items():
        verdict = limits[name].verdict(value)
        if verdict is not Verdict.GOOD:
            found.append((verdict, limits[name].text.format(value)))
    found.sort(key=lambda item: -_ORDER.index(item[0]))
    return Grade(found[0][0] if found else Verdict.GOOD, tuple(text for _, text in found), judged)
