"""Apparent places against astropy's HADec, and what follows from them."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dsa110_contimg.telescope.band import HEADER_SITE
from dsa110_contimg.telescope.geometry import (
    aberration_scale,
    apparent_directions,
    meridian_direction,
    meridian_frame,
    meridian_icrs,
    uvw_basis,
)
from dsa110_contimg.telescope.site import Site
from point_source_truth import directions, in_meridian_frame, meridian_in_icrs

MAS = np.pi / 180 / 3600e3
SITES = {"OVRO": HEADER_SITE, "Karoo": Site(-30.7, 21.4, 1000.0), "Svalbard": Site(78.2, 15.4, 450.0)}
MJD = 60953.5215


def angle_between(a, b):
    return 2 * np.arcsin(np.linalg.norm(a - b, axis=-1) / 2)


@pytest.mark.parametrize("site", SITES.values(), ids=SITES)
@pytest.mark.parametrize("mjd", [57754.25, 58849.5, 60953.5215, 61100.9])
def test_apparent_places(site, mjd):
    rng = np.random.default_rng(7)
    ra = np.concatenate([rng.uniform(0, 360, 40), [0.0, 0.0, 123.0, 359.9999999]])
    dec = np.concatenate([np.degrees(np.arcsin(rng.uniform(-1, 1, 40))), [90.0, -90.0, 89.99, 0.0]])
    ours = apparent_directions(ra, dec, [mjd], site)
    assert ours.shape == (1, 44, 3)
    assert angle_between(ours[0], directions(ra, dec, mjd, site)).max() < MAS


def test_several_times():
    mjd = MJD + np.array([0, 0.3, 200.7])
    ours = apparent_directions([83.0, 200.0], [54.0, -20.0], mjd, HEADER_SITE)
    for t, moment in enumerate(mjd):
        assert np.array_equal(ours[t], apparent_directions([83.0, 200.0], [54.0, -20.0], [moment], HEADER_SITE)[0])


@pytest.mark.parametrize("site", SITES.values(), ids=SITES)
@pytest.mark.parametrize("dec_deg", [71.6, 54.57, 16.27, -10.0, 89.9])
def test_meridian(site, dec_deg):
    mjd = MJD + np.array([0, 0.01, 0.77])
    ra, dec = meridian_icrs(np.radians(dec_deg), mjd, site)
    expected_ra, expected_dec = meridian_in_icrs(dec_deg, mjd, site)
    assert (np.abs((ra - expected_ra + 180) % 360 - 180) * np.cos(np.radians(dec)) < 1 / 3600e3).all()
    assert np.abs(dec - expected_dec).max() < 1 / 3600e3


@settings(max_examples=100)
@given(
    dec_rad=st.floats(-np.pi / 2, np.pi / 2),
    mjd=st.floats(55000, 61300),
    latitude=st.floats(-89, 89),
    longitude=st.floats(-180, 180),
)
def test_meridian_and_back(dec_rad, mjd, latitude, longitude):
    site = Site(latitude, longitude, 1200.0)
    ra, dec = meridian_icrs(dec_rad, mjd, site)
    assert (ra >= 0).all()
    assert (ra < 360).all()
    back = apparent_directions(ra, dec, [mjd], site)[0, 0]
    assert angle_between(back, meridian_direction(dec_rad)) < 0.01 * MAS


def test_one_right_ascension_a_sidereal_day():
    """The meridian's right ascension goes through 0h once, and comes back after 23 h 56 min 4.09 s."""
    mjd = MJD + np.linspace(0, 0.99726957, 200)
    ra, _ = meridian_icrs(0.3, mjd, HEADER_SITE)
    assert np.count_nonzero(np.diff(ra) < 0) == 1
    assert ra[-1] == pytest.approx(ra[0], abs=1 / 3600)
    assert (np.diff(np.unwrap(ra, period=360)) > 0).all()


def test_frame_turns_by_the_longitude():
    rng = np.random.default_rng(3)
    itrf_m = rng.normal(0, 1e3, (4, 5, 3))
    for site in SITES.values():
        assert meridian_frame(itrf_m, site) == pytest.approx(in_meridian_frame(itrf_m, site), abs=1e-9)
    up = meridian_frame(HEADER_SITE.itrf_m, HEADER_SITE)
    assert up[1] == pytest.approx(0, abs=1e-6)
    assert up[0] > 0


def test_north_is_the_pole_at_the_pole():
    assert meridian_direction(np.pi / 2) == pytest.approx([0, 0, 1])
    assert meridian_direction(0.0) == pytest.approx([1, 0, 0])


@settings(max_examples=100)
@given(ra=st.floats(0, 360), dec=st.floats(-90, 90), mjd=st.floats(55000, 61300))
def test_axes_are_a_rigid_right_handed_frame(ra, dec, mjd):
    (basis,) = uvw_basis(ra, dec, mjd, HEADER_SITE)
    assert basis @ basis.T == pytest.approx(np.eye(3), abs=1e-12)
    assert np.linalg.det(basis) == pytest.approx(1.0)
    assert angle_between(basis[2], apparent_directions(ra, dec, [mjd], HEADER_SITE)[0, 0]) < 1e-12


@settings(max_examples=25)
@given(ra=st.floats(0, 360), dec=st.floats(-85, 85), mjd=st.floats(58000, 61300))
def test_axes_point_east_and_north(ra, dec, mjd):
    """To what light deflection by the Sun leaves: 0.1 arcsec in direction, 1e-6 in scale."""
    step = 10 / 3600
    assume(not near_the_sun(ra, dec, mjd))
    offset_ra = step / np.cos(np.radians(dec))
    at = np.array([[ra + offset_ra, dec], [ra - offset_ra, dec], [ra, dec + step], [ra, dec - step]]).T
    east, west, north, south = directions(*at, mjd, HEADER_SITE)
    (basis,) = uvw_basis(ra, dec, mjd, HEADER_SITE)
    scale = aberration_scale(ra, dec, mjd, HEADER_SITE)
    assert abs(scale - 1) < 1.02e-4
    for axis, difference in ((0, east - west), (1, north - south)):
        assert difference / (2 * np.radians(step)) == pytest.approx(basis[axis] * scale, abs=1e-6)


def near_the_sun(ra, dec, mjd):
    from astropy.coordinates import SkyCoord, get_sun
    from astropy.time import Time

    sun = get_sun(Time(mjd, format="mjd"))
    return SkyCoord(ra, dec, unit="deg").separation(SkyCoord(sun.ra, sun.dec)).deg < 15


@pytest.mark.parametrize("dec_deg", [90.0, -90.0, 89.999])
def test_axes_at_a_pole(dec_deg):
    (basis,) = uvw_basis(12.0, dec_deg, MJD, HEADER_SITE)
    assert basis @ basis.T == pytest.approx(np.eye(3), abs=1e-12)
    # North goes on over the north pole, and comes from the other side of the south pole.
    ahead = directions(192.0, 89.9, MJD, HEADER_SITE) if dec_deg > 0 else directions(12.0, -89.9, MJD, HEADER_SITE)
    assert basis[1] @ (ahead - basis[2]) == pytest.approx(np.linalg.norm(ahead - basis[2]), rel=1e-4)


def test_axes_of_many_moments():
    mjd = MJD + np.arange(3) / 24
    ra, dec = meridian_icrs(0.9, mjd, HEADER_SITE)
    basis = uvw_basis(ra, dec, mjd, HEADER_SITE)
    for t in range(3):
        assert np.array_equal(basis[t], uvw_basis(ra[t], dec[t], mjd[t], HEADER_SITE)[0])
    assert basis[:, 2] == pytest.approx(np.tile(meridian_direction(0.9), (3, 1)), abs=1e-9)


def test_aberration_over_a_year():
    """The scale swings by the Earth's speed over that of light, 1e-4, for a place on the ecliptic."""
    scales = [aberration_scale(270.0, -23.44, MJD + day, HEADER_SITE) for day in range(0, 365, 10)]
    assert max(scales) - 1 == pytest.approx(0.99e-4, abs=0.03e-4)
    assert min(scales) - 1 == pytest.approx(-0.99e-4, abs=0.03e-4)


def test_beyond_the_leap_seconds_erfa_knows():
    """Dates of decades ahead go through without a warning."""
    assert np.isfinite(apparent_directions(10.0, 20.0, [70000.0], HEADER_SITE)).all()
