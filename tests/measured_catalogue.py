"""Catalogues as images would have them: a reference, moved and scaled, with errors."""

import numpy as np

from dsa110_contimg.catalogue.tables import Reference
from dsa110_contimg.photometry.sources import COLUMNS, make_sources
from dsa110_contimg.telescope.prediction import PointSources

EAST, NORTH, SCALE = 2.5, -1.2, 0.93
FREQ_HZ = 1.405e9


def reference_of(places, flux, alpha=-0.7):
    n = len(flux)
    sources = PointSources(*np.array(places, float).reshape(-1, 2).T, np.array(flux, float), np.full(n, alpha))
    return Reference(sources, np.zeros(n), np.zeros(n), np.zeros(n), "made")


def measured(places, flux, seed=1, snr=50.0, **columns):
    """What an image makes of sources: moved, scaled, with errors of an arcsecond and two per cent."""
    rng = np.random.default_rng(seed)
    n, (ra, dec) = len(flux), np.array(places, float).T
    seen = np.array(flux) * (FREQ_HZ / 1.4e9) ** -0.7 * SCALE * (1 + 0.02 * rng.standard_normal(n))
    table = {name: np.zeros(n, column.dtype) for name, column in COLUMNS.items()}
    table |= {
        "ra": (ra + (EAST + rng.standard_normal(n)) / 3600 / np.cos(np.radians(dec))) % 360,
        "dec": dec + (NORTH + rng.standard_normal(n)) / 3600,
        "flux": seen,
        "peak": seen,
        "e_ra": np.ones(n),
        "e_dec": np.ones(n),
        "e_flux": 0.02 * seen,
        "e_peak": 0.02 * seen,
        "snr": np.full(n, snr),
        "pb": np.ones(n),
        "rms": seen / snr,
    }
    about = {"beam_arcsec": [64.0, 38.0], "freq_hz": FREQ_HZ, "ra_deg": 0.1, "dec_deg": 54.57, "radius_deg": 1.7}
    return make_sources(table | columns, about)
