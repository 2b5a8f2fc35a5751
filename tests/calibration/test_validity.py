"""How long a set may be used."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsa110_contimg.calibration.validity import breaks, turning_points, validity
from dsa110_contimg.telescope.band import INTEGRATION_S, INTEGRATIONS_PER_GROUP
from dsa110_contimg.telescope.correlator import CorrelatorState

GROUP_D = INTEGRATIONS_PER_GROUP * INTEGRATION_S / 86400
FIRST = CorrelatorState(60953.123456, INTEGRATION_S, 54.57, "ab", "cd")
CHANGES = {
    "restarted": lambda state: state._replace(start_mjd=state.start_mjd + 5.0 / 86400),
    "order": lambda state: state._replace(antenna_order="ba"),
    "delays": lambda state: state._replace(applied_delays="dc"),
    "moved": lambda state: state._replace(dec_deg=16.27),
}


def group(n):
    """The n-th group of a run, counted from the first."""
    return FIRST._replace(start_mjd=FIRST.start_mjd + n * GROUP_D)


def test_a_set_reaches_a_day_both_ways_when_nothing_changes():
    found = validity(FIRST.start_mjd + 0.001, FIRST, [group(n) for n in range(-300, 300)])
    assert found.covers(FIRST.start_mjd - 0.99)
    assert found.covers(FIRST.start_mjd + 0.99)
    assert not found.covers(FIRST.start_mjd + 1.01)
    assert "24 h" in found.start_why


@pytest.mark.parametrize("word", CHANGES)
def test_it_ends_at_the_first_group_after_a_change_and_begins_after_the_last_before(word):
    states = [CHANGES[word](group(n)) if n >= 30 or n < -20 else group(n) for n in range(-100, 100)]
    found = validity(FIRST.start_mjd, FIRST, states[::-1])
    assert found.end_mjd == states[130].start_mjd
    assert found.start_mjd == group(-20).start_mjd
    assert word in found.end_why
    assert word in found.start_why
    assert found.covers(group(29).start_mjd)
    assert not found.covers(group(-21).start_mjd)


def test_coming_back_does_not_revive_a_set():
    states = [group(n)._replace(dec_deg=16.27) if 10 <= n < 20 else group(n) for n in range(100)]
    assert not validity(FIRST.start_mjd, FIRST, states).covers(group(50).start_mjd)
    assert [mjd for mjd, _ in breaks(states)] == [group(10).start_mjd, group(20).start_mjd]


@given(st.lists(st.sampled_from(["same", *CHANGES]), max_size=30), st.integers(0, 29))
def test_ranges_are_the_same_from_turning_points_alone(kinds, place):
    states = [group(n) if kind == "same" else CHANGES[kind](group(n)) for n, kind in enumerate(kinds)]
    own = group(place)
    states[place : place + 1] = [own]
    few = turning_points(states)
    assert len(few) <= len(states)
    assert validity(own.start_mjd, own, few) == validity(own.start_mjd, own, [*few, *states])


def test_nothing_has_no_turning_points_and_a_quiet_day_has_two():
    assert turning_points([]) == ()
    assert len(turning_points([group(n) for n in range(280)])) == 2
