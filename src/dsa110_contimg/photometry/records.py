"""Tables of sources as files: ECSV for people, Parquet for queries, and regions for DS9 and CARTA.

A Parquet file has the unit of each column in the metadata of its field (``unit``, beside ``description``), and what
holds for all rows as JSON in the metadata of the schema (``meta``). It carries astropy's own description too: where
pandas is installed, ``QTable.read`` gives it back with its units.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import QTable

from dsa110_contimg.catalogue.parquet import read_parquet, write_parquet
from dsa110_contimg.errors import UnreadableFileError
from dsa110_contimg.photometry.sources import COLUMNS, make_sources, values
from dsa110_contimg.storage.files import output_errors

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from dsa110_contimg.photometry.sources import Sources

ECSV, PARQUET, REGIONS = ".ecsv", ".parquet", ".reg"


def write_sources(sources: Sources, directory: Path, stem: str) -> dict[str, Path]:
    """Write a table of sources in all three formats.

    Parameters
    ----------
    sources : Sources
        The table.
    directory : Path
        Where; it is the caller's scratch, from which products are published whole.
    stem : str
        Names without their endings.

    Returns
    -------
    dict
        The files: ``ecsv``, ``parquet``, ``regions``.

    Raises
    ------
    OutputError
        They cannot be written.
    """
    paths = {
        name: directory / f"{stem}{end}" for name, end in (("ecsv", ECSV), ("parquet", PARQUET), ("regions", REGIONS))
    }
    with output_errors(directory):
        _rounded(sources).write(paths["ecsv"], format="ascii.ecsv", delimiter=",", overwrite=True)
        write_parquet(paths["parquet"], sources)
        paths["regions"].write_text(regions(sources), encoding="ascii")
    return paths


def read_catalogue(path: Path) -> Sources:
    """Read the table that `write_sources` wrote, from its ECSV or its Parquet file.

    Raises
    ------
    UnreadableFileError
        It is not there, or no such table.
    """
    try:
        table = read_parquet(path) if path.suffix == PARQUET else QTable.read(path, format="ascii.ecsv")
        columns = {
            name: values(table, name) if column.unit else np.asarray(_filled(table[name]))
            for name, column in COLUMNS.items()
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnreadableFileError(
            f"is no catalogue of an image ({type(error).__name__}: {' '.join(str(error).split())})", path=path
        ) from error
    return make_sources(columns, table.meta)


def regions(sources: Sources) -> str:
    """Give the sources as a DS9 region file: an ellipse each, in ICRS, as in the image, with its name."""
    lines = ["# Region file format: DS9 version 4.1", "global color=green width=1", "icrs"]
    columns = [values(sources, name) for name in ("ra", "dec", "major", "minor", "pa", "flux", "name")]
    for ra, dec, major, minor, pa, flux, name in zip(*columns, strict=True):
        # Radii, not widths; the first lies towards the west where the angle is 0.
        lines.append(
            f'ellipse({ra:.6f},{dec:+.6f},{major / 2:.2f}",{minor / 2:.2f}",{pa + 90.0:.1f}) '
            f"# text={{{name} {flux * 1e3:.1f} mJy}}"
        )
    return "\n".join(lines) + "\n"


def _rounded(sources: Sources) -> QTable:
    """Leave out digits that say nothing: a table for people."""
    table = sources.copy()
    for column in table.itercols():
        if column.dtype.kind == "f":
            digits = 7 if column.info.name in {"ra", "dec"} else None
            plain = np.asarray(column.value if hasattr(column, "unit") and column.unit else column)
            column[...] = (_significant(plain) if digits is None else np.round(plain, digits)) * (column.unit or 1)
    return table


def _significant(numbers: NDArray[np.float64], digits: int = 6) -> NDArray[np.float64]:
    return np.array([float(f"{number:.{digits}g}") for number in numbers], np.float64)


def _filled(column: Any) -> Any:
    """An ECSV column of empty words is read as masked."""
    return column.filled("") if hasattr(column, "filled") else column
