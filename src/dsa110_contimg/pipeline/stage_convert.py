"""The stage ``convert``: subband files to a Measurement Set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dsa110_contimg.config.logs import stage_line
from dsa110_contimg.conversion.checks import SetAside
from dsa110_contimg.conversion.group import ConversionOptions, convert_group
from dsa110_contimg.conversion.helpers import parse_phase_centre
from dsa110_contimg.conversion.listing import SubbandGroup
from dsa110_contimg.pipeline.description import BadFile
from dsa110_contimg.pipeline.stages import JobContext, Made, Moved
from dsa110_contimg.telescope.stations import read_stations

if TYPE_CHECKING:
    from dsa110_contimg.pipeline.description import JobDescription

import logging

log = logging.getLogger(__name__)


def run(context: JobContext) -> Moved:
    """Convert the group into the scratch directory."""
    description = context.description
    converted = convert_group(_group(description), context.work, _options(description))
    known = {item.path for item in description.set_aside}
    found = [BadFile(str(item.path), item.outcome, item.reason) for item in converted.set_aside]
    context.set_aside += [item for item in found if item.path not in known]
    missing = set(converted.missing)
    context.subbands = tuple(subband for subband in sorted(description.files) if subband not in missing)
    context.made.append(Made(converted.ms, "ms"))
    stage_line(log, "convert", description.group, converted.bytes_in, converted.seconds, attempt=description.attempt_id)
    return Moved(converted.bytes_in, converted.bytes_out)


def _group(description: JobDescription) -> SubbandGroup:
    return SubbandGroup(
        id=description.group,
        files={subband: Path(name) for subband, name in description.files.items()},
        start_mjd=description.start_mjd,
        integration_s=0.0,
        n_times=0,
        size_bytes=0,
        set_aside=tuple(SetAside(Path(item.path), item.outcome, item.reason, "") for item in description.set_aside),
        warnings=(),
        verdict="partial",
    )


def _options(description: JobDescription) -> ConversionOptions:
    """Read the options, with the settings' own names."""
    said = description.options.get("convert", {})
    positions = said.get("antenna_positions")
    return ConversionOptions(
        writer=said.get("writer", "direct-subband"),
        phase_centre=parse_phase_centre(said.get("phase_centre", "meridian")),
        stations=read_stations(Path(positions)) if positions else None,
        min_subbands=int(said.get("min_subbands", 12)),
        workers=description.threads,
    )
