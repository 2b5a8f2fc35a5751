"""A Measurement Set as a solver takes it: its baselines, what is left out, its weights; sums over it."""

import numpy as np
import pytest

from calibrator_group import observe_calibrator
from dsa110_contimg.calibration.observed import Observed, baselines_of, integrations, left_out
from dsa110_contimg.calibration.sky_model import Pointing, sky_model
from dsa110_contimg.calibration.sums import Refined, Sums
from dsa110_contimg.config.settings import CalibrateSettings
from dsa110_contimg.errors import CalibrationError
from dsa110_contimg.ms.columns import OpenMs, pointing_dec_rad
from dsa110_contimg.telescope.beams import AiryBeam

ANTENNAS = (1, 2, 14, 45, 103, 113)


@pytest.fixture(scope="module")
def observed(tmp_path_factory):
    group = observe_calibrator(
        tmp_path_factory.mktemp("observed"), 30.0, field=0, antennas=ANTENNAS, integrations=3, gains=None
    )
    with OpenMs(group.ms) as opened:
        info = opened.info
        pointing = Pointing(info.site, pointing_dec_rad(group.ms), AiryBeam(), info.phase_centre_deg)
        yield Observed(opened, pointing, sky_model(group.calibrator, None, info.freq_hz))


def taken(observed, **settings):
    baselines = baselines_of(observed.info)
    return baselines, list(integrations(observed, baselines, CalibrateSettings(**settings)))


def test_baselines_are_the_cross_correlations_of_those_that_observe(observed):
    baselines = baselines_of(observed.info)
    assert (baselines.antennas + 1).tolist() == sorted(ANTENNAS)
    assert baselines.rows.size == 15
    info = observed.info
    assert (baselines.antennas[baselines.first] == info.antenna1[baselines.rows]).all()
    assert (baselines.antennas[baselines.second] == info.antenna2[baselines.rows]).all()
    assert (info.antenna1[baselines.auto_rows] == baselines.antennas).all()
    assert (info.antenna2[baselines.auto_rows] == baselines.antennas).all()


def test_integrations_come_in_order_and_fit_their_model(observed):
    baselines, found = taken(observed, min_uv_m=0.0)
    assert [item.time for item in found] == [0, 1, 2]
    for item in found:
        sample = item.sample
        data = sample.data[baselines.rows]
        # Gains are 1, noise is that of the SEFD.
        weight = sample.sensitivity[baselines.first] * sample.sensitivity[baselines.second]
        pull = (data - sample.model[..., None]) * np.sqrt(weight)
        used = weight > 0
        assert np.std(pull.real[used]) == pytest.approx(1, abs=0.02)
        assert abs(pull[used].mean()) < 0.02
        assert np.median(item.power) == pytest.approx(6530, rel=0.01)


def test_short_and_long_baselines_are_left_out(observed):
    _, found = taken(observed)
    info = observed.info
    length_m = np.linalg.norm(info.antenna_itrf_m[info.antenna1] - info.antenna_itrf_m[info.antenna2], axis=1)[
        baselines_of(info).rows
    ]
    assert not found[0].sample.used[length_m < 50].any()
    assert found[0].sample.used[length_m > 200].all()
    _, found = taken(observed, max_uv_m=400.0)
    assert not found[0].sample.used[length_m > 900].any()
    with pytest.raises(CalibrationError, match="no baseline is from 5000"):
        taken(observed, min_uv_m=5000.0)


def test_hydrogen_has_no_weight(observed):
    freq_hz = observed.info.freq_hz
    skipped = left_out(freq_hz, CalibrateSettings())
    assert (np.abs(freq_hz[skipped] - 1420.4e6) < 0.85e6).all()
    assert skipped.sum() == 6
    _, found = taken(observed)
    assert (found[0].sample.sensitivity[:, skipped] == 0).all()
    assert not left_out(freq_hz, CalibrateSettings(leave_out_mhz=())).any()


def test_even_weights_are_alike_and_in_units_of_the_noise(observed):
    _, found = taken(observed, weights="uniform", leave_out_mhz=())
    sense = found[0].sample.sensitivity
    assert np.ptp(sense) == 0
    assert 1 / sense[0, 0, 0] == pytest.approx(2.59, rel=0.01)


def test_sums_are_over_what_is_not_flagged(observed):
    baselines, found = taken(observed, min_uv_m=0.0)
    sample = found[0].sample
    sample.flags[baselines.rows[3], 5:9] = True
    sample.data[baselines.rows[4], 7, 1] = np.nan
    sums = Sums.empty(baselines.rows.size, sample.data.shape[1], 2)
    sums.add(baselines, sample)
    weight = sample.sensitivity[baselines.first] * sample.sensitivity[baselines.second]
    good = ~sample.flags[baselines.rows] & np.isfinite(sample.data[baselines.rows])
    model = sample.model[..., None]
    np.testing.assert_allclose(sums.power, np.where(good, weight * np.abs(model) ** 2, 0), rtol=1e-5)
    expected = np.where(good, weight * np.nan_to_num(sample.data[baselines.rows]) * model.conj(), 0)
    np.testing.assert_allclose(sums.cross, expected, rtol=1e-4, atol=1e-3)


def test_a_wild_sample_loses_its_weight_in_the_second_look(observed):
    baselines, found = taken(observed, min_uv_m=0.0)
    sample = found[1].sample
    sample.data[baselines.rows[2], 100, 0] += 1e5
    gains = np.ones((baselines.antennas.size, sample.data.shape[1], 2), np.complex64)
    looks = {}
    for robust in (True, False):
        looks[robust] = Refined.empty(baselines.rows.size, 3, sample.data.shape[1], 2)
        looks[robust].add(baselines, sample, 1, gains, robust=robust)
    flux = {robust: look.band.cross[2, 100, 0] / look.band.power[2, 100, 0] for robust, look in looks.items()}
    assert abs(flux[False]) > 1e3
    assert looks[True].band.power[2, 100, 0] < 1e-6 * looks[False].band.power[2, 100, 0]
    times = looks[True].times
    assert abs(times.cross[2, 1, 0] / times.power[2, 1, 0] - 1) < 0.05
    assert (times.power[:, [0, 2]] == 0).all()
