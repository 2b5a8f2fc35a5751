"""Tying a group to its own sky: outriggers that drifted for twelve hours, and what is not accepted."""

import numpy as np
import pytest

from calibrator_group import observe_calibrator
from dsa110_contimg.calibration.flux_scale import FluxFit
from dsa110_contimg.calibration.grading import Verdict
from dsa110_contimg.calibration.keeping import judge
from dsa110_contimg.calibration.sky_model import Pointing, predict_integration, sky_model
from dsa110_contimg.calibration.sky_tie import tie_to_sky
from dsa110_contimg.calibration.solutions import Solutions
from dsa110_contimg.catalogue.tables import read_sources
from dsa110_contimg.config.settings import CalibrateSettings
from dsa110_contimg.errors import CalibrationError
from dsa110_contimg.ms.columns import OpenMs
from dsa110_contimg.ms.information import pointing_dec_rad, read_info
from dsa110_contimg.telescope.beams import AiryBeam
from dsa110_contimg.telescope.prediction import PointSources

CORE = (1, 6, 12, 18, 26, 32, 37, 43, 48, 70, 75, 81)
OUTRIGGERS = (102, 103, 105, 108, 111, 113, 114)
DRIFT_DEG_PER_HOUR = 30.0
HOURS = 12.0
SETTINGS = CalibrateSettings()


@pytest.fixture(scope="module")
def group(tmp_path_factory):
    """A field without a calibrator, in which the phases of the outriggers drift."""
    directory = tmp_path_factory.mktemp("tie")
    group = observe_calibrator(directory, 0.6, field=40, antennas=CORE + OUTRIGGERS)
    with OpenMs(group.ms, writable=True) as opened:
        info = opened.info
        hours = (info.times_mjd - info.times_mjd.mean()) * 24
        for time in range(info.n_times):
            turn = np.exp(1j * np.radians(drift_deg(info) * hours[time]))
            data = opened.read("DATA", time)
            data *= (turn[info.antenna1] * turn[info.antenna2].conj())[:, None, None]
            opened.write("DATA", time, data.astype(np.complex64))
    return group


def drift_deg(info):
    """Drift of each antenna [deg/h]: of outriggers, one way or the other."""
    rates = np.zeros(len(info.antenna_names))
    for k, station in enumerate(OUTRIGGERS):
        rates[station - 1] = 0 if station == 103 else DRIFT_DEG_PER_HOUR * (-1) ** k * (1 - 0.1 * k)
    return rates


def earlier_set(group, hours=HOURS, late_s=0.0):
    """K, B and G as a transit so many hours earlier gave them: true gains, phases of the outriggers then."""
    info = read_info(group.ms)
    n_antennas, rows = len(info.antenna_names), np.array(group.truth.antennas) - 1
    rows = np.sort(rows)
    then = float(info.times_mjd.mean()) - hours / 24
    true = group.gains([info.antenna_names[row] for row in rows], float(info.times_mjd.mean()), info.freq_hz)
    reference = rows.tolist().index(102)
    true = true * np.exp(-1j * np.angle(true[reference]))
    true = true * np.exp(-1j * np.radians(drift_deg(info)[rows] * hours))[:, None, None]

    def table(kind, values, freq_hz):
        shape = (1, n_antennas, freq_hz.size, 2)
        flags = np.ones(shape, bool)
        flags[:, rows] = False
        everything = np.zeros(shape) if kind == "K" else np.ones(shape, complex)
        everything[0, rows] = values
        return Solutions(
            kind=kind,
            times_mjd=np.array([then]),
            interval_s=np.array([300.0]),
            freq_hz=freq_hz,
            channel_width_hz=info.channel_width_hz,
            values=everything,
            error=np.full(shape, 1e-12 if kind == "K" else 1e-3, np.float32),
            snr=np.full(shape, 100.0, np.float32),
            flags=flags,
            reference_antenna=102,
            antenna_names=info.antenna_names,
            field_name="earlier",
            field_direction_deg=(0.0, 54.0),
        )

    middle = np.array([info.freq_hz.mean()])
    delays = np.zeros((rows.size, 1, 2))
    delays[rows == 112] = late_s
    return [
        table("K", delays, middle),
        table("B", true, info.freq_hz),
        table("G", np.ones((rows.size, 1, 2), complex), middle),
    ]


def fluxes(group, tables, catalogue, n_sources=4):
    """Measured over true flux densities of the brightest sources, and errors."""
    fit = FluxFit(n_sources + 1)
    with OpenMs(group.ms) as opened:
        info = opened.info
        pointing = Pointing(info.site, pointing_dec_rad(group.ms), AiryBeam(), info.phase_centre_deg)
        everything = sky_model(None, catalogue, info.freq_hz)
        _, apparent = everything.apparent(float(info.times_mjd[12]), pointing, info.freq_hz)
        order = np.argsort(-apparent.mean(axis=1))
        parts = [order[k : k + 1] for k in range(n_sources)] + [order[n_sources:]]
        cross = np.flatnonzero(info.is_cross)
        pairs = (info.antenna1[cross].astype(np.int64), info.antenna2[cross].astype(np.int64))
        for time in range(0, info.n_times, 2):
            mjd = float(info.times_mjd[time])
            gain = 1.0
            for item in tables:
                nearest = int(np.abs(item.times_mjd - mjd).argmin())
                gain = gain * item.gains(info.freq_hz)[nearest]
            product = gain[pairs[0]] * gain[pairs[1]].conj()
            data = opened.read("DATA", time)[0, cross] / product
            weight = np.where(opened.read("FLAG", time)[0, cross], 0, np.abs(product) ** 2)
            models = [
                predict_integration(
                    type(everything)(everything.ra_deg[part], everything.dec_deg[part], everything.flux_jy[part]),
                    mjd, pointing, info.antenna_itrf_m, pairs, info.freq_hz,
                )[..., None]
                for part in parts
            ]  # fmt: skip
            fit.add(data, weight, models)
    ratio, _ = fit.solve()
    return ratio[:n_sources]


@pytest.fixture(scope="module")
def catalogue(group):
    return read_sources(group.ms.parents[1] / "sky.json")


@pytest.fixture(scope="module")
def tie(group, catalogue):
    return tie_to_sky(group.ms, earlier_set(group, late_s=3e-9), catalogue, SETTINGS)


def test_fluxes_are_right_although_the_outriggers_drifted_by_whole_turns(group, catalogue, tie):
    before = fluxes(group, earlier_set(group, late_s=3e-9), catalogue)
    assert np.abs(before - 1).max() > 0.1
    after = fluxes(group, tie.tables, catalogue)
    np.testing.assert_allclose(after, 1.0, atol=0.03)


def test_the_tie_is_accepted_and_says_what_it_did(tie):
    assert tie.accepted, tie.reasons
    measures = tie.measures
    assert measures.tied == len(CORE) + len(OUTRIGGERS)
    assert measures.rms_after < measures.rms_before
    assert measures.rms_after == pytest.approx(1, abs=0.01)
    assert abs(measures.flux_change) < 0.01
    assert measures.shift_arcsec < 0.5
    assert measures.largest_deg > 90
    assert any("tied to the sky" in line for line in tie.gains.history)
    assert tie.gains.facts["tie"]["accepted"]


def test_a_tie_is_judged_as_any_set_is(group, tie):
    found = tie.as_set()
    assert found.residuals.thermal_jy == pytest.approx(2.59, rel=0.02)
    assert found.residuals.closure_deg < 5
    verdict = judge(found, read_info(group.ms))
    assert verdict.verdict is not Verdict.BAD, verdict.reasons


def test_phases_and_delays_are_those_of_the_drift(group, tie):
    info = read_info(group.ms)
    assert tie.gains.times_mjd.size == 5
    hours = (tie.gains.times_mjd - info.times_mjd.mean()) * 24
    rows = tie.gains.working
    rates = drift_deg(info)[rows]
    wanted = rates * (hours[:, None] + HOURS)
    found = np.degrees(np.angle(tie.gains.values[:, rows, 0] * np.exp(-1j * np.radians(wanted))[..., None]))
    late = rows == 112
    assert np.sqrt(np.mean(found[:, ~late] ** 2)) < 2.0
    assert tie.delays.values[0, 112, 0] == pytest.approx(0.0, abs=0.2e-9)
    assert np.abs(tie.gains.values).max() == pytest.approx(1, abs=1e-9)


def test_the_set_itself_is_left_as_it_was(group, catalogue):
    tables = earlier_set(group)
    copies = [table.values.copy() for table in tables]
    tie_to_sky(group.ms, tables, catalogue, SETTINGS)
    for table, copy in zip(tables, copies, strict=True):
        np.testing.assert_array_equal(table.values, copy)


def test_a_shifted_catalogue_is_not_followed(group, catalogue):
    shifted = catalogue._replace(dec_deg=catalogue.dec_deg + 3 / 3600)
    found = tie_to_sky(group.ms, earlier_set(group, hours=0.0), shifted, SETTINGS)
    assert not found.accepted
    assert any("arcsec" in reason for reason in found.reasons)
    assert found.measures.shift_arcsec == pytest.approx(3.0, abs=0.5)


def test_amplitudes_that_would_change_the_flux_scale_are_not_accepted(group, catalogue):
    brighter = catalogue._replace(flux_jy=catalogue.flux_jy * 1.2)
    kept = tie_to_sky(group.ms, earlier_set(group, hours=0.0), brighter, SETTINGS)
    assert kept.measures.flux_change == pytest.approx(0, abs=0.01)
    followed = tie_to_sky(group.ms, earlier_set(group, hours=0.0), brighter, SETTINGS, amplitude=True)
    assert not followed.accepted
    assert followed.measures.flux_change == pytest.approx(0.2, abs=0.03)


def test_an_empty_sky_ties_nothing(group):
    info = read_info(group.ms)
    ra_deg, dec_deg = info.phase_centre_deg
    faint = PointSources(*(np.array([value]) for value in (ra_deg, dec_deg + 0.5, 1e-4, -0.7)))
    found = tie_to_sky(group.ms, earlier_set(group, hours=0.0), faint, SETTINGS)
    assert not found.accepted


def test_a_set_without_a_bandpass_is_refused(group, catalogue):
    tables = earlier_set(group)
    with pytest.raises(CalibrationError, match="one table B"):
        tie_to_sky(group.ms, [tables[0], tables[2]], catalogue, SETTINGS)
