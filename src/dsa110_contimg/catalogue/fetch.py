"""Surveys of the sky, fetched from VizieR strip by strip, and kept: see `strips`."""

from __future__ import annotations

import logging
import warnings
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import astropy.units as u
import numpy as np
from astropy.table import QTable

from dsa110_contimg.catalogue.strips import INDEX, add_strip, open_strips, strip_numbers
from dsa110_contimg.errors import FetchError, MissingToolError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from astropy.table import Table
    from numpy.typing import NDArray

    from dsa110_contimg.catalogue.surveys import Survey

log = logging.getLogger(__name__)

#: The server of the CDS. A name is asked by https; an address with http:// as it is.
SERVER = "vizier.cds.unistra.fr"
_TIMEOUT_S = 120
_PLACE = ("RAJ2000", "DEJ2000")
# VizieR computes these in degrees for every table, whatever its own columns are in.
_COMPUTED = ("_RAJ2000", "_DEJ2000")
_OFFLINE = (
    "It needs a network. What was fetched before stays; a directory that was fetched elsewhere can be copied here."
)


class FetchedStrip(NamedTuple):
    """A strip: where it begins [deg], how many sources it has, and whether it was there already."""

    dec_deg: int
    n_sources: int
    was_there: bool


def fetch_survey(
    survey: Survey, dec_deg: float, width_deg: float, directory: Path, *, server: str = SERVER, again: bool = False
) -> Iterator[FetchedStrip]:
    """Fetch the strips of a survey around a declination, each of which is kept as soon as it is there.

    Parameters
    ----------
    survey : Survey
        What to fetch.
    dec_deg, width_deg : float
        Middle and full width of the range of declinations [deg]; strips are whole degrees.
    directory : Path
        Where catalogues are kept; this one goes into the directory of its name there.
    server : str
        Name of a VizieR server, or its address.
    again : bool
        Whether strips that are there are fetched anew.

    Yields
    ------
    FetchedStrip

    Raises
    ------
    UsageError
        The survey does not reach there.
    MissingToolError
        astroquery is not installed.
    FetchError
        There is no network, or the server does not answer as it should.
    OutputError
        A strip cannot be written.
    """
    south, north = dec_deg - width_deg / 2.0, dec_deg + width_deg / 2.0
    if north < survey.south_deg or south >= survey.north_deg:
        raise UsageError(
            f"{survey.name} has nothing at declination {dec_deg:g}",
            remedy=f"It reaches from {survey.south_deg:g} to {survey.north_deg:g}.",
        )
    # The end of a range is the beginning of the next strip, and not meant.
    wanted = strip_numbers(max(south, survey.south_deg), np.nextafter(min(north, survey.north_deg), -100.0))
    kept = directory / survey.name
    there = open_strips(kept).fetched if (kept / INDEX).exists() else {}
    for number in wanted:
        if number in there and not again:
            yield FetchedStrip(number, there[number]["sources"], was_there=True)
            continue
        table = fetch_strip(survey, number, server)
        add_strip(kept, survey.facts(), number, table, datetime.now(UTC).isoformat(timespec="seconds"))
        log.info("%s %+d: %d sources", survey.name, number, len(table))
        yield FetchedStrip(number, len(table), was_there=False)


def fetch_strip(survey: Survey, number: int, server: str = SERVER) -> QTable:
    """Fetch one strip of a survey; parameters and errors as of `fetch_survey`.

    Returns
    -------
    QTable
        ``ra``, ``dec`` [deg], ``flux`` and ``e_flux`` [Jy] at the survey's frequency (``freq_hz`` in ``meta``),
        ``e_ra`` and ``e_dec`` [arcsec] and ``name`` where the survey has them; in the order of right ascension.
    """
    parts = [_standard(_ask(survey, table, number, server), survey) for table in survey.tables]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    rows = np.flatnonzero((number <= columns["dec"]) & (columns["dec"] < number + 1))
    if not rows.size:
        raise FetchError(
            f"{server} has no source of {survey.name} from {number:+d} to {number + 1:+d} degrees",
            remedy="The survey has some there: look if the server is well, and try again.",
        )
    rows = rows[np.argsort(columns["ra"][rows], kind="stable")]
    units = {"ra": u.deg, "dec": u.deg, "e_ra": u.arcsec, "e_dec": u.arcsec, "flux": u.Jy, "e_flux": u.Jy}
    table = QTable(meta=survey.facts())
    for name, column in columns.items():
        table[name] = u.Quantity(column[rows], units[name]) if name in units else column[rows]
    return table


def _ask(survey: Survey, table: str, number: int, server: str) -> Table:
    """Ask for a table from one degree of declination to the next."""
    vizier = _client(server)(
        columns=[*_COMPUTED, *_PLACE, *dict.fromkeys(survey.columns.values())],
        row_limit=-1,
        vizier_server=server,
        timeout=_TIMEOUT_S,
    )
    from astroquery.exceptions import RemoteServiceError, TableParseError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of units that VizieR writes in its own way
            answer = vizier.query_constraints(catalog=table, cache=False, DEJ2000=f">={number} & <{number + 1}")
    except TableParseError as error:
        raise FetchError(f"{server} does not answer as VizieR does", remedy=_OFFLINE) from error
    except (OSError, RemoteServiceError) as error:
        raise FetchError(
            f"cannot fetch {survey.name} from {server} ({type(error).__name__}: {error})", remedy=_OFFLINE
        ) from error
    if answer is None:
        raise FetchError(f"{server} does not answer as VizieR does", remedy=_OFFLINE)
    found: Table = answer[0] if len(answer) else QTable()
    return found


def _client(server: str) -> Any:
    """Make the class that asks; one that is given an address asks there, and not by https."""
    try:
        from astroquery.vizier import VizierClass
    except ImportError as error:
        raise MissingToolError(
            "astroquery is not installed", remedy="Install it with pip install 'dsa110-contimg[fetch]'."
        ) from error
    if "://" not in server:
        return VizierClass

    class Elsewhere(VizierClass):  # type: ignore[misc]
        """A VizieR at an address of its own."""

        def _server_to_url(self, return_type: str = "votable") -> str:
            return f"{server.rstrip('/')}/viz-bin/{return_type}"

    return Elsewhere


def _standard(found: Table, survey: Survey) -> dict[str, NDArray[Any]]:
    """Take our columns from one of VizieR's tables."""
    if not len(found):
        none = np.zeros(0)
        return {name: none.astype(str) if name == "name" else none for name in ("ra", "dec", *survey.columns)}
    ra, dec = (_degrees(found, *names) for names in zip(_PLACE, _COMPUTED, strict=True))
    columns: dict[str, NDArray[Any]] = {"ra": ra % 360.0, "dec": dec}
    for name, theirs in survey.columns.items():
        if name == "name":
            columns[name] = np.array(
                [str(value) for value in found[theirs]] if theirs in found.colnames else [""] * len(ra)
            )
        elif theirs in found.colnames:
            columns[name] = _error_arcsec(found[theirs], dec) if name in {"e_ra", "e_dec"} else _jansky(found[theirs])
        elif name == "flux":
            raise FetchError(
                f"the table of {survey.name} has no column {theirs}",
                remedy="Look at the table on VizieR: its columns may have changed.",
            )
        else:
            columns[name] = np.zeros(len(ra))
    # Without a flux or a place there is no source.
    good = np.isfinite(columns["ra"]) & np.isfinite(columns["dec"]) & np.isfinite(columns["flux"])
    return {name: column[good] for name, column in columns.items()}


def _degrees(found: Table, own: str, computed: str) -> NDArray[np.float64]:
    """Degrees of the column that is in degrees: the survey's own if it is, which has all its digits."""
    for name in (own, computed):
        if name in found.colnames and found[name].dtype.kind == "f":
            return _filled(found[name])
    raise FetchError(
        f"the table has no column {own} or {computed} in degrees",
        remedy="Look at the table on VizieR: its columns may have changed.",
    )


def _jansky(column: Any) -> NDArray[np.float64]:
    unit = column.unit
    # Surveys give mJy, some of them per beam where they mean the peak or the noise.
    milli = unit is None or "mJy" in str(unit)
    return _filled(column) * (1e-3 if milli else 1.0)


def _error_arcsec(column: Any, dec_deg: NDArray[np.float64]) -> NDArray[np.float64]:
    """Errors of places on the sky: some have those of right ascension in seconds of time."""
    unit = u.Unit(column.unit) if column.unit else u.arcsec
    if unit.is_equivalent(u.s):
        return _filled(column) * (unit.to(u.s) * 15.0) * np.cos(np.radians(dec_deg))
    scale = unit.to(u.arcsec)
    return np.asarray(_filled(column) * scale)


def _filled(column: Any) -> NDArray[np.float64]:
    return np.asarray(column.filled(np.nan) if hasattr(column, "filled") else column, np.float64)
