"""What operators decide about epochs, kept beside the products: it outlives the ledger."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from dsa110_contimg.ledger.decisions import append_line, read_lines
from dsa110_contimg.naming import parse_epoch_id, parse_utc

_NAME = "epoch-decisions.jsonl"


class EpochRetry(NamedTuple):
    """That an epoch is to be made again."""

    epoch: str
    who: str
    when_utc: datetime
    why: str


def retries_file(decisions: Path) -> Path:
    """Name the file: beside that of the decisions about groups."""
    return decisions.with_name(_NAME)


def append_retry(path: Path, item: EpochRetry) -> None:
    """Add a decision to the file.

    Raises
    ------
    LedgerError
        It cannot be written.
    """
    append_line(path, item._asdict() | {"when_utc": item.when_utc.isoformat()})


def read_retries(path: Path) -> Iterator[EpochRetry | str]:
    """Read what `append_retry` wrote; a line that cannot be understood is given as it is. No file: nothing."""
    return read_lines(path, _retry_of)


def _retry_of(said: dict[str, Any]) -> EpochRetry:
    parse_epoch_id(said["epoch"])  # raises
    return EpochRetry(said["epoch"], said["who"], parse_utc(said["when_utc"]), said["why"])
