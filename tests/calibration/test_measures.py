"""Sets measured: what is wrong is seen, in which antenna, and nothing else is."""

import json
import re

import numpy as np
import pytest

from dsa110_contimg.calibration.measures import measure
from dsa110_contimg.calibration.residuals import Residuals
from solution_sets import changed, healthy_set, without


def test_a_healthy_array_has_nothing_odd_and_its_noise_is_measured():
    k, b, g = healthy_set(noise=0.02, n_antennas=30)
    judged = measure(k, b, g)
    assert judged.antennas == {}
    assert judged.measures.flagged == 0
    assert judged.measures.amplitude_scatter == pytest.approx(0.02 / np.sqrt(0.25) * 0.5, rel=0.3)
    assert judged.measures.phase_scatter_deg == pytest.approx(np.degrees(0.02), rel=0.3)
    assert judged.measures.gain_phase_scatter_deg == pytest.approx(np.degrees(0.002), rel=0.3)
    assert np.isnan(judged.measures.closure_deg)


def test_residuals_are_taken_over():
    found = measure(*healthy_set(), Residuals(2.6, 2.0, 0.4, 1000)).measures
    assert (found.residual_ratio, found.closure_deg) == (1.3, 0.4)


def test_a_deaf_polarization_is_named():
    k, b, g = healthy_set()
    judged = measure(k, changed(b, np.s_[:, 4, :, 1], 0.1), g)
    (said,) = judged.antennas["5"]
    assert said.startswith("deaf in Y")
    assert list(judged.antennas) == ["5"]


def test_a_long_delay_and_a_jump_since_yesterday_are_named():
    k, b, g = healthy_set()
    assert measure(changed(k, np.s_[:, 7, :, :], 300e-9), b, g).antennas == {}
    far = measure(changed(k, np.s_[:, 7, :, 0], 600e-9), b, g)
    assert "delay is" in far.antennas["8"][0]
    jumped = measure(changed(k, np.s_[:, 3, :, :], 8e-9), b, g, previous_delays=k)
    assert "jumped by +8.0 ns" in jumped.antennas["4"][0]
    assert jumped.measures.delay_outliers == pytest.approx(1 / 12)


def test_another_reference_antenna_is_no_jump():
    k, b, g = healthy_set()
    assert measure(changed(k, np.s_[:], 12e-9), b, g, previous_delays=k).antennas == {}


def test_a_noisy_bandpass_is_named():
    k, b, g = healthy_set()
    rng = np.random.default_rng(1)
    noise = np.exp(1j * rng.normal(0, 0.4, b.values[:, 2].shape))
    judged = measure(k, changed(b, np.s_[:, 2], noise), g)
    assert "scatters by" in judged.antennas["3"][0]
    assert list(judged.antennas) == ["3"]


def test_a_phase_that_drifts_is_named_and_asked_about():
    k, b, g = healthy_set()
    drift = np.exp(1j * np.radians(np.linspace(-30, 30, 8)))[:, None]
    judged = measure(k, b, changed(g, np.s_[:, 6, 0], drift))
    assert re.search(r"drifts by \+(5[6-9]|6[0-4]) deg", judged.antennas["7"][0])
    assert "position" in judged.antennas["7"][0]
    assert list(judged.antennas) == ["7"]


def test_lost_solutions_count_and_antennas_without_data_do_not():
    k, b, g = healthy_set()
    half = without(b, np.s_[:, 3, :70])
    judged = measure(k, half, g)
    assert judged.measures.flagged == pytest.approx(70 / 96 / 12)
    assert "lost" in judged.antennas["4"][0]
    dead = without(b, np.s_[:, 3])
    assert measure(k, dead, g).measures.flagged == 0
    assert measure(k, dead, g, working=np.arange(12)).measures.flagged == pytest.approx(1 / 12)


def test_a_set_with_nothing_in_it_can_be_measured():
    k, b, g = (without(table, np.s_[:]) for table in healthy_set())
    judged = measure(k, b, g)
    assert (judged.measures.flagged, judged.measures.snr) == (1.0, 0.0)
    text = json.dumps(judged.as_json(), allow_nan=False)
    assert json.loads(text)["measures"]["phase_scatter_deg"] is None
