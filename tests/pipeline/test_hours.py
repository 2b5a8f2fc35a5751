"""Which hours are due: closed, settled, with enough images, and other than what is published or failed."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsa110_contimg.ledger import open_ledger
from dsa110_contimg.ledger.calibrations import Observing
from dsa110_contimg.ledger.epoch_states import Epoch, EpochGroup, EpochState
from dsa110_contimg.ledger.records import Product, mjd_of
from dsa110_contimg.ledger.states import DecisionKind, GroupState
from dsa110_contimg.mosaic.epochs import epoch_start
from dsa110_contimg.naming import epoch_id, parse_epoch_id
from dsa110_contimg.pipeline.epoch_dispatch import strips_below
from dsa110_contimg.pipeline.hours import GROUP_D, HOUR_D, Hours, Next, Rules, hours_of, judge, too_few
from dsa110_contimg.telescope.band import HEADER_SITE
from ledger_groups import AFTER, START, add_group, gid_of, group

HOUR = hours_of(mjd_of(START))[0]
BEGIN = epoch_start(HOUR, HEADER_SITE.longitude_deg)
END = BEGIN + timedelta(days=HOUR_D)
RULES = Rules(wait_s=1800.0, least_images=3)
LATER = END + timedelta(hours=2)
NAME = epoch_id(BEGIN, "+54.6")


def epoch(**changed):
    """An hour of which nothing has been made."""
    values = dict.fromkeys(Epoch._fields) | {
        "id": NAME, "strip": "+54.6", "state": EpochState.OPEN, "start_mjd": mjd_of(BEGIN), "end_mjd": mjd_of(END),
        "checksum": "", "size_bytes": 0, "inputs": {}, "tried": {}, "verdict": "", "facts": {}, "n_attempts": 0,
        "n_transient": 0, "again": False, "given_up": False, "reason": "",
    }  # fmt: skip
    return Epoch(**values | changed)


def groups(n=4, published=BEGIN + timedelta(minutes=30), **changed):
    """Groups with images."""
    usual = [
        EpochGroup(gid_of(i), group(i).start_mjd, GroupState.DONE, 54.57, Path(f"/{i}"), f"sum{i}", 10, published)
        for i in range(n)
    ]
    return [one._replace(**changed) for one in usual]


def sums(found):
    return {one.id: one.checksum for one in found}


def test_an_hour_closes_when_all_its_groups_are_finished_and_later_data_are_there():
    found = groups()
    assert judge(epoch(), found, LATER, RULES, passed=True) is Next.MAKE
    going_on = [*found, found[0]._replace(id=gid_of(9), state=GroupState.RUNNING, images=None, dec_deg=None)]
    assert judge(epoch(), going_on, LATER, RULES, passed=True) is Next.WAIT


def test_or_a_while_after_its_last_group():
    soon = END + timedelta(seconds=RULES.wait_s - 1)
    assert judge(epoch(), groups(), soon, RULES, passed=False) is Next.WAIT
    assert judge(epoch(), groups(), soon + timedelta(seconds=2), RULES, passed=False) is Next.MAKE
    late = groups(published=LATER)
    assert judge(epoch(), late, LATER + timedelta(seconds=59), RULES, passed=True) is Next.WAIT
    assert judge(epoch(), late, LATER + timedelta(seconds=61), RULES, passed=True) is Next.MAKE


def test_with_too_few_images_it_is_not_made_unless_somebody_insists():
    assert judge(epoch(), groups(2), LATER, RULES, passed=True) is Next.THIN
    thin = epoch(given_up=True, tried=sums(groups(2)))
    assert judge(thin, groups(2), LATER, RULES, passed=True) is Next.NOTHING
    assert judge(thin, groups(3), LATER, RULES, passed=True) is Next.MAKE
    assert judge(epoch(again=True), groups(2), LATER, RULES, passed=True) is Next.MAKE
    assert judge(epoch(again=True), [], LATER, RULES, passed=True) is Next.THIN
    assert "2 images, and 3" in too_few(2, 3)


def test_what_failed_is_tried_again_with_other_images_only():
    failed = epoch(given_up=True, tried=sums(groups()))
    assert judge(failed, groups(), LATER, RULES, passed=True) is Next.NOTHING
    assert judge(failed, groups(5), LATER, RULES, passed=True) is Next.MAKE
    pausing = epoch(tried=sums(groups()), not_before_utc=LATER + timedelta(seconds=1))
    assert judge(pausing, groups(), LATER, RULES, passed=True) is Next.WAIT
    assert judge(pausing, groups(), LATER + timedelta(seconds=2), RULES, passed=True) is Next.MAKE


def test_late_and_recalibrated_groups_have_it_made_again_when_they_have_settled():
    made = epoch(published_utc=END, inputs=sums(groups()))
    other = groups()
    other[1] = other[1]._replace(checksum="other", published_utc=LATER)
    assert judge(made, other, LATER + timedelta(seconds=RULES.wait_s - 1), RULES, passed=True) is Next.WAIT
    assert judge(made, other, LATER + timedelta(seconds=RULES.wait_s + 1), RULES, passed=True) is Next.MAKE
    assert judge(made, groups(5), LATER, RULES, passed=True) is Next.MAKE


def test_it_is_not_made_again_of_less_nor_when_it_was_removed():
    made = epoch(published_utc=END, inputs=sums(groups(5)))
    other = groups(4)
    other[1] = other[1]._replace(checksum="other")
    assert judge(made, other, LATER, RULES, passed=True) is Next.NOTHING
    removed = epoch(published_utc=END, retired_utc=END, inputs=sums(groups()))
    assert judge(removed, groups(5), LATER, RULES, passed=True) is Next.NOTHING
    assert judge(removed._replace(again=True), groups(5), LATER, RULES, passed=True) is Next.MAKE


@given(n=st.integers(0, 14), hours=st.floats(0, 1000), passed=st.booleans(), running=st.booleans())
def test_what_is_published_of_the_images_that_there_are_is_left_alone(n, hours, passed, running):
    found = groups(n)
    made = epoch(published_utc=END, inputs=sums(found), current_attempt=1 if running else None)
    expected = Next.WAIT if running else Next.NOTHING
    assert judge(made, found, END + timedelta(hours=hours), RULES, passed=passed) is expected


@given(st.floats(58000, 70000))
def test_a_group_is_of_the_hours_that_it_overlaps(mjd):
    found = hours_of(mjd)
    starts = [mjd_of(epoch_start(hour, HEADER_SITE.longitude_deg)) for hour in found]
    second = 1.0 / 86400
    assert len(found) in {1, 2}
    assert starts[0] - second <= mjd < starts[0] + HOUR_D + second
    assert starts[-1] - second <= mjd + GROUP_D < starts[-1] + HOUR_D + second


@pytest.fixture
def ledger(tmp_path):
    with open_ledger(tmp_path / "ledger.sqlite") as opened:
        yield opened


def publish(ledger, i, checksum="sum", dec_deg=54.57):
    """Put the i-th group with images into a ledger."""
    gid = add_group(ledger, i)
    if ledger.state(gid) is GroupState.DONE:
        ledger.decide(gid, DecisionKind.RETRY, "me", "")
    attempt = ledger.begin_attempt(gid, now=AFTER)
    ledger.note_observing(Observing(gid, group(i).start_mjd, dec_deg, {}))
    product = Product(Path(f"/ms/{gid}-images"), "images", f"{checksum}{i}", 10)
    ledger.commit_products(attempt.id, [product], range(16), now=AFTER)
    return gid


def test_hours_are_found_as_images_are_published_and_forgotten_when_they_are_made(ledger):
    hours = Hours(ledger, RULES)
    hours.notice()
    assert hours.all_done()
    for i in range(4):
        publish(ledger, i)
    hours.notice()
    due = hours.due(LATER)
    assert due.epoch.id == NAME
    assert due.size_bytes == 40
    assert set(due.inputs) == {gid_of(i) for i in range(4)}
    assert hours.due(LATER, busy=["+54.6"]) is None
    ledger.begin_epoch_attempt(NAME, due.inputs)
    assert hours.due(LATER) is None
    assert not hours.all_done()


def test_nothing_is_left_to_do_while_an_hour_waits_for_a_group_that_stays_as_it_is(ledger):
    for i in range(3):
        publish(ledger, i)
    waiting = add_group(ledger, 3)
    hours = Hours(ledger, RULES)
    assert hours.all_done()
    assert hours.due(LATER) is None
    ledger.decide(waiting, DecisionKind.IGNORE, "me", "")
    assert not hours.all_done()
    assert hours.due(LATER).epoch.id == NAME


def test_a_restart_forgets_nothing(ledger):
    for i in range(4):
        publish(ledger, i)
    for _ in range(2):
        hours = Hours(ledger, RULES)
        hours.notice()
        assert hours.due(LATER).epoch.id == NAME


def test_strips_of_one_hour_are_apart_and_a_jitter_is_none(ledger):
    for i, dec_deg in enumerate((54.551, 54.549, 54.57, 16.27, 16.27)):
        publish(ledger, i, dec_deg=dec_deg)
    hours = Hours(ledger, RULES)
    hours.notice()
    assert {parse_epoch_id(item.id).strip for item in ledger.epochs()} == {"+54.6", "+16.3"}
    due = hours.due(LATER)
    assert set(due.inputs) == {gid_of(i) for i in range(3)}
    thin = ledger.epochs([EpochState.THIN])
    assert [(item.strip, item.reason) for item in thin] in ([("+16.3", too_few(2, 3))], [])


def test_a_group_stays_in_its_strip_whatever_strips_come_later(ledger):
    publish(ledger, 0, dec_deg=54.57)
    publish(ledger, 1, dec_deg=54.80)
    Hours(ledger, RULES).notice()
    publish(ledger, 2, dec_deg=54.90)  # nearer to the second than the first strip is
    for _ in range(2):
        hours = Hours(ledger, RULES)
        hours.notice()
        epochs = {item.strip: item for item in ledger.epochs()}
        assert sorted(epochs) == ["+54.6", "+54.9"]
        assert [group.id for group in hours.groups(epochs["+54.6"])] == [gid_of(0), gid_of(1)]
        assert [group.id for group in hours.groups(epochs["+54.9"])] == [gid_of(2)]


def test_a_strip_that_has_light_curves_keeps_its_name(ledger, tmp_path):
    for name in ("+54.5", "+16.3", "notes"):
        (tmp_path / name).mkdir()
    strips = strips_below(tmp_path)
    assert sorted(strips) == ["+16.3", "+54.5"]
    assert strips_below(tmp_path / "none") == []
    publish(ledger, 0, dec_deg=54.57)
    Hours(ledger, RULES, strips).notice()
    assert {item.strip for item in ledger.epochs()} == {"+54.5"}


def test_old_hours_take_turns(ledger):
    for hour in range(150):
        publish(ledger, hour * 12)  # one image each: thin
    hours = Hours(ledger, RULES)
    hours.notice()
    now = datetime(2026, 1, 1, tzinfo=UTC)
    looks = 0
    while not hours.all_done():
        assert hours.due(now) is None
        looks += 1
    assert 1 < looks < 5
    assert {item.state for item in ledger.epochs()} == {EpochState.THIN}
