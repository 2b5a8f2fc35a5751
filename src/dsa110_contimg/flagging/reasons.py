"""Why a sample is flagged."""

from enum import IntEnum


class Reason(IntEnum):
    """Why a sample is flagged: the first in this order that applies, 0 for a good one."""

    GOOD = 0
    #: Exactly 0: no packet arrived.
    ZERO = 1
    #: Not a number, or infinite.
    NOT_FINITE = 2
    #: It was flagged before.
    BEFORE = 3
    #: An antenna of the baseline is dead, hot or deaf in this polarization.
    ANTENNA = 4
    #: Interference that the whole array sees in this channel and integration.
    ARRAY = 5
    #: Interference that this baseline sees; in autocorrelations, what sticks out of the passband.
    BASELINE = 6
    #: The projected baseline is outside the limits that were set.
    UV_RANGE = 7
    #: One antenna stands in the light of another.
    SHADOW = 8

    @property
    def title(self) -> str:
        """A word or two for tables and figures."""
        return _TITLES[self]


_TITLES = {
    Reason.GOOD: "good",
    Reason.ZERO: "zero",
    Reason.NOT_FINITE: "not finite",
    Reason.BEFORE: "flagged before",
    Reason.ANTENNA: "sick antenna",
    Reason.ARRAY: "interference, whole array",
    Reason.BASELINE: "interference, baseline",
    Reason.UV_RANGE: "uv range",
    Reason.SHADOW: "shadow",
}
