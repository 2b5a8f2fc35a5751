"""Descriptions of small Measurement Sets with nothing of the sky in them."""

import numpy as np

from dsa110_contimg.ms.description import Antennas, Field, MsDescription
from dsa110_contimg.telescope.band import HEADER_SITE
from dsa110_contimg.telescope.stations import load_stations


def describe(n_times=2, n_antennas=3, n_channels=8, tile_channels=4, n_fields=1, **changes):
    """All baselines of the first antennas, autocorrelations included."""
    stations = load_stations()
    antenna1, antenna2 = np.triu_indices(n_antennas)
    times_mjd = 60953.5 + np.arange(n_times) * 12.88 / 86400
    facts = {
        "telescope_name": "OVRO_MMA",
        "observer": "DSA-110",
        "project": "search",
        "processor": "DSA",
        "site_itrf_m": HEADER_SITE.itrf_m,
        "antennas": Antennas(stations.names, stations.itrf_m, np.full(117, 4.65)),
        "antenna1": antenna1.astype(np.int32),
        "antenna2": antenna2.astype(np.int32),
        "times_mjd": times_mjd,
        "interval_s": 12.88,
        "exposure_s": 12.88,
        "uvw_m": np.random.default_rng(1).normal(0, 100, (n_times, antenna1.size, 3)),
        "fields": tuple(Field(f"field_{k}", 359.5 + k, 54.0 + k, times_mjd.mean()) for k in range(n_fields)),
        "field_id": (np.arange(n_times) % n_fields).astype(np.int32),
        "freq_hz": 1.4e9 + np.arange(n_channels) * 1e6,
        "channel_width_hz": 1e6,
        "tile_channels": tile_channels,
    }
    return MsDescription(**(facts | changes))
