"""Images and catalogues set right by their ties."""

import logging

import numpy as np
import pytest
from astropy.io import fits

from dsa110_contimg.images.fits import read_image, write_image
from dsa110_contimg.photometry.sources import values
from dsa110_contimg.photometry.ties import measure_ties
from dsa110_contimg.photometry.tying import apply_ties, tie_images
from measured_catalogue import measured, reference_of
from restored_image import header_of, scattered


@pytest.fixture(scope="module")
def places():
    return scattered(1024, header_of(1024, 0.1), 100)


@pytest.fixture(scope="module")
def flux():
    return np.geomspace(0.01, 3.0, 100)


def test_applied_they_vanish(places, flux):
    sources, reference = measured(places, flux), reference_of(places, flux)
    ties = measure_ties(sources, reference)
    tied = apply_ties(sources, ties)
    left = measure_ties(tied, reference)
    assert left.d_ra_arcsec == pytest.approx(0.0, abs=1e-2)
    assert left.d_dec_arcsec == pytest.approx(0.0, abs=1e-2)
    assert left.flux_ratio == pytest.approx(1.0, abs=1e-3)
    assert tied.meta["ties"]["n"] == 100
    assert (values(tied, "e_ra") > 1.0).all()
    assert values(tied, "ra").max() > 359  # across 0h
    assert {str(name) for name in tied["name"]} != {str(name) for name in sources["name"]}


def test_two_are_too_few_to_apply(places, flux, caplog):
    sources = measured(places[:2], flux[:2])
    with caplog.at_level(logging.WARNING):
        assert apply_ties(sources, measure_ties(sources, reference_of(places, flux))) is sources
    assert "only 2 sources match made" in caplog.text


def test_images_are_moved_where_the_reference_has_them(places, flux, tmp_path):
    header = header_of(64, 0.0003)
    write_image(tmp_path / "a.fits", np.ones((64, 64)), header)
    ties = measure_ties(measured(places, flux), reference_of(places, flux))
    tie_images([tmp_path / "a.fits"], ties)
    image = read_image(tmp_path / "a.fits")
    assert image.header.ra_deg == pytest.approx(0.0003 - ties.d_ra_arcsec / 3600 / np.cos(np.radians(54.57)) + 360)
    assert image.header.dec_deg == pytest.approx(54.57 - ties.d_dec_arcsec / 3600)
    assert (image.pixels == 1).all()
    assert "tied to made" in " ".join(image.history)
    before = fits.getheader(tmp_path / "a.fits")
    tie_images([tmp_path / "a.fits"], ties._replace(n=2))
    assert fits.getheader(tmp_path / "a.fits") == before
