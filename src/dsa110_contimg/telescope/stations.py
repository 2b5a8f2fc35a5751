"""The DSA-110 stations: numbers, names and surveyed positions."""

from __future__ import annotations

import csv
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dsa110_contimg.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

_COLUMNS = ("station", "x_m", "y_m", "z_m")

#: The 96 stations at work: 1-51 without 10, 21, 22 and 23, and 68-116.
WORKING_STATIONS = tuple(n for n in (*range(1, 52), *range(68, 117)) if n not in {10, 21, 22, 23})


class Stations(NamedTuple):
    """A table of stations.

    Attributes
    ----------
    numbers : (N,) int64
        Station numbers; the antenna number in a file is one less.
    itrf_m : (N, 3) float64
        Geocentric ITRF positions [m].
    """

    numbers: NDArray[np.int64]
    itrf_m: NDArray[np.float64]

    @property
    def names(self) -> tuple[str, ...]:
        """Station names as files and Measurement Sets have them: ``'1'`` ... ``'117'``."""
        return tuple(str(n) for n in self.numbers)


def load_stations() -> Stations:
    """Return the 117 stations of the array from the package's own table."""
    text = resources.files(__package__).joinpath("data/dsa110_stations.csv").read_text()
    return _parse(text.splitlines(), "the package's station table")


def read_stations(path: Path) -> Stations:
    """Read station positions from a CSV file with columns station, x_m, y_m and z_m.

    Parameters
    ----------
    path : Path
        The file; lines that begin with ``#`` are comments, further columns are ignored.

    Raises
    ------
    SettingsError
        The file cannot be read, or lacks a column, or holds something that is not a number.
    """
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"cannot read the antenna positions ({error})", path=path, remedy="give a readable CSV file"
        ) from error
    return _parse(lines, str(path))


def _parse(lines: Iterable[str], origin: str) -> Stations:
    remedy = f"the first line must be a header with {', '.join(_COLUMNS)} (ITRF, metres), one station a line"
    rows = list(csv.DictReader(line for line in lines if line.strip() and not line.startswith("#")))
    try:
        numbers = np.array([int(row["station"]) for row in rows], dtype=np.int64)
        itrf_m = np.array([[float(row[k]) for k in _COLUMNS[1:]] for row in rows])
    except (KeyError, TypeError, ValueError) as error:
        raise SettingsError(f"not a station table: {origin} ({error!r})", remedy=remedy) from error
    if not rows or not np.isfinite(itrf_m).all() or np.unique(numbers).size != numbers.size:
        raise SettingsError(f"empty, repeated or non-finite stations in {origin}", remedy=remedy)
    return Stations(numbers, itrf_m)
