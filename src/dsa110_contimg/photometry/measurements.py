"""Forced measurements: the flux density at a place that is known, in one image; what a row of them says.

Rows are a `pyarrow.Table` with the columns of `COLUMNS`, one a source and image; `SCHEMA` is its schema, with units and
descriptions in the metadata of the fields, and `SCHEMA_VERSION` in its own. A source's number says where it is: see
`source_id`.
"""

from __future__ import annotations

from enum import IntFlag
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

SCHEMA_VERSION = 1

_PER_DEG = 360_000  # hundredths of an arcsecond
_DEC_SPAN = 100_000_000


class Flag(IntFlag):
    """What to know of a measurement; 0 is nothing."""

    EDGE = 1  # nearer than two beams to where the image ends or is blank, or the beam is below a fifth there
    BLEND = 2  # fitted together with a neighbour
    HIGH_RMS = 4  # noise around it well above that of the image
    BAD_IMAGE = 8  # the image was judged bad
    UPPER_LIMIT = 16  # below the detection limit: `upper_limit` is what it may be at most
    EXTENDED = 32  # the reference says it is wider than the beam: a point's flux is too low
    BAD_EPOCH = 64  # the epoch was judged bad
    UNSCALED = 128  # there were too few steady sources for a relative scale


class Column(NamedTuple):
    """A column: its unit ("" for none), its type, and what it is."""

    unit: str
    dtype: pa.DataType
    description: str


_WORD = pa.dictionary(pa.int32(), pa.string())

COLUMNS: Mapping[str, Column] = {
    "source_id": Column("", pa.int64(), "number of the source in the reference list; says its position"),
    "epoch": Column("", _WORD, "epoch that the measurement belongs to"),
    "image": Column("", _WORD, "group id of a group's image; the epoch's name for its mosaic"),
    "kind": Column("", _WORD, "group: a group's image; mosaic: an epoch's mosaic"),
    "band": Column("", _WORD, "full, lower or upper half of the band"),
    "mjd": Column("d", pa.float64(), "middle of the time in which the source was seen, UTC"),
    "freq_hz": Column("Hz", pa.float64(), "frequency at which the flux density is"),
    "flux": Column("Jy", pa.float32(), "flux density, corrected for the primary beam, as measured"),
    "e_flux": Column("Jy", pa.float32(), "its error, of noise alone"),
    "e_beam": Column("Jy", pa.float32(), "its error from that of the primary beam"),
    "e_calibration": Column("Jy", pa.float32(), "its error from that of the flux scale"),
    "scale": Column("", pa.float32(), "factor that takes it to the ensemble of steady sources; 1 if there is none"),
    "e_scale": Column("", pa.float32(), "error of the factor"),
    "corrected": Column("Jy", pa.float32(), "flux density times the factor"),
    "e_corrected": Column("Jy", pa.float32(), "its error against other epochs: of noise, beam and factor"),
    "upper_limit": Column("Jy", pa.float32(), "three sigma above the larger of flux and 0 if undetected, else NaN"),
    "rms": Column("Jy / beam", pa.float32(), "noise of the image around the source, not corrected for the beam"),
    "pb": Column("", pa.float32(), "power of the primary beam at the source; 1 in a mosaic, which is corrected"),
    "chi2": Column("", pa.float32(), "reduced chi-square of the fit"),
    "neighbours": Column("", pa.int16(), "sources that were fitted together with it"),
    "beam_version": Column("", _WORD, "version of the primary beam"),
    "flags": Column("", pa.int32(), "sum of `Flag`"),
}

SCHEMA = pa.schema(
    [
        pa.field(name, column.dtype, metadata={"unit": column.unit, "description": column.description})
        for name, column in COLUMNS.items()
    ],
    metadata={"schema_version": str(SCHEMA_VERSION)},
)


def source_id(ra_deg: ArrayLike, dec_deg: ArrayLike) -> NDArray[np.int64]:
    """Number positions, in the order of right ascension: hundredths of an arcsecond, those of declination from -90.

    Parameters
    ----------
    ra_deg, dec_deg : array_like
        Positions, ICRS [deg].
    """
    ra = np.floor(np.mod(np.asarray(ra_deg, np.float64), 360.0) * _PER_DEG).astype(np.int64) % (360 * _PER_DEG)
    dec = np.floor((np.asarray(dec_deg, np.float64) + 90.0) * _PER_DEG).astype(np.int64)
    return ra * _DEC_SPAN + dec


def position_of(source: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Undo `source_id`, to half a hundredth of an arcsecond: right ascension and declination [deg]."""
    ra, dec = np.divmod(np.asarray(source, np.int64), _DEC_SPAN)
    return (ra + 0.5) / _PER_DEG, (dec + 0.5) / _PER_DEG - 90.0
