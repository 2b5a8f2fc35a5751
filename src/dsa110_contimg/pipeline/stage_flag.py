"""The stage ``flag``: what is not sky is flagged, and the flags from before are kept."""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

from dsa110_contimg.config.logs import stage_line
from dsa110_contimg.config.settings import FlagSettings
from dsa110_contimg.flagging.flags import find_flags, write_flags
from dsa110_contimg.flagging.history import leave_record
from dsa110_contimg.flagging.reasons import Reason
from dsa110_contimg.flagging.tables import record, tabulate
from dsa110_contimg.flagging.versions import versions_directory
from dsa110_contimg.naming import FLAGS_NAME
from dsa110_contimg.pipeline.measurement_set import add_facts
from dsa110_contimg.pipeline.stages import FLAG_VERSIONS, Made, Moved
from dsa110_contimg.storage.checksums import tree_bytes

if TYPE_CHECKING:
    from dsa110_contimg.pipeline.stages import JobContext

log = logging.getLogger(__name__)


def run(context: JobContext) -> Moved:
    """Flag the group's Measurement Set."""
    begun = time.monotonic()
    description = context.description
    options = description.options.get("flag", {})
    settings = FlagSettings(**options.get("settings", {}) | {"workers": description.threads})
    found = find_flags(context.ms, settings)
    write_flags(found, "before the stage flag", settings.n_workers)
    table = tabulate(found, settings.n_workers)
    if options.get("qa"):
        leave_record(found, table, settings.model_dump(), Path(options["qa"]))
    ailments = [str(item) for item in found.ailments]
    for text in ailments:
        log.warning("%s: %s", description.group, text)
    by_reason = {reason.title: round(float(table.total[reason]), 6) for reason in Reason if table.total[reason] > 0}
    said = {"ailments": ailments, "remarks": list(found.remarks), "fractions": by_reason}
    add_facts(context.ms, {"flagging": said})
    (context.ms / FLAGS_NAME).write_text(json.dumps(record(found, table, settings.model_dump(mode="json"))) + "\n")
    context.made.append(Made(versions_directory(context.ms), FLAG_VERSIONS))
    n_bytes = tree_bytes(context.ms)
    stage_line(log, "flag", description.group, n_bytes, time.monotonic() - begun, attempt=description.attempt_id)
    return Moved(n_bytes, found.reasons.size // 8)
