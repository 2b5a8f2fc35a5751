"""Solutions as gains: the sign of a delay, what fits together and what does not."""

from dataclasses import replace

import numpy as np
import pytest

from dsa110_contimg.calibration.solutions import Solutions

FREQ_HZ = 1.4e9 + np.arange(5) * 1e6


def solutions(kind="B", **changes):
    shape = (2, 3, 5 if kind == "B" else 1, 2)
    facts = {
        "kind": kind,
        "times_mjd": np.array([60000.0, 60000.5]),
        "interval_s": np.array([300.0, 300.0]),
        "freq_hz": FREQ_HZ[: shape[2]],
        "channel_width_hz": 1e6,
        "values": np.full(shape, 2e-9) if kind == "K" else np.full(shape, 2j),
        "error": np.zeros(shape, np.float32),
        "snr": np.ones(shape, np.float32),
        "flags": np.zeros(shape, bool),
        "reference_antenna": 1,
        "antenna_names": ("1", "2", "3"),
        "field_name": "3C286",
        "field_direction_deg": (202.78, 30.51),
    }
    return Solutions(**(facts | changes))


def test_a_delay_turns_from_the_first_channel_on():
    gains = solutions("K").gains(FREQ_HZ)
    assert gains.shape == (2, 3, 5, 2)
    np.testing.assert_allclose(np.angle(gains[0, 0, :, 0]), 2 * np.pi * 2e-9 * np.arange(5) * 1e6, atol=1e-12)


def test_a_gain_is_that_of_all_channels():
    np.testing.assert_array_equal(solutions("G").gains(FREQ_HZ), np.full((2, 3, 5, 2), 2j))


def test_a_bandpass_has_its_own_channels():
    assert solutions().gains(FREQ_HZ).shape == (2, 3, 5, 2)
    with pytest.raises(ValueError, match="other channels"):
        solutions().gains(FREQ_HZ + 1e5)


def test_working_antennas_have_a_solution():
    flags = np.zeros((2, 3, 5, 2), bool)
    flags[:, 1] = True
    flags[:, 2, :, 0] = True
    assert solutions(flags=flags).working.tolist() == [0, 2]


@pytest.mark.parametrize(
    "changes",
    [
        {"error": np.zeros((2, 3, 5, 1), np.float32)},
        {"values": np.ones((2, 3, 5, 2))},
        {"interval_s": np.ones(3)},
        {"reference_antenna": 3},
        {"kind": "D"},
    ],
)
def test_what_does_not_fit_together_is_refused(changes):
    with pytest.raises(ValueError, match=r"\w"):
        replace(solutions(), **changes)
