"""The stage ``catalogue``: the sources of the group's image, what it is worth, and a picture of it."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from dsa110_contimg.config.logs import stage_line
from dsa110_contimg.config.settings import CatalogueSettings, QualitySettings
from dsa110_contimg.naming import image_stem
from dsa110_contimg.pipeline.imaging import Place
from dsa110_contimg.pipeline.judging import catalogue_group
from dsa110_contimg.pipeline.stages import Moved
from dsa110_contimg.storage.checksums import tree_bytes

if TYPE_CHECKING:
    from dsa110_contimg.pipeline.stages import JobContext

log = logging.getLogger(__name__)


def run(context: JobContext) -> Moved:
    """Find the sources of the group's image."""
    begun = time.monotonic()
    description = context.description
    options = description.options.get("catalogue", {})
    settings = CatalogueSettings(**options.get("settings", {}) | {"workers": description.threads})
    gates = QualitySettings(**options.get("quality", {}))
    before = tree_bytes(context.images)
    catalogue_group(Place(context.images, image_stem(description.group)), settings, gates)
    stage_line(log, "catalogue", description.group, before, time.monotonic() - begun, attempt=description.attempt_id)
    return Moved(before, tree_bytes(context.images) - before)
