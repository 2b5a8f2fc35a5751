"""Tables of point sources: any with ra, dec, flux and maybe alpha."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from dsa110_contimg.catalogue.spectra import DEFAULT_ALPHA
from dsa110_contimg.errors import UsageError
from dsa110_contimg.telescope.prediction import PointSources

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path


def read_sources(path: Path) -> PointSources:
    """Read point sources from a CSV, ECSV or JSON table.

    The columns are ``ra`` and ``dec`` (ICRS, degrees), ``flux`` (Jy at 1.4 GHz) and, if wanted, ``alpha`` (-0.7 where
    there is none). JSON holds a list of objects with these keys, or an object whose ``sources`` is one, as the
    ``truth.json`` of a simulation.

    Raises
    ------
    UsageError
        The file cannot be read, lacks a column, or holds something that is not a number.
    """
    try:
        return _from_rows(_read_rows(path))
    except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"cannot read the sources ({type(error).__name__}: {error})",
            path=path,
            remedy="It must be CSV, ECSV or JSON with ra, dec [deg, ICRS], flux [Jy at 1.4 GHz] and maybe alpha.",
        ) from error


def _read_rows(path: Path) -> Iterable[Mapping[str, Any]]:
    text = path.read_text()
    if path.suffix == ".json":
        content = json.loads(text)
        rows: Iterable[Mapping[str, Any]] = content["sources"] if isinstance(content, dict) else content
        return rows
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    delimiter = " " if path.suffix == ".ecsv" and lines and "," not in lines[0] else ","
    return list(csv.DictReader(lines, delimiter=delimiter, skipinitialspace=True))


def _from_rows(rows: Iterable[Mapping[str, Any]]) -> PointSources:
    columns = [
        (float(row["ra"]), float(row["dec"]), float(row["flux"]), float(row.get("alpha") or _alpha_of(row)))
        for row in rows
    ]
    table = np.array(columns, dtype=np.float64).reshape(-1, 4)
    if not np.all(np.isfinite(table)) or np.any(np.abs(table[:, 1]) > 90.0):
        raise ValueError("a value is not finite, or a declination is not between -90 and 90")
    return PointSources(*(np.ascontiguousarray(column) for column in table.T))


def _alpha_of(row: Mapping[str, Any]) -> float:
    """0 where the table says 0, the default where it says nothing."""
    return DEFAULT_ALPHA if row.get("alpha") in (None, "") else 0.0
