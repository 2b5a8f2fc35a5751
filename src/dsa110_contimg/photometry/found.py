"""What was found on an epoch's mosaic, and what of the strip's list it is: ``found.parquet``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from dsa110_contimg.errors import UnreadableFileError
from dsa110_contimg.photometry.reference import alive
from dsa110_contimg.photometry.sources import values
from dsa110_contimg.storage.files import output_errors

if TYPE_CHECKING:
    from pathlib import Path

    from dsa110_contimg.photometry.growing import Grown
    from dsa110_contimg.photometry.reference import ReferenceList
    from dsa110_contimg.photometry.sources import Sources

SCHEMA_VERSION = 1

_COLUMNS = {
    "name": ("", pa.string(), "IAU name of the place where it was found; as in the catalogue of the mosaic"),
    "ra_deg": ("deg", pa.float64(), "right ascension, ICRS, without what all places of the mosaic are off by"),
    "dec_deg": ("deg", pa.float64(), "declination, likewise"),
    "e_ra_arcsec": ("arcsec", pa.float64(), "error along right ascension, on the sky"),
    "e_dec_arcsec": ("arcsec", pa.float64(), "error of the declination"),
    "flux_jy": ("Jy", pa.float64(), "flux density as found"),
    "e_flux_jy": ("Jy", pa.float64(), "its error"),
    "snr": ("", pa.float64(), "peak over noise"),
    "source_id": ("", pa.int64(), "number in the list; 0 if it is not in it"),
    "relation": ("", pa.string(), "one-to-one, many-to-one, one-to-many, part or new"),
    "added": ("", pa.bool_(), "whether it was added to the list"),
    "de_ruiter": ("", pa.float64(), "de Ruiter radius of the nearest in the list; infinite where none is near"),
    "separation_arcsec": ("arcsec", pa.float64(), "how far that is"),
    "nearest_id": ("", pa.int64(), "its number, also where it is another source; 0 where none is near"),
    "rivals": ("", pa.list_(pa.int64()), "numbers of others in the list that it may be"),
}
SCHEMA = pa.schema(
    [
        pa.field(name, kind, metadata={"unit": unit, "description": text})
        for name, (unit, kind, text) in _COLUMNS.items()
    ]
)


def found_table(sources: Sources, before: ReferenceList, grown: Grown) -> pa.Table:
    """Say of each source that was found what of the list it is.

    Parameters
    ----------
    sources : Sources
        What was found, in the order in which it was offered to the list.
    before : ReferenceList
        The list that they were associated with.
    grown : Grown
        What came of it.
    """
    who, numbers = grown.association, alive(before).source_id
    nearest = np.zeros(len(sources), np.int64)
    nearest[who.nearest >= 0] = numbers[who.nearest[who.nearest >= 0]]
    columns = {
        "name": values(sources, "name").tolist(),
        **who.places._asdict(),
        "flux_jy": values(sources, "flux"),
        "e_flux_jy": values(sources, "e_flux"),
        "snr": values(sources, "snr"),
        "source_id": grown.numbers,
        "relation": [relation.value for relation in who.relation],
        "added": grown.added,
        "de_ruiter": who.radius,
        "separation_arcsec": who.separation_arcsec,
        "nearest_id": nearest,
        "rivals": [[int(numbers[one]) for one in some] for some in who.rivals],
    }
    arrays = [pa.array(columns[field.name], field.type) for field in SCHEMA]
    about = {
        "schema_version": str(SCHEMA_VERSION),
        "reference_version": str(before.version),
        "strip": before.strip,
        "offset": json.dumps(who.offset._asdict()),
        "merged": json.dumps({str(one): other for one, other in grown.merged.items()}),
    }
    return pa.Table.from_arrays(arrays, schema=SCHEMA.with_metadata(about))


def write_found(path: Path, table: pa.Table) -> None:
    """Write it, into a directory that is published as a whole.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    with output_errors(path):
        parquet.write_table(table, path)


def read_found(path: Path) -> pa.Table:
    """Read what `write_found` wrote.

    Raises
    ------
    UnreadableFileError
        It is not there, or no such table.
    """
    try:
        return parquet.ParquetFile(path).read().select(SCHEMA.names)
    except (OSError, ValueError, KeyError) as error:
        said = " ".join(str(error).split())
        raise UnreadableFileError(
            f"is no table of sources found ({type(error).__name__}: {said})", path=path
        ) from error
