"""Which set calibrates a group: the best there is, rung by rung, and why; with none, an error that says why not.

1. good sets of the day: the two that bracket the group in time, or the nearest; its own alone;
2. usable sets of the day, likewise;
3. a set of the day before or after, marked stale;
4. none: `NoCalibrationError`.

Of the day means within the reach of the set, a day before and after its transit.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from dsa110_contimg.calibration.validity import REACH_D, Validity, validity
from dsa110_contimg.errors import NoCalibrationError
from dsa110_contimg.telescope.correlator import STRIP_DEG, CorrelatorState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

TRANSIT = "transit"
TIE = "tie"
NO_SET = "no calibration set may be used"
"""How the message of a `NoCalibrationError` of this module begins."""
_STALE_TIMES = 2.0
# A set this near was measured in the group itself, or its neighbour [days].
_OWN_D = 300.0 / 86400.0
_SHOWN = 6


@dataclass(frozen=True)
class SetRecord:
    """A registered set, as far as choosing goes.

    Attributes
    ----------
    name, path : str
        Its name, and the directory of its tables.
    kind : str
        "transit", or "tie": that of a single group to its own sky.
    group : str
        Group id that it was measured in.
    calibrator : str
        Its label.
    grade : {"good", "usable"}
    mid_mjd : float
        When it was measured [MJD, UTC].
    state : CorrelatorState
        How the telescope stood.
    scale_error : float
        Relative error of its flux scale; not a number where that is not known.
    """

    name: str
    path: str
    kind: str
    group: str
    calibrator: str
    grade: str
    mid_mjd: float
    state: CorrelatorState
    scale_error: float = field(default=float("nan"), compare=False)

    def as_json(self) -> dict[str, Any]:
        """Return the same for a job's description."""
        return asdict(self) | {"state": self.state._asdict()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> SetRecord:
        """Undo `as_json`."""
        return cls(**values | {"state": CorrelatorState.from_json(values["state"])})


class Rung(StrEnum):
    """Where on the ladder a set was found, the best first."""

    GOOD = "good-of-the-day"
    USABLE = "usable-of-the-day"
    STALE = "stale"


class Chosen(NamedTuple):
    """The sets for a group.

    Attributes
    ----------
    sets : tuple of SetRecord
        The nearest in time alone; or the ones before and after, phases to be interpolated where that is unambiguous.
    rung : Rung
    why : str
        In words, for records.
    refused : tuple of str
        The others, and why not they.
    """

    sets: tuple[SetRecord, ...]
    rung: Rung
    why: str
    refused: tuple[str, ...]

    @property
    def stale(self) -> bool:
        """Whether it is marked so."""
        return self.rung is Rung.STALE

    @property
    def brackets(self) -> bool:
        """Whether the group is between two sets."""
        return len(self.sets) == 2

    @property
    def rank(self) -> tuple[int, int]:
        """Smaller is better: by this, what was calibrated before is found to be improved by a new set."""
        return list(Rung).index(self.rung), 0 if self.brackets else 1


def choose_sets(
    records: Iterable[SetRecord],
    mjd: float,
    state: CorrelatorState,
    states: Sequence[CorrelatorState] = (),
    reach_d: float = REACH_D,
) -> Chosen:
    """Climb down the ladder for a group.

    Parameters
    ----------
    records : iterable of SetRecord
        Everything registered that is not retired, of whatever strip and time.
    mjd : float
        Middle of the group [MJD, UTC].
    state : CorrelatorState
        How the telescope stood for it.
    states : sequence of CorrelatorState
        Of other groups around, by which restarts are known.
    reach_d : float
        How far a set reaches [days].

    Raises
    ------
    NoCalibrationError
        None may be used; it says why for each of the nearest.
    """
    known = list(records)
    return climb(known, mjd, state, ranges_of(known, states, reach_d), reach_d)


def ranges_of(
    records: Iterable[SetRecord], states: Sequence[CorrelatorState], reach_d: float = REACH_D
) -> dict[str, Validity]:
    """Say for each set, by its name, from when until when it may be used, be it stale."""
    return {record.name: validity(record.mid_mjd, record.state, states, _STALE_TIMES * reach_d) for record in records}


def climb(
    records: Iterable[SetRecord],
    mjd: float,
    state: CorrelatorState,
    ranges: Mapping[str, Validity],
    reach_d: float = REACH_D,
) -> Chosen:
    """Climb down the ladder, the ranges of the sets being known; otherwise as `choose_sets`."""
    nearest_first = sorted(records, key=lambda record: abs(record.mid_mjd - mjd))
    refusals = {record.name: _refusal(record, mjd, state, ranges[record.name], reach_d) for record in nearest_first}
    refused = tuple(f"{name}: {why}" for name, why in refusals.items() if why)
    fit = [record for record in nearest_first if not refusals[record.name]]
    for rung in Rung:
        found = [record for record in fit if _rung_of(record, mjd, reach_d) is rung]
        if found:
            sets = _bracketing(found, mjd, reach_d) if rung is not Rung.STALE else found[:1]
            return Chosen(tuple(sets), rung, _why(sets, mjd, rung), refused)
    said = "; ".join(refused[:_SHOWN]) or "none is registered"
    raise NoCalibrationError(
        f"{NO_SET} at MJD {mjd:.4f}, declination {state.dec_deg:.2f} deg ({said})",
        remedy="See dsa110-contimg cal list; solve a calibrator of this strip, then dsa110-contimg recalibrate.",
    )


def _refusal(record: SetRecord, mjd: float, state: CorrelatorState, known: Validity, reach_d: float) -> str:
    if record.kind != TRANSIT:
        return "it ties one group alone to its sky"
    if abs(record.state.dec_deg - state.dec_deg) > STRIP_DEG:
        return f"of another strip, {record.state.dec_deg:.2f} deg"
    if abs(record.mid_mjd - mjd) > _STALE_TIMES * reach_d:
        return f"{abs(record.mid_mjd - mjd):.1f} days away"
    if known.covers(mjd) and not record.state.changes(state):
        return ""
    changes = "; ".join(record.state.changes(state))
    return changes or (known.end_why if mjd > record.mid_mjd else known.start_why)


def _rung_of(record: SetRecord, mjd: float, reach_d: float) -> Rung:
    if abs(record.mid_mjd - mjd) > reach_d:
        return Rung.STALE
    return Rung.GOOD if record.grade == "good" else Rung.USABLE


def _bracketing(nearest_first: list[SetRecord], mjd: float, reach_d: float) -> list[SetRecord]:
    """Give the nearest on either side, no more than the reach apart; else, and in its own group, the nearest alone."""
    if abs(nearest_first[0].mid_mjd - mjd) < _OWN_D:
        return nearest_first[:1]
    before = next((record for record in nearest_first if record.mid_mjd <= mjd), None)
    after = next((record for record in nearest_first if record.mid_mjd > mjd), None)
    if before is None or after is None or after.mid_mjd - before.mid_mjd > reach_d:
        return nearest_first[:1]
    return [before, after]


def _why(sets: Sequence[SetRecord], mjd: float, rung: Rung) -> str:
    said = " and ".join(f"{record.name} ({record.calibrator}, {record.grade}, {_away(record, mjd)})" for record in sets)
    return f"{rung.value}: {said}"


def _away(record: SetRecord, mjd: float) -> str:
    hours = 24 * (record.mid_mjd - mjd)
    return f"{abs(hours):.1f} h {'later' if hours > 0 else 'earlier'}"
