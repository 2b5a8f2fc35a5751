"""The report on a group: what its stages say of it, gathered from where they left it."""

from __future__ import annotations

import json
import logging
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from dsa110_contimg.config.logs import PACKAGE, TextFormatter
from dsa110_contimg.naming import FLAGS_NAME, sources_stem
from dsa110_contimg.photometry.records import ECSV, read_catalogue
from dsa110_contimg.pipeline.measurement_set import facts_of
from dsa110_contimg.qa.report import write_report

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from dsa110_contimg.pipeline.description import StageTime
    from dsa110_contimg.pipeline.imaging import Place

TAIL_LINES = 200


class Told(NamedTuple):
    """What the report has to know besides what the Measurement Set and the directory of images say.

    Attributes
    ----------
    group : str
        Group id.
    outcome : str
        What becomes of it: ``done``, ``partial``.
    stages : iterable of StageTime
        What they took.
    log : dict
        ``log``, the lines of it, or ``log_path``.
    command : str
        What was called.
    """

    group: str
    outcome: str
    stages: Iterable[StageTime]
    log: Mapping[str, Any]
    command: str


class LogTail(logging.Handler):
    """Keeps the last lines that this package logs, while it is entered."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.setFormatter(TextFormatter())
        self._kept: deque[str] = deque(maxlen=TAIL_LINES)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self._kept.append(self.format(record))

    @property
    def lines(self) -> list[str]:
        """What was logged."""
        return list(self._kept)

    def __enter__(self) -> LogTail:
        logging.getLogger(PACKAGE).addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger(PACKAGE).removeHandler(self)


def report_group(ms: Path, place: Place, told: Told, calibration: Mapping[str, Any] | None = None) -> Path:
    """Write the one-page report of a group beside its images.

    Parameters
    ----------
    ms : Path
        Its Measurement Set, which says how it was converted, flagged and calibrated.
    place : Place
        Where the images and the catalogue are.
    told : Told
        The rest.
    calibration : mapping, optional
        What it was calibrated by, if the Measurement Set does not say that.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    said = facts_of(ms)
    if calibration is not None:
        said["calibration"] = calibration
    facts = {
        "group": told.group,
        "outcome": told.outcome,
        "ms": said,
        "flags": _flags_of(ms),
        "stages": [item._asdict() for item in told.stages],
        "command": told.command,
        **told.log,
    }
    table = place.directory / (sources_stem(place.stem) + ECSV)
    sources = read_catalogue(table) if table.exists() else None
    return write_report(place.directory, place.stem, facts, sources=sources)


def _flags_of(ms: Path) -> dict[str, Any] | None:
    """Read what was flagged by what; None if nothing says so."""
    try:
        said: dict[str, Any] = json.loads((ms / FLAGS_NAME).read_text())
    except FileNotFoundError:
        return None
    return said
