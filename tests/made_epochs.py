"""Epochs' directories with measurements that were made up: sources, gains and noise are known."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from dsa110_contimg.naming import MEASUREMENTS_NAME, epoch_directory_name, epoch_id
from dsa110_contimg.photometry.measurements import COLUMNS, SCHEMA, source_id

STRIP = "+54.6"
START = datetime(2025, 10, 5, 12, 0, 0, tzinfo=UTC)
START_MJD = 60953.5
NOISE_JY = 1e-3


def epoch_of(day: int, strip: str = STRIP) -> str:
    """Name the epoch of a day."""
    return epoch_id(START + timedelta(days=day), strip)


def sources(n: int) -> np.ndarray:
    """Number some sources, in order."""
    return np.sort(source_id(np.linspace(10.0, 20.0, n, endpoint=False), 54.6 + 0.01 * np.arange(n)))


def made_rows(day: int, flux: np.ndarray, *, strip: str = STRIP, image: str = "", **columns: object) -> pa.Table:
    """Make up an epoch's measurements of sources; columns that are not given say nothing."""
    n, epoch = len(flux), epoch_of(day, strip)
    values: dict[str, object] = {
        "source_id": sources(n),
        "epoch": epoch,
        "image": image or epoch,
        "kind": "mosaic",
        "band": "full",
        "mjd": START_MJD + day,
        "freq_hz": 1.405e9,
        "flux": flux,
        "e_flux": NOISE_JY,
        "e_beam": 0.02 * np.asarray(flux),
        "e_calibration": 0.03 * np.asarray(flux),
        "scale": 1.0,
        "e_scale": np.nan,
        "corrected": flux,
        "e_corrected": np.hypot(NOISE_JY, 0.03 * np.asarray(flux)),
        "upper_limit": np.nan,
        "rms": NOISE_JY,
        "pb": 1.0,
        "chi2": 1.0,
        "neighbours": 0,
        "beam_version": "airy",
        "flags": 128,
    }
    arrays = []
    for name, column in COLUMNS.items():
        value = columns.get(name, values[name])
        if pa.types.is_dictionary(column.dtype):
            words = [value] * n if isinstance(value, str) else list(value)
            arrays.append(pa.array(words, pa.string()).dictionary_encode())
        else:
            arrays.append(pa.array(np.broadcast_to(value, n).astype(column.dtype.to_pandas_dtype())))
    return pa.table(arrays, schema=SCHEMA)


def write_epoch(place: Path, day: int, *tables: pa.Table, strip: str = STRIP) -> Path:
    """Write an epoch's directory with measurements, in place of what is there; give it."""
    directory = place / epoch_directory_name(epoch_of(day, strip))
    directory.mkdir(parents=True, exist_ok=True)
    table = pa.concat_tables(tables).unify_dictionaries() if tables else SCHEMA.empty_table()
    parquet.write_table(table, directory / MEASUREMENTS_NAME)
    return directory
