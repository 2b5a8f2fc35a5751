"""Sets between the disk, the ledger and the ladder."""

import json

import pytest

from dsa110_contimg.errors import CalibrationError, LedgerError, NoCalibrationError
from dsa110_contimg.ledger import FailureKind, open_ledger
from dsa110_contimg.pipeline.calibration_records import (
    Standing,
    applied_facts,
    calibration_of,
    find_failed,
    find_improvable,
    record_of,
    register_made,
    standing,
    validity_of,
)
from ledger_groups import add_group, gid_of
from registered_sets import make_ms, make_set, manifest_of, state_of


@pytest.fixture
def ledger(tmp_path):
    with open_ledger(tmp_path / "state" / "ledger.sqlite", decisions=tmp_path / "ms" / "decisions.jsonl") as opened:
        yield opened


def choose(ledger, i):
    state = state_of(i)
    return standing(ledger, state.start_mjd, state.start_mjd).choose(state.start_mjd, state)


def publish(ledger, tmp_path, i, *, verdict=None, version=1, calibrate=True, **changed):
    """Do what a job and its commit do: solve if told to, choose, publish, register."""
    paths = [] if verdict is None else [make_set(tmp_path / "ms", i, version, verdict, **changed)]
    if paths:
        register_made(ledger, manifest_of(i, *paths), tmp_path / "ms")
    said = applied_facts(choose(ledger, i)) if calibrate else None
    register_made(ledger, manifest_of(i, make_ms(tmp_path / "ms", i, said, **changed), *paths), tmp_path / "ms")


def improvable(ledger):
    return {
        item.group_id: item.why for item in find_improvable(ledger, state_of(-900).start_mjd, state_of(900).start_mjd)
    }


def test_what_a_job_made_is_registered_and_tells_both_ways_what_calibrated_what(ledger, tmp_path):
    publish(ledger, tmp_path, 0, verdict="good")
    (item,) = ledger.calibrations()
    assert (item.group_id, item.grade, item.dec_deg) == (gid_of(0), "good", 54.57)
    (use,) = ledger.calibrated_by(gid_of(0))
    assert use.calibration == item.name
    assert use.product.name == "20251005T123000.ms"
    assert ledger.calibrated_with(item.name) == [use]
    said = json.loads((use.product / "contimg.json").read_text())["calibration"]
    assert said["sets"] == [item.name]


def test_registering_twice_changes_nothing(ledger, tmp_path):
    path = make_set(tmp_path / "ms", 0)
    for _ in range(2):
        register_made(ledger, manifest_of(0, path), tmp_path / "ms")
    assert len(ledger.calibrations()) == 1
    assert len(ledger.events()) == 1


def test_a_bad_set_is_not_registered(ledger, tmp_path):
    with pytest.raises(LedgerError, match="bad"):
        register_made(ledger, manifest_of(0, make_set(tmp_path / "ms", 0, verdict="bad")), tmp_path / "ms")
    broken = tmp_path / "ms" / "broken.cal"
    broken.mkdir()
    with pytest.raises(CalibrationError):
        calibration_of(broken)


@pytest.mark.parametrize("text", ["{", '{"correlator": {"dec_deg": 1}}', '{"calibration": {"sets": ["a"]}}'])
def test_a_measurement_set_that_says_what_cannot_be_understood_is_an_error_of_ours(ledger, tmp_path, text):
    path = make_ms(tmp_path / "ms", 0)
    (path / "contimg.json").write_text(text)
    with pytest.raises(CalibrationError, match="not understood"):
        register_made(ledger, manifest_of(0, path), tmp_path / "ms")


def test_what_stands_goes_through_a_jobs_description(ledger, tmp_path):
    publish(ledger, tmp_path, 0, verdict="good")
    around = standing(ledger, state_of(3).start_mjd, state_of(3).start_mjd)
    again = Standing.from_json(json.loads(json.dumps(around.as_json())))
    assert again.records == around.records
    assert again.ranges == around.ranges
    assert [record.name for record in around.records] == [ledger.calibrations()[0].name]


def test_the_range_of_a_set_ends_where_the_ledger_knows_of_a_change(ledger, tmp_path):
    publish(ledger, tmp_path, 0, verdict="good")
    item = ledger.calibrations()[0]
    assert validity_of(ledger, item).end_mjd == pytest.approx(item.mid_mjd + 1)
    publish(ledger, tmp_path, 9, calibrate=False, applied_delays="other")
    valid = validity_of(ledger, item)
    assert valid.end_mjd == state_of(9).start_mjd
    assert "delays" in valid.end_why
    with pytest.raises(NoCalibrationError, match="delays"):
        choose(ledger, 12)
    assert choose(ledger, 8).sets == (record_of(item),)


def test_groups_are_improved_by_a_set_on_their_other_side_and_no_more_after(ledger, tmp_path):
    publish(ledger, tmp_path, 0, verdict="good")
    publish(ledger, tmp_path, 5)
    assert improvable(ledger) == {}
    publish(ledger, tmp_path, 9, verdict="good")
    assert list(improvable(ledger)) == [gid_of(5)]
    assert [event.group_id for event in ledger.events(kind="improvable")] == [gid_of(5)]
    publish(ledger, tmp_path, 5)
    assert len(ledger.calibrated_by(gid_of(5))) == 2
    assert improvable(ledger) == {}


def test_stale_and_usable_sets_give_way_to_good_ones_of_the_day(ledger, tmp_path):
    publish(ledger, tmp_path, -400, verdict="good")
    publish(ledger, tmp_path, 0)
    assert ledger.calibrated_by(gid_of(0))[0].stale
    publish(ledger, tmp_path, 3, verdict="usable")
    assert "stale before" in improvable(ledger)[gid_of(0)]
    publish(ledger, tmp_path, 0)
    assert improvable(ledger) == {}
    publish(ledger, tmp_path, 4, verdict="good")
    assert "usable-of-the-day before" in improvable(ledger)[gid_of(0)]


def test_what_a_retired_set_calibrated_is_to_be_done_again(ledger, tmp_path):
    publish(ledger, tmp_path, 0, verdict="good")
    publish(ledger, tmp_path, 20, verdict="good")
    ledger.retire_calibration(ledger.calibrated_by(gid_of(0))[0].calibration, "me", "the Sun")
    assert "was retired" in improvable(ledger)[gid_of(0)]


def test_a_lesser_set_improves_nothing(ledger, tmp_path):
    publish(ledger, tmp_path, 0, verdict="good")
    publish(ledger, tmp_path, 5)
    publish(ledger, tmp_path, 6, verdict="usable")
    assert improvable(ledger) == {}


def test_groups_that_failed_for_want_of_a_set_are_found_when_there_is_one(ledger, tmp_path):
    gid = add_group(ledger, 5)
    with pytest.raises(NoCalibrationError) as caught:
        choose(ledger, 5)
    attempt = ledger.begin_attempt(gid)
    ledger.end_attempt(attempt.id, FailureKind.BUG, str(caught.value))
    span = (state_of(-10).start_mjd, state_of(20).start_mjd)
    assert find_failed(ledger, *span) == []
    publish(ledger, tmp_path, 0, verdict="good")
    assert [item.group_id for item in find_failed(ledger, *span)] == [gid]
