"""Which source somebody means: by its number, its name or a position."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from astropy.coordinates import Angle, SkyCoord

from dsa110_contimg.catalogue.matching import SkyIndex
from dsa110_contimg.errors import LightcurveError, ReferenceListError, UsageError
from dsa110_contimg.lightcurves.files import strips
from dsa110_contimg.lightcurves.query import open_store
from dsa110_contimg.lightcurves.variables import merged_sources
from dsa110_contimg.photometry.measurements import position_of, source_id
from dsa110_contimg.photometry.reference import read_reference
from dsa110_contimg.photometry.sources import iau_names

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_WHOLE_DEG = 90.0
_NAME = re.compile(r"J(\d{2})(\d{2})(\d{2}(?:\.\d+)?)([+-]\d{2})(\d{2})(\d{2}(?:\.\d+)?)[a-z]?")


class Found(NamedTuple):
    """A source of a strip.

    Attributes
    ----------
    strip : str
        The strip.
    source_id : int
        Its number.
    also : tuple of int
        Numbers of the sources that were found to be it.
    name : str
        Its IAU name.
    ra_deg, dec_deg : float
        Where it is, ICRS [deg].
    apart_arcsec : float
        How far that is from what was asked for; 0 for a number.
    """

    strip: str
    source_id: int
    also: tuple[int, ...]
    name: str
    ra_deg: float
    dec_deg: float
    apart_arcsec: float

    @property
    def numbers(self) -> list[int]:
        """All numbers that its measurements have."""
        return [self.source_id, *self.also]


def find_source(root: Path, asked: str, strip: str | None = None, radius_arcsec: float = 30.0) -> Found:
    """Find the source that is meant, in one strip or in whichever has it nearest.

    Parameters
    ----------
    root : Path
        The store of light curves.
    asked : str
        A number; a name, ``J123456.7+543210``; or a position: ``RA,DEC`` in degrees, or as ``12:34:56.7,+54:32:10``.
    strip : str, optional
        Look there only.
    radius_arcsec : float
        How far from the position it may be [arcsec].

    Raises
    ------
    UsageError
        What is asked for is none of these.
    LightcurveError
        There is no such source, or no light curve at all.
    """
    known = [strip] if strip is not None else strips(root)
    wanted = _position(asked)
    among = _where(asked, wanted, radius_arcsec)
    found: list[Found] = []
    for one in known:
        with open_store(root, one) as store:
            near = store.sql(f"SELECT DISTINCT source_id FROM measurements WHERE {among}")  # noqa: S608 - numbers only
        numbers = near["source_id"].to_numpy()
        if not numbers.size:
            continue
        index, apart = (0, 0.0) if wanted is None else _nearest(wanted, numbers)
        merged = merged_in(root, one)
        now = merged.get(int(numbers[index]), int(numbers[index]))
        also = tuple(old for old, new in merged.items() if new == now)
        ra, dec = position_of([now])
        name = iau_names(ra, dec)[0]
        if apart <= radius_arcsec:
            found.append(Found(one, now, also, name, float(ra[0]), float(dec[0]), apart))
    if not found:
        where = f"within {radius_arcsec:g} arcsec of {asked}" if wanted is not None else f"with the number {asked}"
        listed = "see which there are: dsa110-contimg variables list --all"
        remedy = listed if wanted is None else f"ask for a larger --radius, or {listed}"
        raise LightcurveError(
            f"no source {where} has a light curve" + (f" in the strip {strip}" if strip else ""),
            path=root,
            remedy=remedy if known else "it is empty: dsa110-contimg photometry collect",
        )
    return min(found, key=lambda one: one.apart_arcsec)


def merged_in(root: Path, strip: str) -> dict[int, int]:
    """Say which sources of a strip were found to be others, by its reference list; none if it has no list."""
    try:
        reference = read_reference(root, strip)
    except ReferenceListError:
        return {}
    return merged_sources(reference.source_id, reference.same_as)


def _where(asked: str, wanted: tuple[float, float] | None, radius_arcsec: float) -> str:
    """Say which numbers are looked at: as they begin with right ascension, few parts of the files have to be read."""
    if wanted is None:
        return f"source_id = {int(asked)}" if int(asked) < 2**63 else "false"
    ra, dec = wanted
    reach = radius_arcsec / 3600.0 / max(np.cos(np.radians(dec)), 1e-6) * 1.01 + 1e-3
    if reach >= _WHOLE_DEG:
        return "true"
    first, last = (int(each) for each in source_id([ra - reach, ra + reach], [-90.0, 90.0]))
    join = "AND" if first <= last else "OR"  # over 0h
    return f"(source_id >= {first} {join} source_id <= {last})"


def _nearest(wanted: tuple[float, float], numbers: NDArray[np.int64]) -> tuple[int, float]:
    index, apart = SkyIndex(*position_of(numbers)).nearest([wanted[0]], [wanted[1]])
    return int(index[0]), float(apart[0])


def _position(asked: str) -> tuple[float, float] | None:
    """Read a position or a name [deg]; None for a number."""
    if asked.isdecimal():
        return None
    parts: Sequence[str] = [part.strip() for part in asked.split(",")]
    name = _NAME.fullmatch(asked)
    if name is not None:
        parts = [f"{name[1]}:{name[2]}:{name[3]}", f"{name[4]}:{name[5]}:{name[6]}"]
    try:
        if len(parts) != 2:
            raise ValueError
        sexagesimal = any(mark in parts[0] for mark in ":hH ")
        place = SkyCoord(Angle(parts[0], "hourangle" if sexagesimal else "deg"), Angle(parts[1], "deg"))
    except ValueError:
        raise UsageError(
            f"{asked!r} names no source",
            remedy="Give its number, its name (J123456.7+543210) or RA,DEC (188.7,54.5 or 12:34:56.7,+54:32:10).",
        ) from None
    return float(place.ra.deg), float(place.dec.deg)
