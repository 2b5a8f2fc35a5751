"""The steady sources of a strip: those on which the relative scale of each of its images rests.

They are found in the store, for each kind of image and band by itself: measured often enough, bright enough, without
a flag that would make them doubtful, and no more variable than most such sources are. Their mean flux densities are
kept in a small file of the strip, `naming.ENSEMBLE_NAME`, and made again whenever a month is joined.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from dsa110_contimg.errors import LightcurveError
from dsa110_contimg.lightcurves.query import open_store, sums_of_all_bands
from dsa110_contimg.naming import ENSEMBLE_NAME
from dsa110_contimg.photometry.measurements import Flag
from dsa110_contimg.storage.files import output_errors, sync_directory, sync_tree
from dsa110_contimg.telescope.spread import robust_sigma

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from dsa110_contimg.config.settings import LightcurveSettings

DOUBTFUL = Flag.EDGE | Flag.BLEND | Flag.HIGH_RMS | Flag.BAD_IMAGE | Flag.UPPER_LIMIT | Flag.EXTENDED
"""A measurement with any of these flags says nothing of an image's scale."""

ENSEMBLE_SCHEMA = pa.schema(
    [
        pa.field("kind", pa.string(), metadata={"description": "group or mosaic"}),
        pa.field("band", pa.string(), metadata={"description": "full, lower or upper half of the band"}),
        pa.field("source_id", pa.int64(), metadata={"description": "number of the source"}),
        pa.field("n", pa.int32(), metadata={"description": "measurements"}),
        pa.field("mean", pa.float64(), metadata={"unit": "Jy", "description": "weighted mean of the corrected fluxes"}),
        pa.field("e_mean", pa.float64(), metadata={"unit": "Jy", "description": "its error"}),
        pa.field("eta", pa.float64(), metadata={"description": "reduced chi-square of the fluxes about it"}),
    ]
)

_MOST_ODD = 3.0  # in robust standard deviations of log eta, among steady sources


def find_ensemble(root: Path, strip: str, settings: LightcurveSettings) -> pa.Table:
    """Find the steady sources of a strip in the store.

    Returns
    -------
    Table
        With `ENSEMBLE_SCHEMA`, in order of ``kind``, ``band``, ``source_id``.
    """
    with open_store(root, strip, threads=settings.threads, memory_gb=settings.memory_gb) as store:
        sums = sums_of_all_bands(store, without=DOUBTFUL | Flag.BAD_EPOCH)
    n, mean, noise, eta = (sums[name].to_numpy() for name in ("n", "mean", "noise", "eta"))
    good = (n >= settings.least_epochs) & (mean >= settings.steady_sigma * noise) & (eta > 0.0)
    _, planes = np.unique([f"{kind} {band}" for kind, band in _pairs(sums)], return_inverse=True)
    steady = np.zeros(n.size, bool)
    for plane in range(planes.max(initial=-1) + 1):
        rows = np.flatnonzero(good & (planes == plane))
        steady[rows] = ~_odd(np.log10(eta[rows]))
    table = sums.filter(pa.array(steady)).select(ENSEMBLE_SCHEMA.names)
    return table.cast(ENSEMBLE_SCHEMA)


def read_ensemble(root: Path, strip: str) -> pa.Table:
    """Read the steady sources of a strip: an empty table if they were not found yet.

    Raises
    ------
    LightcurveError
        The file cannot be read.
    """
    path = root / strip / ENSEMBLE_NAME
    try:
        return parquet.read_table(path, schema=ENSEMBLE_SCHEMA)
    except FileNotFoundError:
        return ENSEMBLE_SCHEMA.empty_table()
    except (OSError, pa.ArrowException, ValueError) as error:
        raise LightcurveError(
            f"cannot be read ({str(error).splitlines()[0]})",
            path=path,
            remedy="remove it: dsa110-contimg photometry compact makes it again",
        ) from error


def write_ensemble(root: Path, strip: str, ensemble: pa.Table) -> None:
    """Keep the steady sources of a strip; those that were kept before give way.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    path = root / strip / ENSEMBLE_NAME
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with output_errors(path):
        try:
            parquet.write_table(ensemble, partial, compression="zstd")
            sync_tree(partial)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        sync_directory(path.parent)


def _pairs(table: pa.Table) -> list[tuple[str, str]]:
    return list(zip(table["kind"].to_pylist(), table["band"].to_pylist(), strict=True))


def _odd(log_eta: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Say which sources vary more than the others do."""
    if log_eta.size == 0:
        return np.zeros(0, bool)
    middle = float(np.median(log_eta))
    spread = max(robust_sigma(log_eta, middle), 0.05)
    return np.asarray(log_eta > middle + _MOST_ODD * spread)
