"""What a set's janskys rest on."""

from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsa110_contimg.calibration import flux_scale
from dsa110_contimg.calibration.flux_scale import (
    FluxFit,
    rescaled,
    scale_from_calibrator,
    scale_from_ensemble,
)
from dsa110_contimg.catalogue.calibrators import find_calibrator
from dsa110_contimg.catalogue.candidates import Strip, look_at
from dsa110_contimg.telescope.band import HEADER_SITE
from solution_sets import changed, healthy_set


def seen(name, offset_deg):
    """A source as a strip sees it that passes it at this distance."""
    source = find_calibrator(name)
    near = look_at(source, Strip(source.dec_deg, HEADER_SITE), 60953.0, 60954.0)
    return look_at(source, Strip(near.dec_deg - offset_deg, HEADER_SITE), 60953.0, 60954.0)


def test_the_beams_differ_as_the_design_says():
    assert flux_scale.beam_error(0.0) < 1e-9
    assert flux_scale.beam_error(1.0) == pytest.approx(0.09, abs=0.015)
    assert flux_scale.beam_error(1.5) == pytest.approx(0.22, abs=0.03)


@pytest.mark.parametrize(
    ("name", "offset_deg", "kind"),
    [("3C286", 0.3, "standard"), ("3C286", 0.9, "assumed"), ("3C48", 0.5, "standard"), ("2253+161", 0.1, "assumed")],
)
def test_only_a_steady_standard_near_the_axis_gives_the_scale(name, offset_deg, kind):
    scale = scale_from_calibrator(seen(name, offset_deg))
    assert scale.kind == kind
    assert scale.factor == 1.0
    assert ("Perley & Butler 2017" in scale.text) == name.startswith("3C")


def test_the_error_of_a_standard_grows_off_axis_and_that_of_a_blazar_is_large():
    errors = [scale_from_calibrator(seen("3C286", offset)).error for offset in (0.0, 0.3, 0.6)]
    assert errors == sorted(errors)
    assert errors[0] == pytest.approx(sqrt(0.03**2 + 0.01**2), rel=1e-3)
    assert scale_from_calibrator(seen("2253+161", 0.0)).error >= 0.3


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.3])
def test_an_ensemble_finds_the_factor_whatever_outliers_say(factor):
    rng = np.random.default_rng(3)
    true = rng.uniform(0.2, 3.0, 40)
    error = np.full(40, 0.01)
    measured = factor * true * np.exp(rng.normal(0, 0.03, 40)) + rng.normal(0, 0.01, 40)
    measured[:6] *= 2.5  # blazars in outburst
    scale = scale_from_ensemble(measured, true, error)
    assert scale.kind == "ensemble"
    assert scale.n_sources <= 34
    own = sqrt(scale.error**2 - 0.03**2)
    assert own < 0.02
    assert abs(np.log(scale.factor / factor)) < 3 * own + 0.01


def test_the_error_of_an_ensemble_is_what_it_scatters_by():
    true, error = np.full(20, 1.0), np.full(20, 0.02)
    off, said = [], []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        scale = scale_from_ensemble(true + rng.normal(0, 0.028, 20), true, error)
        off.append(np.log(scale.factor))
        said.append(sqrt(scale.error**2 - 0.03**2))
    assert np.std(off) == pytest.approx(np.mean(said), rel=0.25)


def test_too_few_sources_give_no_scale():
    assert scale_from_ensemble([1.0] * 4, [1.0] * 4, [0.1] * 4) is None
    assert scale_from_ensemble([np.nan, -1.0, 1, 1, 1, 1], [1.0] * 6, [0.1] * 6) is None


def test_rescaled_gains_give_true_fluxes_and_say_so():
    _, _, g = healthy_set(n_antennas=3)
    solved = changed(g, np.s_[:], sqrt(1.2))  # the calibrator was 1.2 times as bright as was thought

    def seen(gains):
        data = 5.0 * g.values[:, 1] * np.conj(g.values[:, 2])
        return (data / (gains.values[:, 1] * np.conj(gains.values[:, 2]))).real.mean()

    assert seen(solved) == pytest.approx(5.0 / 1.2)
    scale = scale_from_ensemble([seen(solved)] * 8, [5.0] * 8, [0.01] * 8)
    right = rescaled(solved, scale)
    assert seen(right) == pytest.approx(5.0)
    assert right.history[-1] == scale.text
    assert right.facts["flux_scale"]["n_sources"] == 8
    np.testing.assert_allclose(abs(right.values) / right.error, abs(solved.values) / solved.error, rtol=1e-5)


@given(st.lists(st.floats(0.1, 3.0), min_size=1, max_size=4), st.integers(0, 1000))
def test_fluxes_of_several_sources_are_fitted_at_once(ratios, seed):
    rng = np.random.default_rng(seed)
    fit = FluxFit(len(ratios) + 1)
    for _ in range(3):
        models = [np.exp(1j * rng.uniform(-np.pi, np.pi, (4, 10, 8))) for _ in ratios]
        data = sum(f * m for f, m in zip(ratios, models, strict=True))
        fit.add(data, np.ones((4, 10, 1)), [*models, np.zeros((4, 10, 8))])
    found, error = fit.solve()
    np.testing.assert_allclose(found[:-1], ratios, rtol=1e-9)
    assert np.isnan(found[-1])
    assert (error[:-1] > 0).all()


def test_the_errors_of_fitted_fluxes_are_their_scatter():
    rng = np.random.default_rng(1)
    models = [np.exp(1j * rng.uniform(-np.pi, np.pi, (20, 30))) for _ in range(2)]
    found = []
    for _ in range(300):
        fit = FluxFit(2)
        noise = rng.normal(0, 2.0, (2, 20, 30))
        fit.add(models[0] + 2 * models[1] + noise[0] + 1j * noise[1], 0.25, models)
        values, error = fit.solve()
        found.append(values)
        assert fit.reduced_chi2 == pytest.approx(1.0, abs=0.2)
    np.testing.assert_allclose(np.std(found, axis=0), error, rtol=0.2)
