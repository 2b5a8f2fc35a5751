"""From when until when a set may be used: both ways in time, and no further than the telescope stayed as it was.

A set ends where the correlator was restarted, where the order of its antennas or a delay that it applies changed, and
where the dishes were moved. Its integrations count on without a gap, over all groups, from when it was started: a group
that does not fit the count of another was made after a restart.
"""

from __future__ import annotations

import hashlib
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import ArrayLike

STRIP_DEG = 0.1
"""Pointings this close are one declination strip [deg]."""
REACH_D = 1.0
"""So far a set reaches before and after its transit [days]."""
_COUNT_S = 0.05
_DAY_S = 86400.0


class CorrelatorState(NamedTuple):
    """How the telescope stood for a group.

    Attributes
    ----------
    start_mjd : float
        Middle of a first integration [MJD, UTC].
    integration_s : float
        Length of an integration [s].
    dec_deg : float
        Apparent declination of the pointing [deg].
    antenna_order : str
        Digest of the order in which the files have the antennas.
    applied_delays : str
        Digest of the delays that the correlator applied.
    """

    start_mjd: float
    integration_s: float
    dec_deg: float
    antenna_order: str
    applied_delays: str

    @classmethod
    def from_json(cls, facts: dict[str, Any]) -> CorrelatorState:
        """Undo `_asdict`; what else is there does not matter.

        Raises
        ------
        KeyError
            Something is missing.
        """
        return cls(**{name: facts[name] for name in cls._fields})

    def changes(self, later: CorrelatorState) -> tuple[str, ...]:
        """Say what is not the same in another group; nothing: a set of one may serve the other."""
        found = []
        if abs(later.dec_deg - self.dec_deg) > STRIP_DEG:
            found.append(f"the dishes were moved from {self.dec_deg:.2f} to {later.dec_deg:.2f} deg")
        if later.antenna_order != self.antenna_order:
            found.append("the order of the antennas changed")
        if later.applied_delays != self.applied_delays:
            found.append("the correlator applies other delays")
        if later.integration_s != self.integration_s or self._off_count_s(later) > _COUNT_S:
            found.append("the correlator was restarted")
        return tuple(found)

    def _off_count_s(self, later: CorrelatorState) -> float:
        """How far the other's integrations are off the count of these [s]."""
        count = (later.start_mjd - self.start_mjd) * _DAY_S / self.integration_s
        return abs(count - round(count)) * self.integration_s


class Validity(NamedTuple):
    """A range of time [MJD, UTC], and what ends it on either side."""

    start_mjd: float
    end_mjd: float
    start_why: str
    end_why: str

    def covers(self, mjd: float) -> bool:
        """Whether a moment is inside."""
        return self.start_mjd <= mjd <= self.end_mjd


def digest(values: ArrayLike | str) -> str:
    """Sum up an array of integers, or a text, in sixteen letters."""
    data = values.encode() if isinstance(values, str) else np.ascontiguousarray(values, np.int64).tobytes()
    return hashlib.blake2b(data, digest_size=8).hexdigest()


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
