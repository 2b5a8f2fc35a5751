"""Interference: where and when it is said to be, fixed to the ground, each antenna its own."""

import numpy as np
import pytest

from dsa110_contimg.simulation.array import choose_stations, correlator_baselines, observing_array
from dsa110_contimg.simulation.rfi import Emitter, Interference, Transmission, group_interference
from dsa110_contimg.telescope.band import CHANNEL_WIDTH_HZ, HEADER_SITE, INTEGRATION_S, band_frequencies_hz

DEC_RAD = np.radians(54.57)
STATIONS = choose_stations(12)
ARRAY = observing_array(STATIONS, HEADER_SITE)
FIRST, SECOND = correlator_baselines(len(STATIONS))
FREQ_HZ = band_frequencies_hz()
GROUP = group_interference(5, 0, 24, ARRAY, DEC_RAD, HEADER_SITE)


def received(interference, integration, freq_hz=FREQ_HZ):
    visibilities = np.zeros((2, FIRST.size, freq_hz.size), dtype=np.complex64)
    interference.add(visibilities, integration, freq_hz)
    return visibilities


def between(low_hz, high_hz, freq_hz=FREQ_HZ):
    return (freq_hz > low_hz) & (freq_hz < high_hz)


def test_there_is_some_of_each_kind():
    kinds = {
        one.emitter.kind
        for k in range(4)
        for one in group_interference(5, 24 * k, 24, ARRAY, DEC_RAD, HEADER_SITE).transmissions
    }
    assert kinds == {"narrow", "wide", "burst"}
    widths_hz = {one.emitter.kind: one.emitter.high_hz - one.emitter.low_hz for one in GROUP.transmissions}
    assert widths_hz["wide"] == pytest.approx(20e6, rel=0.01)
    assert widths_hz["narrow"] <= 3.01 * CHANNEL_WIDTH_HZ


def test_it_is_where_the_truth_says_and_nowhere_else():
    mask = np.zeros((24, FREQ_HZ.size), dtype=bool)
    for one in GROUP.as_json():
        mask[np.ix_(one["integrations"], between(one["low_hz"], one["high_hz"]))] = True
    there = np.array([np.abs(received(GROUP, t)).max(axis=(0, 1)) > 0 for t in range(24)])
    assert np.array_equal(there, mask)
    assert 0.005 < mask.mean() < 0.3
    assert np.abs(received(GROUP, GROUP.transmissions[0].integrations[0])).max() > 10.0


def test_subbands_together_are_the_band():
    t = GROUP.transmissions[0].integrations[0]
    halves = [received(GROUP, t, part) for part in np.split(FREQ_HZ, 2)]
    assert np.array_equal(np.concatenate(halves, axis=-1), received(GROUP, t))


def test_the_ground_does_not_move():
    # Fringestopped to one point of the meridian, an emitter on the ground has the same phase in every integration.
    emitter, integrations = next(one for one in GROUP.transmissions if len(one.integrations) > 3)
    alone = Interference([Transmission(emitter, integrations)], ARRAY, DEC_RAD, 5)
    assert np.array_equal(received(alone, integrations[0]), received(alone, integrations[-1]))


def emitter_at(east_m, north_m):
    latitude = np.radians(HEADER_SITE.latitude_deg)
    position = np.array([-north_m * np.sin(latitude), east_m, north_m * np.cos(latitude)])
    return Emitter("narrow", position, 1.39e9, 1.41e9, 100.0, (1.0, 1.0), 1.0, 0)


def test_the_phase_is_that_of_each_antennas_own_path():
    channel = FREQ_HZ[np.argmin(np.abs(FREQ_HZ - 1.4e9))][None]
    near, far = emitter_at(7e3, 2e3), emitter_at(-30e3, 9e3)
    # Side lobes are the same for emitters of one number: what differs is the path.
    one, other = (
        received(Interference([Transmission(e, (0,))], ARRAY, DEC_RAD, 1), 0, channel)[0, :, 0] for e in (near, far)
    )
    paths = [np.linalg.norm(ARRAY.nominal_m - e.position_m, axis=1) for e in (near, far)]
    path_m = [-(p[SECOND] - p[FIRST]) for p in paths]
    turned = np.exp(2j * np.pi * (path_m[0] - path_m[1]) * channel[0] / 299792458.0)
    strong = np.abs(one) > 1.0
    assert strong.sum() > 20
    assert np.abs(np.angle(one * np.conj(other) * np.conj(turned)))[strong].max() < 1e-2


def test_long_east_west_baselines_lose_it():
    emitter = emitter_at(9e3, 9e3)
    visibilities = received(Interference([Transmission(emitter, (0,))], ARRAY, DEC_RAD, 1), 0)
    inside = between(emitter.low_hz, emitter.high_hz)
    power = np.abs(visibilities[0][:, inside]).mean(axis=1)
    auto = power[FIRST == SECOND]
    coherence = power / np.sqrt(auto[FIRST] * auto[SECOND])
    east_m = ARRAY.nominal_m[SECOND, 1] - ARRAY.nominal_m[FIRST, 1]
    turns = east_m * np.cos(DEC_RAD) * 7.292115e-5 * INTEGRATION_S * 1.4e9 / 299792458.0
    assert coherence == pytest.approx(np.abs(np.sinc(turns)), abs=0.02)
    assert coherence.min() < 0.3


def test_emitters_stay_and_activity_changes():
    again = group_interference(5, 0, 24, ARRAY, DEC_RAD, HEADER_SITE)
    later = group_interference(5, 24, 24, ARRAY, DEC_RAD, HEADER_SITE)
    assert again.as_json() == GROUP.as_json()
    steady = [{one["low_hz"] for one in i.as_json() if one["kind"] == "narrow"} for i in (GROUP, later)]
    assert len(steady[0] & steady[1]) >= 6
    assert later.as_json() != GROUP.as_json()
    # A group that begins in the middle of another finds the same things on.
    part = group_interference(5, 12, 12, ARRAY, DEC_RAD, HEADER_SITE)
    assert np.array_equal(received(part, 3), received(GROUP, 15))
