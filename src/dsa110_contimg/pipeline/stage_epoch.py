"""The stage ``epoch``: an hour's images joined, searched, and measured at the places of the strip's reference list."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

from dsa110_contimg.config.changes import with_changes
from dsa110_contimg.config.logs import stage_line
from dsa110_contimg.config.settings import Settings
from dsa110_contimg.pipeline.epoch import make_epoch
from dsa110_contimg.pipeline.stages import EPOCH, Made, Moved
from dsa110_contimg.storage.checksums import tree_bytes

if TYPE_CHECKING:
    from dsa110_contimg.pipeline.stages import JobContext

log = logging.getLogger(__name__)


def run(context: JobContext) -> Moved:
    """Make the epoch."""
    begun = time.monotonic()
    description = context.description
    options = description.options[EPOCH]
    settings = with_changes(
        Settings(**options["settings"]),
        mosaic={"workers": description.threads},
        photometry={"workers": description.threads},
        catalogue={"workers": description.threads},
    )
    images = [Path(path) for path in options["images"]]
    before = sum(tree_bytes(path) for path in images)
    made = make_epoch(
        description.group, images, Path(options["lightcurves"]), context.work, settings, description.inputs
    )
    context.made.append(Made(made.directory, EPOCH))
    context.facts |= {
        "verdict": made.verdict,
        "reasons": list(made.reasons),
        "n_images": made.n_images,
        "n_sources": made.n_sources,
        "n_measurements": made.n_measurements,
        "best_rms_jy": made.best_rms_jy,
    }
    stage_line(log, EPOCH, description.group, before, time.monotonic() - begun, attempt=description.attempt_id)
    return Moved(before, tree_bytes(made.directory))
