"""The subtables of a calibration table: CASA's own descriptions, the Measurement Set's rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import casacore.tables as ct
import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_COPIED = ("OBSERVATION", "ANTENNA", "FIELD")


def copy_subtables(path: Path, ms: Path) -> None:
    """Make OBSERVATION, ANTENNA and FIELD with the Measurement Set's rows, and an empty HISTORY.

    CASA gives all directions in J2000, to which ICRS is equal within 20 mas.
    """
    for name in _COPIED:
        _create(path, name)
        with (
            ct.table(f"{ms}::{name}", ack=False) as source,
            ct.table(f"{path}::{name}", readonly=False, ack=False) as target,
        ):
            target.addrows(source.nrows())
            for column in set(target.colnames()) & set(source.colnames()):
                for row in range(source.nrows()):
                    if source.iscelldefined(column, row):
                        target.putcell(column, row, source.getcell(column, row))
    _create(path, "HISTORY")


def fill_window(path: Path, ms: Path, freq_hz: NDArray[np.float64], channel_width_hz: float) -> None:
    """Make SPECTRAL_WINDOW with the channels of the solutions: one as wide as the band for delays and gains.

    Parameters
    ----------
    path, ms : Path
        The calibration table, and the Measurement Set whose window it is of.
    freq_hz : (C,) float64
        Channel centres [Hz].
    channel_width_hz : float
        Width of a channel [Hz].
    """
    _create(path, "SPECTRAL_WINDOW")
    width = np.full(freq_hz.size, channel_width_hz)
    row: dict[str, Any] = {
        "NUM_CHAN": freq_hz.size,
        "CHAN_FREQ": freq_hz,
        "CHAN_WIDTH": width,
        "EFFECTIVE_BW": width,
        "RESOLUTION": width,
        "TOTAL_BANDWIDTH": width.sum(),
    }
    with (
        ct.table(f"{ms}::SPECTRAL_WINDOW", ack=False) as source,
        ct.table(f"{path}::SPECTRAL_WINDOW", readonly=False, ack=False) as target,
    ):
        target.addrows(1)
        for column in target.colnames():
            target.putcell(column, 0, row[column] if column in row else source.getcell(column, 0))


def _create(path: Path, name: str) -> None:
    """Make an empty subtable as a Measurement Set's, and tell the table of it."""
    place = str(path / name)
    description = ct.required_ms_desc(name)
    for column, cells in description.items():
        if not column.startswith("_"):
            cells["dataManagerGroup"] = "MSMTAB"
    with ct.table(place, description, 0, ack=False):
        pass
    with ct.table(str(path), readonly=False, ack=False) as table:
        table.putkeyword(name, f"Table: {place}")
