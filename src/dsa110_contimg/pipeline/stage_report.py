"""The stage ``report``: one page about the group, beside its images."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from dsa110_contimg.config.logs import stage_line
from dsa110_contimg.naming import N_SUBBANDS, image_stem
from dsa110_contimg.pipeline.imaging import Place
from dsa110_contimg.pipeline.reporting import Told, report_group
from dsa110_contimg.pipeline.stages import Moved

if TYPE_CHECKING:
    from dsa110_contimg.pipeline.stages import JobContext

log = logging.getLogger(__name__)


def run(context: JobContext) -> Moved:
    """Write the report on the group."""
    begun = time.monotonic()
    description = context.description
    told = Told(
        group=description.group,
        outcome="done" if len(context.subbands) == N_SUBBANDS else "partial",
        stages=context.times,
        log={"log_path": description.log_path} if description.log_path else {"log": []},
        command=f"attempt {description.attempt_id}",
    )
    page = report_group(context.ms, Place(context.images, image_stem(description.group)), told)
    n_bytes = page.stat().st_size
    stage_line(log, "report", description.group, n_bytes, time.monotonic() - begun, attempt=description.attempt_id)
    return Moved(0, n_bytes)
