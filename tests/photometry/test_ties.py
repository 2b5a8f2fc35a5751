"""Ties: an image that is shifted and scaled, against its reference, with disagreement and confusion."""

import logging

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from dsa110_contimg.catalogue.tables import Reference
from dsa110_contimg.config.settings import CatalogueSettings
from dsa110_contimg.images.fits import read_image, write_image
from dsa110_contimg.photometry.sources import COLUMNS, make_sources, values
from dsa110_contimg.photometry.ties import measure_ties, robust_mean, ties_of
from dsa110_contimg.photometry.tying import apply_ties, tie_images
from dsa110_contimg.telescope.prediction import PointSources
from restored_image import header_of, scattered

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


@pytest.fixture(scope="module")
def places():
    return scattered(1024, header_of(1024, 0.1), 100)


@pytest.fixture(scope="module")
def flux():
    return np.geomspace(0.01, 3.0, 100)


def test_offset_and_scale_are_found_with_their_errors(places, flux):
    ties = measure_ties(measured(places, flux), reference_of(places, flux))
    assert ties.n == 100
    assert ties.n_reference == pytest.approx(100, abs=15)
    assert ties.d_ra_arcsec == pytest.approx(EAST, abs=3 * ties.e_d_ra_arcsec)
    assert ties.d_dec_arcsec == pytest.approx(NORTH, abs=3 * ties.e_d_dec_arcsec)
    assert ties.flux_ratio == pytest.approx(SCALE, abs=3 * ties.e_flux_ratio)
    assert ties.e_d_ra_arcsec == pytest.approx(0.1, rel=0.3)
    assert ties.e_flux_ratio == pytest.approx(0.002, rel=0.3)
    assert ties.scatter_dec_arcsec == pytest.approx(1.0, rel=0.3)
    assert ties.scatter_flux == pytest.approx(0.02, rel=0.3)
    assert ties.radius_arcsec == 32.0


def test_variables_and_strangers_change_nothing(places, flux):
    sources = measured(places, flux)
    changed = values(sources, "flux").copy()
    changed[::7] *= 2.5
    moved = values(sources, "dec").copy()
    moved[3::9] += 15 / 3600
    columns = {name: values(sources, name) for name in COLUMNS} | {"flux": changed, "dec": moved}
    disturbed = measure_ties(make_sources(columns, sources.meta), reference_of(places, flux))
    assert disturbed.d_dec_arcsec == pytest.approx(NORTH, abs=0.4)
    assert disturbed.flux_ratio == pytest.approx(SCALE, abs=0.01)
    other = np.add(scattered(1024, header_of(1024, 0.1), 100, seed=9), [0.0, 0.02])
    strangers = measure_ties(sources, reference_of(np.concatenate([places, other]), [*flux, *(0.001 * np.ones(100))]))
    assert strangers.d_ra_arcsec == pytest.approx(EAST, abs=0.3)


def test_what_a_beam_does_not_part_is_left_out(places, flux):
    """Half of the references have a twin 30" to the north, which an image would have shown in one."""
    twins = np.add(places[::2], [0.0, 30 / 3600])
    ties = measure_ties(
        measured(places, flux), reference_of(np.concatenate([places, twins]), np.concatenate([flux, flux[::2]]))
    )
    assert ties.n == 50
    assert ties.d_dec_arcsec == pytest.approx(NORTH, abs=0.6)


def test_the_errors_of_calibration_do_not_count_against_the_ties(places, flux):
    sources = measured(places, flux, e_ra=np.full(100, np.hypot(1.0, 5.0)), e_flux=np.hypot(0.02, 0.3) * flux)
    sources.meta |= {"position_error_arcsec": 5.0, "flux_error": 0.3}
    assert measure_ties(sources, reference_of(places, flux)).e_d_ra_arcsec == pytest.approx(0.1, rel=0.3)


def test_nothing_in_common(places, flux):
    ties = measure_ties(measured(places, flux), reference_of(np.add(places, [0, 0.01]), flux), 5.0)
    assert ties.n == 0
    assert ties.as_json()["flux_ratio"] is None
    assert measure_ties(measured(places[:0], flux[:0]), reference_of(places, flux)).n == 0
    assert measure_ties(measured(places, flux), reference_of(places[:0], flux[:0])).n == 0
    assert measure_ties(measured(places, flux, snr=5.0), reference_of(places, flux)).n == 0


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=40), st.floats(-100, 100))
def test_a_mean_moves_with_its_numbers(numbers, shift):
    numbers, errors = np.array(numbers), np.ones(len(numbers))
    there, here = robust_mean(numbers + shift, errors), robust_mean(numbers, errors)
    assert there.value == pytest.approx(here.value + shift, abs=1e-3)
    assert numbers.min() - 1e-9 <= here.value <= numbers.max() + 1e-9
    assert here.error > 0


def test_a_mean_of_good_numbers_is_weighted_and_of_few_is_honest():
    rng = np.random.default_rng(2)
    errors = np.where(np.arange(2000) < 1000, 1.0, 3.0)
    found = robust_mean(errors * rng.standard_normal(2000), errors)
    assert found.error == pytest.approx(1 / np.sqrt(np.sum(errors**-2.0)), rel=0.25)
    assert abs(found.value) < 4 * found.error
    assert robust_mean(np.array([3.0]), np.array([0.5])) == (3.0, pytest.approx(0.5), pytest.approx(0.5))
    assert np.isnan(robust_mean(np.zeros(0), np.zeros(0)).value)


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


def test_the_reference_that_is_set(places, flux, tmp_path):
    lines = [f"{ra},{dec},{s}" for (ra, dec), s in zip(places, flux, strict=True)]
    (tmp_path / "mine.csv").write_text("\n".join(["ra,dec,flux", *lines]))
    ties = ties_of(measured(places, flux), CatalogueSettings(reference=tmp_path / "mine.csv"))
    assert (ties.n, ties.reference) == (100, "mine.csv")
    assert ties_of(measured(places, flux), CatalogueSettings()) is None
