"""The stages that a job can run, by name; a new one is a line in the table.

A stage is a function of the job's context: it works in the private scratch directory, and gives what it made. It knows
nothing of the ledger, of other groups, or of how it was scheduled. Its module is imported in the job alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from dsa110_contimg.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from dsa110_contimg.calibration.solutions import Solutions
    from dsa110_contimg.pipeline.description import BadFile, JobDescription, StageTime


IMAGES = "images"
"""Kind of product that is a directory of images and what was made of them."""
CALIBRATION = "calibration"
"""Kind of product that is a set."""
FLAG_VERSIONS = "flagversions"
"""Kind of product that keeps former flags of a Measurement Set."""


class Made(NamedTuple):
    """Something a stage made in the scratch directory, to be published; `kind` is a word for it, as ``"ms"``."""

    path: Path
    kind: str


@dataclass
class JobContext:
    """What the stages of a job share, each adding to it.

    Attributes
    ----------
    description : JobDescription
    work : Path
        The private scratch directory.
    made : list of Made
        To be published, from all stages.
    subbands : tuple of int
        Whose data are in what was made.
    set_aside : list of BadFile
        Files that turned out to be bad.
    solutions : tuple of Solutions
        What calibrates the data, from the stage ``apply`` on.
    times : list of StageTime
        What the stages that have ended took.
    facts : dict
        What else is to be known of what was made.
    """

    description: JobDescription
    work: Path
    made: list[Made] = field(default_factory=list)
    subbands: tuple[int, ...] = ()
    set_aside: list[BadFile] = field(default_factory=list)
    solutions: tuple[Solutions, ...] = ()
    times: list[StageTime] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def ms(self) -> Path:
        """The Measurement Set that an earlier stage made."""
        return next(made.path for made in self.made if made.kind == "ms")

    @property
    def images(self) -> Path:
        """The directory of images that an earlier stage made.

        Raises
        ------
        UsageError
            No stage did.
        """
        for made in self.made:
            if made.kind == IMAGES:
                return made.path
        raise UsageError("there is no image yet", remedy="Name the stage image before this one in stream.stages.")


class Moved(NamedTuple):
    """What a stage read and wrote [bytes]."""

    bytes_in: int
    bytes_out: int


class Stage(NamedTuple):
    """Where a stage is, and how long it may take unless the settings say otherwise [s]."""

    module: str
    timeout_s: float

    def load(self) -> Callable[[JobContext], Moved]:
        """Import the stage's function."""
        return import_module(self.module).run


STAGES = {
    "convert": Stage("dsa110_contimg.pipeline.stage_convert", 600.0),
    "flag": Stage("dsa110_contimg.pipeline.stage_flag", 600.0),
    "solve": Stage("dsa110_contimg.pipeline.stage_solve", 900.0),
    "apply": Stage("dsa110_contimg.pipeline.stage_apply", 600.0),
    "image": Stage("dsa110_contimg.pipeline.stage_image", 1800.0),
    "catalogue": Stage("dsa110_contimg.pipeline.stage_catalogue", 900.0),
    "report": Stage("dsa110_contimg.pipeline.stage_report", 300.0),
}
EPOCH = "epoch"
"""The stage of a job that makes an epoch, and the kind of its product."""
EPOCH_STAGE = Stage("dsa110_contimg.pipeline.stage_epoch", 3600.0)


def stage_named(name: str) -> Stage:
    """Find a stage, of a group or of an epoch."""
    return EPOCH_STAGE if name == EPOCH else STAGES[name]


def check_stages(names: Iterable[str]) -> tuple[str, ...]:
    """Check a list of stages.

    Raises
    ------
    UsageError
        It is empty, or has a name that is no stage, or one twice.
    """
    found = tuple(names)
    unknown = [name for name in found if name not in STAGES]
    if not found or unknown or len(set(found)) < len(found):
        raise UsageError(
            f"not a list of stages: {','.join(found) or 'nothing'!r}", remedy=f"There are: {', '.join(STAGES)}."
        )
    return found
