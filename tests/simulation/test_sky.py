"""Skies by chance, and as tables."""

import numpy as np
import pytest
from astropy.table import Table

from dsa110_contimg.catalogue.tables import read_sources
from dsa110_contimg.simulation.sky import random_sky, write_sky
from dsa110_contimg.telescope.band import HEADER_SITE
from dsa110_contimg.telescope.geometry import meridian_icrs
from dsa110_contimg.telescope.prediction import PointSources

SKY = PointSources(np.array([10.5, 359.9]), np.array([-3.25, 54.0]), np.array([1.5, 0.02]), np.array([-0.7, 0.0]))
DEC_RAD = np.radians(54.5734)
HOUR = (60953.5, 60953.5 + 1 / 24)


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_csv_round_trip(tmp_path):
    write_sky(tmp_path / "sky.csv", SKY)
    assert same(read_sources(tmp_path / "sky.csv"), SKY)
    assert Table.read(tmp_path / "sky.csv", format="ascii.csv").colnames == ["name", "ra", "dec", "flux", "alpha"]


def test_random_sky_lies_along_the_track_of_the_pointing():
    sky = random_sky(400, np.random.default_rng(1), HOUR, DEC_RAD, HEADER_SITE)
    ra_deg, dec_deg = meridian_icrs(DEC_RAD, np.linspace(*HOUR, 61), HEADER_SITE)
    cos_distance = np.sin(np.radians(sky.dec_deg))[:, None] * np.sin(np.radians(dec_deg)) + np.cos(
        np.radians(sky.dec_deg)
    )[:, None] * np.cos(np.radians(dec_deg)) * np.cos(np.radians(sky.ra_deg[:, None] - ra_deg))
    nearest_deg = np.degrees(np.arccos(cos_distance)).min(axis=1)
    assert nearest_deg.max() < 1.7  # it is drawn on a plane
    assert np.median(nearest_deg) > 0.4
    along = (sky.ra_deg - ra_deg.mean()) / (ra_deg[-1] - ra_deg[0])
    assert along.std() == pytest.approx(1 / np.sqrt(12), rel=0.25)


def test_random_sky_has_the_counts_of_the_real_one():
    # 12 a square degree above 10 mJy: over the 1.1 x 3 deg and the two half discs of a group, about 120.
    group = (60953.5, 60953.5 + 309.24 / 86400)
    area = 309.24 / 86400 * 360.986 * np.cos(DEC_RAD) * 3.0 + np.pi * 1.5**2
    counts = [
        (random_sky(200, np.random.default_rng(k), group, DEC_RAD, HEADER_SITE).flux_jy > 0.01).sum() for k in range(20)
    ]
    assert np.mean(counts) == pytest.approx(12 * area, rel=0.05)


def test_random_sky_is_sorted_and_repeats_with_its_seed():
    sky = random_sky(50, np.random.default_rng(3), HOUR, DEC_RAD, HEADER_SITE)
    assert (np.diff(sky.flux_jy) <= 0).all()
    assert sky.alpha.mean() == pytest.approx(-0.7, abs=0.15)
    assert same(sky, random_sky(50, np.random.default_rng(3), HOUR, DEC_RAD, HEADER_SITE))


def test_random_sky_across_zero_hours_and_empty():
    ra_deg, _ = meridian_icrs(DEC_RAD, np.array([60953.5]), HEADER_SITE)
    midnight = 60953.5 + ((360.0 - ra_deg[0]) % 360.0) / 360.98564736629
    sky = random_sky(200, np.random.default_rng(4), (midnight, midnight + 0.002), DEC_RAD, HEADER_SITE)
    assert ((sky.ra_deg >= 0) & (sky.ra_deg < 360)).all()
    assert (sky.ra_deg < 5).any()
    assert (sky.ra_deg > 355).any()
    assert random_sky(0, np.random.default_rng(4), HOUR, DEC_RAD, HEADER_SITE).flux_jy.size == 0
