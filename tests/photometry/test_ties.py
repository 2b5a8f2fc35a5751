"""Ties: an image that is shifted and scaled, against its reference, with disagreement and confusion."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsa110_contimg.config.settings import CatalogueSettings
from dsa110_contimg.photometry.sources import COLUMNS, make_sources, values
from dsa110_contimg.photometry.ties import measure_ties, robust_mean, ties_of
from measured_catalogue import EAST, NORTH, SCALE, measured, reference_of
from restored_image import header_of, scattered


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


def test_the_reference_that_is_set(places, flux, tmp_path):
    lines = [f"{ra},{dec},{s}" for (ra, dec), s in zip(places, flux, strict=True)]
    (tmp_path / "mine.csv").write_text("\n".join(["ra,dec,flux", *lines]))
    ties = ties_of(measured(places, flux), CatalogueSettings(reference=tmp_path / "mine.csv"))
    assert (ties.n, ties.reference) == (100, "mine.csv")
    assert ties_of(measured(places, flux), CatalogueSettings()) is None
