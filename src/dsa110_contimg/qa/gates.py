"""Gates: between which limits a figure of an image is good, usable or bad, and the sentence that says why."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from dsa110_contimg.calibration.grading import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

ORDER = (Verdict.GOOD, Verdict.USABLE, Verdict.BAD)


class Check(NamedTuple):
    """A figure and what it is worth.

    Attributes
    ----------
    name : str
        What was measured.
    value : float or None
        None if it could not be measured.
    unit : str
        Of the value and its limits.
    good, usable : float or None
        Up to which the value is good, and usable (infinite: whatever it is); None if there are no two numbers.
    verdict : Verdict or None
        None if it was not judged.
    reason : str
        Why it is not good, or not judged; empty if all is well.
    """

    name: str
    value: float | None
    unit: str
    good: float | None
    usable: float | None
    verdict: Verdict | None
    reason: str

    def as_json(self) -> dict[str, Any]:
        """Return the same for JSON."""
        limits = {"good": self.good, "usable": None if self.usable == math.inf else self.usable}
        return {**self._asdict(), **limits, "verdict": None if self.verdict is None else self.verdict.value}


def judge(name: str, value: float, unit: str, limits: tuple[float, float], reason: str) -> Check:
    """Judge a figure that should be small.

    Parameters
    ----------
    name, value, unit
        As in `Check`; what is not finite is bad.
    limits : (float, float)
        Up to which it is good, and usable.
    reason : str
        What to say if it is not good, with ``{value}`` and ``{limit}`` (the one that it is above).
    """
    good, usable = limits
    if not math.isfinite(value):
        return Check(name, None, unit, good, usable, Verdict.BAD, f"{name} cannot be measured")
    if value <= good:
        return Check(name, value, unit, good, usable, Verdict.GOOD, "")
    verdict, limit = (Verdict.USABLE, good) if value <= usable else (Verdict.BAD, usable)
    return Check(name, value, unit, good, usable, verdict, reason.format(value=_short(value), limit=_short(limit)))


def not_judged(name: str, unit: str, limits: tuple[float, float], reason: str, value: float | None = None) -> Check:
    """Say why a figure is not judged."""
    return Check(name, value, unit, *limits, None, reason)


def found(name: str, verdict: Verdict, reason: str) -> Check:
    """Say that something is so, without a number."""
    return Check(name, None, "", None, None, verdict, reason)


def worst(checks: Iterable[Check]) -> Verdict:
    """The verdict on all: that on the worst; those that were not judged do not count."""
    return max((check.verdict for check in checks if check.verdict is not None), key=ORDER.index, default=Verdict.GOOD)


def _short(value: float) -> str:
    return f"{value:.3g}"
