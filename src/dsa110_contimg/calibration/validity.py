"""From when until when a set may be used: both ways in time, and no further than the telescope stayed as it was.

A set ends where the correlator was restarted, where the order of its antennas or a delay that it applies changed, and
where the dishes were moved.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dsa110_contimg.telescope.correlator import CorrelatorState

REACH_D = 1.0
"""So far a set reaches before and after its transit [days]."""


class Validity(NamedTuple):
    """A range of time [MJD, UTC], and what ends it on either side."""

    start_mjd: float
    end_mjd: float
    start_why: str
    end_why: str

    def covers(self, mjd: float) -> bool:
        """Whether a moment is inside."""
        return self.start_mjd <= mjd <= self.end_mjd


def validity(
    mid_mjd: float, own: CorrelatorState, states: Iterable[CorrelatorState], reach_d: float = REACH_D
) -> Validity:
    """Say from when until when a set may be used.

    Parameters
    ----------
    mid_mjd : float
        When it was measured [MJD, UTC].
    own : CorrelatorState
        Of the group that it was measured in.
    states : iterable of CorrelatorState
        Of groups around it, in any order.
    reach_d : float
        How far it reaches in either direction, were nothing to change [days].

    Returns
    -------
    Validity
        It ends with the start of the first group that is unlike its own, and begins with the start of the first one
        after the last that is.
    """
    ordered = sorted(states)
    after = [state for state in ordered if state.start_mjd > own.start_mjd]
    before = [state for state in reversed(ordered) if state.start_mjd < own.start_mjd]
    end, end_why = mid_mjd + reach_d, f"it reaches {24 * reach_d:.0f} h"
    start, start_why = mid_mjd - reach_d, end_why
    first = next((state for state in after if own.changes(state)), None)
    if first is not None and first.start_mjd < end:
        end, end_why = first.start_mjd, "; ".join(own.changes(first))
    last = next((i for i, state in enumerate(before) if own.changes(state)), None)
    if last is not None:
        alike = before[last - 1] if last else own
        if alike.start_mjd > start:
            start, start_why = alike.start_mjd, "; ".join(before[last].changes(own))
    return Validity(start, end, start_why, end_why)


def breaks(states: Sequence[CorrelatorState]) -> list[tuple[float, str]]:
    """List when the telescope changed between groups in order of time [MJD, UTC], and what did."""
    return [(b.start_mjd, "; ".join(a.changes(b))) for a, b in pairwise(states) if a.changes(b)]


def turning_points(states: Iterable[CorrelatorState]) -> tuple[CorrelatorState, ...]:
    """Leave out the states between which nothing changed: ranges of sets are the same without them."""
    ordered = sorted(states)
    changed = [bool(a.changes(b)) for a, b in pairwise(ordered)]
    ends = zip([True, *changed], [*changed, True], strict=False)
    return tuple(state for state, (before, after) in zip(ordered, ends, strict=False) if before or after)
