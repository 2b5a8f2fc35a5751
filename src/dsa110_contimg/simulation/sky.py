"""The simulated sky: drawn at random with realistic counts, and written as a table."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import numpy as np

from dsa110_contimg.catalogue.spectra import DEFAULT_ALPHA
from dsa110_contimg.telescope.geometry import meridian_icrs
from dsa110_contimg.telescope.prediction import PointSources

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from dsa110_contimg.telescope.site import Site

#: Random sources lie this close to the track of the pointing [deg].
RANDOM_RADIUS_DEG = 1.5
# Extragalactic counts at 1.4 GHz: 12 sources a square degree above 10 mJy; N(>S) goes as S^-0.9 up to 0.3 Jy, and as
# S^-1.5 above (slopes and normalisation read off the NVSS counts of Condon et al. 1998, AJ 115, 1693, figure 7).
_COUNT_AT_10_MJY = 12.0
_KNEE_JY = 0.3
_FAINT_SLOPE, _BRIGHT_SLOPE = 0.9, 1.5
_BRIGHTEST_JY = 20.0
_SIDEREAL_DEG_PER_DAY = 360.98564736629


def random_sky(
    number: int,
    rng: np.random.Generator,
    mjd_range: tuple[float, float],
    dec_rad: float,
    site: Site,
) -> PointSources:
    """Draw sources within 1.5 deg of the track of the pointing, with the flux densities of that many on the real sky.

    Parameters
    ----------
    number : int
        How many.
    rng : numpy.random.Generator
        Where the chance comes from.
    mjd_range : (float, float)
        Begin and end of the run [MJD, UTC].
    dec_rad : float
        Apparent declination of the pointing [rad].
    site : Site
        The observer.

    Returns
    -------
    PointSources
        In order of decreasing flux density.
    """
    middle = (mjd_range[0] + mjd_range[1]) / 2
    ra_deg, dec_deg = meridian_icrs(dec_rad, np.array([middle]), site)
    cos_dec = max(np.cos(np.radians(dec_deg[0])), 0.05)
    half_deg = (mjd_range[1] - mjd_range[0]) / 2 * _SIDEREAL_DEG_PER_DAY * cos_dec
    along_deg, across_deg = _scatter(number, rng, half_deg)
    area_deg2 = 4 * half_deg * RANDOM_RADIUS_DEG + np.pi * RANDOM_RADIUS_DEG**2
    return PointSources(
        ra_deg=(ra_deg[0] + along_deg / cos_dec) % 360.0,
        dec_deg=np.clip(dec_deg[0] + across_deg, -90.0, 90.0),
        flux_jy=np.sort(_flux_above(number * rng.uniform(size=number) / area_deg2))[::-1],
        alpha=rng.normal(DEFAULT_ALPHA, 0.2, number),
    )


def write_sky(path: Path, sources: PointSources) -> None:
    """Write the sources as a CSV table that `catalogue.tables.read_sources` takes."""
    with path.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["name", "ra", "dec", "flux", "alpha"])
        for k, row in enumerate(zip(*sources, strict=True)):
            table.writerow([f"S{k:04d}", *(repr(float(value)) for value in row)])


def _scatter(number: int, rng: np.random.Generator, half_deg: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw points uniformly within 1.5 deg of a line of this half length: along it, and across."""
    radius = RANDOM_RADIUS_DEG
    points = np.empty((0, 2))
    while len(points) < number:
        drawn = rng.uniform(-1.0, 1.0, (2 * number + 16, 2)) * [half_deg + radius, radius]
        beyond = np.maximum(np.abs(drawn[:, 0]) - half_deg, 0.0)
        points = np.concatenate([points, drawn[np.hypot(beyond, drawn[:, 1]) < radius]])
    return points[:number, 0], points[:number, 1]


def _flux_above(count_per_deg2: NDArray[np.float64]) -> NDArray[np.float64]:
    """Flux density above which this many sources a square degree are found [Jy]."""
    at_knee = _COUNT_AT_10_MJY * (_KNEE_JY / 0.01) ** -_FAINT_SLOPE
    relative = np.maximum(count_per_deg2 / at_knee, 1e-6)
    slope = np.where(relative > 1.0, _FAINT_SLOPE, _BRIGHT_SLOPE)
    return np.asarray(np.minimum(_KNEE_JY * relative ** (-1.0 / slope), _BRIGHTEST_JY))
