"""Made-up months: what is said of a source is what its measurements do."""

import numpy as np
import pytest

from dsa110_contimg.simulation.months import BANDS_HZ, Behaviour, simulate_months

QUIET = {"noise_jy": 1e-6, "gain_error": 0.0, "patch_error": 0.0, "missed": 0.0}


def one_kind(behaviour, **changes):
    return simulate_months({behaviour: 20}, n_days=100, seed=4, size=(0.4, 0.4), **(QUIET | changes))


def change(month, band="full"):
    spectrum = (BANDS_HZ[band] / BANDS_HZ["full"]) ** -0.7
    return month.flux[band] / (month.flux_jy[:, None] * spectrum) - 1.0


def test_steady_sources_are_steady_and_have_a_spectrum():
    month = one_kind(Behaviour.STEADY)
    for band in BANDS_HZ:
        np.testing.assert_allclose(change(month, band), 0.0, atol=1e-3)
    assert (month.size == 0).all()
    assert np.isnan(month.event_mjd).all()


@pytest.mark.parametrize("behaviour", [Behaviour.DIP, Behaviour.LENS])
def test_lenses_dim_a_source_more_at_low_frequencies(behaviour):
    month = one_kind(behaviour)
    near = np.abs(month.mjd - month.event_mjd[:, None]).argmin(axis=1)
    each = np.arange(20)
    np.testing.assert_allclose(change(month)[each, near], -0.4, atol=0.03)
    ratio = change(month, "lower")[each, near] / change(month, "upper")[each, near]
    np.testing.assert_allclose(ratio, (BANDS_HZ["upper"] / BANDS_HZ["lower"]) ** 2, rtol=0.01)
    # A week before and after nothing happens any more, but for the brightening beside a lens.
    away = np.abs(month.mjd - month.event_mjd[:, None]) > 2 * month.width_d[:, None]
    assert np.abs(change(month)[away]).max() < 0.08
    assert (change(month).max() > 0.1) == (behaviour is Behaviour.LENS)


def test_what_rises_falls_again():
    for behaviour in (Behaviour.CAUSTIC, Behaviour.FLARE):
        month = one_kind(behaviour)
        assert 0.2 < change(month).max() < 0.42
        assert change(month).min() > -0.01


def test_interference_is_in_the_lower_half_only():
    month = one_kind(Behaviour.INTERFERENCE)
    np.testing.assert_allclose(change(month, "upper"), 0.0, atol=1e-3)
    assert change(month, "lower").min() == pytest.approx(-0.4, abs=0.02)
    assert change(month).min() == pytest.approx(-0.2, abs=0.01)


def test_flicker_and_decay_last():
    assert change(one_kind(Behaviour.FLICKER)).std() == pytest.approx(0.4, rel=0.2)
    decay = change(one_kind(Behaviour.DECAY))
    assert (np.diff(decay, axis=1) < 0).all()


def test_errors_are_those_of_the_noise_and_gains_come_on_top():
    month = simulate_months({Behaviour.STEADY: 400}, n_days=50, seed=2, gain_error=0.0, patch_error=0.0)
    for band in BANDS_HZ:
        spectrum = (BANDS_HZ[band] / BANDS_HZ["full"]) ** -0.7
        pulls = (month.flux[band] - month.flux_jy[:, None] * spectrum) / month.e_flux[band]
        assert np.nanstd(pulls) == pytest.approx(1.0, abs=0.02)
        assert np.isnan(pulls).mean() == pytest.approx(0.1, abs=0.01)
    bright = simulate_months({Behaviour.STEADY: 200}, n_days=50, flux_jy=(1.0, 2.0))
    assert np.nanstd(change(bright)) == pytest.approx(np.hypot(0.02, 0.01), rel=0.1)
