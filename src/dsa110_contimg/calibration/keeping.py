"""Judging what a solver found, and making a set of it: tables, figures, and what it is."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, NamedTuple

from dsa110_contimg.calibration.casa_tables import read_caltable, write_caltable
from dsa110_contimg.calibration.figures import Drawn, draw_set
from dsa110_contimg.calibration.grading import Grade, Verdict, grade
from dsa110_contimg.calibration.ladder import TRANSIT
from dsa110_contimg.calibration.measures import Judged, measure
from dsa110_contimg.calibration.sets import FIGURES, CalibrationSet, read_set, table_name

if TYPE_CHECKING:
    from pathlib import Path

    from dsa110_contimg.calibration.calibrate import SolutionSet
    from dsa110_contimg.calibration.flux_scale import FluxScale
    from dsa110_contimg.calibration.solutions import Solutions
    from dsa110_contimg.ms.information import MsInfo
    from dsa110_contimg.telescope.correlator import CorrelatorState

log = logging.getLogger(__name__)

GUESSED = 0.15
"""A flux scale that may be off by more leaves a set usable at best: a better one of the day comes first."""
_SHOWN = ("reference_antenna", "reference_chosen", "model_sources", "model_apparent_jy", "sefd_jy", "settings")


class Origin(NamedTuple):
    """Where a set comes from.

    Its group, how the telescope stood, what its janskys rest on, why this calibrator; another label than the field's
    name, and another kind than a transit.
    """

    group: str
    state: CorrelatorState
    scale: FluxScale
    choice: str = ""
    label: str = ""
    kind: str = TRANSIT


def judge(
    found: SolutionSet, info: MsInfo, previous_delays: Solutions | None = None, scale: FluxScale | None = None
) -> Grade:
    """Give the verdict on what a solver found.

    Parameters
    ----------
    found : SolutionSet
        What it found.
    info : MsInfo
        The Measurement Set: all its antennas are expected to have solutions.
    previous_delays : Solutions, optional
        K of the set before, if the telescope has stayed as it was.
    scale : FluxScale, optional
        What its janskys rest on: with a guess, it is usable at best.
    """
    judged = measure(*found.tables, found.residuals, info.working, previous_delays)
    antennas = dict(judged.antennas)
    for ailment in found.bandpass.facts.get("ailments", ()):
        name, text = str(ailment["antenna"]), f"{', '.join(ailment['polarizations'])}: {ailment['text']}"
        antennas[name] = (text, *antennas.get(name, ()))
    names = {name: place for place, name in enumerate(info.antenna_names)}
    in_order = dict(sorted(antennas.items(), key=lambda item: names.get(item[0], -1)))
    share = len(antennas) / max(1, info.working.size)
    given = grade(Judged(judged.measures._replace(odd_antennas=share), in_order))
    if scale is None or not scale.error > GUESSED:
        return given
    reasons = (*given.reasons, f"its flux scale is known to {100 * scale.error:.0f}% only")
    return given._replace(verdict=max(given.verdict, Verdict.USABLE, key=list(Verdict).index), reasons=reasons)


def keep(directory: Path, found: SolutionSet, verdict: Grade, info: MsInfo, origin: Origin) -> CalibrationSet:
    """Make the directory of a set.

    Parameters
    ----------
    directory : Path
        To be made; its name is the set's.
    found : SolutionSet
        What was found.
    verdict : Grade
        What it is worth.
    info : MsInfo
        The Measurement Set that was solved.
    origin : Origin
        Where it comes from.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    directory.mkdir(parents=True)
    for table in found.tables:
        write_caltable(directory / table_name(table.kind), table, info.path)
    draw_set(Drawn(*found.tables, verdict), info.antenna_itrf_m, directory / FIGURES)
    facts = found.bandpass.facts
    made = CalibrationSet(
        name=directory.name,
        group=origin.group,
        calibrator=origin.label or found.bandpass.field_name,
        mid_mjd=float(info.times_mjd.mean()),
        state=origin.state,
        grade=verdict.as_json(),
        flux_scale=origin.scale.as_json(),
        kinds=tuple(table.kind for table in found.tables),
        kind=origin.kind,
        facts={"choice": origin.choice, "ms": info.path.name, **_known(facts)},
    )
    made.write(directory)
    log.info("%s: %s", directory.name, verdict)
    return made


def read_tables(directory: Path) -> list[Solutions]:
    """Read the tables of a set, in the order in which they are applied; errors as of `read_set`."""
    return [read_caltable(directory / table_name(kind)) for kind in read_set(directory).kinds]


def read_delays(directory: Path) -> Solutions:
    """Read K of a set; errors as of `read_caltable`."""
    return read_caltable(directory / table_name("K"))


def _known(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: facts[name] for name in _SHOWN if name in facts}
