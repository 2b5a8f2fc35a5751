"""The brightest sources of the sky: the A-team, and what else shines through the sidelobes of the dishes."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np

from dsa110_contimg.catalogue.spectra import Spectrum

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_TABLE = "data/bright_sources.csv"
# MJD of 2000 January 1.5, and days of a Julian year.
_J2000_MJD = 51544.5
_JULIAN_YEAR_D = 365.25


@dataclass(frozen=True)
class BrightSource:
    """One of them.

    Attributes
    ----------
    name, alt_name : str
        ``Cassiopeia A``, and ``3C461`` or nothing.
    ra_deg, dec_deg : float
        ICRS position, of an extended source its middle [deg].
    extent_arcmin : float
        Diameter of the disc that holds it; 0 for a point.
    spectrum : Spectrum
        In the year `year`.
    year : float
        Julian year of the spectrum.
    fading_per_year : float
        Part of its flux density that it loses in a year.
    """

    name: str
    alt_name: str
    ra_deg: float
    dec_deg: float
    extent_arcmin: float
    spectrum: Spectrum
    year: float
    fading_per_year: float

    def flux_jy(self, freq_hz: ArrayLike, mjd: float) -> NDArray[np.float64]:
        """Flux density at some frequencies at some time [Jy].

        Cassiopeia A does not fade evenly: over a decade its flux density is known to a few percent (Trotter et al.
        2017, MNRAS 469, 1299).
        """
        years = 2000.0 + (mjd - _J2000_MJD) / _JULIAN_YEAR_D - self.year
        return self.spectrum.flux_jy(freq_hz) * (1.0 - self.fading_per_year) ** years


@cache
def load_bright_sources() -> tuple[BrightSource, ...]:
    """Return them all, in the order of right ascension, from the package's own table."""
    text = resources.files(__package__).joinpath(_TABLE).read_text("utf-8")
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    return tuple(
        BrightSource(
            name=row["name"],
            alt_name=row["alt_name"],
            ra_deg=float(row["ra_deg"]),
            dec_deg=float(row["dec_deg"]),
            extent_arcmin=float(row["extent_arcmin"]),
            spectrum=Spectrum(tuple(float(row[f"a{k}"]) for k in range(5) if row[f"a{k}"]), "Perley & Butler 2017"),
            year=float(row["year"]),
            fading_per_year=float(row["fading_per_year"]),
        )
        for row in sorted(rows, key=lambda row: float(row["ra_deg"]))
    )
