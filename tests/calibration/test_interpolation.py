"""Gains between solutions, in time and along the band."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsa110_contimg.calibration.interpolation import GainCurve, join, refer
from dsa110_contimg.errors import CalibrationError
from made_solutions import make
from small_ms import describe

DESCRIPTION = describe(n_times=7, n_antennas=4, n_channels=24)
FREQ_HZ, TIMES = DESCRIPTION.freq_hz, DESCRIPTION.times_mjd


def two(kind, first, second, **changes):
    """Two solutions, alike for all, at the first and the last but one integration."""
    solutions = make(kind, DESCRIPTION, (0, 5), **changes)
    solutions.values[:] = np.array([first, second]).reshape(2, 1, 1, 1)
    return solutions


@given(st.floats(0.5, 2), st.floats(0.5, 2), st.floats(-np.pi, np.pi), st.floats(-1.5, 1.5), st.floats(0, 1))
@settings(max_examples=50, deadline=None)
def test_amplitude_and_phase_go_straight(a, b, phase, step, part):
    curve = GainCurve([two("G", a * np.exp(1j * phase), b * np.exp(1j * (phase + step)))], FREQ_HZ)
    found = curve.at(TIMES[0] + part * (TIMES[5] - TIMES[0])).values[0, 0, 0]
    assert found == pytest.approx((a + part * (b - a)) * np.exp(1j * (phase + part * step)), abs=1e-4)


def test_the_shorter_way_round():
    curve = GainCurve([two("G", np.exp(3.0j), np.exp(-3.0j))], FREQ_HZ)
    assert curve.at(TIMES[:6].mean()).values[0, 0, 0] == pytest.approx(-1)


def test_a_phase_that_went_far_is_that_of_the_nearer_solution():
    curve = GainCurve([two("G", 1.0, 2.0 * np.exp(2.0j))], FREQ_HZ, max_phase_step_deg=90.0)
    assert curve.at(TIMES[2]).values[0, 0, 0] == pytest.approx(1.4)
    assert curve.at(TIMES[3]).values[0, 0, 0] == pytest.approx(1.6 * np.exp(2.0j))
    curve = GainCurve([two("G", 1.0, 2.0 * np.exp(2.0j))], FREQ_HZ, max_phase_step_deg=180.0)
    assert curve.at(TIMES[2]).values[0, 0, 0] == pytest.approx(1.4 * np.exp(0.8j), abs=1e-5)


def test_the_band_goes_one_way():
    b = make("B", DESCRIPTION, (0, 5))
    b.values[0] = 1
    b.values[1] = np.exp(1j * np.radians(np.linspace(80, 98, 24)))[:, None]
    middle = TIMES[:6].mean() - 1e-6
    found = np.degrees(np.angle(GainCurve([b], FREQ_HZ).at(middle).values[0, :, 0]))
    np.testing.assert_allclose(found, np.linspace(40, 49, 24), atol=1)
    b.values[1] *= np.exp(1j * np.radians(5))
    np.testing.assert_allclose(GainCurve([b], FREQ_HZ).at(middle).values[:4], 1)


@pytest.mark.parametrize(("time", "nearest"), [(-3.0, 0), (0.0, 0), (5.0, 1), (9.0, 1)])
def test_beyond_the_ends_the_nearest_holds(time, nearest):
    solutions = make("G", DESCRIPTION, (0, 5))
    moment = TIMES[0] + time * DESCRIPTION.interval_s / 86400
    found = GainCurve([solutions], FREQ_HZ).at(moment)
    np.testing.assert_allclose(found.values[:4, 0], solutions.values[nearest, :4, 0], rtol=1e-6)


def test_delays_turn_about_the_middle_of_the_band():
    found = GainCurve([two("K", 10e-9, 20e-9)], FREQ_HZ).at(TIMES[1]).values[0, :, 0]
    turns = 12e-9 * (FREQ_HZ - FREQ_HZ.mean())
    np.testing.assert_allclose(found, np.exp(2j * np.pi * turns), atol=1e-5)


def test_the_kinds_multiply_and_so_do_their_holes():
    k, b, g = (make(kind, DESCRIPTION) for kind in "KBG")
    b.flags[0, 2, -1] = True
    curve = GainCurve([k, b, g], FREQ_HZ)
    found = curve.at(TIMES[3])
    expected = k.gains(FREQ_HZ) * b.gains(FREQ_HZ) * g.gains(FREQ_HZ)
    assert curve.is_constant
    assert found.missing[2, -1].all()
    assert not found.missing[:4].all(axis=(0, 2)).any()
    assert found.missing[4:].all()
    good = ~found.missing
    np.testing.assert_allclose(found.values[good], expected[0][good], rtol=1e-12)


def test_a_flagged_solution_is_passed_over():
    solutions = make("G", DESCRIPTION, (0, 3, 6))
    solutions.flags[1, 2, 0, 0] = True
    solutions.flags[0, 1] = solutions.flags[2, 1] = True
    solutions.flags[:, 3] = True
    found = GainCurve([solutions], FREQ_HZ).at(TIMES[3])
    mean = np.abs(solutions.values[[0, 2], 2, 0, 0]).mean()
    assert np.abs(found.values[2, 0, 0]) == pytest.approx(mean)
    np.testing.assert_allclose(GainCurve([solutions], FREQ_HZ).at(TIMES[0]).values[1], solutions.values[1, 1])
    assert found.missing[3].all()
    assert (found.values[3] == 1).all()


def test_a_channel_is_missing_if_it_is_at_either_side():
    b = make("B", DESCRIPTION, (0, 5))
    b.flags[1, 0, 3] = True
    b.flags[1, 2] = True
    curve = GainCurve([b], FREQ_HZ, max_gap_hz=0)
    assert np.flatnonzero(curve.at(TIMES[2]).missing[0, :, 0]).tolist() == [3]
    assert not curve.at(TIMES[0] - 1).missing[0].any()
    # An antenna that is missing altogether has the gains that it had.
    np.testing.assert_allclose(curve.at(TIMES[4]).values[2], b.values[0, 2])


def straight_band(**changes):
    b = make("B", DESCRIPTION, **changes)
    b.values[:] = (np.linspace(1, 2, 24) * np.exp(1j * np.linspace(-6, 6, 24)))[:, None]
    return b


def test_narrow_gaps_of_the_band_are_bridged():
    b = straight_band()
    expected = b.values[0, 0, :, 0].copy()
    b.flags[:, :, 3:5] = b.flags[:, :, 10:13] = b.flags[:, :, :1] = b.flags[:, :, -2:] = True
    b.values[:] = np.where(b.flags, 99, b.values)
    found = GainCurve([b], FREQ_HZ, max_gap_hz=2e6).at(TIMES[0])
    known = np.setdiff1d(np.arange(24), [0, 10, 11, 12, 22, 23])
    assert np.flatnonzero(~found.missing[0, :, 0]).tolist() == known.tolist()
    np.testing.assert_allclose(found.values[0, known, 0], expected[known], rtol=1e-9)
    assert GainCurve([b], FREQ_HZ, max_gap_hz=0).at(TIMES[0]).missing[0, :, 0].sum() == 8


def test_averaged_channels_take_the_band_between():
    averaged_hz = FREQ_HZ.reshape(-1, 4).mean(axis=1)
    found = GainCurve([straight_band()], averaged_hz).at(TIMES[0])
    expected = np.interp(averaged_hz, FREQ_HZ, np.linspace(-6, 6, 24))
    assert not found.missing[:4].any()
    np.testing.assert_allclose(np.angle(found.values[0, :, 0] * np.exp(-1j * expected)), 0, atol=1e-9)


def test_other_channels():
    with pytest.raises(CalibrationError, match="none of these channels"):
        GainCurve([straight_band()], FREQ_HZ + 1e9)


def test_one_of_each_kind():
    g = make("G", DESCRIPTION)
    with pytest.raises(CalibrationError, match="not none"):
        GainCurve([], FREQ_HZ)
    with pytest.raises(CalibrationError, match="not G, G"):
        GainCurve([g, g], FREQ_HZ)
    with pytest.raises(CalibrationError, match="different antennas"):
        GainCurve([g, make("B", DESCRIPTION, antenna_names=tuple("abc") + g.antenna_names[3:])], FREQ_HZ)


@pytest.mark.parametrize("kind", ["K", "B", "G"])
def test_another_reference_antenna_changes_no_baseline(kind):
    solutions = make(kind, DESCRIPTION, (0, 5))
    turned = refer(solutions, 3)
    was, now = solutions.gains(FREQ_HZ)[:, :4], turned.gains(FREQ_HZ)[:, :4]
    np.testing.assert_allclose(now * now[:, :1].conj(), was * was[:, :1].conj(), atol=1e-9)
    np.testing.assert_allclose(np.angle(now[:, 3]), 0, atol=1e-9)
    assert turned.reference_antenna == 3
    with pytest.raises(CalibrationError, match="no solution"):
        refer(solutions, 50)


def test_two_sets_are_one_curve():
    early, late = make("G", DESCRIPTION, (0,)), refer(make("G", DESCRIPTION, (6,), seed=2), 2)
    for joined in (join(early, late), refer(join(late, early), 1)):
        assert joined.times_mjd.tolist() == [TIMES[0], TIMES[6]]
        expected = [early.values[0], refer(late, 1).values[0]]
        np.testing.assert_allclose(np.abs(joined.values[:, :4]), np.abs(expected)[:, :4])
        np.testing.assert_allclose(
            joined.values[1, 0] * joined.values[1, 3].conj(), late.values[0, 0] * late.values[0, 3].conj()
        )
    with pytest.raises(CalibrationError, match="different axes"):
        join(early, make("B", DESCRIPTION))
