"""Whether a source varies is judged by its likes."""

import numpy as np

from dsa110_contimg.lightcurves.comparison import compare
from dsa110_contimg.lightcurves.days import days_of
from dsa110_contimg.lightcurves.variability import variability


def statistics(change, mean, error, seed=1):
    """Give the statistics of sources that change by so much, with a gain error that grows with brightness."""
    rng = np.random.default_rng(seed)
    n_sources, n_days = change.shape
    flux = mean[:, None] * (1 + change) * (1 + 0.03 * rng.normal(size=change.shape))
    flux += error * rng.normal(size=change.shape)
    mjd = np.tile(60_000.5 + np.arange(n_days), n_sources)
    source = np.repeat(np.arange(n_sources), n_days)
    return variability(days_of(source, mjd, flux.ravel(), np.full(flux.size, error)))


def test_bright_steady_sources_are_steady_though_their_chi_square_is_not_one():
    mean = np.geomspace(0.01, 1.0, 400)
    change = np.zeros((400, 80))
    change[250] = 0.25 * np.sin(np.arange(80.0))
    found = statistics(change, mean, 0.002)
    assert found.eta[-20:].min() > 50.0
    judged = compare(found)
    assert judged.significance.argmax() == 250
    assert judged.significance[250] > 8.0
    assert np.delete(judged.significance, 250).max() < 4.0
    # What is expected is what a gain error and noise give.
    np.testing.assert_allclose(judged.v, np.hypot(0.03, 0.002 / mean), rtol=0.15)


def test_one_of_a_few():
    change = np.zeros((8, 40))
    change[3, 10:20] = -0.5
    judged = compare(statistics(change, np.linspace(0.5, 0.6, 8), 0.002))
    assert judged.significance.argmax() == 3
    assert judged.significance[3] > 4.0
    assert np.delete(judged.significance, 3).max() < 4.0


def test_too_few_measurements_are_not_judged():
    judged = compare(statistics(np.zeros((5, 2)), np.full(5, 0.5), 0.002))
    assert np.isnan(judged.significance).all()
    assert np.isnan(compare(statistics(np.zeros((5, 1)), np.full(5, 0.5), 0.002)).eta).all()
