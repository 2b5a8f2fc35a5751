"""Which set calibrates a group."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsa110_contimg.calibration.ladder import Rung, SetRecord, choose_sets
from dsa110_contimg.errors import NoCalibrationError
from dsa110_contimg.telescope.band import INTEGRATION_S
from dsa110_contimg.telescope.correlator import CorrelatorState

NOON = 60953.5
HOUR = round(3600 / INTEGRATION_S) * INTEGRATION_S / 86400


def state(hour, **changed):
    return CorrelatorState(NOON + hour * HOUR, INTEGRATION_S, 54.57, "ab", "cd")._replace(**changed)


def record(hour, grade="good", name=None, **changed):
    name = name or f"{hour:+d}h"
    return SetRecord(name, f"/ms/{name}", "transit", "g", "3C286", grade, NOON + hour * HOUR, state(hour, **changed))


def choose(records, hour=0, states=()):
    return choose_sets(records, NOON + hour * HOUR, state(hour), states)


def names(chosen):
    return [item.name for item in chosen.sets]


def test_the_nearest_of_several_transits_of_a_day():
    chosen = choose([record(-9), record(-3), record(-20)])
    assert names(chosen) == ["-3h"]
    assert (chosen.rung, chosen.stale) == (Rung.GOOD, False)
    assert "3.0 h earlier" in chosen.why


def test_two_that_bracket_the_group_and_are_not_too_far_apart():
    assert names(choose([record(-3), record(5), record(9)])) == ["-3h", "+5h"]
    assert names(choose([record(-20), record(15)])) == ["+15h"]


def test_a_group_in_which_a_set_was_measured_has_that_alone():
    own = record(0, name="own")
    assert names(choose([record(-3), own, record(2)], hour=-12 / round(3600 / INTEGRATION_S))) == ["own"]
    assert names(choose([record(-3), own, record(2)], hour=12 / round(3600 / INTEGRATION_S))) == ["own"]


def test_a_good_set_of_the_day_comes_before_a_nearer_usable_one():
    chosen = choose([record(-1, "usable"), record(-12)])
    assert names(chosen) == ["-12h"]
    assert names(choose([record(-1, "usable")])) == ["-1h"]
    assert choose([record(-1, "usable")]).rung is Rung.USABLE


def test_yesterdays_set_is_marked_stale():
    chosen = choose([record(-30), record(-40)])
    assert names(chosen) == ["-30h"]
    assert chosen.stale
    assert "stale" in chosen.why


@pytest.mark.parametrize(
    ("records", "why"),
    [
        ([], "none is registered"),
        ([record(-60)], "days away"),
        ([record(-2, dec_deg=16.27)], "another strip"),
        ([record(-2, antenna_order="ba")], "order of the antennas"),
        ([record(-2, applied_delays="dc")], "other delays"),
        ([record(-2, start_mjd=NOON - 2 * HOUR + 5 / 86400)], "restarted"),
    ],
)
def test_without_any_it_fails_and_says_why(records, why):
    with pytest.raises(NoCalibrationError, match=why):
        choose(records)


def test_a_restart_in_between_ends_a_set_though_all_looks_the_same_now():
    moved = state(-1, dec_deg=16.27)
    with pytest.raises(NoCalibrationError, match="moved"):
        choose([record(-2)], states=[state(-2), moved])
    assert names(choose([record(-2), record(-4)], states=[state(-3)])) == ["-2h"]


def test_what_was_refused_is_told_with_what_was_chosen():
    chosen = choose([record(-2, dec_deg=16.27), record(-5)])
    assert names(chosen) == ["-5h"]
    assert chosen.refused == ("-2h: of another strip, 16.27 deg",)


def test_ties_serve_their_own_group_alone():
    tie = SetRecord("tie", "/ms/tie", "tie", "g", "sky", "good", NOON, state(0))
    with pytest.raises(NoCalibrationError, match="ties one group"):
        choose([tie])


def test_better_rungs_rank_before_worse():
    ranks = [
        choose(records).rank
        for records in ([record(-1), record(1)], [record(-1)], [record(-1, "usable")], [record(-30)])
    ]
    assert ranks == sorted(set(ranks))


def test_a_record_goes_through_json():
    item = record(-3)
    assert SetRecord.from_json(json.loads(json.dumps(item.as_json()))) == item


@given(st.lists(st.tuples(st.integers(-60, 60), st.sampled_from(["good", "usable"])), max_size=12))
def test_no_choice_is_worse_than_another_that_could_be_made(sets):
    records = [record(hour, grade, name=f"{i}") for i, (hour, grade) in enumerate(sets)]
    try:
        chosen = choose(records)
    except NoCalibrationError:
        assert all(abs(hour * HOUR) > 2 for hour, _ in sets)
        return
    ages = [abs(item.mid_mjd - NOON) for item in chosen.sets]
    rivals = [abs(item.mid_mjd - NOON) for item in records if item.grade == chosen.sets[0].grade]
    assert min(ages) == min(rivals) or chosen.stale
    if chosen.stale:
        assert min(abs(item.mid_mjd - NOON) for item in records) > 1
