"""Names in a strip's directory of the store of light curves: an epoch's rows, those of a month, and the ensemble."""

import re
from typing import NamedTuple

from dsa110_contimg.errors import NamingError
from dsa110_contimg.naming.epochs import parse_epoch_id

ENSEMBLE_NAME = "ensemble.parquet"
"""The steady sources of a strip, with their mean flux densities, in its directory."""

_MONTH = re.compile(r"(?P<month>[0-9]{4}-(?:0[1-9]|1[0-2]))-(?P<version>[0-9]{4,})\.parquet")


class MonthName(NamedTuple):
    """What names the rows of a month's epochs: the month, ``2025-10``, and how often they were joined."""

    month: str
    version: int


def epoch_rows_name(epoch: str) -> str:
    """Name an epoch's rows by the day that it begins on: ``2025-10-05/20251005T123456+54.6.parquet``."""
    return f"{parse_epoch_id(epoch).start:%Y-%m-%d}/{epoch}.parquet"


def parse_epoch_rows_name(name: str) -> str:
    """Undo `epoch_rows_name`, without or with its directory: the epoch's id."""
    epoch = name.rpartition("/")[2].removesuffix(".parquet")
    if not name.endswith(".parquet"):
        raise NamingError(f"{name!r} does not name the rows of an epoch")
    parse_epoch_id(epoch)
    return epoch


def epoch_month(epoch: str) -> str:
    """Say in which month an epoch begins: ``2025-10``."""
    return f"{parse_epoch_id(epoch).start:%Y-%m}"


def month_rows_name(month: str, version: int) -> str:
    """Name the rows of a month: ``2025-10-0003.parquet``."""
    name = f"{month}-{version:04d}.parquet"
    parse_month_rows_name(name)
    return name


def parse_month_rows_name(name: str) -> MonthName:
    """Undo `month_rows_name`."""
    match = _MONTH.fullmatch(name)
    if match is None:
        raise NamingError(f"{name!r} does not name the rows of a month")
    return MonthName(match["month"], int(match["version"]))
