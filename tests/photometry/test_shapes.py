"""Ellipses as matrices: there and back, convolved and not, and turned by the sky."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from hypothesis import given
from hypothesis import strategies as st

from dsa110_contimg.images.fits import celestial_wcs
from dsa110_contimg.photometry.shapes import area, axes_of, deconvolve, shape_of, sky_per_plane, turned, width_along
from restored_image import header_of

WIDTHS = st.floats(1.0, 100.0)
ANGLES = st.floats(0.0, 179.9)


@given(WIDTHS, st.floats(1.05, 5.0), ANGLES)
def test_axes_and_back(minor, ratio, pa_deg):
    axes = axes_of(shape_of([minor * ratio], [minor], [pa_deg]))
    assert axes.major[0] == pytest.approx(minor * ratio)
    assert axes.minor[0] == pytest.approx(minor)
    assert abs((axes.pa_deg[0] - pa_deg + 90.0) % 180.0 - 90.0) < 1e-6
    assert 0.0 <= axes.pa_deg[0] < 180.0


@given(WIDTHS, WIDTHS, ANGLES, WIDTHS, WIDTHS, ANGLES)
def test_deconvolving_undoes_convolving(a, b, pa, beam_a, beam_b, beam_pa):
    source = shape_of([a], [b], [pa])
    beam = shape_of(beam_a, beam_b, beam_pa)
    found = deconvolve(source + beam, beam)
    assert found.major[0] == pytest.approx(max(a, b), rel=1e-6)
    assert found.minor[0] == pytest.approx(min(a, b), rel=1e-4)


def test_a_point_has_no_size_and_what_is_narrower_than_the_beam_neither():
    beam = shape_of(64.0, 38.0, 20.0)
    for axes in (deconvolve(beam[None], beam), deconvolve(shape_of([60.0], [30.0], [20.0]), beam)):
        assert axes.major[0] == axes.minor[0] == axes.pa_deg[0] == 0.0


def test_widths_and_area():
    shape = shape_of(64.0, 38.0, 20.0)
    assert width_along(shape, 20.0) == pytest.approx(64.0)
    assert width_along(shape, 110.0) == pytest.approx(38.0)
    assert area(shape) == pytest.approx(64.0 * 38.0)


@pytest.mark.parametrize("dec_deg", [71.6, -10.0, 89.0])
def test_the_plane_lies_on_the_sky_as_the_wcs_says(dec_deg):
    """A step to the image's north is not one to the pole, beside the meridian of the phase centre."""
    header = header_of(1024, 0.3, dec_deg)
    wcs = celestial_wcs(header, (1024, 1024))
    at = SkyCoord(*wcs.all_pix2world(120.0, 800.0, 0), unit="deg")
    step = sky_per_plane([at.ra.deg], [at.dec.deg], (header.ra_deg, header.dec_deg))[0]
    for x, y in ((1.0, 0.0), (0.0, 1.0)):
        there = SkyCoord(*wcs.all_pix2world(120.0 + x, 800.0 + y, 0), unit="deg")
        east, north = (angle.to_value(u.deg) for angle in at.spherical_offsets_to(there))
        assert step @ np.array([-x, y]) * header.cell_deg == pytest.approx([east, north], rel=2e-3, abs=1e-6)


def test_turning():
    quarter = np.array([[0.0, 1.0], [-1.0, 0.0]])
    axes = axes_of(turned(shape_of([64.0], [38.0], [20.0]), quarter))
    assert axes.pa_deg[0] == pytest.approx(110.0)
