"""Gains that are known, recovered from simulated counts: noise, field sources, delays, drifts, sick antennas, RFI."""

from typing import NamedTuple

import numpy as np
import pytest

from calibrator_group import errors_of, observe_calibrator, rms_deg
from dsa110_contimg.calibration.calibrate import calibrate
from dsa110_contimg.catalogue.tables import read_sources
from dsa110_contimg.config.settings import CalibrateSettings
from dsa110_contimg.errors import CalibrationError, UsageError
from dsa110_contimg.ms.columns import OpenMs

ANTENNAS = (1, 6, 12, 18, 26, 32, 37, 43, 48, 70, 75, 81, 86, 92, 97, 102, 103, 105, 108, 111, 113, 114)
DEAD, DEAF, SWAPPED, ONE_POL = (12, 70, 111), (43,), (18, 92), (26,)
# A channel's error with these antennas is that of the whole array at 6 Jy.
FLUX_JY = 26.0


class Case(NamedTuple):
    group: object
    found: object

    @property
    def errors(self):
        return errors_of(self.group, *self.found.tables)


def solved(directory, flux_jy, settings=None, **options):
    group = observe_calibrator(directory, flux_jy, antennas=ANTENNAS, **options)
    catalogue = read_sources(directory / "sky.json")
    return Case(group, calibrate(group.ms, settings or CalibrateSettings(), group.calibrator, catalogue))


@pytest.fixture(scope="module")
def sick(tmp_path_factory):
    """A strong calibrator, seen by an array with all that ails one."""
    ill = {"dead": DEAD, "deaf": DEAF, "swapped": SWAPPED, "one_pol_dead": ONE_POL}
    return solved(tmp_path_factory.mktemp("sick"), FLUX_JY, rfi=True, **ill)


@pytest.fixture(scope="module")
def weak(tmp_path_factory):
    """A calibrator that is hardly one."""
    return solved(tmp_path_factory.mktemp("weak"), 2.0)


def test_gains_are_recovered_to_a_per_cent_and_a_degree(sick):
    errors = sick.errors
    assert np.nanstd(np.abs(errors)) < 0.01
    assert np.nanmean(np.abs(errors)) == pytest.approx(1, abs=0.002)
    assert rms_deg(errors) < 1.0


def test_every_healthy_antenna_is_solved_in_every_channel_that_has_data(sick):
    ill = {*DEAD, *DEAF, *SWAPPED}
    bandpass = sick.found.bandpass
    solved_for = {int(bandpass.antenna_names[row]) for row in bandpass.working}
    assert solved_for == set(ANTENNAS) - ill
    flags = bandpass.flags[0, bandpass.working]
    one_pol = [bandpass.antenna_names[row] in map(str, ONE_POL) for row in bandpass.working]
    assert flags[one_pol, :, 0].all()
    healthy = flags[~np.array(one_pol)]
    # Channels with interference at all times have none.
    assert (healthy.mean(axis=(0, 2)) > 0).sum() < 0.03 * bandpass.freq_hz.size
    assert not sick.found.gains.flags[
        :, [row for row, ok in zip(bandpass.working, one_pol, strict=True) if not ok]
    ].any()


def test_each_sick_antenna_is_named_with_what_ails_it(sick):
    named = {(item["antenna"], tuple(item["polarizations"])): item for item in sick.found.bandpass.facts["ailments"]}
    both = ("XX", "YY")
    wanted = {(str(station), both): "dead" for station in DEAD} | {(str(station), both): "deaf" for station in DEAF}
    wanted |= {(str(station), both): "swapped" for station in SWAPPED} | {(str(ONE_POL[0]), ("XX",)): "dead"}
    assert {key: item["kind"] for key, item in named.items()} == wanted
    assert f"antenna {SWAPPED[1]}" in named[str(SWAPPED[0]), both]["text"]
    assert f"antenna {SWAPPED[0]}" in named[str(SWAPPED[1]), both]["text"]
    assert len(sick.found.ailments) == len(wanted)


def test_system_temperatures_are_those_of_the_simulation(sick):
    facts = sick.found.bandpass.facts
    ill = {str(station) for station in (*DEAD, *DEAF, *SWAPPED, *ONE_POL)}
    values = [value for name, row in facts["sefd_jy"].items() if name not in ill for value in row]
    np.testing.assert_allclose(values, 6500.0, rtol=0.02)


def test_residuals_are_thermal_and_close(sick):
    assert sick.found.residuals.ratio == pytest.approx(1, abs=0.01)
    assert sick.found.residuals.thermal_jy == pytest.approx(2.59, rel=0.01)
    assert sick.found.residuals.closure_deg < 1.0


def test_the_reference_has_no_phase_at_any_time_or_channel(sick):
    delays, bandpass, gains = sick.found.tables
    assert bandpass.antenna_names[bandpass.reference_antenna] == "103"
    for table in (bandpass, gains):
        values = table.values[:, table.reference_antenna]
        np.testing.assert_allclose(np.angle(values), 0, atol=1e-9)
    assert (delays.values[:, delays.reference_antenna] == 0).all()


def test_hydrogen_is_left_out_and_bridged(sick):
    freq_hz = sick.found.bandpass.freq_hz
    hydrogen = (freq_hz > 1419.6e6) & (freq_hz < 1421.2e6)
    assert hydrogen.sum() == sick.found.bandpass.facts["bridged_channels"]
    there = sick.errors[:, :, hydrogen]
    assert np.nanstd(np.abs(there)) < 0.015


def test_delays_of_20_and_300_ns_are_found(sick):
    delays, truth = sick.found.delays, sick.group.truth
    place = {str(station): k for k, station in enumerate(truth.antennas)}
    rows = [row for row in delays.working if not delays.flags[0, row].any()]
    true = np.array([truth.gains.delay_s[:, place[delays.antenna_names[row]]] for row in rows])
    true -= truth.gains.delay_s[:, place["103"]]
    found = delays.values[0, rows, 0]
    assert np.abs(true).max() > 250e-9
    # The ripples of the bandpass have slopes of their own.
    np.testing.assert_allclose(found, true, atol=0.5e-9)


def test_history_says_how(sick):
    text = "\n".join(sick.found.gains.history)
    for words in ("solved", "Jy through the beam", "reference antenna 103", "antenna 43 (XX, YY): noise, but no sky"):
        assert words in text


def test_a_weak_calibrator_is_smoothed_down_to_thermal_errors(weak):
    bandpass = weak.found.bandpass
    assert bandpass.facts["smoothed_channels"] == 17
    rows = bandpass.working
    assert rows.size == len(ANTENNAS)
    predicted = (bandpass.error / np.abs(bandpass.values))[0, rows]
    off = np.abs(weak.errors) - 1
    assert np.std(off / predicted) == pytest.approx(1, abs=0.25)
    assert np.std(off) < 0.035
    assert abs(np.mean(off)) < 0.002
    assert not bandpass.facts["ailments"]


def test_an_antenna_of_low_snr_is_kept_and_marked(tmp_path):
    case = solved(tmp_path, 2.0, CalibrateSettings(min_snr=500.0, smooth_snr=0.0))
    ailments = case.found.bandpass.facts["ailments"]
    assert {item["kind"] for item in ailments} == {"weak"}
    assert len(ailments) == len(ANTENNAS)
    assert not case.found.bandpass.flags[:, case.found.bandpass.working].any()


def test_a_model_of_the_calibrator_alone_leaves_more(sick, weak):
    alone = calibrate(weak.group.ms, CalibrateSettings(), weak.group.calibrator)
    assert np.nanstd(np.abs(errors_of(weak.group, *alone.tables))) > 1.3 * np.nanstd(np.abs(weak.errors))


def test_plain_least_squares_and_even_weights_agree_within_their_errors(weak):
    plain = CalibrateSettings(robust=False, weights="uniform")
    found = calibrate(weak.group.ms, plain, weak.group.calibrator, read_sources(weak.group.ms.parents[1] / "sky.json"))
    rows = found.bandpass.working
    ratio = errors_of(weak.group, *found.tables) / weak.errors
    error = (weak.found.bandpass.error / np.abs(weak.found.bandpass.values))[0, rows]
    assert np.nanmedian(np.abs(np.abs(ratio) - 1) / error) < 0.3


def test_missing_subbands_are_without_solution(tmp_path):
    subbands = tuple(range(13))
    case = solved(tmp_path, FLUX_JY, subbands=subbands, integrations=6)
    bandpass = case.found.bandpass
    lost = bandpass.flags[0, bandpass.working].all(axis=(0, 2))
    assert lost.sum() == 3 * 48
    assert lost[: 3 * 48].all()
    assert rms_deg(case.errors) < 2.0


def test_a_group_without_the_calibrator_is_refused(tmp_path, weak):
    with OpenMs(weak.group.ms, writable=True) as opened:
        kept = [opened.read("FLAG", time) for time in range(opened.info.n_times)]
        for time, flags in enumerate(kept):
            opened.write("FLAG", time, np.ones_like(flags))
    try:
        with pytest.raises(CalibrationError, match="no antenna sees the calibrator"):
            calibrate(weak.group.ms, CalibrateSettings(), weak.group.calibrator)
    finally:
        with OpenMs(weak.group.ms, writable=True) as opened:
            for time, flags in enumerate(kept):
                opened.write("FLAG", time, flags)


def test_one_that_does_not_say_its_calibrator_asks_for_it(weak):
    with pytest.raises(UsageError, match="--calibrator NAME"):
        calibrate(weak.group.ms, CalibrateSettings())
