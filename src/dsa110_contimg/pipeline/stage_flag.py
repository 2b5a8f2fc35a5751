"""The stage ``flag``: what is not sky is flagged, and the flags from before are kept."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from dsa110_contimg.config.logs import stage_line
from dsa110_contimg.config.settings import FlagSettings
from dsa110_contimg.flagging.flags import find_flags, write_flags
from dsa110_contimg.flagging.versions import versions_directory
from dsa110_contimg.pipeline.calibration_records import FLAG_VERSIONS
from dsa110_contimg.pipeline.measurement_set import add_facts
from dsa110_contimg.pipeline.stages import Made, Moved
from dsa110_contimg.storage.checksums import tree_bytes

if TYPE_CHECKING:
    from dsa110_contimg.pipeline.stages import JobContext

log = logging.getLogger(__name__)


def run(context: JobContext) -> Moved:
    """Flag the group's Measurement Set."""
    begun = time.monotonic()
    description = context.description
    settings = FlagSettings(**description.options.get("flag", {}))
    settings = settings.model_copy(update={"workers": description.threads})
    found = find_flags(context.ms, settings)
    write_flags(found, "before the stage flag")
    ailments = [str(item) for item in found.ailments]
    for text in ailments:
        log.warning("%s: %s", description.group, text)
    add_facts(context.ms, {"flagging": {"ailments": ailments, "remarks": list(found.remarks)}})
    context.made.append(Made(versions_directory(context.ms), FLAG_VERSIONS))
    n_bytes = tree_bytes(context.ms)
    stage_line(log, "flag", description.group, n_bytes, time.monotonic() - begun, attempt=description.attempt_id)
    return Moved(n_bytes, found.reasons.size // 8)
