"""The statistics of light curves, against their definitions and against what they are of noise and of known changes."""

import numpy as np
import pytest

from dsa110_contimg.lightcurves.days import days_of
from dsa110_contimg.lightcurves.variability import EXCURSION_SIGMA, lag_bins, variability

pytestmark = pytest.mark.kernel


def one_source(flux, error, mjd=None):
    flux = np.asarray(flux, float)
    mjd = 60_000.5 + np.arange(flux.size) if mjd is None else mjd
    return days_of(np.ones(flux.size, int), mjd, flux, np.broadcast_to(error, flux.shape))


def curves(flux, error):
    n_sources, n_days = flux.shape
    mjd = np.tile(60_000.5 + np.arange(n_days), n_sources)
    return days_of(np.repeat(np.arange(n_sources), n_days), mjd, flux.ravel(), np.full(flux.size, error))


def test_mean_eta_and_v_are_those_of_the_formulas():
    rng = np.random.default_rng(5)
    flux, error = rng.normal(1.0, 0.2, 30), rng.uniform(0.05, 0.2, 30)
    mjd = 60_000.0 + np.sort(rng.uniform(0.0, 9.0, 30))  # several a day
    found = variability(days_of(np.ones(30, int), mjd, flux, error))
    weight = error**-2.0
    mean = np.average(flux, weights=weight)
    assert found.mean[0] == pytest.approx(mean)
    assert found.e_mean[0] == pytest.approx(weight.sum() ** -0.5)
    assert found.eta[0] == pytest.approx((weight * (flux - mean) ** 2).sum() / 29)
    assert found.v[0] == pytest.approx(flux.std(ddof=1) / flux.mean())
    assert found.n[0] == 30
    assert found.n_days[0] == len(np.unique(np.floor(mjd)))


def test_of_noise_alone_eta_is_one_and_there_is_no_structure():
    found = variability(curves(1.0 + 0.01 * np.random.default_rng(3).normal(size=(300, 60)), 0.01))
    assert found.eta.mean() == pytest.approx(1.0, abs=4 * np.sqrt(2 / 59 / 300))
    assert found.v.mean() == pytest.approx(0.01, rel=0.02)
    np.testing.assert_allclose(found.structure.mean(axis=0), 0.0, atol=1.5e-5)
    assert np.abs(found.vs).max() < 7.0


def test_bright_sources_lose_no_digits():
    flux = 1e3 + 1e-3 * np.random.default_rng(3).normal(size=(1, 400))
    assert variability(curves(flux, 1e-3)).eta[0] == pytest.approx(
        (((flux - flux.mean()) / 1e-3) ** 2).sum() / 399, rel=1e-3
    )


def test_the_two_days_that_differ_most_are_named():
    flux = np.ones(20)
    flux[4], flux[11] = 1.3, 0.8
    found = variability(one_source(flux, 0.05))
    assert (found.vs_first_mjd[0], found.vs_second_mjd[0]) == (60_004.5, 60_011.5)
    assert found.vs[0] == pytest.approx(-0.5 / (0.05 * np.sqrt(2)))
    assert found.m[0] == pytest.approx(2 * -0.5 / 2.1)


def test_the_structure_function_of_a_step_and_of_a_wave():
    step = variability(one_source(np.repeat([0.9, 1.1], 64), 1e-6))
    # A pair a lag apart lies on both sides of the step in lag cases of 128 - lag.
    lags = np.arange(1, 128)
    expected = lags[lags <= 64] * 0.04 / (128 - lags[lags <= 64])
    assert step.structure[0, 0] == pytest.approx(expected[0], rel=1e-6)
    two, three = (expected[k] * (127 - k) for k in (1, 2))
    assert step.structure[0, 1] == pytest.approx((two + three) / (126 + 125), rel=1e-6)
    assert step.structure_pairs[0].sum() == 128 * 127 // 2
    wave = variability(one_source(1 + 0.1 * np.sin(2 * np.pi * np.arange(256) / 32), 1e-6))
    assert wave.structure[0, :3].tolist() == sorted(wave.structure[0, :3])
    assert wave.structure[0, -1] == pytest.approx(0.01, rel=0.3)


def test_the_longest_excursion_goes_over_days_without_data():
    flux = np.ones(40)
    flux[5:8] = 1.2
    flux[20:30] = 0.7
    keep = np.ones(40, bool)
    keep[[22, 23]] = False
    mjd = 60_000.5 + np.arange(40)
    found = variability(one_source(flux[keep], 0.05, mjd[keep]))
    assert found.excursion_d[0] == 10.0
    assert found.excursion_mjd[0] == 60_020.0
    assert found.excursion[0] == pytest.approx(-0.3)


def test_a_source_that_is_never_far_from_its_median_has_no_excursion():
    found = variability(one_source(1.0 + 0.01 * np.cos(np.pi * np.arange(10)), 0.01))
    assert EXCURSION_SIGMA > 1.0
    assert found.excursion_d[0] == 0.0
    assert np.isnan(found.excursion_mjd[0])
    assert np.isnan(found.excursion[0])


def test_one_measurement_says_nothing_of_variability():
    found = variability(one_source([1.0], 0.1))
    assert found.mean[0] == 1.0
    for each in (found.eta, found.v, found.vs, found.m, found.vs_first_mjd):
        assert np.isnan(each[0])
    assert found.structure_pairs.sum() == 0


def test_every_lag_has_a_bin_and_bins_double():
    of, middle = lag_bins(1200, 1.0)
    assert of[1:9].tolist() == [0, 1, 1, 2, 2, 2, 2, 3]
    assert of.max() == of[-1] == middle.size - 1 == 9
    assert (np.diff(middle) > 0).all()
    assert lag_bins(1, 1.0)[1].tolist() == [1.0]


def test_no_sources_have_no_statistics():
    found = variability(days_of([], [], [], []))
    assert found.source_id.size == found.eta.size == found.excursion_d.size == 0
