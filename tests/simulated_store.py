"""A store of light curves with simulated months in it, made without images."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from dsa110_contimg.lightcurves.rows import as_rows, sort_rows, write_rows
from dsa110_contimg.naming import epoch_id, epoch_rows_name
from dsa110_contimg.photometry.measurements import SCHEMA, Flag, source_id
from dsa110_contimg.simulation.months import BANDS_HZ

STRIP = "+54.6"


def epochs_of(month):
    """Give the epoch of each day."""
    starts = month.mjd.min(axis=0) - 0.01
    unix = datetime(1858, 11, 17, tzinfo=UTC)
    return [epoch_id((unix + timedelta(days=float(start))).replace(microsecond=0), STRIP) for start in starts]


def rows_of_day(month, day, epoch):
    """Give the measurements of one day's mosaic, of all bands."""
    numbers, tables = source_id(month.ra_deg, month.dec_deg), []
    for band, freq_hz in BANDS_HZ.items():
        there = np.flatnonzero(np.isfinite(month.flux[band][:, day]))
        flux, error = (each[band][there, day].astype(np.float32) for each in (month.flux, month.e_flux))
        n = there.size
        limit = np.where(flux < 5 * error, np.maximum(flux, 0) + 3 * error, np.nan)
        columns = {
            "source_id": numbers[there],
            "epoch": np.full(n, epoch),
            "image": np.full(n, epoch),
            "kind": np.full(n, "mosaic"),
            "band": np.full(n, band),
            "mjd": month.mjd[there, day],
            "freq_hz": np.full(n, freq_hz),
            "flux": flux,
            "e_flux": error,
            "e_beam": 0.03 * flux,
            "e_calibration": 0.03 * flux,
            "scale": np.ones(n),
            "e_scale": np.zeros(n),
            "corrected": flux,
            "e_corrected": error,
            "upper_limit": limit,
            "rms": error,
            "pb": np.ones(n),
            "chi2": np.ones(n),
            "neighbours": np.zeros(n, np.int16),
            "beam_version": np.full(n, "airy"),
            "flags": np.where(np.isfinite(limit), int(Flag.UPPER_LIMIT), 0),
        }
        tables.append(pa.table({f.name: pa.array(columns[f.name]).cast(f.type) for f in SCHEMA}, schema=SCHEMA))
    return pa.concat_tables(tables).unify_dictionaries()


def write_store(root, month):
    """Make a store of a month's measurements; give its epochs."""
    epochs = epochs_of(month)
    for day, epoch in enumerate(epochs):
        path = root / STRIP / epoch_rows_name(epoch)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_rows(path, [sort_rows(as_rows(rows_of_day(month, day, epoch)))], {epoch: "0" * 64})
    return epochs
