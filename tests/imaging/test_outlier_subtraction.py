"""Outliers are taken out of the visibilities, whatever beam they came through, and nothing else is."""

import numpy as np
import pytest

from dsa110_contimg.telescope.beams import AiryBeam, TaperedBeam
from outlier_fields import SETTINGS, make_case

FIELD = [(0.3, 0.2, 1.0), (-0.5, 0.1, 0.3)]


def found(case):
    return {source.name: source for source in case.subtracted.sources if source.subtracted}


@pytest.mark.parametrize(
    ("outside", "options"),
    [((0.3, 1.05, 5.0), {}), ((-1.2, -0.4, 5.0), {"dec_deg": 16.27}), ((1.2, 0.2, 5.0), {"start_mjd": 60953.29})],
    ids=["at-the-edge", "dec16", "ra0h"],
)
def test_a_source_outside_is_gone_and_the_field_is_as_it_was(tmp_path, outside, options):
    case = make_case(tmp_path, FIELD, [outside], **options)
    assert ("start_mjd" in options) == (min(case.observation.ra_deg, 360 - case.observation.ra_deg) < 3.0)
    assert case.left(case.after) < 0.02 * case.left(case.before)
    for source, (_, _, flux_jy) in enumerate(FIELD):
        alone = case.flux_jy(case.alone, source)
        assert alone > 0.5 * flux_jy
        assert case.flux_jy(case.after, source) == pytest.approx(alone, abs=1e-3 * case.flux_jy(case.alone, 0))
    (only,) = found(case).values()
    assert only.fitted_jy == pytest.approx(only.expected_jy, rel=5e-3)


def test_through_a_sidelobe_that_is_not_as_assumed(tmp_path):
    # The assumed beam says a thirteenth of what comes through, which besides varies differently.
    case = make_case(tmp_path, FIELD[:1], [(4.2, 0.5, 200.0)], true=AiryBeam(), assumed=TaperedBeam())
    (only,) = found(case).values()
    assert only.fitted_jy > 5 * only.expected_jy
    assert case.left(case.after) < 0.08 * case.left(case.before)
    assert case.flux_jy(case.after, 0) == pytest.approx(case.flux_jy(case.alone, 0), rel=1e-3)


def test_what_is_not_there_is_not_subtracted(tmp_path):
    # Two calibrators are expected, of which the simulated sky has none: not a bit changes.
    case = make_case(tmp_path, FIELD, [], known=False, noise_jy=0.4, keep_weights=True)
    assert len(case.subtracted.sources) >= 1
    assert not found(case)
    assert np.array_equal(case.after.visibilities, case.before.visibilities)
    assert all(not source["subtracted"] for source in case.subtracted.as_json()["sources"])


def test_what_is_lost_in_a_rich_field_is_left(tmp_path):
    """Two calibrators are expected that are not there; sidelobes of twenty sources are more than what is found."""
    places = np.random.default_rng(2).uniform(-0.6, 0.6, (20, 2))
    field = [(*place, flux_jy) for place, flux_jy in zip(places, np.linspace(0.4, 1.2, 20), strict=True)]
    case = make_case(tmp_path, field, [], known=False)
    assert len(case.subtracted.sources) >= 1
    assert not found(case)
    # That is how much a source must be brighter than, not what the weights promise.
    assert all(source.error_jy > 0.02 for source in case.subtracted.sources)
    assert np.array_equal(case.after.visibilities, case.before.visibilities)


def test_noise_stays_noise(tmp_path):
    case = make_case(tmp_path, FIELD, [(1.3, 0.5, 5.0)], noise_jy=0.4, keep_weights=True)
    (only,) = found(case).values()
    assert only.fitted_jy == pytest.approx(only.expected_jy, abs=6 * only.error_jy)
    rest = case.after.visibilities - case.alone.visibilities
    assert np.average(abs(rest) ** 2 * case.after.weights) / 2 == pytest.approx(1.0, abs=0.03)


def test_no_outliers_no_work(tmp_path):
    off = SETTINGS.model_copy(update={"outliers": False})
    case = make_case(tmp_path, FIELD, [(1.3, 0.5, 5.0)], settings=off)
    assert case.subtracted.sources == ()
    assert np.array_equal(case.after.visibilities, case.before.visibilities)


def test_cassiopeia_is_more_than_a_point(tmp_path):
    """A shell of knots at her place, 3.5' across."""
    angle, radius_deg = np.linspace(0.0, 2 * np.pi, 24, endpoint=False), 1.75 / 60
    knots_jy = 1700 / 24 * np.random.default_rng(0).uniform(0.5, 1.5, 24)
    # East and north of where the dishes point when this begins, as direction cosines.
    middle_deg = (0.3487, 4.3909)
    shell = [
        (middle_deg[0] + radius_deg * np.sin(a), middle_deg[1] + radius_deg * np.cos(a), flux_jy)
        for a, flux_jy in zip(angle, knots_jy, strict=True)
    ]
    case = make_case(tmp_path, FIELD, shell, known=False, start_mjd=60953.2610, n_times=12, step=2)
    (only,) = found(case).values()
    assert only.name == "Cassiopeia A"
    assert only.n_points > 20
    assert only.fitted_jy == pytest.approx(only.expected_jy, rel=0.1)
    assert case.left(case.after) < 0.06 * case.left(case.before)
    assert case.flux_jy(case.after, 0) == pytest.approx(case.flux_jy(case.alone, 0), rel=0.01)
