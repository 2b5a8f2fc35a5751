"""Tables of the sources of an image: what a row says, in which units.

A table of sources is an `astropy.table.QTable` with one row a source, in the order of right ascension, and the columns
of `COLUMNS`. Errors (``e_...``) are one standard deviation. ``meta`` has what holds for all rows: ``freq_hz`` (at which
the fluxes are), ``beam_arcsec`` (major, minor) and ``beam_pa_deg``, ``image``, ``start_mjd``, ``middle_mjd``,
``end_mjd``, ``telescope``, ``ra_deg``, ``dec_deg`` and ``radius_deg`` (the image's middle, and its corners' distance),
``flux_error`` and ``position_error_arcsec`` (what the errors have of calibration),
``finder`` (with its version and settings), ``ridges_left_out`` (how many stood out of the noise but not of troughs
around them), and ``ties`` if they were applied.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import astropy.units as u
import numpy as np
from astropy.table import QTable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

#: A table of sources, as this module describes it.
Sources: TypeAlias = QTable


class Column(NamedTuple):
    """A column: its unit (a FITS unit, or "" for none), the type of its values, and what it is."""

    unit: str
    dtype: str
    description: str


COLUMNS: Mapping[str, Column] = {
    "name": Column("", "str", "IAU name, from the position (ICRS), digits cut off"),
    "ra": Column("deg", "f8", "right ascension, ICRS"),
    "dec": Column("deg", "f8", "declination, ICRS"),
    "e_ra": Column("arcsec", "f8", "error of the position along right ascension, on the sky"),
    "e_dec": Column("arcsec", "f8", "error of the declination"),
    "flux": Column("Jy", "f8", "flux density, corrected for the primary beam; for a point of peak and area together"),
    "e_flux": Column("Jy", "f8", "its error, with that of the calibration"),
    "peak": Column("Jy / beam", "f8", "brightness at the peak, corrected for the primary beam"),
    "e_peak": Column("Jy / beam", "f8", "its error, with that of the calibration"),
    "apparent": Column("Jy", "f8", "flux density as in the image, of the area under the Gaussians"),
    "e_apparent": Column("Jy", "f8", "its error, of noise alone"),
    "apparent_peak": Column("Jy / beam", "f8", "brightness at the peak as in the image"),
    "e_apparent_peak": Column("Jy / beam", "f8", "its error, of noise alone"),
    "rms": Column("Jy / beam", "f8", "noise of the image around the source"),
    "snr": Column("", "f8", "apparent peak over noise"),
    "pb": Column("", "f8", "power of the primary beam at the source, averaged as the image is"),
    "major": Column("arcsec", "f8", "major axis as in the image, FWHM"),
    "e_major": Column("arcsec", "f8", "its error"),
    "minor": Column("arcsec", "f8", "minor axis as in the image, FWHM"),
    "e_minor": Column("arcsec", "f8", "its error"),
    "pa": Column("deg", "f8", "position angle of the major axis, north through east, 0 to 180"),
    "e_pa": Column("deg", "f8", "its error, at most 90"),
    "true_major": Column("arcsec", "f8", "major axis without the beam's; 0 if it is not wider than the beam"),
    "true_minor": Column("arcsec", "f8", "minor axis without the beam's; 0 if it is not wider than the beam"),
    "true_pa": Column("deg", "f8", "position angle without the beam's; 0 if the major axis is 0"),
    "resolved": Column("", "bool", "whether its flux exceeds its peak by more than errors explain"),
    "island": Column("", "i4", "number of the island of pixels that it is in"),
    "n_gaussians": Column("", "i4", "number of Gaussians that were fitted to it"),
    "flags": Column("", "str", "what else to know of it, words from `FLAGS` separated by commas"),
}

FLAGS: Mapping[str, str] = {
    "multiple": "several Gaussians make it up; its shape is that of their second moments",
    "shared": "other sources are in its island",
    "edge": "it is nearer than two beams to where the image ends or is blanked",
    "faint-beam": "the primary beam is less than a fifth there: its flux depends on the beam model",
    "not-fitted": "no Gaussian fitted its island; flux and shape are of the pixels' moments",
}


def make_sources(columns: Mapping[str, NDArray[Any] | list[Any]], meta: Mapping[str, Any]) -> Sources:
    """Put a table together.

    Parameters
    ----------
    columns : mapping of str to (S,) array
        A value for each of `COLUMNS`, in its unit.
    meta : mapping
        What holds for all rows.

    Returns
    -------
    QTable
        In the order of right ascension.
    """
    order = np.argsort(np.asarray(columns["ra"], dtype=np.float64), kind="stable")
    table = QTable(meta=dict(meta))
    for name, column in COLUMNS.items():
        values = np.asarray(columns[name], dtype=column.dtype)[order]
        table[name] = u.Quantity(values, column.unit) if column.unit else values
        table[name].info.description = column.description
    return table


def no_sources(meta: Mapping[str, Any]) -> Sources:
    """Make the table of an image in which there is nothing."""
    return make_sources({name: [] for name in COLUMNS}, meta)


def values(sources: Sources, name: str) -> NDArray[Any]:
    """One column as a bare array (S,), in the unit that `COLUMNS` says."""
    unit = COLUMNS[name].unit
    column = sources[name]
    return np.asarray(column.to_value(unit) if unit else column)


def iau_names(ra_deg: NDArray[np.float64], dec_deg: NDArray[np.float64]) -> list[str]:
    """Names made of positions (S,), ``J083454.9+553421``: digits are cut off, not rounded (IAU Circular 6, 1997).

    Of two sources with the same name the later gets the letter b, and so on.
    """
    names: list[str] = []
    given: dict[str, int] = {}
    for ra, dec in zip(np.atleast_1d(ra_deg).tolist(), np.atleast_1d(dec_deg).tolist(), strict=True):
        # A micro-unit keeps what lies on a digit's edge from being lost to rounding.
        tenths = int(ra % 360.0 * 2400.0 + 1e-6) % 864000
        seconds = int(abs(dec) * 3600.0 + 1e-6)
        name = (
            f"J{tenths // 36000:02d}{tenths // 600 % 60:02d}{tenths // 10 % 60:02d}.{tenths % 10}"
            f"{'-' if dec < 0 else '+'}{seconds // 3600:02d}{seconds // 60 % 60:02d}{seconds % 60:02d}"
        )
        given[name] = given.get(name, 0) + 1
        names.append(name + ("" if given[name] == 1 else chr(ord("a") + given[name] - 1)))
    return names
