"""Tables of light curves and variables for others: CSV, Parquet and VOTable, by the ending of the name."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
from astropy.table import QTable

from dsa110_contimg.catalogue.parquet import write_parquet
from dsa110_contimg.errors import OutputExistsError, UsageError
from dsa110_contimg.photometry.measurements import COLUMNS
from dsa110_contimg.storage.files import output_errors, sync_tree

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

FORMATS = {".csv": "csv", ".parquet": "parquet", ".vot": "votable", ".votable": "votable", ".xml": "votable"}
"""Endings of names, and what they mean."""


def require_export(path: Path, *, replace: bool) -> None:
    """Refuse a name that means no format, and a file that is there already.

    Raises
    ------
    UsageError
        The ending is none of `FORMATS`.
    OutputExistsError
        It is there, and not to be replaced.
    """
    if path.suffix.lower() not in FORMATS:
        raise UsageError(
            f"{path.suffix or 'no ending'!r} says no format", path=path, remedy=f"End the name in {', '.join(FORMATS)}."
        )
    require_new(path, replace=replace)


def require_new(path: Path, *, replace: bool) -> None:
    """Refuse a file that is there already, unless it is to be replaced.

    Raises
    ------
    OutputExistsError
        It is there.
    """
    if path.exists() and not replace:
        raise OutputExistsError("it is there already", path=path, remedy="name another, or add --replace")


def write_export(path: Path, table: QTable) -> None:
    """Write a table, whole or not at all, in the format that its name says; one that is there is replaced.

    Raises
    ------
    UsageError
        The name means no format.
    OutputError
        It cannot be written.
    """
    require_export(path, replace=True)
    kind = FORMATS[path.suffix.lower()]
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}{path.suffix}")
    with output_errors(path):
        try:
            if kind == "parquet":
                write_parquet(partial, table)
            else:
                table.write(partial, format=f"ascii.{kind}" if kind == "csv" else kind, overwrite=True)
            sync_tree(partial)
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)


def measurements_table(rows: pa.Table) -> QTable:
    """Make rows of measurements a table with units and descriptions."""
    table = QTable()
    for name in rows.column_names:
        known = COLUMNS[name]
        values = rows[name].to_numpy()
        if values.dtype == object:
            values = np.array(["" if value is None else value for value in values.tolist()], dtype=str)
        table[name] = values * u.Unit(known.unit) if known.unit else values
        table[name].info.description = known.description
    return table
