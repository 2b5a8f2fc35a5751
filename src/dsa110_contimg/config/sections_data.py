"""Settings of what is read and written: paths, conversion, flagging."""

import os
from pathlib import Path
from typing import Literal

from pydantic import Field

from dsa110_contimg.config.fields import Count, Number, PhaseCentre, Section, UserPath


class PathSettings(Section):
    """Where things are. A relative path starts at the working directory; ``~`` is the home directory."""

    input: UserPath = Field(
        Path("contimg-data/incoming"), description="Subband files, as the correlator leaves them. Never written to."
    )
    ms: UserPath = Field(Path("contimg-data/ms"), description="Published Measurement Sets.")
    qa: UserPath = Field(Path("contimg-data/qa"), description="Plots and reports.")
    scratch: UserPath | None = Field(
        None, description="A fast disk for work in progress and staged copies. Not set: work beside the product."
    )
    state: UserPath = Field(Path("contimg-data/state"), description="What the pipeline remembers; a local disk.")
    cache: UserPath | None = Field(
        None, description="Compiled kernels (NUMBA_CACHE_DIR). Not set: beside the package's own files."
    )


class ConvertSettings(Section):
    """Subband files to Measurement Sets."""

    writer: Literal["direct-subband", "pyuvdata"] = Field(
        "direct-subband",
        description="How to write: tile by tile, or through pyuvdata (the reference: slow, needs 9 GB).",
    )
    phase_centre: PhaseCentre = Field(
        "meridian",
        description=(
            'Where to rotate the data to: "meridian" (the ICRS meridian pointing of mid-group), "drift" (leave them as '
            'they are, one FIELD per integration) or "RA,DEC" (ICRS degrees).'
        ),
    )
    min_subbands: Count = Field(
        12, ge=1, le=16, description="Convert a group with at least so many of its 16 subbands; flag the missing."
    )
    workers: Count | None = Field(None, ge=1, description="Processes that work at once. Not set: one per core.")
    tolerance_s: Number = Field(
        30.0,
        gt=0,
        le=150,
        allow_inf_nan=False,
        description="Seconds by which the times in a group's file names may differ before that earns a warning.",
    )
    qa: Literal["none", "fast", "shadems", "all"] = Field(
        "none",
        description=(
            'What is drawn of each Measurement Set that was converted by hand: "fast" plots, those of "shadems", or '
            '"all" (those of ragavi, too). A plot that fails costs a warning.'
        ),
    )

    @property
    def n_workers(self) -> int:
        """Processes that work at once: `workers`, or the number of cores this process may use."""
        return len(os.sched_getaffinity(0)) if self.workers is None else self.workers


class FlagSettings(Section):
    """What is not sky, and how it is told."""

    rfi: bool = Field(True, description="Whether to look for interference. Data without noise are never looked at.")
    missing_above: Number = Field(
        0.5, ge=0, le=1, description="An antenna that lacks more than this fraction of what others have is missing."
    )
    dead_below: Number = Field(
        0.02, ge=0, lt=1, description="An antenna with less power than this, relative to the array's median, is dead."
    )
    hot_above: Number = Field(
        50.0, gt=1, description="An antenna with more power than this, relative to the array's median, is hot."
    )
    deaf_below: Number = Field(
        0.1, ge=0, lt=1, description="An antenna that shares less than this of the power that others share is deaf."
    )
    min_uv_m: Number | None = Field(None, ge=0, description="Flag baselines projected shorter [m]. Not set: none.")
    max_uv_m: Number | None = Field(None, gt=0, description="Flag baselines projected longer [m]. Not set: none.")
    shadow: bool = Field(False, description="Whether to flag antennas that stand in the light of another.")
    workers: Count | None = Field(None, ge=1, description="Processes that work at once. Not set: one per core.")

    @property
    def n_workers(self) -> int:
        """Processes that work at once: `workers`, or the number of cores this process may use."""
        return len(os.sched_getaffinity(0)) if self.workers is None else self.workers


class TelescopeSettings(Section):
    """The array, where it differs from what the package knows."""

    antenna_positions: UserPath | None = Field(
        None, description="A CSV of station positions to use. Not set: those in the headers of the files."
    )


class LoggingSettings(Section):
    """Log lines, on stderr."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least that is logged.")
    format: Literal["text", "json"] = Field("text", description="Lines for people, or JSON lines for machines.")
