"""Laying out a Measurement Set with casacore, its bulk columns empty and ready to be written in place.

DATA and FLAG (and MODEL_DATA, CORRECTED_DATA, the spectra of weights) are TiledColumnStMan columns of fixed shape,
whose tiles hold one subband of one integration. casacore would write a whole table of zeros while it lays them out; it
is given ``/dev/null`` to write them to, and files of the right size are then put in place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import casacore.tables as ct
import numpy as np

from dsa110_contimg.errors import MeasurementSetError
from dsa110_contimg.ms.description import N_CORR
from dsa110_contimg.ms.subtables import fill_subtables
from dsa110_contimg.storage.files import allocate

if TYPE_CHECKING:
    from pathlib import Path

    from dsa110_contimg.ms.description import MsDescription


class BulkColumn(NamedTuple):
    """How a bulk column is stored: its type in casacore, its zero, and its size [bits a sample]."""

    casa_type: str
    zero: complex | float | bool
    bits: int


BULK_COLUMNS = {
    "DATA": BulkColumn("complex", 0j, 64),
    "FLAG": BulkColumn("boolean", False, 1),
    "MODEL_DATA": BulkColumn("complex", 0j, 64),
    "CORRECTED_DATA": BulkColumn("complex", 0j, 64),
    "WEIGHT_SPECTRUM": BulkColumn("float", 0.0, 32),
    "SIGMA_SPECTRUM": BulkColumn("float", 0.0, 32),
}


class BulkShape(Protocol):
    """How many samples a bulk column has, and in which tiles; a `MsDescription` knows, and a `MsInfo`."""

    @property
    def n_times(self) -> int:
        """Number of times."""

    @property
    def n_baselines(self) -> int:
        """Number of baselines of a time."""

    @property
    def n_channels(self) -> int:
        """Number of channels."""

    @property
    def tile_channels(self) -> int:
        """Channels of a tile."""


# Columns that hold one value for all rows, or one for each time: the incremental storage manager keeps each once.
_INCREMENTAL = (
    *("ARRAY_ID", "DATA_DESC_ID", "EXPOSURE", "FEED1", "FEED2", "FIELD_ID", "FLAG_ROW", "INTERVAL"),
    *("OBSERVATION_ID", "PROCESSOR_ID", "SCAN_NUMBER", "STATE_ID", "TIME", "TIME_CENTROID"),
)
# Columns that differ from row to row, in buckets of a size that a disk likes (casacore's own are 4 kB).
_BY_ROW = ("ANTENNA1", "ANTENNA2", "UVW", "WEIGHT", "SIGMA")
_LARGE_BUCKETS = {"BUCKETSIZE": 1 << 18}
_DAYS = 86400.0


def create_ms(path: Path, description: MsDescription, columns: tuple[str, ...] = ("DATA", "FLAG")) -> None:
    """Write a Measurement Set that is whole but for the contents of its bulk columns, WEIGHT and SIGMA.

    Parameters
    ----------
    path : Path
        Directory to be made.
    description : MsDescription
        What it says.
    columns : tuple of str
        Bulk columns, of `BULK_COLUMNS`. Their samples are zero (False) until `TileFile` writes them.

    Raises
    ------
    MeasurementSetError
        casacore did not lay the files out as expected.
    DiskFullError
        No room for the bulk columns.
    OutputError
        The directory cannot be written.
    """
    managers: dict[str, dict[str, Any]] = {
        "incremental": {"TYPE": "IncrementalStMan", "NAME": "incremental", "COLUMNS": list(_INCREMENTAL)}
    }
    managers["rows"] = {"TYPE": "StandardStMan", "NAME": "rows", "COLUMNS": list(_BY_ROW), "SPEC": _LARGE_BUCKETS}
    with ct.default_ms(str(path), {}, managers) as ms:
        # casacore insists on a FLAG column; ours is tiled.
        ms.removecols(["FLAG"])
        ms.addrows(description.n_rows)
        _fill_main(ms, description)
    fill_subtables(path, description)
    for column in columns:
        add_bulk_column(path, column, description)


def add_bulk_column(path: Path, column: str, description: BulkShape) -> None:
    """Add one empty bulk column to a Measurement Set that nobody else has open (see `create_ms`)."""
    kind = BULK_COLUMNS[column]
    tile = (description.n_baselines, description.tile_channels, N_CORR)
    with ct.table(str(path), readonly=False, ack=False) as ms:
        number = 1 + max(int(manager["SEQNR"]) for manager in ms.getdminfo().values())
        bulk = path / f"table.f{number}_TSM0"
        bulk.symlink_to("/dev/null")
        shape = [description.n_channels, N_CORR]
        cells = ct.makearrcoldesc(column, kind.zero, valuetype=kind.casa_type, ndim=2, shape=shape, options=5)
        spec = {"DEFAULTTILESHAPE": np.array(tile[::-1], dtype=np.int32)}
        ms.addcols(
            ct.maketabdesc(cells), {"TYPE": "TiledColumnStMan", "NAME": f"Tiled{column}", "SEQNR": number, "SPEC": spec}
        )
    if not bulk.is_symlink():
        raise MeasurementSetError(
            f"casacore put column {column} elsewhere than expected", path=bulk, remedy="use the tested python-casacore"
        )
    bulk.unlink()
    n_tiles = description.n_times * (description.n_channels // description.tile_channels)
    allocate(bulk, n_tiles * tile_bytes(column, description))


def tile_bytes(column: str, description: BulkShape) -> int:
    """Size of one tile of a bulk column [bytes]; a tile of bits ends on a whole byte."""
    samples = description.n_baselines * description.tile_channels * N_CORR
    return -(-samples * BULK_COLUMNS[column].bits // 8)


def fill_weights(path: Path, weight: np.ndarray, unflagged: np.ndarray) -> None:
    """Write WEIGHT, SIGMA and FLAG_ROW.

    Parameters
    ----------
    path : Path
        The Measurement Set.
    weight : (N, 2) float32
        WEIGHT of each row [1/Jy^2]; SIGMA is its inverse root, and 0 weight gives SIGMA 0.
    unflagged : (N,) bool
        Whether any sample of the row is good.
    """
    sigma = np.zeros_like(weight)
    np.divide(1.0, np.sqrt(weight), out=sigma, where=weight > 0)
    with ct.table(str(path), readonly=False, ack=False) as ms:
        ms.putcol("WEIGHT", weight)
        ms.putcol("SIGMA", sigma)
        ms.putcol("FLAG_ROW", ~unflagged)


def _fill_main(ms: ct.table, description: MsDescription) -> None:
    n_times, n_baselines = description.n_times, description.n_baselines
    ms.putcol("ANTENNA1", np.tile(description.antenna1, n_times))
    ms.putcol("ANTENNA2", np.tile(description.antenna2, n_times))
    ms.putcol("UVW", description.uvw_m.reshape(-1, 3))
    time_s = np.repeat(description.times_mjd * _DAYS, n_baselines)
    ms.putcol("TIME", time_s)
    ms.putcol("TIME_CENTROID", time_s)
    ms.putcol("FIELD_ID", np.repeat(description.field_id, n_baselines))
    for column, value in (("INTERVAL", description.interval_s), ("EXPOSURE", description.exposure_s)):
        ms.putcol(column, np.full(description.n_rows, value))
    for column in ("ARRAY_ID", "DATA_DESC_ID", "FEED1", "FEED2", "OBSERVATION_ID", "PROCESSOR_ID", "STATE_ID"):
        ms.putcol(column, np.zeros(description.n_rows, np.int32))
    ms.putcol("SCAN_NUMBER", np.ones(description.n_rows, np.int32))
    # xarray-ms knows no ICRS here; 20 mas apart, the two differ by 0.3 mm on the longest baseline.
    ms.putcolkeyword("UVW", "MEASINFO", {"type": "uvw", "Ref": "J2000"})
