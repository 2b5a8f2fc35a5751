"""The stage ``solve``: if a calibrator transits in the group, a set of solutions, judged; else nothing.

What cannot be solved, or is judged bad, leaves no set: the group is then calibrated by those there are, as any other.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dsa110_contimg.calibration.carried import scale_from_set
from dsa110_contimg.calibration.choice import choose_calibrator, crossing
from dsa110_contimg.calibration.ensemble import calibrate_to_scale, nearby
from dsa110_contimg.calibration.flux_scale import rescaled
from dsa110_contimg.calibration.grading import Verdict
from dsa110_contimg.calibration.keeping import GUESSED, Origin, judge, keep, read_delays, read_tables
from dsa110_contimg.calibration.ladder import TRANSIT
from dsa110_contimg.calibration.validity import REACH_D
from dsa110_contimg.catalogue.candidates import Strip
from dsa110_contimg.catalogue.tables import read_sources
from dsa110_contimg.config.logs import stage_line
from dsa110_contimg.config.settings import CalibrateSettings
from dsa110_contimg.errors import CalibrationError
from dsa110_contimg.ms.information import read_info
from dsa110_contimg.naming import calibration_name
from dsa110_contimg.pipeline.calibration_records import Standing
from dsa110_contimg.pipeline.measurement_set import add_facts, facts_of
from dsa110_contimg.pipeline.stages import CALIBRATION, Made, Moved
from dsa110_contimg.storage.checksums import tree_bytes
from dsa110_contimg.telescope.beams import beam_model
from dsa110_contimg.telescope.correlator import CorrelatorState

if TYPE_CHECKING:
    from dsa110_contimg.calibration.calibrate import SolutionSet
    from dsa110_contimg.calibration.choice import Choice
    from dsa110_contimg.calibration.flux_scale import FluxScale
    from dsa110_contimg.calibration.grading import Grade
    from dsa110_contimg.calibration.ladder import SetRecord
    from dsa110_contimg.ms.information import MsInfo
    from dsa110_contimg.pipeline.stages import JobContext

log = logging.getLogger(__name__)


def run(context: JobContext) -> Moved:
    """Solve on the calibrator that transits in the group, if one does."""
    begun = time.monotonic()
    description = context.description
    options = description.options.get("solve", {})
    info = read_info(context.ms)
    state = CorrelatorState.from_json(facts_of(context.ms)["correlator"])
    settings = CalibrateSettings(**options.get("settings", {}))
    choice = _choice(info, state, settings, float(options.get("least_flux_jy", 1.0)))
    if choice is None:
        log.info("%s: no calibrator transits in it", description.group)
        return Moved(0, 0)
    log.info("%s: solved on %s", description.group, choice.why)
    said = _solve(context, info, state, choice, settings)
    add_facts(context.ms, {"solved": said})
    n_bytes = tree_bytes(context.ms)
    stage_line(log, "solve", description.group, n_bytes, time.monotonic() - begun, attempt=description.attempt_id)
    return Moved(n_bytes, 0)


def _choice(info: MsInfo, state: CorrelatorState, settings: CalibrateSettings, least_flux_jy: float) -> Choice | None:
    """Choose among the calibrators whose transit is in the group; None if there are none to choose from."""
    half = info.interval_s / 2 / 86400.0
    strip = Strip(state.dec_deg, info.site, beam_model(settings.beam))
    found = crossing(strip, float(info.times_mjd[0]) - half, float(info.times_mjd[-1]) + half, least_flux_jy)
    return choose_calibrator(found, info.working.size) if found else None


def _solve(
    context: JobContext, info: MsInfo, state: CorrelatorState, choice: Choice, settings: CalibrateSettings
) -> dict[str, Any]:
    """Solve, judge, and keep what is not bad; give what is to be said of it."""
    description = context.description
    options = description.options.get("solve", {})
    source = choice.chosen.candidate.calibrator
    catalogue = nearby(read_sources(Path(options["catalogue"])), info) if options.get("catalogue") else None
    known = _alike(options, state, info)
    said: dict[str, Any] = {"calibrator": source.label, "choice": choice.why}
    try:
        found, scale = calibrate_to_scale(info, settings, choice.chosen.candidate, catalogue)
        found, scale = _carry_scale(found, scale, known, info)
        verdict = judge(found, info, read_delays(Path(known[0].path)) if known else None, scale)
    except CalibrationError as error:
        log.warning("%s: nothing can be solved on %s: %s", description.group, source.label, error)
        return said | {"verdict": Verdict.BAD.value, "reasons": [str(error)]}
    if verdict.verdict is Verdict.BAD:
        log.warning("%s: the solutions on %s are %s: they are not kept", description.group, source.label, verdict)
        return said | verdict.as_json()
    directory = context.work / calibration_name(description.group, source.label, description.attempt_id)
    log.info("%s: %s", description.group, scale.text)
    keep(directory, found, verdict, info, Origin(description.group, state, scale, choice.why))
    context.made.append(Made(directory, CALIBRATION))
    return said | _summary(verdict, directory)


def _summary(verdict: Grade, directory: Path) -> dict[str, Any]:
    return {"verdict": verdict.verdict.value, "reasons": list(verdict.reasons), "set": directory.name}


def _alike(options: dict[str, Any], state: CorrelatorState, info: MsInfo) -> list[SetRecord]:
    """List the sets since which nothing changed, the nearest first."""
    mjd = float(info.times_mjd.mean())
    alike = [item for item in Standing.from_json(options).records if not item.state.changes(state)]
    alike = [item for item in alike if item.kind == TRANSIT and Path(item.path).is_dir()]
    return sorted(alike, key=lambda item: abs(item.mid_mjd - mjd))


def _carry_scale(
    found: SolutionSet, scale: FluxScale, known: list[SetRecord], info: MsInfo
) -> tuple[SolutionSet, FluxScale]:
    """Replace an assumed flux scale by that of a set of the day which has a better one."""
    mjd = float(info.times_mjd.mean())
    better = [item for item in known if item.scale_error <= GUESSED and abs(item.mid_mjd - mjd) <= REACH_D]
    if scale.kind != "assumed" or not better:
        return found, scale
    carried = scale_from_set(found.tables, read_tables(Path(better[0].path)), better[0].scale_error, better[0].name)
    if carried is None or carried.error >= scale.error:
        return found, scale
    return found._replace(gains=rescaled(found.gains, carried)), carried
