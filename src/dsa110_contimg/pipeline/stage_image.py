"""The stage ``image``: calibrated visibilities to deconvolved images, of the whole band and of its halves."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from dsa110_contimg.calibration.apply import ApplyOptions
from dsa110_contimg.config.logs import stage_line
from dsa110_contimg.config.settings import CatalogueSettings, ImageSettings
from dsa110_contimg.imaging.products import Provenance
from dsa110_contimg.naming import image_stem, images_name
from dsa110_contimg.pipeline.imaging import Calibrated, Place, image_group
from dsa110_contimg.pipeline.measurement_set import facts_of
from dsa110_contimg.pipeline.stages import IMAGES, Made, Moved
from dsa110_contimg.storage.checksums import tree_bytes
from dsa110_contimg.storage.files import output_errors

if TYPE_CHECKING:
    from dsa110_contimg.pipeline.stages import JobContext

log = logging.getLogger(__name__)


def run(context: JobContext) -> Moved:
    """Image the group, with the solutions that the stage ``apply`` chose; without any, its DATA as they are."""
    begun = time.monotonic()
    description = context.description
    options = description.options.get("image", {})
    settings = ImageSettings(**options.get("settings", {}))
    if settings.threads is None:
        settings = settings.model_copy(update={"threads": description.threads})
    source = Calibrated(context.ms, context.solutions, ApplyOptions(**options.get("apply", {})))
    provenance = Provenance(
        group=description.group,
        ms=context.ms.name,
        calibration=facts_of(context.ms).get("calibration"),
        command="dsa110-contimg stream",
    )
    directory = context.work / images_name(description.group)
    with output_errors(directory):
        directory.mkdir()
    place = Place(directory, image_stem(description.group))
    image_group(source, place, settings, provenance, CatalogueSettings(**options.get("catalogue", {})))
    context.made.append(Made(directory, IMAGES))
    bytes_in, bytes_out = tree_bytes(context.ms), tree_bytes(directory)
    stage_line(log, "image", description.group, bytes_in, time.monotonic() - begun, attempt=description.attempt_id)
    return Moved(bytes_in, bytes_out)
