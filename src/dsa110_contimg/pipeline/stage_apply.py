"""The stage ``apply``: which sets calibrate the group, and its solutions for the stages after it.

The imager takes calibrated blocks; CORRECTED_DATA is written only where the settings want it published.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

from dsa110_contimg.calibration.apply import ApplyOptions
from dsa110_contimg.calibration.apply_in_place import apply_in_place
from dsa110_contimg.calibration.interpolation import join
from dsa110_contimg.calibration.keeping import read_tables
from dsa110_contimg.calibration.sets import read_set
from dsa110_contimg.config.logs import stage_line
from dsa110_contimg.ms.information import read_info
from dsa110_contimg.ms.subtables import add_history
from dsa110_contimg.pipeline.calibration_records import Standing, applied_facts
from dsa110_contimg.pipeline.measurement_set import add_facts, facts_of
from dsa110_contimg.pipeline.stages import CALIBRATION, Moved
from dsa110_contimg.pipeline.tie import tie_group
from dsa110_contimg.storage.checksums import tree_bytes
from dsa110_contimg.telescope.correlator import CorrelatorState

if TYPE_CHECKING:
    from dsa110_contimg.calibration.ladder import Chosen
    from dsa110_contimg.calibration.solutions import Solutions
    from dsa110_contimg.pipeline.stages import JobContext

log = logging.getLogger(__name__)


def run(context: JobContext) -> Moved:
    """Choose the sets for the group, read them, and say so in its Measurement Set.

    Raises
    ------
    NoCalibrationError
        There are none: the group fails.
    """
    begun = time.monotonic()
    description = context.description
    options = description.options.get("apply", {})
    info = read_info(context.ms)
    state = CorrelatorState.from_json(facts_of(context.ms)["correlator"])
    around = Standing.from_json(options)
    own = tuple(read_set(made.path).record(made.path) for made in context.made if made.kind == CALIBRATION)
    chosen = Standing((*around.records, *own), around.states).choose(float(info.times_mjd.mean()), state)
    if chosen.stale:
        log.warning("%s: calibrated by a stale set: %s", description.group, chosen.why)
    context.solutions = solutions_of(chosen)
    tie = tie_group(context, info, state)
    said = [f"calibrated by {chosen.why}"] + ([f"tied to its sky by {tie}"] if tie else [])
    add_history(context.ms, said, application="dsa110-contimg", command="apply")
    n_written = 0
    if options.get("corrected_data"):
        names = ", ".join(record.name for record in chosen.sets)
        how = ApplyOptions(**options.get("settings", {}))
        n_written = apply_in_place(
            context.ms, context.solutions, how, source=names, workers=description.threads
        ).n_bytes
    add_facts(context.ms, {"calibration": applied_facts(chosen, tie)})
    n_bytes = tree_bytes(context.ms)
    stage_line(log, "apply", description.group, n_bytes, time.monotonic() - begun, attempt=description.attempt_id)
    return Moved(n_bytes, n_written)


def solutions_of(chosen: Chosen) -> tuple[Solutions, ...]:
    """Read the tables of one set, or of two with the solutions of either side, to be interpolated between."""
    first, *others = [read_tables(Path(record.path)) for record in chosen.sets]
    for tables in others:
        later = {table.kind: table for table in tables}
        first = [join(table, later[table.kind]) if table.kind in later else table for table in first]
    return tuple(first)
