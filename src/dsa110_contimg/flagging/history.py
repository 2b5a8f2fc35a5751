"""How the band was occupied: the records that flagging leaves, group by group."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dsa110_contimg.errors import NoGroupsError
from dsa110_contimg.flagging.figures import draw_flags
from dsa110_contimg.flagging.tables import as_csv, record
from dsa110_contimg.naming import flag_record_name, is_flag_record_name
from dsa110_contimg.storage.files import output_errors

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from dsa110_contimg.flagging.flags import Found
    from dsa110_contimg.flagging.tables import FlagTable

log = logging.getLogger(__name__)


class History(NamedTuple):
    """Interference in G groups, the oldest first.

    Attributes
    ----------
    groups : (G,) tuple of str
        Names of their Measurement Sets.
    start_mjd : (G,) float64
        When they began [MJD, UTC].
    freq_hz : (C,) float64
        Channel centres [Hz].
    occupancy : (G, C) float64
        Fraction of good samples with interference; NaN where there were none.
    """

    groups: tuple[str, ...]
    start_mjd: NDArray[np.float64]
    freq_hz: NDArray[np.float64]
    occupancy: NDArray[np.float64]

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean over the groups, shape (C,); NaN where none has data."""
        there = np.isfinite(self.occupancy)
        mean = np.full(self.freq_hz.size, np.nan)
        total = np.where(there, self.occupancy, 0.0).sum(axis=0)
        np.divide(total, there.sum(axis=0), out=mean, where=there.any(axis=0))
        return mean


def leave_record(found: Found, table: FlagTable, settings: dict[str, Any], directory: Path) -> list[Path]:
    """Leave what was flagged as JSON, CSV and a figure.

    Parameters
    ----------
    found, table
        What was found, and counts of it.
    settings : dict
        With what it was looked for.
    directory : Path
        Made if need be. A record of the same Measurement Set gives way.

    Returns
    -------
    list of Path
        What was written: the record first.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    paths = [directory / flag_record_name(found.ms.name, suffix) for suffix in ("json", "csv", "png")]
    with output_errors(directory):
        directory.mkdir(parents=True, exist_ok=True)
        partial = [path.with_name(f".{path.name}") for path in paths]
        partial[0].write_text(json.dumps(record(found, table, settings)) + "\n")
        partial[1].write_text(as_csv(found, table))
        with partial[2].open("wb") as file:
            draw_flags(found, table, file)
        for made, final in zip(partial, paths, strict=True):
            made.replace(final)
    return paths


def read_history(directory: Path) -> History:
    """Read the records there are of groups with the channels of the latest.

    Raises
    ------
    NoGroupsError
        There is none.
    """
    files = sorted(path for path in directory.glob("*") if is_flag_record_name(path.name))
    records = [one for one in map(_read, files) if one is not None]
    if not records:
        raise NoGroupsError("no flagging has left a record", path=directory, remedy="run dsa110-contimg flag first")
    records.sort(key=lambda one: one["start_mjd"])
    grid = _grid(records[-1])
    records = [one for one in records if _grid(one) == grid]
    first_hz, width_hz, n_channels = grid
    return History(
        tuple(one["ms"] for one in records),
        np.array([one["start_mjd"] for one in records]),
        first_hz + width_hz * np.arange(n_channels, dtype=np.float64),
        np.array([one["occupancy"] for one in records], dtype=np.float64),
    )


def _read(path: Path) -> dict[str, Any] | None:
    try:
        one: dict[str, Any] = json.loads(path.read_text())
        float(one["start_mjd"]), str(one["ms"]), _grid(one)
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.warning("%s is not a record of flagging (%s)", path, error)
        return None
    return one


def _grid(one: dict[str, Any]) -> tuple[float, float, int]:
    return float(one["first_channel_hz"]), float(one["channel_width_hz"]), len(one["occupancy"])
