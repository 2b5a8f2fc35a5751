"""A calibrator's Measurement Set solved by hand: judged, published and registered as the stream's are."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dsa110_contimg.calibration.calibrate import calibrator_of
from dsa110_contimg.calibration.choice import weigh
from dsa110_contimg.calibration.ensemble import calibrate_to_scale, nearby
from dsa110_contimg.calibration.grading import Grade, Verdict
from dsa110_contimg.calibration.keeping import Origin, judge, keep
from dsa110_contimg.catalogue.calibrators import find_calibrator
from dsa110_contimg.catalogue.candidates import Strip, look_at
from dsa110_contimg.catalogue.tables import read_sources
from dsa110_contimg.errors import CalibrationError
from dsa110_contimg.ms.information import read_info
from dsa110_contimg.naming import calibration_name
from dsa110_contimg.pipeline.calibration_records import calibration_of, mark_improvable
from dsa110_contimg.pipeline.measurement_set import facts_of
from dsa110_contimg.storage.publish import partial_directory, publish
from dsa110_contimg.telescope.beams import beam_model
from dsa110_contimg.telescope.correlator import CorrelatorState

if TYPE_CHECKING:
    from pathlib import Path

    from dsa110_contimg.calibration.flux_scale import FluxScale
    from dsa110_contimg.config.settings import CalibrateSettings
    from dsa110_contimg.ledger.ledger import Ledger

_HALF_DAY = 0.5


class RegisteredByHand(NamedTuple):
    """What came of it: the set's directory (None: it was bad), its grade, and what its janskys rest on."""

    path: Path | None
    grade: Grade
    scale: FluxScale


def register_set(
    ledger: Ledger, ms: Path, output: Path, settings: CalibrateSettings, catalogue: Path | None = None
) -> RegisteredByHand:
    """Solve a calibrator's Measurement Set; what is not bad is published and registered.

    Parameters
    ----------
    ledger : Ledger
        Where it is registered.
    ms : Path
        The Measurement Set; it says what its calibrator is, and how the telescope stood.
    output : Path
        Directory of products.
    settings : CalibrateSettings
        How to solve.
    catalogue : Path, optional
        Reference sources of the field.

    Raises
    ------
    CalibrationError
        Nothing can be solved, or the Measurement Set does not say how the telescope stood.
    UsageError
        It does not say what its calibrator is, or the list has no such source.
    """
    info, facts = read_info(ms), facts_of(ms)
    if "correlator" not in facts:
        raise CalibrationError("does not say how the telescope stood", path=ms, remedy="Convert the group again.")
    state = CorrelatorState.from_json(facts["correlator"])
    source = find_calibrator(calibrator_of(ms, info).name)
    strip, middle = Strip(state.dec_deg, info.site, beam_model(settings.beam)), float(info.times_mjd.mean())
    candidate = look_at(source, strip, middle - _HALF_DAY, middle + _HALF_DAY)
    field = None if catalogue is None else nearby(read_sources(catalogue), info)
    found, scale = calibrate_to_scale(info, settings, candidate, field)
    verdict = judge(found, info, scale=scale)
    if verdict.verdict is Verdict.BAD:
        return RegisteredByHand(None, verdict, scale)
    group = str(facts["group"])
    version = f"hand-{datetime.now(UTC):%Y%m%dT%H%M%S}"
    name = calibration_name(group, source.label, version)
    working = int(np.union1d(info.antenna1, info.antenna2).size)
    with partial_directory(output, group) as partial:
        keep(partial / name, found, verdict, info, Origin(group, state, scale, f"by hand: {weigh(candidate, working)}"))
        publish(partial / name, output / name)
    item = calibration_of(output / name)
    if ledger.register_calibration(item):
        mark_improvable(ledger, item)
    return RegisteredByHand(output / name, verdict, scale)
