"""The relative scale of an image: right, robust, and as uncertain as it says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsa110_contimg.lightcurves.scale import fit_scale


def sky(rng, n=40):
    """Make up means of sources and errors of their fluxes [Jy]."""
    return np.geomspace(0.02, 2.0, n), rng.uniform(0.5e-3, 2e-3, n)


@given(seed=st.integers(0, 2**32 - 1), gain=st.floats(0.5, 2.0))
def test_without_noise_it_is_exact(seed, gain):
    mean, error = sky(np.random.default_rng(seed))
    fitted = fit_scale(mean * gain, error, mean, 0 * mean, 10)
    assert fitted.scale == pytest.approx(1 / gain, rel=1e-9)
    assert fitted.n == mean.size


@given(seed=st.integers(0, 2**32 - 1), factor=st.floats(1e-3, 1e3))
def test_it_goes_with_the_fluxes_unit(seed, factor):
    rng = np.random.default_rng(seed)
    mean, error = sky(rng)
    flux = mean + error * rng.normal(size=mean.size)
    there = fit_scale(flux * factor, error * factor, mean * factor, error * factor, 10)
    here = fit_scale(flux, error, mean, error, 10)
    assert there == pytest.approx(here, rel=1e-6)


def test_its_error_is_right_though_some_vary_and_errors_are_wrong():
    rng = np.random.default_rng(5)
    pulls, plain = [], []
    for _ in range(400):
        mean, error = sky(rng)
        gain = rng.normal(1.0, 0.05)
        flux = mean * gain + 1.5 * error * rng.normal(size=mean.size)  # the noise is underestimated
        odd = rng.choice(mean.size, 6, replace=False)
        flux[odd] *= rng.uniform(0.3, 3.0, odd.size)
        fitted = fit_scale(flux, error, mean, 0 * mean, 10)
        pulls.append((fitted.scale - 1 / gain) / fitted.e_scale)
        weight = (mean / error) ** 2
        plain.append(weight.sum() / (weight @ (flux / mean)) * gain - 1)
        assert 0.8 < fitted.chi < 4.0
    assert abs(np.mean(pulls)) < 0.5
    assert 0.7 < np.std(pulls) < 1.4
    assert np.std(plain) > 0.02, "least squares follows those that vary"


def test_with_too_few_sources_there_is_none():
    mean = np.linspace(0.1, 1.0, 12)
    flux = np.where(np.arange(12) < 3, np.nan, mean)
    fitted = fit_scale(flux, 0.001 + 0 * mean, mean, 0 * mean, 10)
    assert (fitted.scale, fitted.n) == (1.0, 9)
    assert np.isnan([fitted.e_scale, fitted.chi]).all()


def test_there_is_none_where_nothing_is_to_be_seen():
    mean = np.linspace(0.1, 1.0, 12)
    fitted = fit_scale(-mean, 0.001 + 0 * mean, mean, 0 * mean, 10)
    assert fitted.scale == 1.0
    assert np.isnan(fitted.e_scale)
