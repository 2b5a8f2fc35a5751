"""Calibration sets between the disk, the ledger and the ladder: registering what jobs made, gathering what stands."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dsa110_contimg.calibration.ladder import NO_SET, TIE, Rung, SetRecord, climb, ranges_of
from dsa110_contimg.calibration.sets import read_set
from dsa110_contimg.calibration.validity import REACH_D, Validity, turning_points, validity
from dsa110_contimg.errors import CalibrationError, ContimgError, NoCalibrationError
from dsa110_contimg.ledger.calibrations import Calibrated, Calibration, Observing
from dsa110_contimg.ledger.flaggings import Flagging
from dsa110_contimg.ledger.summary import summarize
from dsa110_contimg.naming import FLAGS_NAME
from dsa110_contimg.pipeline.measurement_set import facts_of
from dsa110_contimg.pipeline.stages import CALIBRATION, FLAG_VERSIONS
from dsa110_contimg.storage.checksums import tree_checksum
from dsa110_contimg.telescope.correlator import CorrelatorState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsa110_contimg.calibration.ladder import Chosen
    from dsa110_contimg.ledger.ledger import Ledger
    from dsa110_contimg.pipeline.description import Manifest

log = logging.getLogger(__name__)

_NOT_CALIBRATED = {CALIBRATION, FLAG_VERSIONS}
# Sets reach a day, and for another they are stale; what ends them may be further away by no more.
_AROUND_D = 2.1 * REACH_D
_MOST_FAILURES = 2000


@dataclass(frozen=True)
class Standing:
    """What there is to choose from at a time: the sets around it, and how the telescope stood."""

    records: tuple[SetRecord, ...]
    states: tuple[CorrelatorState, ...]

    @cached_property
    def ranges(self) -> dict[str, Validity]:
        """From when until when each set may be used, by its name."""
        return ranges_of(self.records, self.states)

    def choose(self, mjd: float, state: CorrelatorState) -> Chosen:
        """Climb the ladder; errors as of `choose_sets`."""
        return climb(self.records, mjd, state, self.ranges)

    def as_json(self) -> dict[str, Any]:
        """Return the same for a job's description."""
        return {
            "sets": [record.as_json() for record in self.records],
            "states": [state._asdict() for state in turning_points(self.states)],
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Standing:
        """Undo `as_json`."""
        return cls(
            tuple(SetRecord.from_json(item) for item in values.get("sets", ())),
            tuple(CorrelatorState.from_json(item) for item in values.get("states", ())),
        )


def standing(ledger: Ledger, since_mjd: float, until_mjd: float) -> Standing:
    """Gather what there is around a range of time [MJD, UTC]."""
    since, until = since_mjd - _AROUND_D, until_mjd + _AROUND_D
    records = tuple(record_of(item) for item in ledger.calibrations(since, until))
    return Standing(records, tuple(state_of(item) for item in ledger.observing(since - REACH_D, until + REACH_D)))


def calibration_of(directory: Path, checksum: str | None = None) -> Calibration:
    """Say what the ledger is to know of a set that lies in a directory.

    Raises
    ------
    CalibrationError
        It is none, or not whole.
    """
    found = read_set(directory)
    return Calibration(
        name=found.name,
        group_id=found.group,
        kind=found.kind,
        path=directory.absolute(),
        checksum=checksum or tree_checksum(directory).checksum,
        calibrator=found.calibrator,
        grade=found.verdict,
        reasons=tuple(found.grade.get("reasons", ())),
        dec_deg=found.state.dec_deg,
        mid_mjd=found.mid_mjd,
        valid_from_mjd=found.mid_mjd - REACH_D,
        valid_until_mjd=found.mid_mjd + REACH_D,
        facts={
            "state": found.state._asdict(),
            "flux_scale": found.flux_scale,
            "grade": found.grade,
            "kinds": list(found.kinds),
            **found.facts,
        },
    )


def record_of(item: Calibration) -> SetRecord:
    """Give what the ladder has to know of a registered set."""
    return SetRecord(
        name=item.name,
        path=str(item.path),
        kind=item.kind,
        group=item.group_id,
        calibrator=item.calibrator,
        grade=item.grade,
        mid_mjd=item.mid_mjd,
        state=CorrelatorState.from_json(item.facts["state"]),
        scale_error=float(item.facts["flux_scale"]["error"]),
    )


def state_of(item: Observing) -> CorrelatorState:
    """Give how the telescope stood, as the ledger noted it."""
    return CorrelatorState.from_json(item.correlator)


def validity_of(ledger: Ledger, item: Calibration) -> Validity:
    """Say from when until when a registered set may be used."""
    noted = ledger.observing(item.mid_mjd - REACH_D, item.mid_mjd + REACH_D)
    return validity(item.mid_mjd, record_of(item).state, map(state_of, noted))


def register_made(ledger: Ledger, manifest: Manifest, output: Path) -> None:
    """Register what a job made that is published: a new set, how the telescope stood, what calibrated its products.

    To do so again changes nothing.

    Raises
    ------
    CalibrationError
        A set is not whole, or a Measurement Set says of itself what cannot be understood.
    LedgerError
        A set was judged bad.
    """
    for made in manifest.products:
        if made.kind == CALIBRATION:
            item = calibration_of(output / made.name, made.checksum)
            if ledger.register_calibration(item):
                mark_improvable(ledger, item)
    products = [output / made.name for made in manifest.products if made.kind not in _NOT_CALIBRATED]
    for made in manifest.products:
        if made.kind == "ms":
            try:
                note(ledger, manifest.group, manifest.start_mjd, facts_of(output / made.name), products)
                note_flags(ledger, manifest.group, manifest.start_mjd, output / made.name)
            except (KeyError, TypeError, ValueError) as error:
                if isinstance(error, ContimgError):
                    raise
                raise CalibrationError(
                    f"what it says of itself is not understood ({error!r})", path=output / made.name
                ) from error


def note(ledger: Ledger, group: str, start_mjd: float, facts: dict[str, Any], products: Sequence[Path]) -> None:
    """Note what a group's Measurement Set says: how the telescope stood, and what calibrated its products."""
    if "correlator" in facts:
        state = CorrelatorState.from_json(facts["correlator"])
        correlator = state._asdict() | {"site": facts.get("site")}
        ledger.note_observing(Observing(group, start_mjd, state.dec_deg, correlator))
    if facts.get("calibration"):
        ledger.record_calibrated(uses_of(group, products, facts["calibration"]))


def note_flags(ledger: Ledger, group: str, start_mjd: float, ms: Path) -> None:
    """Note what was flagged by what in a group's Measurement Set, if it says so."""
    path = ms / FLAGS_NAME
    if path.exists():
        said = json.loads(path.read_text())
        ledger.note_flagging(Flagging(group, start_mjd, float(said["flagged"]), said))


def uses_of(group: str, products: Sequence[Path], said: dict[str, Any]) -> list[Calibrated]:
    """Say what calibrated products, from what they say of it themselves (`applied_facts`)."""
    found = [(name, said["rung"]) for name in said["sets"]]
    if said.get("tie"):
        found.append((said["tie"], TIE))
    return [
        Calibrated(path.absolute(), group, name, rung, bool(said["stale"]), said["why"])
        for path in products
        for name, rung in found
    ]


def applied_facts(chosen: Chosen, tie: str | None = None) -> dict[str, Any]:
    """Say in a product what calibrated it: sets, and perhaps the one that ties it to its own sky."""
    return {
        "tie": tie,
        "sets": [record.name for record in chosen.sets],
        "rung": chosen.rung.value,
        "stale": chosen.stale,
        "why": chosen.why,
        "scale_error": max(record.scale_error for record in chosen.sets),
    }


class Improvable(NamedTuple):
    """A group that a registered set would calibrate better than was done, and why."""

    group_id: str
    why: str


def find_improvable(ledger: Ledger, since_mjd: float, until_mjd: float) -> list[Improvable]:
    """List the groups of a range of time that would be calibrated better now, the oldest first.

    Those are the ones that were calibrated by sets retired since, by stale or lesser sets, or from one side alone.
    """
    found = []
    around = standing(ledger, since_mjd, until_mjd)
    retired = {item.name for item in ledger.calibrations(retired=True) if item.retired_utc is not None}
    for noted in ledger.observing(since_mjd, until_mjd):
        used = [item for item in ledger.calibrated_by(noted.group_id) if item.rung != TIE]
        try:
            chosen = around.choose(noted.start_mjd, state_of(noted))
        except NoCalibrationError:
            continue
        why = _improvement(used, chosen, retired, noted.group_id)
        if why:
            found.append(Improvable(noted.group_id, f"{why}; now {chosen.why}"))
    return found


def mark_improvable(ledger: Ledger, item: Calibration) -> list[Improvable]:
    """Write an event for each group that a new set makes improvable; give them."""
    found = find_improvable(ledger, item.mid_mjd - REACH_D, item.mid_mjd + REACH_D)
    for group, why in found:
        ledger.record_event("improvable", why, group)
    if found:
        log.info("%s: %d groups can be calibrated better: dsa110-contimg recalibrate", item.name, len(found))
    return found


def _improvement(used: Sequence[Calibrated], chosen: Chosen, retired: set[str], group_id: str) -> str:
    names = sorted({item.calibration for item in used})
    if not names:
        return "not calibrated before"
    gone = [name for name in names if name in retired]
    if gone:
        return f"{', '.join(gone)} was retired"
    rung, *_ = (Rung(item.rung) for item in used)
    beside = any(record.group == group_id for record in chosen.sets)
    now, before = chosen.rank, (list(Rung).index(rung), 0 if len(names) > 1 or beside else 1)
    return f"{rung.value} before" if now < before else ""


def find_failed(ledger: Ledger, since_mjd: float, until_mjd: float) -> list[Improvable]:
    """List the groups of a range of time that failed for want of a set, if there is one now that may serve them."""
    around = standing(ledger, since_mjd, until_mjd)
    found = []
    for failure in summarize(ledger.path, limit=_MOST_FAILURES).failures:
        mjd = ledger.group(failure.group_id).group.start_mjd
        near = any(abs(record.mid_mjd - mjd) <= REACH_D for record in around.records)
        if failure.reason.startswith(NO_SET) and since_mjd <= mjd <= until_mjd and near:
            found.append(Improvable(failure.group_id, "it failed for want of a set"))
    return found
