"""How the telescope stood for a group."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsa110_contimg.telescope.band import INTEGRATION_S, INTEGRATIONS_PER_GROUP
from dsa110_contimg.telescope.correlator import CorrelatorState, digest

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


@given(st.integers(-600, 600))
def test_groups_of_one_run_are_alike_however_far_apart(n):
    assert FIRST.changes(group(n)) == ()


@pytest.mark.parametrize("word", CHANGES)
def test_each_change_is_seen_and_named(word):
    (said,) = FIRST.changes(CHANGES[word](group(40)))
    assert word in said


def test_a_pointing_that_is_stale_by_a_hair_is_the_same_strip():
    assert FIRST.changes(group(1)._replace(dec_deg=54.62)) == ()


def test_a_state_goes_through_json():
    assert CorrelatorState.from_json(FIRST._asdict() | {"more": 1}) == FIRST
    with pytest.raises(KeyError):
        CorrelatorState.from_json({"dec_deg": 1.0})


def test_digests_tell_orders_apart():
    assert digest([1, 2, 3]) == digest(np.array([1, 2, 3], np.int32)) != digest([1, 3, 2])
    assert digest("[0.0]") != digest("[0.1]")
