"""Tying a job's group to the sky that it sees, where the settings want that."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from dsa110_contimg.calibration.ensemble import nearby
from dsa110_contimg.calibration.flux_scale import FluxScale
from dsa110_contimg.calibration.grading import Verdict
from dsa110_contimg.calibration.keeping import Origin, judge, keep
from dsa110_contimg.calibration.ladder import TIE
from dsa110_contimg.calibration.sky_tie import tie_to_sky
from dsa110_contimg.catalogue.tables import read_sources
from dsa110_contimg.config.settings import CalibrateSettings
from dsa110_contimg.errors import CalibrationError
from dsa110_contimg.naming import calibration_name
from dsa110_contimg.pipeline.measurement_set import add_facts
from dsa110_contimg.pipeline.stages import CALIBRATION, Made

if TYPE_CHECKING:
    from dsa110_contimg.ms.information import MsInfo
    from dsa110_contimg.pipeline.stages import JobContext
    from dsa110_contimg.telescope.correlator import CorrelatorState

log = logging.getLogger(__name__)

SKY = "sky"
"""What a tie has in place of a calibrator."""


def tie_group(context: JobContext, info: MsInfo, state: CorrelatorState) -> str | None:
    """Tie the group's solutions to its sky, and keep them as a set; give its name.

    None: that is not wanted, or the tie is not accepted, or is judged bad. Solutions stay as they were then.
    """
    options = context.description.options.get("tie", {})
    if options.get("tie", "never") == "never" or not options.get("catalogue"):
        return None
    group = context.description.group
    catalogue = nearby(read_sources(Path(options["catalogue"])), info)
    settings = CalibrateSettings(**options["settings"])
    try:
        tie = tie_to_sky(context.ms, context.solutions, catalogue, settings, amplitude=options["tie"] == "amplitude")
    except CalibrationError as error:
        _refuse(context, str(error))
        return None
    found = tie.as_set()
    verdict = judge(found, info)
    if not tie.accepted or verdict.verdict is Verdict.BAD:
        _refuse(context, "; ".join(tie.reasons) or str(verdict))
        return None
    scale = FluxScale(**tie.bandpass.facts["flux_scale"]) if "flux_scale" in tie.bandpass.facts else _unknown()
    directory = context.work / calibration_name(group, SKY, context.description.attempt_id)
    keep(directory, found, verdict, info, Origin(group, state, scale, "the sources of its field", SKY, TIE))
    context.made.append(Made(directory, CALIBRATION))
    context.solutions = tie.tables
    log.info("%s: tied to its sky: %s", group, tie.measures)
    return directory.name


def _refuse(context: JobContext, why: str) -> None:
    log.warning("%s: not tied to its sky: %s", context.description.group, why)
    add_facts(context.ms, {"tie_refused": why})


def _unknown() -> FluxScale:
    return FluxScale("assumed", 1.0, float("nan"), 0, "flux scale as of the set that was tied")
