"""Which group is next, and how it goes."""

import subprocess
import sys

import pytest

from dsa110_contimg.errors import LedgerError, LedgerPlaceError
from dsa110_contimg.ledger import DecisionKind, FailureKind, GroupState, Product, Stage
from dsa110_contimg.ledger.adoption import Adopted
from dsa110_contimg.ledger.groups import LIVE
from dsa110_contimg.ledger.records import mjd_of, utc_of
from dsa110_contimg.ledger.summary import summarize
from dsa110_contimg.naming import group_start
from ledger_groups import AFTER, DEADLINE, MINUTE, SEEN, START, add_group, gid_of, product, publish


def near(time):
    """The ledger keeps starts as MJD in a float: good to a microsecond."""
    return pytest.approx(time.timestamp(), abs=1e-5)


def test_the_oldest_ready_groups_are_next_and_live_ones_come_first(ledger):
    for i in (3, 1, 40, 0, 41):
        add_group(ledger, i)
    now = group_start(gid_of(41)) + 10 * MINUTE
    assert now - LIVE > group_start(gid_of(3))
    assert ledger.ready_groups(now) == [gid_of(i) for i in (40, 41, 0, 1, 3)]
    assert ledger.ready_groups(now, 3) == [gid_of(i) for i in (40, 41, 0)]
    assert ledger.ready_groups(now, 2) == [gid_of(i) for i in (40, 41)]
    assert ledger.ready_groups(now, live_first=False) == [gid_of(i) for i in (0, 1, 3, 40, 41)]
    since, until = group_start(gid_of(1)), group_start(gid_of(40))
    assert ledger.ready_groups(now, since=since, until=until) == [gid_of(i) for i in (40, 1, 3)]


def test_ready_and_counts_agree_on_every_state(ledger):
    ids = {state: add_group(ledger, i) for i, state in enumerate(GroupState)}
    add_group(ledger, 20, range(12))  # collecting
    publish(ledger, ids[GroupState.DONE], now=SEEN)
    publish(ledger, ids[GroupState.PARTIAL], range(12), now=SEEN)
    ledger.begin_attempt(ids[GroupState.RUNNING], now=SEEN)
    ledger.end_attempt(ledger.begin_attempt(ids[GroupState.FAILED], now=SEEN).id, FailureKind.BUG, "oh", now=SEEN)
    bad = ledger.begin_attempt(ids[GroupState.QUARANTINED], now=SEEN)
    ledger.end_attempt(bad.id, FailureKind.BAD_DATA, "no majority", now=SEEN)
    ledger.decide(ids[GroupState.IGNORED], DecisionKind.IGNORE, "me", "", now=SEEN)
    counts = ledger.counts_by_state(SEEN)
    assert counts == dict.fromkeys(GroupState, 1) | {GroupState.READY: 2}
    for state in GroupState:
        listed = ledger.groups([state], now=SEEN)
        assert len(listed) == counts[state]
        assert {group.state for group in listed} == {state}
    assert set(ledger.ready_groups(SEEN)) == {group.id for group in ledger.groups([GroupState.READY], now=SEEN)}
    assert summarize(ledger.path, SEEN).groups == counts
    assert [(item.state, item.reason) for item in summarize(ledger.path, SEEN).failures] == [
        (GroupState.QUARANTINED, "no majority"),
        (GroupState.FAILED, "oh"),
    ]
    assert ledger.next_deadline() is None or ledger.next_deadline() == DEADLINE


def test_lists_are_cut_and_newest_first(ledger):
    for i in range(5):
        add_group(ledger, i)
    assert [group.id for group in ledger.groups(limit=2)] == [gid_of(4), gid_of(3)]
    some = ledger.groups(since=group_start(gid_of(1)), until=group_start(gid_of(2)))
    assert [group.id for group in some] == [gid_of(2), gid_of(1)]


def test_too_few_at_the_deadline_say_so(ledger):
    gid = add_group(ledger, subbands=range(5))
    assert ledger.state(gid, SEEN) is GroupState.COLLECTING
    group = ledger.group(gid, AFTER).group
    assert (group.state, group.reason) == (
        GroupState.QUARANTINED,
        "only 5 good subbands at its deadline, and 12 are the minimum",
    )


def test_lag_newest_and_rate(ledger):
    assert summarize(ledger.path)[:3] == (None, None, None)
    for i in range(3):
        add_group(ledger, i)
    add_group(ledger, 3, [])
    publish(ledger, gid_of(0), now=AFTER)
    publish(ledger, gid_of(1), now=AFTER + 2 * LIVE)
    now = AFTER + 2 * LIVE + MINUTE
    found = summarize(ledger.path, now)
    assert found.newest_data_utc.timestamp() == near(group_start(gid_of(2)))
    assert found.newest_product_utc.timestamp() == near(group_start(gid_of(1)))
    assert found.lag_s == pytest.approx((now - group_start(gid_of(1))).total_seconds(), abs=1e-4)
    assert (found.groups_per_hour, found.backlog) == (1, 1)


def test_failures_are_cut_newest_first_and_say_when_it_is_tried_again(ledger):
    for i in range(4):
        attempt = ledger.begin_attempt(add_group(ledger, i), now=SEEN, log_path=ledger.path.parent / f"{i}.log")
        kind = FailureKind.BUG if i < 3 else FailureKind.TRANSIENT
        ledger.end_attempt(attempt.id, kind, "oh", retry_after_s=60, now=SEEN)
    found = summarize(ledger.path, SEEN, limit=2)
    assert [item.group_id for item in found.failures] == [gid_of(2), gid_of(1)]
    assert found.failures[0].log_path == ledger.path.parent / "2.log"
    assert [(item.group_id, item.when_utc) for item in found.waiting] == [(gid_of(3), SEEN + MINUTE)]
    assert found.failed_attempts == dict.fromkeys(FailureKind, 0) | {FailureKind.BUG: 3, FailureKind.TRANSIENT: 1}
    assert found.attempts == ledger.current_attempts() == []
    running = ledger.begin_attempt(gid_of(3), now=AFTER, pid=7, host="here")
    assert summarize(ledger.path, AFTER).attempts == ledger.current_attempts() == [running]
    assert summarize(ledger.path).last_event == ledger.events(1)[0]


def test_what_is_no_ledger_cannot_be_summed_up(tmp_path):
    with pytest.raises(LedgerPlaceError, match="there is no ledger"):
        summarize(tmp_path / "ledger.sqlite")
    (tmp_path / "ledger.sqlite").write_text("something else, and long enough" * 100)
    with pytest.raises(LedgerError, match="cannot be read"):
        summarize(tmp_path / "ledger.sqlite")


def test_asking_how_it_goes_imports_no_sqlalchemy():
    asked = (
        "import sys, dsa110_contimg.ledger.summary, dsa110_contimg.cli.status; sys.exit('sqlalchemy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", asked]).returncode == 0


def test_stage_totals(ledger):
    for i in range(2):
        attempt = ledger.begin_attempt(add_group(ledger, i), now=SEEN)
        stages = [Stage("convert", 2.0 + i, 10, 5), Stage("flag", 1.0)]
        ledger.commit_products(attempt.id, [product(gid_of(i))], range(16), stages=stages, now=SEEN + i * MINUTE)
    assert [tuple(total) for total in ledger.stage_totals()] == [("convert", 2, 5.0, 20, 10), ("flag", 2, 2.0, 0, 0)]
    assert [total.seconds for total in ledger.stage_totals(SEEN + MINUTE)] == [3.0, 1.0]


def test_events_are_listed_newest_first_and_forgotten(ledger):
    ledger.record_event("paused", "the disk is full", now=SEEN)
    ledger.record_event("resumed", "there is room", now=AFTER)
    ledger.record_event("note", "odd", gid_of(), now=AFTER)
    assert [event.kind for event in ledger.events()] == ["note", "resumed", "paused"]
    assert [event.kind for event in ledger.events(1, kind="paused")] == ["paused"]
    assert [event.text for event in ledger.events(group_id=gid_of())] == ["odd"]
    assert ledger.forget_events(AFTER) == 1
    assert len(ledger.events()) == 2


def test_products_that_were_found_are_adopted_once_whatever_is_wanted(ledger):
    gid = add_group(ledger, subbands=range(14))
    ledger.decide(gid, DecisionKind.IGNORE, "me", "")
    found = Adopted(gid, [product(gid)], range(12), (), SEEN)
    assert ledger.adopt_products([found]) == 1
    assert ledger.adopt_products([found]) == 0
    assert ledger.state(gid) is GroupState.IGNORED
    assert [(item.published_utc, item.attempt_id) for item in ledger.group(gid).products] == [(SEEN, 1)]
    assert ledger.inconsistencies() == []
    assert isinstance(ledger.live_products()[product(gid).path][1], Product)


def test_contradictions_are_found(ledger):
    gid = add_group(ledger)
    ledger.begin_attempt(gid)
    with ledger.writing() as connection:
        connection.exec_driver_sql(
            "UPDATE groups SET subbands = 1, n_attempts = 5, current_attempt = NULL, published = 65535"
        )
    assert ledger.inconsistencies() == [
        f"{gid}: its subbands are not those of its files",
        f"{gid}: it counts 5 attempts, and has 1",
        f"{gid}: its current attempt is not the one that has not ended",
        f"{gid}: it is published, and no attempt was committed",
    ]


def test_mjd_and_back():
    assert utc_of(mjd_of(START)).timestamp() == near(START)
    assert mjd_of(START) == pytest.approx(60953.0 + 12.5 / 24)
