import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsa110_contimg.errors import UsageError
from dsa110_contimg.imaging.psf import find_peak, fit_beam

ARCSEC = np.pi / 180 / 3600
N = 128


def gaussian(major, minor, pa_deg, x=N // 2, y=N // 2):
    """An elliptical Gaussian: widths at half maximum in pixels, position angle from up (north) to the left (east)."""
    rows, columns = np.indices((N, N), dtype=float)
    east, north = x - columns, rows - y
    pa = np.radians(pa_deg)
    along, across = east * np.sin(pa) + north * np.cos(pa), east * np.cos(pa) - north * np.sin(pa)
    return np.exp(-4 * np.log(2) * ((along / major) ** 2 + (across / minor) ** 2))


@given(major=st.floats(9.0, 14.0), minor=st.floats(4.0, 8.0), pa_deg=st.floats(-89.0, 89.0))
def test_a_gaussian_is_its_own_beam(major, minor, pa_deg):
    beam = fit_beam(gaussian(major, minor, pa_deg), 6 * ARCSEC)
    assert beam.major_deg * 600 == pytest.approx(major, rel=1e-4)
    assert beam.minor_deg * 600 == pytest.approx(minor, rel=1e-4)
    assert (beam.pa_deg - pa_deg + 90) % 180 - 90 == pytest.approx(0.0, abs=0.1)
    assert -90 <= beam.pa_deg <= 90


def test_sidelobes_do_not_widen_the_beam():
    psf = gaussian(8, 6, 30) + 0.7 * gaussian(10, 10, 0, x=20, y=100)
    beam = fit_beam(psf, 6 * ARCSEC)
    assert (beam.major_deg * 600, beam.minor_deg * 600) == pytest.approx((8, 6), rel=1e-3)


def test_a_beam_of_few_pixels_is_refused():
    with pytest.raises(UsageError, match="pixels smaller"):
        fit_beam(gaussian(1.2, 1.2, 0), ARCSEC)


@given(dx=st.floats(-5.0, 5.0), dy=st.floats(-5.0, 5.0), flux=st.floats(1e-3, 1e3))
def test_a_peak_is_found_between_the_pixels(dx, dy, flux):
    image = flux * gaussian(11, 8, 20, x=60 + dx, y=70 + dy)
    peak = find_peak(image, 60.3, 69.8)
    assert (peak.x, peak.y) == pytest.approx((60 + dx, 70 + dy), abs=2e-3)
    assert peak.value == pytest.approx(flux, rel=1e-4)


def test_a_peak_at_the_edge_is_refused():
    with pytest.raises(UsageError, match="edge"):
        find_peak(gaussian(9, 9, 0, x=5), 5, 64)
