"""How the telescope stood for a group: what has to be the same for solutions of one group to serve another.

The correlator's integrations count on without a gap, over all groups, from when it was started: a group that does not
fit the count of another was made after a restart.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

STRIP_DEG = 0.1
"""Pointings this close are one declination strip [deg]."""
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


def digest(values: ArrayLike | str) -> str:
    """Sum up an array of integers, or a text, in sixteen letters."""
    data = values.encode() if isinstance(values, str) else np.ascontiguousarray(values, np.int64).tobytes()
    return hashlib.blake2b(data, digest_size=8).hexdigest()
