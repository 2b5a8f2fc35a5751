"""Which sources are fitted together, and the fit itself, against sums over all pixels at once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from dsa110_contimg.photometry.forced_fit import FWHM, Links, apart, fit, link, threaded

BEAM = np.array([[9.0, 2.0], [2.0, 4.0]])
FORM = np.linalg.inv(BEAM)
NO_FLUX = np.full(40, np.nan)


def beams(shape, place):
    """Beams at places, (S, pixels)."""
    y, x = np.indices(shape)
    away = np.stack([x.ravel(), y.ravel()], -1)[None] - np.asarray(place)[:, None]
    return np.exp(-0.5 * np.einsum("spi,ij,spj->sp", away, FORM, away))


def line(*beams_apart):
    """Places along the columns, so many beams apart."""
    return np.stack([100.0 + np.array(beams_apart) * FWHM / np.sqrt(FORM[0, 0]), np.full(len(beams_apart), 50.0)], -1)


def fitted_all(pixels, place, correlation=1.0):
    n = len(place)
    chunks, noise = threaded(2), np.ones(n)
    links = link(place, FORM, np.full(n, np.nan), 3.0)
    return fit(pixels, np.asarray(place, float), np.broadcast_to(BEAM, (n, 2, 2)), correlation, links, noise, chunks)


@given(st.lists(st.tuples(st.floats(20, 60), st.floats(20, 60)), min_size=1, max_size=6), st.integers(0, 99))
@hypothesis_settings(max_examples=20, deadline=None)
def test_without_noise_every_peak_is_found_however_they_blend(places, seed):
    place = np.array(places)
    place = place[apart(place, FORM, np.full(len(place), np.nan))]
    peaks = np.random.default_rng(seed).uniform(-1, 5, len(place))
    pixels = (peaks @ beams((80, 80), place)).reshape(80, 80).astype(np.float32)
    np.testing.assert_allclose(fitted_all(pixels, place).peak, peaks, atol=2e-3)


@pytest.mark.parametrize("correlation", [0.6, 1.0, 1.5])
def test_errors_are_those_of_noise_with_its_correlation(correlation):
    place = np.array([[20.3, 20.6], [24.0, 22.0]])
    shape = (42, 42)
    y, x = (axis.ravel() for axis in np.indices(shape))
    g = beams(shape, place)
    # The noise's covariance between any two pixels.
    dx, dy = x[:, None] - x[None], y[:, None] - y[None]
    form = FORM / correlation**2
    r = np.exp(-0.5 * (form[0, 0] * dx**2 + 2 * form[0, 1] * dx * dy + form[1, 1] * dy**2))
    inverse = np.linalg.inv(g @ g.T)
    expected = np.sqrt(np.diag(inverse @ (g @ r @ g.T) @ inverse))
    np.testing.assert_allclose(fitted_all(np.zeros(shape, np.float32), place, correlation).error, expected, rtol=0.02)


def test_an_image_that_is_blank_around_a_source_has_no_flux_there():
    pixels = np.ones((60, 60), np.float32)
    pixels[:, :30] = np.nan
    found = fitted_all(pixels, np.array([[10.0, 30.0], [12.0, 30.0], [45.0, 30.0]]))
    assert np.isnan(found.peak).tolist() == [True, True, False]
    assert found.chi2[2] > 0


def test_neighbours_and_theirs_are_one_blend():
    links = link(line(0.0, 1.5, 3.0, 10.0), FORM, NO_FLUX[:4], 2.0)
    assert links.blend.tolist() == [0, 0, 0, 1]
    beside = [links.others[links.starts[k] : links.starts[k + 1]].tolist() for k in range(4)]
    assert [one[0] for one in beside] == [0, 1, 2, 3]
    assert [sorted(one) for one in beside] == [[0, 1], [0, 1, 2], [1, 2], [3]]


def test_a_bright_neighbour_counts_from_further_off():
    faint, bright = np.array([1.0, 1.0]), np.array([1.0, 1000.0])
    assert len(set(link(line(0.0, 2.5), FORM, faint, 2.0).blend.tolist())) == 2
    assert len(set(link(line(0.0, 2.5), FORM, bright, 2.0).blend.tolist())) == 1
    assert len(set(link(line(0.0, 4.5), FORM, bright, 2.0).blend.tolist())) == 2


def test_of_places_within_a_tenth_of_a_beam_the_brightest_stays():
    place = line(0.0, 0.05, 0.12, 3.0)
    assert apart(place, FORM, np.array([1.0, 2.0, 1.5, 1.0])).tolist() == [False, True, False, True]
    # The middle one gives way to the first, and takes the third not with it.
    assert apart(place, FORM, np.array([3.0, 2.0, 1.5, 1.0])).tolist() == [True, False, True, True]
    assert apart(place[:2], FORM, NO_FLUX[:2]).tolist() == [True, False]


def test_nothing_is_fitted_to_nothing():
    none = np.zeros((0, 2))
    found = fit(
        np.ones((9, 9), np.float32),
        none,
        np.zeros((0, 2, 2)),
        1.0,
        link(none, FORM, np.zeros(0), 2.0),
        np.zeros(0),
        threaded(1),
    )
    assert [len(values) for values in found] == [0, 0, 0]
    assert isinstance(link(none, FORM, np.zeros(0), 2.0), Links)
    assert apart(none, FORM, np.zeros(0)).size == 0
