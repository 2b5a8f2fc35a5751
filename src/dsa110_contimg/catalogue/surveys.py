"""The surveys of the sky near 1.4 GHz that can be fetched, and what VizieR calls their columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from dsa110_contimg.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping


class Survey(NamedTuple):
    """A survey in VizieR.

    Attributes
    ----------
    name, title : str
        What we call it, and what it is.
    tables : tuple of str
        Its tables there; together they are the survey.
    freq_hz : float
        Frequency of its flux densities [Hz].
    south_deg, north_deg : float
        Declinations that it covers [deg].
    columns : mapping of str to str
        Its columns for ours. Errors may be missing there; places and fluxes must not.
    bibcode : str
        The paper to cite.
    """

    name: str
    title: str
    tables: tuple[str, ...]
    freq_hz: float
    south_deg: float
    north_deg: float
    columns: Mapping[str, str]
    bibcode: str

    def facts(self) -> dict[str, Any]:
        """For the index of what was fetched."""
        return {
            "name": self.name,
            "title": self.title,
            "tables": list(self.tables),
            "freq_hz": self.freq_hz,
            "bibcode": self.bibcode,
        }


_PLACE = {"e_ra": "e_RAJ2000", "e_dec": "e_DEJ2000"}
_RACS = {**_PLACE, "flux": "Ftot", "e_flux": "e_Ftot"}

SURVEYS: Mapping[str, Survey] = {
    survey.name: survey
    for survey in (
        Survey(
            name="nvss",
            title="NRAO VLA Sky Survey, 45 arcsec, complete to 2.5 mJy",
            tables=("VIII/65/nvss",),
            freq_hz=1.4e9,
            south_deg=-40.5,
            north_deg=90.0,
            columns={**_PLACE, "name": "NVSS", "flux": "S1.4", "e_flux": "e_S1.4"},
            bibcode="1998AJ....115.1693C",
        ),
        Survey(
            name="first",
            title="Faint Images of the Radio Sky at Twenty Centimeters, 5 arcsec, the caps of the Galaxy",
            tables=("VIII/92/first14",),
            freq_hz=1.4e9,
            south_deg=-11.5,
            north_deg=64.7,
            columns={"name": "FIRST", "flux": "Fint", "e_flux": "Rms"},
            bibcode="2015ApJ...801...26H",
        ),
        Survey(
            name="racs-low",
            title="Rapid ASKAP Continuum Survey at 887.5 MHz, 25 arcsec",
            tables=("J/other/PASA/38.58/galcut", "J/other/PASA/38.58/galreg"),
            freq_hz=887.5e6,
            south_deg=-80.0,
            north_deg=30.0,
            columns=_RACS,
            bibcode="2021PASA...38...58H",
        ),
        Survey(
            name="racs-mid",
            title="Rapid ASKAP Continuum Survey at 1367.5 MHz, 11 arcsec",
            tables=("J/other/PASA/41.3/sourcesm",),
            freq_hz=1367.5e6,
            south_deg=-90.0,
            north_deg=49.0,
            columns=_RACS,
            bibcode="2024PASA...41....3D",
        ),
    )
}
#: What else people call them.
_ALIASES = {"racs": "racs-mid"}


def find_survey(name: str) -> Survey:
    """Find a survey by its name, in small letters or large; ``racs`` is RACS-mid, the nearest to 1.4 GHz.

    Raises
    ------
    UsageError
        There is none of that name.
    """
    key = name.lower()
    survey = SURVEYS.get(_ALIASES.get(key, key))
    if survey is None:
        raise UsageError(f"no survey is called {name!r}", remedy=f"There are {', '.join(SURVEYS)}.")
    return survey
