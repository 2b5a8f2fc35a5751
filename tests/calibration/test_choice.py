"""Which calibrator is taken, and why."""

import pytest

from dsa110_contimg.calibration.choice import choose_calibrator, weigh
from dsa110_contimg.calibration.steadiness import SLOW, STEADY, UNKNOWN, VARIABLE, is_flux_standard, steadiness
from dsa110_contimg.catalogue.calibrators import find_calibrator, load_calibrators
from dsa110_contimg.catalogue.candidates import Strip, find_candidates, look_at
from dsa110_contimg.errors import NoCalibrationError
from dsa110_contimg.telescope.band import HEADER_SITE

DAY = (60953.0, 60954.0)


def candidates(dec_deg):
    return find_candidates(Strip(dec_deg, HEADER_SITE), *DAY)


@pytest.mark.parametrize(
    ("name", "held"),
    [("3C286", STEADY), ("3C295", STEADY), ("3C48", SLOW), ("0834+555", UNKNOWN), ("3C454.3", VARIABLE)],
)
def test_how_steady_a_source_is(name, held):
    source = find_calibrator(name)
    assert steadiness(source) is held
    assert is_flux_standard(source) == (held in {STEADY, SLOW})


def test_every_blazar_is_in_the_list():
    from dsa110_contimg.calibration.steadiness import _BLAZARS

    assert {source.name for source in load_calibrators()} >= _BLAZARS


def test_a_weaker_steady_point_is_taken_before_a_bright_blazar():
    strip = Strip(16.3, HEADER_SITE)
    blazar, steady = (look_at(find_calibrator(name), strip, *DAY) for name in ("3C454.3", "3C138"))
    assert blazar.apparent_flux_jy > steady.apparent_flux_jy
    choice = choose_calibrator([blazar, steady])
    assert choice.chosen.candidate is steady
    assert "next would be 3C454.3" in choice.why
    assert "mostly flux" in choice.why or "mostly structure" in choice.why


def test_the_reasons_name_flux_steadiness_quality_and_distance():
    choice = choose_calibrator(candidates(54.57))
    for word in ("Jy through the beam", "deg from its centre", "quality", "noise", "structure", "spectrum"):
        assert word in choice.why
    totals = [item.budget.total for item in (choice.chosen, *choice.others) if not item.refused]
    assert totals == sorted(totals)


@pytest.mark.parametrize("dec_deg", [54.57, 16.27, 50.5, 65.7, 33.0, 71.6])
def test_every_strip_so_far_has_a_calibrator_that_solves_a_channel_to_a_few_per_cent(dec_deg):
    chosen = choose_calibrator(candidates(dec_deg)).chosen
    assert chosen.candidate.calibrator.is_good_point
    assert chosen.budget.noise < 0.05
    assert chosen.budget.total < 0.12


def test_noise_falls_with_flux_and_antennas_and_the_beam_counts():
    source = find_calibrator("3C286")
    on, off = (look_at(source, Strip(dec, HEADER_SITE), *DAY) for dec in (30.4, 31.4))
    assert weigh(on).budget.noise < weigh(off).budget.noise
    assert weigh(on).budget.noise < weigh(on, n_antennas=10).budget.noise
    assert weigh(on).budget.beam < weigh(off).budget.beam
    # SEFD / S / sqrt(2 dnu t (N - 1)) for 6 Jy: 0.9% a channel.
    noise = weigh(on).budget.noise * on.apparent_flux_jy / 6.0
    assert noise == pytest.approx(0.0091, rel=0.02)


def test_a_strip_without_a_fit_source_says_so_for_each():
    resolved = [item for item in candidates(4.0) if not item.calibrator.is_good_point]
    with pytest.raises(NoCalibrationError, match="not a point"):
        choose_calibrator(resolved)
    with pytest.raises(NoCalibrationError, match="none crosses"):
        choose_calibrator([])
