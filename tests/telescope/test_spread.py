"""The robust standard deviation: right for Gaussian values, and unmoved by a few that are not."""

import numpy as np
import pytest
from scipy.stats import norm

from dsa110_contimg.telescope.spread import SIGMA_OF_MEDIAN, robust_sigma


def test_it_is_the_standard_deviation_of_a_gaussian():
    values = np.random.default_rng(1).normal(5.0, 2.0, 100_000)
    assert robust_sigma(values) == pytest.approx(2.0, rel=0.01)
    assert pytest.approx(1.0 / norm.ppf(0.75), abs=1e-4) == SIGMA_OF_MEDIAN


def test_a_few_wild_values_hardly_move_it():
    values = np.random.default_rng(2).normal(0.0, 1.0, 10_000).astype(np.float32)
    calm = robust_sigma(values)
    values[:100] = 1e6
    assert robust_sigma(values) == pytest.approx(calm, rel=0.03)


def test_what_they_scatter_about_may_be_known():
    values = np.array([[1.0, 3.0], [-2.0, 5.0]])
    assert robust_sigma(values) == pytest.approx(SIGMA_OF_MEDIAN * 2.0)
    assert robust_sigma(values, 0.0) == pytest.approx(SIGMA_OF_MEDIAN * 2.5)
