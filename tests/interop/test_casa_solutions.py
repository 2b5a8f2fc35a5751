"""CASA's gaincal and bandpass, and our solver, on the same calibrator with the same model and baselines."""

import shutil
from typing import NamedTuple

import numpy as np
import pytest

from calibrator_group import errors_of, observe_calibrator, rms_deg
from casa import needs_casa, run_casa
from dsa110_contimg.calibration.apply import ApplyOptions
from dsa110_contimg.calibration.apply_in_place import apply_in_place
from dsa110_contimg.calibration.calibrate import calibrate, write_tables
from dsa110_contimg.calibration.casa_tables import read_caltable, read_caltables
from dsa110_contimg.calibration.sky_model import Pointing, predict_integration, sky_model
from dsa110_contimg.catalogue.tables import read_sources
from dsa110_contimg.config.settings import CalibrateSettings
from dsa110_contimg.ms.columns import OpenMs, pointing_dec_rad
from dsa110_contimg.telescope.beams import AiryBeam

pytestmark = [pytest.mark.casa, pytest.mark.slow, needs_casa]

ANTENNAS = (1, 6, 12, 18, 26, 32, 37, 48, 75, 81, 86, 92, 97, 102, 103, 105, 108, 111, 113, 114)
FLUX_JY = 26.0
REFERENCE = "103"
# One solution for all of the time, as CASA is told too.
COMMON = {"gain_interval_s": float("inf"), "reference": (REFERENCE,), "leave_out_mhz": ()}
PLAIN = CalibrateSettings(**COMMON, robust=False, weights="uniform", smooth_snr=0)
OWN = CalibrateSettings(**COMMON)

SOLVE = """
from casatasks import bandpass, gaincal
for name, ms in args["sets"].items():
    common = dict(vis=ms, refant=args["reference"], minsnr=0, minblperant=2, uvrange=">50m", solint="inf")
    k, b, g = (f"{name}.{kind}" for kind in "kbg")
    gaincal(caltable=k, gaintype="K", **common)
    bandpass(caltable=b, gaintable=[k], **common)
    gaincal(caltable=g, gaintype="G", calmode="ap", gaintable=[k, b], **common)
"""


APPLY = """
from casatasks import applycal
tables = args["tables"]
applycal(vis=args["ms"], gaintable=tables, interp=["linear,linearflag"] * len(tables), calwt=True, flagbackup=False)
"""


class Solved(NamedTuple):
    """A calibrator, and CASA's K, B and G of it: with weights all alike, and with those of the autocorrelations."""

    group: object
    catalogue: object
    alike: list
    weighted: list


class Compared(NamedTuple):
    """Gains of the antennas with solutions (A, C, P): ours, CASA's, and one sigma of ours."""

    ours: np.ndarray
    casas: np.ndarray
    error: np.ndarray

    @property
    def ratio(self):
        return self.ours / self.casas


def fill_model(ms, calibrator, catalogue):
    """Write MODEL_DATA: what our solver takes for its model."""
    with OpenMs(ms, writable=True) as opened:
        info = opened.info
        pointing = Pointing(info.site, pointing_dec_rad(ms), AiryBeam(), info.phase_centre_deg)
        sky = sky_model(calibrator, catalogue, info.freq_hz).pruned(info.times_mjd, pointing, info.freq_hz)
        opened.add("MODEL_DATA")
        pairs = (info.antenna1.astype(np.int64), info.antenna2.astype(np.int64))
        for time, mjd in enumerate(info.times_mjd):
            seen = predict_integration(sky, float(mjd), pointing, info.antenna_itrf_m, pairs, info.freq_hz)
            opened.write("MODEL_DATA", time, np.repeat(seen[None, ..., None], 2, axis=-1))


def weigh(ms):
    """Write the weights that autocorrelations give, in the mean over channels and times, for CASA."""
    with OpenMs(ms, writable=True) as opened:
        info = opened.info
        autos = np.flatnonzero(info.antenna1 == info.antenna2)
        power = np.zeros((len(info.antenna_names), 2))
        for time in range(info.n_times):
            power[info.antenna1[autos]] += np.abs(opened.read("DATA", time)[0, autos]).mean(axis=1)
        weight = 1 / (power[info.antenna1] * power[info.antenna2])
        weight = np.repeat((weight / weight.mean()).astype(np.float32)[None], info.n_times, axis=0)
        opened.write("WEIGHT", 0, weight)
        opened.write("SIGMA", 0, 1 / np.sqrt(weight))


@pytest.fixture(scope="module")
def solved(tmp_path_factory):
    directory = tmp_path_factory.mktemp("solved")
    group = observe_calibrator(directory, FLUX_JY, antennas=ANTENNAS, integrations=12, rfi=False)
    catalogue = read_sources(directory / "sky.json")
    fill_model(group.ms, group.calibrator, catalogue)
    weighted = shutil.copytree(group.ms, directory / "weighted.ms")
    weigh(weighted)
    sets = {"alike": str(group.ms), "weighted": str(weighted)}
    assert run_casa(directory, SOLVE, sets=sets, reference=REFERENCE, timeout_s=500).complaints == []
    tables = ([read_caltable(directory / f"{name}.{kind}") for kind in "kbg"] for name in sets)
    return Solved(group, catalogue, *tables)


def total(tables):
    """Product of K, B and G at the one time (A, C, P), with NaN where one is flagged."""
    freq_hz = tables[1].freq_hz
    product = np.prod([table.gains(freq_hz)[0] for table in tables], axis=0)
    flagged = np.any([np.broadcast_to(table.flags[0], product.shape) for table in tables], axis=0)
    return np.where(flagged, np.nan, product)


def compare(solved, settings, casas):
    found = calibrate(solved.group.ms, settings, solved.group.calibrator, solved.catalogue)
    rows = found.bandpass.working
    assert [found.bandpass.antenna_names[row] for row in rows] == list(map(str, ANTENNAS))
    ours, theirs = total(found.tables)[rows], total(casas)[rows]
    assert np.isfinite(ours).all()
    assert np.isfinite(theirs).all()
    return Compared(ours, theirs, found.bandpass.error[0, rows] / np.abs(found.bandpass.values[0, rows]))


def test_without_what_casa_has_not_they_are_the_same(solved):
    ratio = compare(solved, PLAIN, solved.alike).ratio
    assert np.abs(np.abs(ratio) - 1).max() < 0.01
    assert np.abs(np.degrees(np.angle(ratio))).max() < 1.0


def test_with_all_of_ours_they_differ_by_a_part_of_the_error(solved):
    # Against CASA with weights that are all alike it is 0.4 and more, which is what those cost in sensitivity.
    found = compare(solved, OWN, solved.weighted)
    difference = (found.ratio - 1) / found.error
    assert np.sqrt(np.mean(difference.real**2)) < 0.3
    assert np.sqrt(np.mean(difference.imag**2)) < 0.3


def test_with_all_of_ours_the_truth_is_nearer(solved):
    found = calibrate(solved.group.ms, OWN, solved.group.calibrator, solved.catalogue)
    ours, theirs = (errors_of(solved.group, *tables) for tables in (found.tables, solved.alike))
    assert np.std(np.abs(ours)) < np.std(np.abs(theirs)) < 0.01
    assert rms_deg(ours) < rms_deg(theirs) < 1.0


def test_casa_applies_what_we_solved_as_we_do(solved, tmp_path):
    settings = CalibrateSettings(gain_interval_s=40.0)
    found = calibrate(solved.group.ms, settings, solved.group.calibrator, solved.catalogue)
    found.bandpass.flags[0, found.bandpass.working[3], 100:110] = True
    tables = write_tables(found, solved.group.ms, tmp_path / "ours.cal")
    ours, theirs = (shutil.copytree(solved.group.ms, tmp_path / name) for name in ("ours.ms", "theirs.ms"))
    assert run_casa(tmp_path, APPLY, ms=str(theirs), tables=list(map(str, tables))).complaints == []
    apply_in_place(ours, read_caltables([tmp_path / "ours.cal"]), ApplyOptions(max_gap_hz=0, max_phase_step_deg=180))
    with OpenMs(ours) as one, OpenMs(theirs) as other:
        for time in range(one.info.n_times):
            flags, expected_flags = (ms.read("FLAG", time) for ms in (one, other))
            np.testing.assert_array_equal(flags, expected_flags)
            data, expected = (ms.read("CORRECTED_DATA", time)[~flags] for ms in (one, other))
            assert (np.abs(data - expected) / np.abs(expected)).max() < 1e-5
