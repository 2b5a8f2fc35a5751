"""What operators decide about calibration sets, kept beside the products: it outlives the ledger."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from dsa110_contimg.ledger.decisions import append_line, read_lines
from dsa110_contimg.naming import parse_utc

_NAME = "calibration-decisions.jsonl"


class Retirement(NamedTuple):
    """That a set is not to be used any more."""

    calibration: str
    who: str
    when_utc: datetime
    why: str


def retirements_file(decisions: Path) -> Path:
    """Name the file: beside that of the decisions about groups."""
    return decisions.with_name(_NAME)


def append_retirement(path: Path, item: Retirement) -> None:
    """Add a decision to the file.

    Raises
    ------
    LedgerError
        It cannot be written.
    """
    append_line(path, item._asdict() | {"when_utc": item.when_utc.isoformat()})


def read_retirements(path: Path) -> Iterator[Retirement | str]:
    """Read what `append_retirement` wrote; a line that cannot be understood is given as it is. No file: nothing."""
    return read_lines(
        path, lambda said: Retirement(said["calibration"], said["who"], parse_utc(said["when_utc"]), said["why"])
    )
