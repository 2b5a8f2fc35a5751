"""The sky of the demo: a calibrator that transits, sources where two groups look later, and a catalogue of them."""

from __future__ import annotations

import csv
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dsa110_contimg.catalogue.calibrators import find_calibrator
from dsa110_contimg.telescope.band import HEADER_SITE, INTEGRATION_S, INTEGRATIONS_PER_GROUP
from dsa110_contimg.telescope.geometry import meridian_icrs
from dsa110_contimg.telescope.prediction import REFERENCE_HZ
from dsa110_contimg.telescope.transits import find_transits, utc_of

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

CALIBRATOR, DEC_DEG, DAY_MJD = "3C48", 33.0, 60953.0
ALPHA = -0.7
# The targets begin so many groups after the calibrator's: it is then in the sidelobes of the beam.
WAIT_GROUPS = 3
GROUP_S = INTEGRATIONS_PER_GROUP * INTEGRATION_S

# Of the middle of the first target group and then of the second: east and north [deg], flux density at 1.4 GHz [Jy].
SOURCES = (
    ((0.04, 0.09, 0.45), (-0.53, 0.36, 0.80), (0.41, -0.52, 0.35), (-0.22, -0.95, 0.60), (0.28, 0.86, 0.26),
     (-0.88, -0.40, 0.50), (-0.31, -0.27, 0.12), (0.17, -0.21, 0.20)),
    ((-0.06, -0.11, 0.30), (0.47, 0.42, 1.00), (-0.30, 0.61, 0.40), (0.83, -0.38, 0.55), (0.09, -0.72, 0.24),
     (-0.21, 0.93, 0.45), (0.26, 0.16, 0.15), (0.62, -0.79, 0.70)),
)  # fmt: skip
# The catalogue that a survey would have made: places and flux densities are off by so much.
SURVEY_ARCSEC, SURVEY_FLUX = 0.4, 0.03


class Night(NamedTuple):
    """When the groups begin (UTC), and the tables of what is in the sky, and of what a survey says is."""

    starts: tuple[datetime, ...]
    sky: Path
    survey: Path


def make_night(home: Path, n_targets: int) -> Night:
    """Write the tables, and say when what is observed."""
    source = find_calibrator(CALIBRATOR)
    (transit,) = find_transits(source.ra_deg, source.dec_deg, DAY_MJD, DAY_MJD + 0.99, HEADER_SITE)
    first = transit.mjd - GROUP_S / 2 / 86400.0
    later = [WAIT_GROUPS + n for n in range(len(SOURCES))]
    middles = [first + (n + 0.5) * GROUP_S / 86400.0 for n in later]
    rows = [(CALIBRATOR, source.ra_deg, source.dec_deg, float(source.spectrum.flux_jy(REFERENCE_HZ)))]
    for mjd, sources in zip(middles, SOURCES, strict=True):
        ra, dec = (float(value[0]) for value in meridian_icrs(np.radians(DEC_DEG), [mjd], HEADER_SITE))
        rows += [("", ra + east / np.cos(np.radians(dec + north)), dec + north, flux) for east, north, flux in sources]
    rng = np.random.default_rng(3)
    survey = [
        (
            name,
            ra + rng.normal(0.0, SURVEY_ARCSEC / 3600.0) / np.cos(np.radians(dec)),
            dec + rng.normal(0.0, SURVEY_ARCSEC / 3600.0),
            flux * rng.normal(1.0, SURVEY_FLUX),
        )
        for name, ra, dec, flux in rows
    ]
    starts = tuple(utc_of(first) + timedelta(microseconds=1, seconds=n * GROUP_S) for n in (0, *later[:n_targets]))
    return Night(starts, _write(home / "sky.csv", rows), _write(home / "survey.csv", survey))


def _write(path: Path, rows: list[tuple[str, float, float, float]]) -> Path:
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["name", "ra", "dec", "flux", "alpha"])
        for name, ra, dec, flux in rows:
            table.writerow([name, f"{ra:.9f}", f"{dec:.9f}", f"{flux:.6f}", ALPHA])
    return path
