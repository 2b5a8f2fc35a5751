"""Phase centres: where the array points, and where its data are to be turned."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from dsa110_contimg.errors import UsageError
from dsa110_contimg.ms.description import Field
from dsa110_contimg.naming import compact, group_id_from_mjd
from dsa110_contimg.telescope.geometry import meridian_icrs

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from dsa110_contimg.telescope.site import Site
    from dsa110_contimg.uvh5.header import SubbandHeader

_DAYS = 86400.0
_PAIR = re.compile(r"\s*([^,]+?)\s*,\s*([^,]+?)\s*")


class PhaseCentre(NamedTuple):
    """A choice of phase centre.

    Attributes
    ----------
    kind : {"meridian", "drift", "given"}
        The ICRS meridian pointing of mid-group; each integration's own; or a fixed position.
    ra_deg, dec_deg : float
        ICRS position where kind is "given" [deg].
    name : str
        FIELD name where kind is "given"; empty for one made of the position.
    """

    kind: Literal["meridian", "drift", "given"]
    ra_deg: float = float("nan")
    dec_deg: float = float("nan")
    name: str = ""


def parse_phase_centre(text: str) -> PhaseCentre:
    """Read ``meridian``, ``drift`` or ``RA,DEC`` (ICRS degrees).

    Raises
    ------
    UsageError
        It is none of these, or not on the sky.
    """
    if text in {"meridian", "drift"}:
        return PhaseCentre(text)  # type: ignore[arg-type]
    match = _PAIR.fullmatch(text)
    try:
        ra, dec = (float(match[1]), float(match[2])) if match else (np.nan, np.nan)
    except ValueError:
        ra, dec = np.nan, np.nan
    if not (-360 <= ra <= 360 and -90 <= dec <= 90):
        raise UsageError(
            f"not a phase centre: {text!r}",
            remedy='give meridian, drift, or "RA,DEC" in ICRS degrees, as "83.76,54.56"',
        )
    return PhaseCentre("given", ra % 360.0, dec)


def get_meridian_coords(dec_rad: float, mjd: ArrayLike, site: Site) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Right ascension and declination (ICRS, deg) of the meridian at an apparent declination; see `meridian_icrs`."""
    return meridian_icrs(dec_rad, mjd, site)


def phase_centre_fields(centre: PhaseCentre, header: SubbandHeader) -> tuple[Field, ...]:
    """Fields of a group: one, or with "drift" one for each integration.

    Parameters
    ----------
    centre : PhaseCentre
        The choice.
    header : SubbandHeader
        Of any subband of the group: its times, declination and site count.
    """
    times = header.times_mjd
    middle = float(times.mean())
    if centre.kind == "given":
        return (Field(centre.name or position_name(centre.ra_deg, centre.dec_deg), *centre[1:3], middle),)
    group = compact(group_id_from_mjd(times[0] - header.integration_s / 2 / _DAYS))
    if centre.kind == "meridian":
        ra, dec = meridian_icrs(header.dec_rad, [middle], header.site)
        return (Field(f"meridian_{group}", float(ra[0]), float(dec[0]), middle),)
    ra, dec = meridian_icrs(header.dec_rad, times, header.site)
    return tuple(
        Field(f"drift_{group}_{k:02d}", float(r), float(d), float(t))
        for k, (r, d, t) in enumerate(zip(ra, dec, times, strict=True))
    )


def position_name(ra_deg: float, dec_deg: float) -> str:
    """Name a position as the IAU does: ``J053503.98+543331.0``; truncated, not rounded."""
    tenths = int(ra_deg % 360.0 / 15 * 3600 * 100)
    h, rest = divmod(tenths, 360000)
    m, s = divmod(rest, 6000)
    arc = int(abs(dec_deg) * 3600 * 10)
    d, arc_rest = divmod(arc, 36000)
    am, asec = divmod(arc_rest, 600)
    sign = "-" if dec_deg < 0 else "+"
    return f"J{h:02d}{m:02d}{s // 100:02d}.{s % 100:02d}{sign}{d:02d}{am:02d}{asec // 10:02d}.{asec % 10}"
