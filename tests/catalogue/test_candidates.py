"""What a strip sees: beam, apparent places, order."""

import numpy as np
import pytest

from dsa110_contimg.catalogue.calibrators import find_calibrator
from dsa110_contimg.catalogue.candidates import Strip, find_candidates, look_at
from dsa110_contimg.telescope.band import HEADER_SITE
from dsa110_contimg.telescope.beams import AiryBeam, TaperedBeam
from sky_truth import hour_angle_and_dec

MJD = 60953.5
STRIP = Strip(54.5734, HEADER_SITE)


def test_a_day_of_the_first_strip():
    found = find_candidates(STRIP, MJD, MJD + 1)
    assert found[0].calibrator.name == "0834+555"
    through = [candidate.apparent_flux_jy for candidate in found]
    assert through == sorted(through, reverse=True)
    for candidate in found:
        source = candidate.calibrator
        assert len(candidate.transits) in {1, 2}
        _, dec = hour_angle_and_dec(source.ra_deg, source.dec_deg, candidate.transits[0].mjd, HEADER_SITE)
        assert candidate.dec_deg == pytest.approx(float(dec), abs=1e-3)
        assert candidate.offset_deg == candidate.dec_deg - 54.5734
        power = AiryBeam().power(0, np.sin(np.radians(candidate.offset_deg)), 1.4e9)
        assert candidate.beam_power == pytest.approx(float(power))
        assert candidate.beam_power >= 0.5
        assert candidate.apparent_flux_jy == pytest.approx(candidate.flux_jy * float(power))


def test_precession_decides_who_is_within_the_beam():
    """0655+541 is at 54.1496 in J2000 and at 54.114 in 2025: the beam is where it is now."""
    source = find_calibrator("0655+541")
    seen = look_at(source, STRIP, MJD, MJD + 1)
    assert seen.dec_deg == pytest.approx(54.114, abs=0.002)


def test_only_sources_that_transit_in_the_range():
    in_a_group = find_candidates(STRIP, MJD, MJD + 309 / 86400)
    assert len(in_a_group) < 10
    assert all(MJD <= t.mjd <= MJD + 309 / 86400 for c in in_a_group for t in c.transits)


def test_what_never_reaches_the_strip():
    seen = look_at(find_calibrator("3C286"), STRIP, MJD, MJD + 1)
    assert seen.offset_deg == pytest.approx(-24.2, abs=0.1)
    assert seen.beam_power < 1e-3
    assert not seen.is_suitable


def test_behind_the_dishes_there_is_no_beam():
    seen = look_at(find_calibrator("0010-418"), Strip(89.0, HEADER_SITE), MJD, MJD + 1)
    assert seen.beam_power == 0.0


def test_a_confused_source_is_listed_but_not_suitable():
    by_name = {candidate.calibrator.name: candidate for candidate in find_candidates(STRIP, MJD, MJD + 1)}
    assert not by_name["0655+541"].is_suitable  # 3C171, XXXP
    assert by_name["0834+555"].is_suitable


def test_a_source_without_a_flux_density_is_no_candidate_but_has_transits():
    source = find_calibrator("3C371")
    strip = Strip(69.83, HEADER_SITE)
    assert source not in [candidate.calibrator for candidate in find_candidates(strip, MJD, MJD + 1)]
    seen = look_at(source, strip, MJD, MJD + 1)
    assert seen.transits
    assert np.isnan(seen.apparent_flux_jy)


def test_a_wider_beam_lets_more_in():
    wide = find_candidates(STRIP._replace(beam=TaperedBeam()), MJD, MJD + 1)
    assert {c.calibrator.name for c in find_candidates(STRIP, MJD, MJD + 1)} < {c.calibrator.name for c in wide}
