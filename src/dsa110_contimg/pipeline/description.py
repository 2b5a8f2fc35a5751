"""What a job is told, what it tells, and what its supervisor makes of it: plain values that go through JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from dsa110_contimg.naming import partial_name

MANIFEST_NAME = "manifest.json"
"""In a partial directory: it is written last, so that it says of all the rest that it is whole."""


class ProductMade(NamedTuple):
    """A finished product, by its name below the output directory."""

    name: str
    kind: str
    checksum: str
    size_bytes: int


class StageTime(NamedTuple):
    """What a stage took."""

    name: str
    seconds: float
    bytes_in: int
    bytes_out: int


class BadFile(NamedTuple):
    """A file that a job would not use."""

    path: str
    outcome: str
    reason: str


@dataclass(frozen=True)
class JobDescription:
    """All that one attempt at a group needs to know; it asks nobody else.

    Attributes
    ----------
    group : str
        Id of the group, or of the epoch.
    attempt_id : int
        Of the ledger.
    start_mjd : float
        Start of the first integration [MJD, UTC].
    files : dict of int to str
        Good files by subband.
    set_aside : tuple of BadFile
        Files of the group that are not used, for the record.
    output : str
        Where products belong; the attempt leaves them there in a partial directory.
    scratch : str or None
        A fast disk for work in progress; None: beside the product.
    stages : tuple of str
        In their order.
    timeouts_s : dict of str to float
        For each stage [s].
    deadline_s : float
        For the whole attempt [s].
    heartbeat_s : float
        Silence of the job after which it is taken for hung [s].
    memory_cap_bytes : int or None
        For the job and all its children together.
    threads : int
        How many may work at once.
    log_path : str
        Everything that the job prints.
    jobs : str
        Directory in which the description lies while the attempt lasts.
    options : dict
        By stage, what its module understands.
    inputs : dict of str to str
        Of an epoch: checksums of the images that go into it, by group.
    """

    group: str
    attempt_id: int
    start_mjd: float
    files: dict[int, str]
    set_aside: tuple[BadFile, ...]
    output: str
    scratch: str | None
    stages: tuple[str, ...]
    timeouts_s: dict[str, float]
    deadline_s: float
    heartbeat_s: float
    memory_cap_bytes: int | None
    threads: int
    log_path: str
    jobs: str
    options: dict[str, dict[str, Any]] = field(default_factory=dict)
    inputs: dict[str, str] = field(default_factory=dict)

    @property
    def partial(self) -> Path:
        """Where the attempt leaves its products."""
        return Path(self.output) / partial_name(self.group, self.attempt_id)

    @property
    def work(self) -> Path:
        """The attempt's private scratch directory."""
        return Path(self.scratch) / partial_name(self.group, self.attempt_id) if self.scratch else self.partial / "work"

    @property
    def path(self) -> Path:
        """Where it is written down."""
        return Path(self.jobs) / f"{self.partial.name.removeprefix('.partial-')}.json"

    def write(self) -> None:
        """Write it down for the job, and for whoever wants to run that again."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> JobDescription:
        """Undo `write`."""
        values = json.loads(path.read_text())
        values["files"] = {int(subband): name for subband, name in values["files"].items()}
        values["set_aside"] = tuple(BadFile(*item) for item in values["set_aside"])
        values["stages"] = tuple(values["stages"])
        return cls(**values)


@dataclass(frozen=True)
class Manifest:
    """What an attempt made, and of what.

    Attributes
    ----------
    group, start_mjd
        Of the group, or of the epoch.
    attempt_id : int
    subbands : tuple of int
        Those whose data are in the products.
    files : dict of int to str
        Files that were used.
    set_aside : tuple of BadFile
    products : tuple of ProductMade
    stages : tuple of StageTime
    made_utc : str
    inputs : dict of str to str
        Of an epoch: checksums of the images that went into it, by group.
    facts : dict
        What else is known of what was made.
    """

    group: str
    start_mjd: float
    attempt_id: int
    subbands: tuple[int, ...]
    files: dict[int, str]
    set_aside: tuple[BadFile, ...]
    products: tuple[ProductMade, ...]
    stages: tuple[StageTime, ...]
    made_utc: str
    format: int = 1
    inputs: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the same for JSON, with named fields throughout."""
        return asdict(self) | {
            "set_aside": [item._asdict() for item in self.set_aside],
            "products": [item._asdict() for item in self.products],
            "stages": [item._asdict() for item in self.stages],
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Manifest:
        """Undo `as_dict`.

        Raises
        ------
        KeyError, TypeError, ValueError
            It is something else.
        """
        return cls(
            group=values["group"],
            start_mjd=float(values["start_mjd"]),
            attempt_id=int(values["attempt_id"]),
            subbands=tuple(values["subbands"]),
            files={int(subband): name for subband, name in values["files"].items()},
            set_aside=tuple(BadFile(**item) for item in values["set_aside"]),
            products=tuple(ProductMade(**item) for item in values["products"]),
            stages=tuple(StageTime(**item) for item in values["stages"]),
            made_utc=values["made_utc"],
            inputs=dict(values.get("inputs", {})),
            facts=dict(values.get("facts", {})),
        )

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """Read a manifest file; errors as of `from_dict`, and OSError."""
        return cls.from_dict(json.loads(path.read_text()))


@dataclass(frozen=True)
class AttemptResult:
    """How an attempt ended.

    Attributes
    ----------
    manifest : Manifest or None
        None: it failed.
    failure : str or None
        The kind, in the ledger's words; None without a manifest: interrupted, which is no failure.
    message : str
        Why, for people.
    exit_code : int or None
        Of the job; negative: the signal that ended it; None: it was abandoned.
    stages : tuple of StageTime
        Those that ended.
    peak_bytes : int
        The most memory that was seen.
    alone : bool
        Whether the want of a resource is this group's own, and others may go on: it took more than its share of memory,
        or was killed.
    starved : bool
        Whether it is known that it was for want of memory: it took more than its share, found none, or was killed while
        the kernel counted a process that it ended for that.
    """

    manifest: Manifest | None
    failure: str | None = None
    message: str = ""
    exit_code: int | None = None
    stages: tuple[StageTime, ...] = ()
    peak_bytes: int = 0
    alone: bool = False
    starved: bool = False
