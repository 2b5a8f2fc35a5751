"""What can be asked for, and how it is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dsa110_contimg.errors import ContimgError, UsageError
from dsa110_contimg.simulation.options import SimulationOptions, parse_antennas, parse_floats, parse_numbers


def test_defaults_are_a_full_group_with_noise():
    options = SimulationOptions()
    assert (options.antennas, options.integrations, options.subbands) == (96, 24, tuple(range(16)))
    assert options.noise == "auto"
    assert options.start.isoformat() == "2025-10-05T12:30:00+00:00"


@pytest.mark.parametrize(
    "wrong",
    [
        {"groups": 0},
        {"dec_deg": 91},
        {"subbands": (16,)},
        {"noise": -1},
        {"noise": "some"},
        {"oversample": 0},
        {"start": "2025-10-05T12:30:00"},
        {"swapped": (1, 2, 3)},
        {"colour": "red"},
    ],
)
def test_what_cannot_be_asked_for(wrong):
    with pytest.raises(ValidationError):
        SimulationOptions(**wrong)


def test_a_beam_that_does_not_exist():
    with pytest.raises((ValidationError, ContimgError), match="beam model"):
        SimulationOptions(beam="square")


@given(st.lists(st.integers(0, 999), min_size=1))
def test_numbers_round_trip(numbers):
    assert parse_numbers(",".join(map(str, numbers))) == tuple(numbers)


def test_ranges_and_counts():
    assert parse_numbers("0, 3,8-11") == (0, 3, 8, 9, 10, 11)
    assert parse_antennas("12") == 12
    assert parse_antennas("24,103,1-3") == (24, 103, 1, 2, 3)
    assert parse_floats("-0.5,1e1", 2) == (-0.5, 10.0)


@pytest.mark.parametrize("text", ["", "a", "1,", "1-", "-1", "1.5", "1-2-3"])
def test_what_is_not_a_list_of_numbers(text):
    with pytest.raises(UsageError, match="list of numbers"):
        parse_numbers(text)


@pytest.mark.parametrize("text", ["", "1", "1,2,3", "1,x"])
def test_what_is_not_two_numbers(text):
    with pytest.raises(UsageError, match="2 numbers"):
        parse_floats(text, 2)
