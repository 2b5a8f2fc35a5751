"""Beams that are known come out of simulated measurements, within their errors, at any declination."""

import numpy as np
import pytest

from beam_measurements import observed
from dsa110_contimg.errors import BeamFitError
from dsa110_contimg.photometry.beam_crossings import gather
from dsa110_contimg.photometry.beam_fit import base_name, fit_beam, fitted_beam
from dsa110_contimg.photometry.beam_solver import PRIOR
from dsa110_contimg.telescope.beams import AiryBeam, TaperedBeam
from dsa110_contimg.telescope.fitted_beams import FittedBeam, Shape

LOWER = np.array([0.05, 0.02, -0.01, 0.03, 0.40])
UPPER = np.array([0.07, 0.03, 0.02, 0.05, 0.42])
TRUTH = np.concatenate([LOWER, UPPER])


def known_beam(lower=LOWER, upper=UPPER):
    freq_hz = np.array([1.358e9, 1.452e9])
    return FittedBeam(
        "truth", AiryBeam(), "airy", ("lower", "upper"), freq_hz, np.array([lower, upper]), np.eye(10), {}
    )


def pulls(fit, truth=TRUTH):
    shapes = np.concatenate([one.shape for one in fit.bands])
    return (shapes - truth) / np.sqrt(np.diag(fit.covariance))


@pytest.mark.parametrize("dec_deg", [54.5734, 16.27, -10.0, 71.6])
def test_a_known_beam_is_found_at_any_declination(dec_deg):
    table, headers, known = observed(known_beam().power, dec_deg=dec_deg, n_sources=100, n_groups=14, seed=1)
    fit = fit_beam(gather(table, headers, known))
    assert fit.measured.all()
    assert np.abs(pulls(fit)).max() < 4.0
    errors = np.sqrt(np.diag(fit.covariance)).reshape(2, 5)
    assert errors[:, 3].max() < 0.01
    assert errors[:, 4].max() < 0.06


@pytest.mark.parametrize("dec_deg", [54.5734, 16.27])
def test_without_a_catalogue_the_tracks_of_the_sources_say_where_the_axis_is(dec_deg):
    table, headers, known = observed(known_beam().power, dec_deg=dec_deg, n_sources=100, n_groups=14, seed=1)
    fit, helped = fit_beam(gather(table, headers)), fit_beam(gather(table, headers, known))
    assert np.abs(pulls(fit)).max() < 4.0
    errors, better = (np.sqrt(np.diag(one.covariance)).reshape(2, 5) for one in (fit, helped))
    # The sky drifts from east to west: the east is known from each source alone, the north far better with a catalogue.
    assert errors[:, 3].max() < 0.01
    assert (errors[:, 4] > 1.5 * better[:, 4]).all()


def test_errors_are_what_many_fits_scatter_by():
    found = []
    for seed in range(6):
        table, headers, known = observed(known_beam().power, n_sources=80, n_groups=10, seed=10 + seed)
        found.append(pulls(fit_beam(gather(table, headers, known))))
    found = np.array(found)
    assert 0.6 < np.sqrt(np.mean(found**2)) < 1.5
    assert np.abs(found.mean(axis=0)).max() < 1.5


def test_pointing_and_squint_are_those_of_the_halves():
    table, headers, known = observed(known_beam().power, seed=2)
    fit = fit_beam(gather(table, headers, known))
    (mean, e_mean), (squint, e_squint) = fit.mean, fit.squint
    middle, apart = Shape(*(LOWER + UPPER) / 2), Shape(*(UPPER - LOWER))
    for name in Shape._fields:
        assert getattr(mean, name) == pytest.approx(getattr(middle, name), abs=4 * getattr(e_mean, name))
        assert getattr(squint, name) == pytest.approx(getattr(apart, name), abs=4 * getattr(e_squint, name))
    # Catalogues err alike in both halves: what they say of the squint is better than of either half.
    alone = np.sqrt(fit.bands[0].covariance[4, 4] + fit.bands[1].covariance[4, 4])
    assert e_squint.north_deg < 0.95 * alone


def test_a_fitted_beam_has_the_power_of_the_true_one():
    table, headers, known = observed(known_beam().power, seed=3)
    beam = fitted_beam(fit_beam(gather(table, headers, known)), "beam-0001", {})
    x, y = np.meshgrid(np.radians(np.linspace(-1.2, 1.2, 9)), np.radians(np.linspace(-1.2, 1.2, 9)))
    for freq_hz in (1.32e9, 1.40e9, 1.49e9):
        assert beam.power(x, y, freq_hz) == pytest.approx(known_beam().power(x, y, freq_hz), abs=0.03)


def test_another_kind_of_beam_is_told_by_its_base():
    table, headers, known = observed(TaperedBeam().power, seed=4, n_sources=100, n_groups=10)
    data = gather(table, headers, known)
    of_airy, of_tapered = fit_beam(data), fit_beam(data, "tapered")
    # 3.17 deg against 2.72 at half power.
    assert of_airy.mean[0].width == pytest.approx(np.log(3.17 / 2.72), abs=0.03)
    assert of_tapered.mean[0].width == pytest.approx(0.0, abs=5 * of_tapered.mean[1].width)
    assert of_tapered.cost < of_airy.cost


def test_the_whole_band_does_where_there_are_no_halves():
    table, headers, known = observed(known_beam(LOWER, LOWER).power, bands=("full",), seed=5)
    fit = fit_beam(gather(table, headers, known))
    assert [one.band for one in fit.bands] == ["full"]
    assert fit.squint is None
    assert np.abs(pulls(fit, LOWER)).max() < 4.0


def test_a_wild_image_and_variable_sources_do_not_move_the_beam():
    table, headers, known = observed(known_beam().power, seed=6, outliers=0.15)
    fit = fit_beam(gather(table, headers, known))
    assert np.abs(pulls(fit)).max() < 4.5
    # Those that are off lose their weight, the others keep it.
    assert 0.05 < np.mean(fit.bands[0].weight < 0.5) < 0.4


def test_scatters_are_found_out():
    table, headers, known = observed(known_beam().power, seed=7, n_sources=250, catalogue_scatter=0.15, outliers=0.0)
    one = fit_beam(gather(table, headers, known)).bands[0]
    assert one.departure == pytest.approx(0.15, rel=0.3)
    assert one.fraction < 0.01
    clear = one.e_power < 0.02
    assert one.power[clear] == pytest.approx(one.fitted_power[clear], abs=0.1)


def test_what_says_nothing_stays_where_it_was_thought_to_be():
    # A few sources on one line of declination, whose fluxes are free: nothing is said of the north.
    table, headers, _ = observed(known_beam().power, n_sources=150, seed=8)
    data = gather(table, headers)
    north = np.degrees(data.bands[0].way.middle[1])
    names = data.source_id[np.unique(data.bands[0].source[abs(north) < 0.1])]
    few = gather(table.filter(np.isin(table["source_id"].to_numpy(), names)), headers)
    fit = fit_beam(few)
    assert not fit.measured[:, 4].any()
    assert np.sqrt(np.diag(fit.covariance))[[4, 9]] == pytest.approx([PRIOR[4]] * 2, rel=0.6)


def test_too_few_sources():
    table, headers, known = observed(known_beam().power, n_sources=150, n_groups=6, seed=8)
    data = gather(table, headers, known)
    few = gather(table.filter(np.isin(table["source_id"].to_numpy(), data.source_id[:3])), headers, known)
    with pytest.raises(BeamFitError, match="too few"):
        fit_beam(few)


def test_a_fitted_beam_is_no_base(tmp_path):
    import json

    from dsa110_contimg.telescope.fitted_beams import beam_document

    path = tmp_path / "beam-0001.json"
    path.write_text(json.dumps(beam_document(known_beam())))
    assert base_name(str(path)) == "airy"
    assert base_name("tapered") == "tapered"
    table, headers, known = observed(known_beam().power, n_sources=80, n_groups=6, seed=8)
    with pytest.raises(BeamFitError, match="base"):
        fit_beam(gather(table, headers, known), str(path))
