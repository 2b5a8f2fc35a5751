"""The VLA's calibrators at 20 cm: reading the list, and finding a source in it by any of its names."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cache
from importlib import resources
from math import isnan
from typing import TYPE_CHECKING

import numpy as np

from dsa110_contimg.catalogue.names import b1950, parse_coordinate_name, vla_name
from dsa110_contimg.catalogue.spectra import Spectrum, power_law, standard_spectrum
from dsa110_contimg.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

# What stands for another name where there is none, or tells of a survey and not of a source.
_SURVEYS = frozenset({"", "CJ2", "USNO", "VERA", "VSOP"})
_SHOWN = 8
# Letters of `Calibrator.quality_20cm` with which amplitudes close to 10% or better.
_GOOD = frozenset("PS")


@dataclass(frozen=True)
class Calibrator:
    """One source of the list.

    Attributes
    ----------
    name : str
        J2000 name, ``0137+331``.
    alt_name : str
        Another name (``3C48``), or the survey that it comes from (``CJ2``), or nothing.
    ra_deg, dec_deg : float
        J2000 position [deg].
    position_code : str
        A, B, C, T: the position is good to 0.002", 0.01", 0.15", or worse.
    quality_20cm : str
        A letter for each of the VLA's configurations A, B, C, D: P amplitudes close to 3%, S 3-10%, W worse, X do not
        use, ? unknown.
    flux_20cm_jy : float
        Flux density at 20 cm [Jy]; not a number for the dozen that the list has no value for.
    label : str
        The name that its products get: the 3C name or the like where it has one, unless it was asked for by its J2000
        name. It does not count in comparisons.
    """

    name: str
    alt_name: str
    ra_deg: float
    dec_deg: float
    position_code: str
    quality_20cm: str
    flux_20cm_jy: float
    label: str = field(compare=False)

    @property
    def b1950_name(self) -> str:
        """Name by its B1950 position, ``0134+329``."""
        ra_deg, dec_deg = b1950(self.ra_deg, self.dec_deg)
        return vla_name(float(ra_deg), float(dec_deg))

    @property
    def spectrum(self) -> Spectrum:
        """Perley and Butler's spectrum where they have one; else a power law through the list's flux density.

        Raises
        ------
        UsageError
            The list has no flux density.
        """
        if isnan(self.flux_20cm_jy):
            raise UsageError(
                f"{self.label} has no flux density at 20 cm in the VLA's list", remedy="Take another source."
            )
        return standard_spectrum(self.alt_name) or power_law(self.flux_20cm_jy, origin="VLA calibrator list, 20 cm")

    @property
    def is_good_point(self) -> bool:
        """Whether it is point-like enough for the DSA-110.

        Its baselines, to 485 m in the core and 2.6 km to the outriggers, are those of the VLA's configurations D (to
        1 km) and C (to 3.4 km): in both must the amplitudes be known to close to 10%.
        """
        return set(self.quality_20cm[2:]) <= _GOOD and not isnan(self.flux_20cm_jy)

    def __str__(self) -> str:
        other = f", {self.alt_name}" if self.alt_name else ""
        return f"{self.name} (B{self.b1950_name}{other}) at {self.ra_deg:.4f} {self.dec_deg:+.4f}"


@cache
def load_calibrators() -> tuple[Calibrator, ...]:
    """Return all calibrators, in the order of the list, from the package's own table."""
    text = resources.files(__package__).joinpath("data/vla_calibrators_20cm.csv").read_text("utf-8")
    rows = list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))
    return tuple(
        Calibrator(
            name=row["name"],
            alt_name=row["alt_name"],
            ra_deg=float(row["ra_deg"]),
            dec_deg=float(row["dec_deg"]),
            position_code=row["position_code"],
            quality_20cm=row["quality_20cm"],
            # A dozen have 0.0, none of them one to use.
            flux_20cm_jy=float(row["flux_20cm_jy"]) or float("nan"),
            label=row["name"] if row["alt_name"] in _SURVEYS else row["alt_name"],
        )
        for row in rows
    )


def positions(calibrators: Iterable[Calibrator]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Right ascensions and declinations, each (S,) [deg]."""
    ra, dec = np.array([(c.ra_deg, c.dec_deg) for c in calibrators]).reshape(-1, 2).T
    return ra, dec


def find_calibrator(name: str) -> Calibrator:
    """Find a source by its J2000, B1950, IAU or other name.

    Case and spaces do not matter: ``3c 286``, ``1331+305``, ``J1331+3030`` and ``B1328+307`` are one source. A name
    without J or B can be either. Where no name is right to the digit, one with a last digit off by one is.

    Parameters
    ----------
    name : str
        The name.

    Returns
    -------
    Calibrator

    Raises
    ------
    UsageError
        No source has that name, or several have.
    """
    key = _key(name)
    found = _find(key)
    if not found:
        near = get_close_matches(key, _all_names(), n=4, cutoff=0.7)
        raise UsageError(
            f"no calibrator is called {name!r}",
            remedy=(f"Close are {', '.join(near)}. " if near else "")
            + "Give a J2000 name (0137+331), a B1950 name (B0134+329) or another (3C48) of the VLA's list.",
        )
    if len(found) > 1:
        ranked = sorted(found, key=lambda source: (isnan(source.flux_20cm_jy), -source.flux_20cm_jy))
        more = f"; and {len(ranked) - _SHOWN} more" if len(ranked) > _SHOWN else ""
        raise UsageError(
            f"{name!r} could be {'; or '.join(map(str, ranked[:_SHOWN]))}{more}",
            remedy=f"Give the J2000 name with a J: J{ranked[0].name}.",
        )
    (source,) = found
    return replace(source, label=source.name) if key.removeprefix("J") == source.name else source


def _find(key: str) -> list[Calibrator]:
    """All sources that a name can mean: by their other name; else by coordinates, as exactly as any fits."""
    everything = load_calibrators()
    found = [source for source in everything if source.alt_name and _key(source.alt_name) == key]
    wanted = parse_coordinate_name(key)
    if found or wanted is None:
        return found
    j2000 = positions(everything)
    # A few names of the list are not what its positions give.
    which = np.array([source.name == key.removeprefix("J") for source in everything])
    for fits in (wanted.means, wanted.may_mean):
        if wanted.equinox != "B":
            which |= fits(*j2000)
        if wanted.equinox != "J":
            which |= fits(*b1950(*j2000))
        if which.any():
            break
    return [everything[index] for index in np.flatnonzero(which)]


def _key(name: str) -> str:
    """Give what names have in common however they are written: ``3c 48``, ``3C048`` and ``3C48``."""
    text = re.sub(r"\s+", "", name).upper().replace("\N{MINUS SIGN}", "-")
    return re.sub(r"^(\dC)0+(?=\d)", r"\1", text)


def _all_names() -> list[str]:
    """Every name that `find_calibrator` knows but the IAU's, to look for close ones."""
    everything = load_calibrators()
    names = [source.name for source in everything]
    ra, dec = b1950(*positions(everything))
    names += [f"B{vla_name(*position)}" for position in zip(ra.tolist(), dec.tolist(), strict=True)]
    return list(dict.fromkeys([*names, *(source.alt_name for source in everything if source.alt_name)]))
