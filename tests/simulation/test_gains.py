"""Gains of the antennas: their size, their delays, and that they know the time but no group."""

import json

import numpy as np
import pytest

from dsa110_contimg.simulation.array import outriggers
from dsa110_contimg.simulation.gains import gains_from_json, random_gains, unit_gains
from dsa110_contimg.telescope.band import INTEGRATION_S, band_frequencies_hz

STATIONS = [24, 103, 11, 50, 102, 116, 3, 77, 109, 36]
MJD = 60953.5


def test_unit_gains_are_exactly_one():
    assert (unit_gains(3).at(MJD, band_frequencies_hz()) == 1.0).all()


def test_they_are_what_they_were_whoever_else_observes():
    every, some = random_gains(7, STATIONS), random_gains(7, STATIONS[2:5])
    assert np.array_equal(every.at(MJD, band_frequencies_hz())[:, 2:4], some.at(MJD, band_frequencies_hz())[:, :2])
    assert not np.array_equal(every.amplitude, random_gains(8, STATIONS).amplitude)


def test_delays():
    delay_s = random_gains(7, STATIONS).delay_s
    slow = np.abs(delay_s) > 20e-9
    assert delay_s[slow] == pytest.approx([300e-9, 300e-9])
    assert (slow.sum(axis=1) == 1).all()
    assert STATIONS[int(np.argmax(slow[0]))] in outriggers()
    assert np.ptp(delay_s[~slow]) > 20e-9


def test_without_outriggers_no_delay_is_long():
    assert np.abs(random_gains(7, [3, 11, 24]).delay_s).max() <= 20e-9


def test_the_phase_slope_is_the_delay():
    gains = random_gains(7, STATIONS)._replace(ripple_rad=np.zeros((2, len(STATIONS), 3)))
    freq_hz = band_frequencies_hz()
    phase = np.unwrap(np.angle(gains.at(MJD, freq_hz)), axis=-1)
    slope = np.polyfit(freq_hz - freq_hz.mean(), phase.reshape(-1, freq_hz.size).T, 1)[0]
    assert slope.reshape(2, -1) / (2 * np.pi) == pytest.approx(gains.delay_s, rel=1e-6)


def test_the_bandpass_ripples_by_some_fifteen_per_cent():
    amplitude = np.abs(random_gains(7, STATIONS).at(MJD, band_frequencies_hz()))
    relative = amplitude / amplitude.mean(axis=-1, keepdims=True)
    assert np.ptp(relative, axis=-1).min() > 0.05
    assert 0.15 < np.median(np.ptp(relative, axis=-1)) < 0.45
    assert amplitude.min() > 0.2


def test_the_drift_is_continuous_over_groups_and_goes_on_for_hours():
    gains, freq_hz = random_gains(7, STATIONS), np.array([1.4e9])
    integrations = MJD + np.arange(3 * 24) * INTEGRATION_S / 86400
    track = np.array([gains.at(mjd, freq_hz)[..., 0] for mjd in integrations])
    steps = np.abs(np.diff(track, axis=0) / track[:-1])
    # Where one group ends and the next begins the step is as small as any other.
    assert steps[[23, 47]].max() < 1.01 * steps.max() < 3e-3
    later = gains.at(MJD + 0.2, freq_hz)[..., 0] / track[0]
    assert 0.05 < np.std(np.angle(later)) < 1.0


def test_json_round_trip():
    gains = random_gains(3, STATIONS)
    again = gains_from_json(json.loads(json.dumps(gains.as_json())))
    assert np.array_equal(again.at(MJD, band_frequencies_hz()), gains.at(MJD, band_frequencies_hz()))
    assert np.array_equal(gains_from_json(unit_gains(2).as_json()).at(MJD, np.array([1e9])), np.ones((2, 2, 1)))
