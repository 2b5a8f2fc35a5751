"""The scale of a set from the sources of its own group."""

import json
import re

import numpy as np
import pytest

from calibrated_groups import ANTENNAS, look
from dsa110_contimg.calibration.apply import calibrated_blocks
from dsa110_contimg.calibration.ensemble import calibrate_to_scale, nearby, references
from dsa110_contimg.calibration.grading import Verdict
from dsa110_contimg.calibration.keeping import judge
from dsa110_contimg.calibration.sky_model import ModelSource, Pointing
from dsa110_contimg.catalogue.calibrators import find_calibrator
from dsa110_contimg.catalogue.candidates import Strip, look_at
from dsa110_contimg.catalogue.tables import read_sources
from dsa110_contimg.config.settings import CalibrateSettings
from dsa110_contimg.conversion import convert_subband_groups_to_ms
from dsa110_contimg.ms.information import pointing_dec_rad, read_info
from dsa110_contimg.simulation import SimulationOptions, simulate
from dsa110_contimg.telescope.band import HEADER_SITE, INTEGRATION_S
from dsa110_contimg.telescope.beams import AiryBeam
from dsa110_contimg.telescope.prediction import PointSources
from dsa110_contimg.telescope.transits import find_transits, utc_of

DEC_DEG = 16.2
BRIGHTER = 1.35
"""What 3C454.3 does to the list's flux density."""


@pytest.fixture(scope="module")
def blazar(tmp_path_factory):
    """A blazar in outburst among ten sources, one of them off its catalogue too; solved with the list's value."""
    base = tmp_path_factory.mktemp("blazar")
    source = find_calibrator("3C454.3")
    (transit,) = find_transits(source.ra_deg, source.dec_deg, 60953.0, 60953.99, HEADER_SITE)
    rng = np.random.default_rng(8)
    place = np.column_stack([rng.uniform(-0.7, 0.7, 10), rng.uniform(-0.6, 0.6, 10)])
    true = [{"ra": source.ra_deg, "dec": source.dec_deg, "flux": BRIGHTER * source.flux_20cm_jy, "alpha": -0.7}]
    true += [
        {"ra": source.ra_deg + x, "dec": DEC_DEG + y, "flux": flux, "alpha": -0.7}
        for (x, y), flux in zip(place, rng.uniform(0.3, 1.2, 10), strict=True)
    ]
    (base / "true.json").write_text(json.dumps(true))
    listed = [dict(item) for item in true]
    listed[0]["flux"] = source.flux_20cm_jy
    listed[3]["flux"] /= 2
    (base / "listed.json").write_text(json.dumps(listed))
    options = SimulationOptions(
        start=utc_of(transit.mjd - 4 * INTEGRATION_S / 86400),
        dec_deg=DEC_DEG + 0.08,
        integrations=8,
        antennas=ANTENNAS,
        sky=str(base / "true.json"),
        gains=3,
    )
    simulate(base / "in", options)
    (made,) = convert_subband_groups_to_ms(base / "in", base / "ms")
    ms = made.ms
    info = read_info(ms)
    strip = Strip(float(np.degrees(pointing_dec_rad(ms))), info.site)
    candidate = look_at(source, strip, 60953.0, 60953.99)
    return info, candidate, read_sources(base / "listed.json"), true


def test_reference_sources_give_the_scale_that_a_blazar_cannot(blazar):
    info, candidate, catalogue, true = blazar
    found, scale = calibrate_to_scale(info, CalibrateSettings(), candidate, catalogue)
    assert scale.kind == "ensemble"
    assert scale.n_sources >= 8
    assert scale.error < 0.06
    assert found.gains.history[-1] == scale.text
    flux_jy = float(re.search(r"3C454.3 has ([\d.]+) Jy", scale.text)[1])
    assert flux_jy == pytest.approx(true[0]["flux"], rel=0.03)
    seen = look(info.path, calibrated_blocks(info.path, found.tables), true)
    ratios = np.array([item.ratio for item in seen])
    assert np.median(ratios) == pytest.approx(1.0, abs=scale.error)
    # The one whose catalogue is wrong is in the model as the catalogue has it.
    assert np.delete(ratios, 3) == pytest.approx(np.ones(10), abs=0.05)


def test_without_a_catalogue_the_scale_is_an_assumption_and_says_so(blazar):
    info, candidate, _, true = blazar
    found, scale = calibrate_to_scale(info, CalibrateSettings(), candidate, None)
    assert scale.kind == "assumed"
    assert scale.error >= 0.3
    assert judge(found, info).verdict is Verdict.GOOD
    given = judge(found, info, scale=scale)
    assert given.verdict is Verdict.USABLE
    assert "flux scale" in given.reasons[-1]
    seen = look(info.path, calibrated_blocks(info.path, found.tables), true)
    assert np.median([item.ratio for item in seen]) < 0.85


def test_sources_that_cannot_be_told_apart_or_are_faint_are_no_references(blazar):
    info, candidate, catalogue, _ = blazar
    source = candidate.calibrator
    model = ModelSource(source.label, source.ra_deg, source.dec_deg, source.spectrum)
    pointing = Pointing(info.site, pointing_dec_rad(info.path), AiryBeam(), info.phase_centre_deg)
    assert references(model, catalogue, info, pointing, info.freq_hz).flux_jy.size == 11
    more = [(column[1:2] + shift) for column, shift in zip(catalogue, (0.005, 0.0, 0.0, 0.0), strict=True)]
    faint = [(column[2:3] + shift) for column, shift in zip(catalogue, (0.2, 0.1, 0.0, 0.0), strict=True)]
    faint[2] = np.array([0.03])
    joined = PointSources(*(np.concatenate(columns) for columns in zip(catalogue, more, faint, strict=True)))
    assert references(model, joined, info, pointing, info.freq_hz).flux_jy.size == 10


def test_a_catalogue_of_the_whole_sky_is_cut_to_what_is_near(blazar):
    info, _, catalogue, _ = blazar
    ra, dec = info.phase_centre_deg
    sky = PointSources(np.array([ra, ra + 12, ra + 12]), np.full(3, dec), np.array([0.1, 1.0, 300.0]), np.zeros(3))
    assert nearby(sky, info).flux_jy.tolist() == [0.1, 300.0]
    assert nearby(catalogue, info).flux_jy.size == 11
