"""Tables of point sources: any with ra, dec, flux and maybe alpha and errors, in the formats that people have."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dsa110_contimg.catalogue.spectra import DEFAULT_ALPHA, REFERENCE_HZ
from dsa110_contimg.errors import UsageError
from dsa110_contimg.telescope.prediction import PointSources

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from astropy.table import QTable
    from numpy.typing import NDArray

_NEEDED = ("ra", "dec", "flux")
# What a column is in if it does not say.
_UNITS = {"ra": "deg", "dec": "deg", "flux": "Jy", "alpha": "", "e_flux": "Jy", "e_ra": "arcsec", "e_dec": "arcsec"}
_FORMATS = "CSV, ECSV, Parquet or JSON with ra, dec [deg, ICRS], flux [Jy at 1.4 GHz] and maybe alpha"


class Reference(NamedTuple):
    """Sources that others are compared with.

    Attributes
    ----------
    sources : PointSources
        Places, flux densities at 1.4 GHz, and spectral indices.
    e_flux_jy : (S,) float64
        Errors of the flux densities [Jy]; 0 where the table says nothing.
    e_ra_arcsec, e_dec_arcsec : (S,) float64
        Errors of the places on the sky [arcsec]; 0 where the table says nothing.
    origin : str
        Where they come from.
    """

    sources: PointSources
    e_flux_jy: NDArray[np.float64]
    e_ra_arcsec: NDArray[np.float64]
    e_dec_arcsec: NDArray[np.float64]
    origin: str

    def take(self, index: NDArray[np.int64]) -> Reference:
        """Return some of them, by their indices."""
        chosen = PointSources(*(column[index] for column in self.sources))
        return Reference(chosen, self.e_flux_jy[index], self.e_ra_arcsec[index], self.e_dec_arcsec[index], self.origin)


def read_sources(path: Path) -> PointSources:
    """Read point sources from a CSV, ECSV, Parquet or JSON table, or from a directory of strips.

    The columns are ``ra`` and ``dec`` (ICRS, degrees), ``flux`` (Jy at 1.4 GHz) and, if wanted, ``alpha`` (-0.7 where
    there is none). ECSV and Parquet may have other units, which are honoured, and ``freq_hz`` in their metadata if the
    flux densities are at another frequency, as in the catalogues of our images. JSON holds a list of objects with these
    keys, or an object whose ``sources`` is one, as the ``truth.json`` of a simulation.

    Raises
    ------
    UsageError
        The file cannot be read, lacks a column, or holds something that is not a number.
    """
    return read_reference(path).sources


def read_reference(path: Path) -> Reference:
    """Read what `read_sources` does, and the columns ``e_flux``, ``e_ra`` and ``e_dec`` if there are such."""
    try:
        if path.is_dir():
            from dsa110_contimg.catalogue.strips import open_strips

            return open_strips(path).everything()
        return reference_of(_read_columns(path), origin=path.name)
    except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(
            f"cannot read the sources ({type(error).__name__}: {error})", path=path, remedy=f"It must be {_FORMATS}."
        ) from error


def reference_of(columns: Mapping[str, NDArray[np.float64]], origin: str) -> Reference:
    """Check columns and make them `Reference` sources.

    Raises
    ------
    KeyError, ValueError
        A column is missing, or has something that cannot be.
    """
    ra, dec, flux = (np.ascontiguousarray(columns[name], np.float64) for name in _NEEDED)
    alpha = columns.get("alpha", np.full(len(ra), DEFAULT_ALPHA))
    alpha = np.where(np.isnan(alpha), DEFAULT_ALPHA, alpha)
    if not np.isfinite(np.stack([ra, dec, flux, alpha])).all() or np.any(np.abs(dec) > 90.0):
        raise ValueError("a value is not finite, or a declination is not between -90 and 90")
    e_flux, e_ra, e_dec = (np.nan_to_num(columns.get(name, np.zeros(len(ra)))) for name in ("e_flux", "e_ra", "e_dec"))
    return Reference(PointSources(ra, dec, flux, alpha), e_flux, e_ra, e_dec, origin)


def _read_columns(path: Path) -> dict[str, NDArray[np.float64]]:
    if path.suffix == ".parquet":
        from dsa110_contimg.catalogue.parquet import read_parquet

        return columns_of(read_parquet(path))
    text = path.read_text()
    if text.startswith("# %ECSV"):
        from astropy.table import QTable

        return columns_of(QTable.read(text, format="ascii.ecsv"))
    return _from_rows(_plain_rows(path, text))


def columns_of(table: QTable) -> dict[str, NDArray[np.float64]]:
    """Take the columns that say something of point sources from a table, in our units, and at 1.4 GHz."""
    columns = {name: _in_unit(table[name], unit) for name, unit in _UNITS.items() if name in table.colnames}
    missing = [name for name in _NEEDED if name not in columns]
    if missing:
        raise KeyError(missing[0])
    freq_hz = table.meta.get("freq_hz")
    if freq_hz:
        alpha = columns.get("alpha", np.full(len(table), DEFAULT_ALPHA))
        scale = (REFERENCE_HZ / float(freq_hz)) ** np.where(np.isnan(alpha), DEFAULT_ALPHA, alpha)
        columns |= {name: columns[name] * scale for name in ("flux", "e_flux") if name in columns}
    return columns


def _in_unit(column: Any, unit: str) -> NDArray[np.float64]:
    import astropy.units as u

    if hasattr(column, "filled"):
        column = column.filled(np.nan)
    given = getattr(column, "unit", None)
    if given is None or not unit:
        return np.asarray(getattr(column, "value", column), np.float64)
    return np.asarray(u.Quantity(column).to_value(unit), np.float64)


def _plain_rows(path: Path, text: str) -> Iterable[Mapping[str, Any]]:
    if path.suffix == ".json":
        content = json.loads(text)
        rows: Iterable[Mapping[str, Any]] = content["sources"] if isinstance(content, dict) else content
        return rows
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return list(csv.DictReader(lines, skipinitialspace=True))


def _from_rows(rows: Iterable[Mapping[str, Any]]) -> dict[str, NDArray[np.float64]]:
    given = list(rows)
    columns = {name: np.array([float(row[name]) for row in given], np.float64) for name in _NEEDED}
    for name in _UNITS:
        if name not in _NEEDED and any(row.get(name) not in (None, "") for row in given):
            said = [row.get(name) for row in given]
            columns[name] = np.array([float("nan") if one in (None, "") else float(one) for one in said], np.float64)
    return columns
