"""Catalogues of the whole sky, kept as strips of declination: one Parquet file a degree, and an index of them.

A directory ``nvss`` holds ``strips.json`` (what survey it is, and when each strip was fetched, with how many sources)
and a file ``dec+54.parquet`` for the sources from 54 to 55 degrees. A strip that is listed and has no sources is known
to have none; one that is not listed is not known. Within a strip a k-d tree finds what is near.
"""

from __future__ import annotations

import json
import logging
import math
import os
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dsa110_contimg.catalogue.matching import SkyIndex
from dsa110_contimg.catalogue.parquet import read_parquet, write_parquet
from dsa110_contimg.catalogue.tables import Reference, columns_of, read_reference, reference_of
from dsa110_contimg.errors import UsageError
from dsa110_contimg.storage.files import output_errors, sync_directory, sync_tree
from dsa110_contimg.telescope.prediction import PointSources

if TYPE_CHECKING:
    from pathlib import Path

    from astropy.table import QTable
    from numpy.typing import NDArray

log = logging.getLogger(__name__)

INDEX = "strips.json"
_LOWEST, _HIGHEST = -90, 89


class Strips(NamedTuple):
    """A catalogue in strips.

    Attributes
    ----------
    directory : Path
        Where they are.
    facts : dict
        What survey it is: ``name``, ``table``, ``freq_hz``, ...
    fetched : dict of int to dict
        By the declination at which a strip begins [deg]: ``sources``, and ``utc``.
    """

    directory: Path
    facts: dict[str, Any]
    fetched: dict[int, dict[str, Any]]

    def cone(self, ra_deg: float, dec_deg: float, radius_deg: float) -> Reference:
        """Return the sources around a place.

        Parameters
        ----------
        ra_deg, dec_deg : float
            The place, ICRS [deg].
        radius_deg : float
            How far around it [deg].

        Raises
        ------
        UsageError
            None of the strips that it reaches over was fetched. If some were not, that is a warning.
        """
        wanted = strip_numbers(dec_deg - radius_deg, dec_deg + radius_deg)
        known = [number for number in wanted if number in self.fetched]
        if not known:
            raise UsageError(
                f"has no strip at declination {dec_deg:+.2f}",
                path=self.directory,
                remedy=f"dsa110-contimg catalogue fetch {self.facts.get('name', 'NAME')} --dec {dec_deg:.1f} "
                f"--width {2 * radius_deg:.0f}.",
            )
        if len(known) < len(wanted):
            missing = ", ".join(f"{number:+d}" for number in wanted if number not in self.fetched)
            log.warning("%s: strips that were not fetched: %s", self.directory, missing)
        found = [self._read(number) for number in known]
        return _joined([each.take(_near(each, ra_deg, dec_deg, radius_deg)) for each in found], self._origin)

    def everything(self) -> Reference:
        """Return the sources of all strips."""
        return _joined([self._read(number) for number in sorted(self.fetched)], self._origin)

    @property
    def _origin(self) -> str:
        return str(self.facts.get("name", self.directory.name))

    def _read(self, number: int) -> Reference:
        path = self.directory / strip_name(number)
        try:
            return reference_of(columns_of(read_parquet(path)), self._origin)
        except (OSError, ValueError, KeyError) as error:
            raise UsageError(
                f"cannot read a strip ({type(error).__name__}: {error})",
                path=path,
                remedy=f"Fetch it again: dsa110-contimg catalogue fetch {self._origin} --dec {number + 0.5} --width 1 "
                "--again.",
            ) from error


def open_strips(directory: Path) -> Strips:
    """Open a catalogue in strips.

    Raises
    ------
    UsageError
        There is none.
    """
    try:
        index = json.loads((directory / INDEX).read_text(encoding="utf-8"))
        return Strips(directory, index["facts"], {int(number): told for number, told in index["strips"].items()})
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(
            f"is no catalogue of strips ({type(error).__name__}: {error})",
            path=directory,
            remedy="Make one with dsa110-contimg catalogue fetch.",
        ) from error


def find_strips(directory: Path) -> list[Strips]:
    """List the catalogues of strips in a directory, which need not exist."""
    return [open_strips(index.parent) for index in sorted(directory.glob(f"*/{INDEX}"))]


def strip_numbers(south_deg: float, north_deg: float) -> list[int]:
    """Return the strips that a range of declinations reaches over; the pole is in the last."""
    first, last = (min(max(math.floor(dec), _LOWEST), _HIGHEST) for dec in (south_deg, north_deg))
    return list(range(first, last + 1))


def strip_name(number: int) -> str:
    """Name the file of a strip."""
    return f"dec{number:+03d}.parquet"


def add_strip(directory: Path, facts: dict[str, Any], number: int, table: QTable, utc: str) -> None:
    """Put a strip into a catalogue, whole or not at all, in the place of what it had there.

    Parameters
    ----------
    directory : Path
        The catalogue's; made if need be.
    facts : dict
        What survey it is.
    number : int
        Declination at which the strip begins [deg].
    table : QTable
        Its sources: ra, dec, flux, and what else `columns_of` knows.
    utc : str
        When it was fetched.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    with output_errors(directory):
        directory.mkdir(parents=True, exist_ok=True)
        fetched = open_strips(directory).fetched if (directory / INDEX).exists() else {}
        fetched[number] = {"sources": len(table), "utc": utc}
        partial = directory / f".{strip_name(number)}.partial"
        write_parquet(partial, table)
        _replace(partial, directory / strip_name(number))
        index = {"facts": facts, "strips": {str(key): fetched[key] for key in sorted(fetched)}}
        partial = directory / f".{INDEX}.partial"
        partial.write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")
        _replace(partial, directory / INDEX)


def _replace(partial: Path, final: Path) -> None:
    sync_tree(partial)
    os.replace(partial, final)
    sync_directory(final.parent)


def _near(reference: Reference, ra_deg: float, dec_deg: float, radius_deg: float) -> NDArray[np.int64]:
    if not len(reference.e_flux_jy):
        return np.zeros(0, np.int64)
    return SkyIndex(reference.sources.ra_deg, reference.sources.dec_deg).within(ra_deg, dec_deg, radius_deg)


def _joined(parts: list[Reference], origin: str) -> Reference:
    def joined(columns: list[NDArray[np.float64]]) -> NDArray[np.float64]:
        return np.concatenate(columns) if columns else np.zeros(0)

    sources = [part.sources for part in parts]
    return Reference(
        PointSources(
            ra_deg=joined([one.ra_deg for one in sources]),
            dec_deg=joined([one.dec_deg for one in sources]),
            flux_jy=joined([one.flux_jy for one in sources]),
            alpha=joined([one.alpha for one in sources]),
        ),
        e_flux_jy=joined([part.e_flux_jy for part in parts]),
        e_ra_arcsec=joined([part.e_ra_arcsec for part in parts]),
        e_dec_arcsec=joined([part.e_dec_arcsec for part in parts]),
        origin=origin,
    )


def reference_around(path: Path, directory: Path, ra_deg: float, dec_deg: float, radius_deg: float) -> Reference:
    """Read the sources around a place from a reference, whatever it is.

    Parameters
    ----------
    path : Path
        A table, a directory of strips, or the name of one that was fetched (``nvss``).
    directory : Path
        Where catalogues were fetched to.
    ra_deg, dec_deg : float
        The place, ICRS [deg].
    radius_deg : float
        How far around it [deg].

    Raises
    ------
    UsageError
        There is no such reference, or it has not got that part of the sky.
    """
    if not path.exists() and (directory / path / INDEX).exists():
        path = directory / path
    if path.is_dir():
        return open_strips(path).cone(ra_deg, dec_deg, radius_deg)
    everything = read_reference(path)
    return everything.take(_near(everything, ra_deg, dec_deg, radius_deg))
