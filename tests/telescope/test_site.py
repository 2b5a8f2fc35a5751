"""The site's geodesy against astropy's."""

import numpy as np
import pytest
from astropy.coordinates import EarthLocation
from hypothesis import given
from hypothesis import strategies as st

from dsa110_contimg.telescope.band import HEADER_SITE
from dsa110_contimg.telescope.site import Site


@given(latitude=st.floats(-90, 90), longitude=st.floats(-180, 360), height=st.floats(-400, 9000))
def test_geodetic_to_geocentric(latitude, longitude, height):
    location = EarthLocation.from_geodetic(longitude, latitude, height)
    expected = [axis.to_value("m") for axis in location.geocentric]
    assert Site(latitude, longitude, height).itrf_m == pytest.approx(expected, abs=1e-6)


def test_the_telescopes_own():
    # OVRO, to the kilometre.
    assert HEADER_SITE.itrf_m / 1e3 == pytest.approx([-2410, -4478, 3839], abs=1)
    assert HEADER_SITE.itrf_m.dtype == np.float64
