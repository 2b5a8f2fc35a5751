"""Telling a whole Measurement Set from a broken one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import casacore.tables as ct

from dsa110_contimg.errors import MeasurementSetError

if TYPE_CHECKING:
    from pathlib import Path

_SUBTABLES = (
    *("ANTENNA", "DATA_DESCRIPTION", "FEED", "FIELD", "FLAG_CMD", "HISTORY", "OBSERVATION", "POINTING"),
    *("POLARIZATION", "PROCESSOR", "SOURCE", "SPECTRAL_WINDOW", "STATE"),
)
_COLUMNS = ("TIME", "ANTENNA1", "ANTENNA2", "UVW", "DATA", "FLAG", "WEIGHT", "SIGMA")
_REMEDY = "convert the group again"


class MsSummary(NamedTuple):
    """A Measurement Set in numbers."""

    n_rows: int
    n_channels: int
    n_fields: int
    columns: tuple[str, ...]


def check_ms(path: Path) -> MsSummary:
    """Open every table of a Measurement Set and read the ends of its columns.

    Parameters
    ----------
    path : Path
        The directory.

    Raises
    ------
    MeasurementSetError
        A table is missing, cannot be opened, or is shorter than it says.
    """
    try:
        with ct.table(str(path), ack=False) as ms:
            columns = tuple(sorted(ms.colnames()))
            lacking = sorted(set(_COLUMNS) - set(columns))
            if lacking or ms.nrows() == 0:
                raise MeasurementSetError(f"has no {', '.join(lacking) or 'rows'}", path=path, remedy=_REMEDY)
            for column in columns:
                for row in (0, ms.nrows() - 1):
                    if ms.iscelldefined(column, row):
                        ms.getcell(column, row)
            shape = ms.getcell("DATA", 0).shape
            n_rows = ms.nrows()
            _check_bulk_files(path, ms)
        fields = 0
        for name in _SUBTABLES:
            with ct.table(f"{path}::{name}", ack=False) as table:
                for row in table:
                    _ = row
                fields = table.nrows() if name == "FIELD" else fields
    except RuntimeError as error:
        raise MeasurementSetError(f"is not a whole Measurement Set ({error})", path=path, remedy=_REMEDY) from error
    return MsSummary(n_rows, shape[0], fields, columns)


def _check_bulk_files(path: Path, ms: ct.table) -> None:
    """Compare the tiled files with the size of the cubes that they hold; casacore reads past their end as zeros."""
    for manager in ms.getdminfo().values():
        cubes = manager["SPEC"].get("HYPERCUBES", {})
        if manager["TYPE"] != "TiledColumnStMan" or len(cubes) != 1:
            continue
        (cube,) = cubes.values()
        n_tiles = 1
        for size, tile in zip(cube["CubeShape"], cube["TileShape"], strict=True):
            n_tiles *= -(-int(size) // int(tile))
        file = path / f"table.f{manager['SEQNR']}_TSM0"
        expected = n_tiles * int(cube["BucketSize"])
        if not file.is_file() or file.stat().st_size < expected:
            raise MeasurementSetError(f"is shorter than its {expected} bytes", path=file, remedy=_REMEDY)
