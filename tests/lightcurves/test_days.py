"""Sums by source and day."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsa110_contimg.errors import UsageError
from dsa110_contimg.lightcurves.days import days_of, days_of_sums


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.5, 1.0, 7.0]))
def test_every_measurement_is_in_one_day_and_the_sums_are_theirs(seed, bin_d):
    rng = np.random.default_rng(seed)
    source = rng.choice([7, 3, 900], 40)
    mjd, flux, error = rng.uniform(60_000, 60_020, 40), rng.normal(1.0, 0.3, 40), rng.uniform(0.01, 0.1, 40)
    days = days_of(source, mjd, flux, error, bin_d)
    assert days.n.sum() == 40
    assert list(days.source_id) == sorted(set(source))
    np.testing.assert_allclose(days.mjd[1:] - days.mjd[:-1], bin_d)
    for k, one in enumerate(days.source_id):
        for t, middle in enumerate(days.mjd):
            here = (source == one) & (np.abs(mjd - middle) <= bin_d / 2)
            assert days.n[k, t] == here.sum()
            if here.any():
                weight = error[here] ** -2.0
                assert days.flux[k, t] == pytest.approx(np.average(flux[here], weights=weight))
                assert days.e_flux[k, t] == pytest.approx(weight.sum() ** -0.5)
                assert days.ff[k, t] == pytest.approx((flux[here] ** 2).sum())
            else:
                assert np.isnan(days.flux[k, t])
                assert np.isnan(days.e_flux[k, t])


def test_what_is_not_a_measurement_does_not_count():
    days = days_of([1, 1, 1, 1], [60_000.5] * 4, [1.0, np.nan, 1.0, 1.0], [0.1, 0.1, 0.0, np.nan])
    assert days.n.tolist() == [[1]]


def test_no_measurements_are_no_days():
    days = days_of([], [], [], [])
    assert days.flux.shape == (0, 0)
    assert days.bin_d == 1.0


def test_some_sources_of_many():
    days = days_of([1, 2, 3], [60_000.5, 60_001.5, 60_002.5], [1.0, 2.0, 3.0], [0.1, 0.1, 0.1])
    some = days.choose([2, 0])
    assert some.source_id.tolist() == [3, 1]
    assert some.wf[0, 2] == days.wf[2, 2]
    assert some.mjd is days.mjd


def test_a_day_has_a_length():
    with pytest.raises(UsageError, match="a day cannot be 0"):
        days_of_sums(np.ones(1, np.int64), np.ones(1, np.int64), (np.ones(1),) * 6, 0.0)
