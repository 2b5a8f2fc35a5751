"""Settings of the stream and of what keeps a machine in order."""

import os
from pathlib import Path
from typing import Literal

from pydantic import Field

from dsa110_contimg.config.fields import Count, Number, Section, UserPath


class StreamSettings(Section):
    """The daemon that takes every group through the stages."""

    stages: tuple[str, ...] = Field(
        ("convert", "flag", "solve", "apply", "image", "catalogue", "report"),
        min_length=1,
        description="What is done with a group, in this order.",
    )
    executor: Literal["process", "dask"] = Field(
        "process", description="Where jobs run: child processes of the daemon, or a Dask cluster."
    )
    dask_address: str | None = Field(
        None, description="Address of the Dask scheduler. Not set: a cluster of `workers` processes on this machine."
    )
    workers: Count = Field(1, ge=1, description="Jobs at once; each has its share of the cores (convert.workers).")
    memory_gb: Number | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="Memory that one job may take [GB]. Not set: its share of 80% of the machine's.",
    )
    deadline_s: Number = Field(
        600.0,
        ge=0,
        allow_inf_nan=False,
        description="Seconds that a group waits for missing subbands, from when its first file was first seen.",
    )
    timeouts_s: dict[str, Number] = Field(
        default_factory=dict, description="Seconds that a stage may take, by its name, where not the stage's own."
    )
    heartbeat_s: Number = Field(
        120.0, gt=2, allow_inf_nan=False, description="Seconds without a sign of life after which a job is ended."
    )
    retry_s: Number = Field(
        10.0,
        ge=0,
        allow_inf_nan=False,
        description="Seconds before a failure that may pass is tried again; four times longer each further time.",
    )
    late: Literal["redo", "keep"] = Field(
        "redo", description="Groups to which subbands come after they were published: redo them once, or keep them."
    )
    settle_s: Number = Field(
        2.0, ge=0, allow_inf_nan=False, description="Seconds for which a file has to stay as it is to be whole."
    )
    poll: bool = Field(
        False, description="List the input directory again and again, even where inotify would see what changes there."
    )
    poll_s: Number = Field(5.0, gt=0, allow_inf_nan=False, description="Seconds between two listings of a poll.")
    reserve_gb: Number = Field(
        100.0,
        ge=0,
        allow_inf_nan=False,
        description="Free space [GB] on the root file system below which intake pauses.",
    )
    http_port: Count = Field(
        9110, ge=0, le=65535, description="Port of /healthz and /metrics on 127.0.0.1; 0 is any that is free."
    )

    @property
    def memory_share_bytes(self) -> float:
        """Memory that one job may take: `memory_gb`, or its share of 80% of the machine's [bytes]."""
        if self.memory_gb is not None:
            return self.memory_gb * 1e9
        return 0.8 * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / self.workers


class QuicklooksSettings(Section):
    """Plots that external programs make of Measurement Sets."""

    tools: UserPath | None = Field(
        None, description='Where those programs have their environments. Not set: "tools" in the state directory.'
    )
    timeout_s: Number = Field(
        900.0, gt=0, allow_inf_nan=False, description="Seconds after which a run of such a program is ended."
    )
    max_plots: Count | None = Field(
        None, ge=1, description="At most so many plots of such programs, the most telling first. Not set: all."
    )


class ScratchSettings(Section):
    """Copies on a fast disk. Their place, the scratch root, is ``paths.scratch``, else ``/scratch/dsa110-contimg``."""

    data_root: UserPath = Field(
        Path("/data/dsa110-contimg"), description="What is staged comes from here and is archived to here."
    )
    reserve_gb: Number = Field(
        100.0, ge=0, allow_inf_nan=False, description="Free space [GB] that copies leave on the root file system."
    )
    workers: Count | None = Field(None, ge=1, description="Threads that copy at once. Not set: one per core.")

    @property
    def n_workers(self) -> int:
        """Threads that copy at once: `workers`, or the number of cores this process may use."""
        return len(os.sched_getaffinity(0)) if self.workers is None else self.workers


class HousekeepingSettings(Section):
    """What is left over, and when it may go."""

    leftover_age_s: Number = Field(
        600.0, ge=0, description="What FUSE left of a deleted file (.fuse_hidden*) may go when it is older [s]."
    )
    temporary_age_h: Number = Field(
        24.0, ge=0, description="Partial products and scratch directories may go when nothing in them is younger [h]."
    )
    stop_wait_s: Number = Field(
        10.0, ge=0, description="So long a process that holds leftovers may take to end before it is killed [s]."
    )
    watch_s: Number = Field(
        600.0, gt=0, description="The stream adds up what FUSE has left in its directories every so often [s]."
    )


class KeepSettings(Section):
    """How long data of one kind are kept."""

    days: Number | None = Field(
        None, ge=0, allow_inf_nan=False, description="Days after they were taken until they may go. Not set: never."
    )
    newest: Count = Field(0, ge=0, description="Groups, the newest, whose data stay however old they are.")
    below_free_gb: Number | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description=(
            "They go, the oldest first, only while their file system has less free space than this [GB]. Not set: "
            "whatever is free."
        ),
    )


class RetentionSettings(Section):
    """What may go, and when. Nothing goes by itself: see the verb ``retention``."""

    raw: KeepSettings = Field(default_factory=KeepSettings, description="Subband files of groups that are finished.")
    ms: KeepSettings = Field(default_factory=KeepSettings, description="Measurement Sets, with their flag versions.")
    images: KeepSettings = Field(default_factory=KeepSettings, description="Directories of images and catalogues.")
    epochs: KeepSettings = Field(
        default_factory=KeepSettings,
        description="Directories of epochs: mosaics and measurements. What was measured stays in the light curves.",
    )
    raw_copies: tuple[UserPath, ...] = Field(
        (),
        description=(
            "Directories, two or more, with copies of the subband files, at any depth. A file goes only when two of "
            "them have it, to the byte."
        ),
    )
