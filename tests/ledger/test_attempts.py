"""Attempts: one at a time, one commit, decisions win; by example, at random, and from many threads."""

import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa

from dsa110_contimg.errors import AttemptRunningError, GroupStateError, StaleAttemptError, UnknownGroupError
from dsa110_contimg.ledger import DecisionKind, FailureKind, GroupState, Stage
from dsa110_contimg.ledger.schema import attempts
from dsa110_contimg.ledger.summary import summarize
from ledger_groups import AFTER, MINUTE, SEEN, add_group, file, gid_of, product, publish


def test_from_ready_to_done(ledger):
    gid = add_group(ledger)
    attempt = ledger.begin_attempt(gid, now=SEEN, log_path=ledger.path.parent / "a.log")
    assert (attempt.group_id, attempt.number, attempt.replaces) == (gid, 1, False)
    assert ledger.state(gid, SEEN) is GroupState.RUNNING
    assert ledger.is_current(attempt.id)
    ledger.note_process(attempt.id, pid=4711, host="here")
    stages = [Stage("convert", 4.2, 2310, 1155)]
    state = ledger.commit_products(attempt.id, [product(gid)], range(16), stages=stages, now=AFTER)
    assert state is GroupState.DONE is ledger.state(gid)
    assert not ledger.is_current(attempt.id)
    kept = ledger.attempt(attempt.id)
    assert (kept.committed, kept.pid, kept.host, kept.stages) == (True, 4711, "here", tuple(stages))
    assert (kept.started_utc, kept.ended_utc, kept.log_path) == (SEEN, AFTER, attempt.log_path)
    assert ledger.current_attempts() == []
    (made,) = ledger.group(gid).products
    assert (made.attempt_id, made.published_utc, made.retired_utc) == (attempt.id, AFTER, None)


def test_a_second_attempt_is_refused_while_one_runs_and_after_its_commit(ledger):
    gid = add_group(ledger)
    attempt = ledger.begin_attempt(gid)
    with pytest.raises(AttemptRunningError, match="attempt 1"):
        ledger.begin_attempt(gid)
    ledger.commit_products(attempt.id, [product(gid)], range(16))
    with pytest.raises(GroupStateError, match="done, not ready"):
        ledger.begin_attempt(gid)
    with pytest.raises(StaleAttemptError):
        ledger.commit_products(attempt.id, [product(gid)], range(16))
    with pytest.raises(StaleAttemptError):
        ledger.end_attempt(attempt.id, None)


def test_an_unknown_group(ledger):
    for ask in (ledger.begin_attempt, ledger.group, ledger.state):
        with pytest.raises(UnknownGroupError, match=gid_of()):
            ask(gid_of())
    assert ledger.attempt(1) is None


def test_transient_failures_are_retried_three_times_ever_later(ledger):
    gid = add_group(ledger)
    now, waits = SEEN, []
    for n in range(4):
        attempt = ledger.begin_attempt(gid, now=now)
        state = ledger.end_attempt(attempt.id, FailureKind.TRANSIENT, "lost the mount", exit_code=-9, now=now)
        assert state is (GroupState.FAILED if n == 3 else GroupState.READY)
        assert ledger.ready_groups(now) == []
        before = now
        while n < 3 and not ledger.ready_groups(now):
            now += timedelta(seconds=5)
        waits.append((now - before).total_seconds())
    assert waits == [10, 40, 160, 0]
    (failure,) = summarize(ledger.path).failures
    assert (failure.kind, failure.reason) == (FailureKind.TRANSIENT, "lost the mount")


def test_resource_failures_and_interruptions_never_end(ledger):
    gid = add_group(ledger)
    for _ in range(10):
        for kind in (FailureKind.RESOURCE, None):
            attempt = ledger.begin_attempt(gid, now=SEEN)
            assert ledger.end_attempt(attempt.id, kind, "disk full", now=SEEN) is GroupState.READY
    assert ledger.ready_groups(SEEN) == [gid]


@pytest.mark.parametrize(
    ("kind", "state"), [(FailureKind.BAD_DATA, GroupState.QUARANTINED), (FailureKind.BUG, GroupState.FAILED)]
)
def test_bad_data_and_bugs_stop_the_group_until_it_is_retried(ledger, kind, state):
    gid = add_group(ledger)
    attempt = ledger.begin_attempt(gid)
    assert ledger.end_attempt(attempt.id, kind, "the reason") is state
    assert ledger.group(gid).group.reason == "the reason"
    with pytest.raises(GroupStateError):
        ledger.begin_attempt(gid)
    # An interruption afterwards does not wash it clean, and more files do not either.
    ledger.add_files([file(3, mtime_ns=2)])
    assert ledger.state(gid) is state
    assert ledger.decide(gid, DecisionKind.RETRY, "me", "fixed") is GroupState.READY
    publish(ledger, gid)
    assert summarize(ledger.path).failures == []
    assert summarize(ledger.path).failed_attempts[kind] == 1


def test_a_decision_while_it_runs_keeps_it_from_being_committed(ledger):
    gid = add_group(ledger)
    attempt = ledger.begin_attempt(gid)
    with pytest.raises(AttemptRunningError):
        ledger.decide(gid, DecisionKind.RETRY, "me", "again")
    assert ledger.decide(gid, DecisionKind.IGNORE, "me", "a test") is GroupState.IGNORED
    assert not ledger.is_current(attempt.id)
    with pytest.raises(StaleAttemptError, match="operator"):
        ledger.commit_products(attempt.id, [product(gid)], range(16))
    assert ledger.live_products() == {}
    assert ledger.end_attempt(attempt.id, None) is GroupState.IGNORED
    assert ledger.decide(gid, DecisionKind.RETRY, "me", "after all") is GroupState.READY


def test_files_found_bad_by_the_job_no_longer_count(ledger):
    gid = add_group(ledger)
    attempt = ledger.begin_attempt(gid)
    zeros = {file(5).path: ("zero-filled", "no data")}
    subbands = [n for n in range(16) if n != 5]
    assert ledger.commit_products(attempt.id, [product(gid)], subbands, set_aside=zeros) is GroupState.PARTIAL
    assert ledger.late_groups() == []
    assert ledger.group(gid).group.missing == (5,)
    assert 5 not in ledger.group_files(gid)
    assert [item.path for item in ledger.set_aside()] == list(zeros)


def test_a_late_file_has_the_group_done_again_once(ledger):
    gid = add_group(ledger, subbands=range(14))
    publish(ledger, gid, range(14))
    assert ledger.late_groups() == []
    assert not ledger.request_redo(gid)
    ledger.add_files([file(14)])
    assert [item.outcome for item in ledger.group(gid).files] == ["good"] * 14 + ["late"]
    assert ledger.late_groups() == [gid]
    assert ledger.request_redo(gid)
    assert ledger.state(gid) is GroupState.READY
    attempt = ledger.begin_attempt(gid)
    assert attempt.replaces
    ledger.commit_products(attempt.id, [product(gid)], range(15), now=AFTER + MINUTE)
    old, new = ledger.group(gid).products
    assert (old.retired_utc, new.retired_utc) == (AFTER + MINUTE, None)
    ledger.add_files([file(15)])
    assert ledger.late_groups() == []
    assert not ledger.request_redo(gid)
    assert ledger.state(gid) is GroupState.PARTIAL
    assert ledger.inconsistencies() == []


@pytest.mark.parametrize("kind", [FailureKind.BUG, FailureKind.BAD_DATA])
def test_what_was_published_stands_when_doing_it_again_fails_for_good(ledger, kind):
    gid = add_group(ledger, subbands=range(14))
    publish(ledger, gid, range(14))
    ledger.add_files([file(14)])
    assert ledger.request_redo(gid)
    attempt = ledger.begin_attempt(gid)
    assert ledger.end_attempt(attempt.id, FailureKind.TRANSIENT, "a mount blinked") is GroupState.READY
    attempt = ledger.begin_attempt(gid, now=AFTER)
    assert ledger.end_attempt(attempt.id, kind, "oh") is GroupState.PARTIAL
    assert ledger.group(gid).facts.published == 0x3FFF
    assert [item.retired_utc for item in ledger.group(gid).products] == [None]
    assert not ledger.request_redo(gid)
    assert ledger.inconsistencies() == []


def test_an_operator_who_asks_for_it_again_is_told_that_it_failed(ledger):
    gid = add_group(ledger)
    publish(ledger, gid)
    ledger.decide(gid, DecisionKind.RETRY, "me", "again")
    attempt = ledger.begin_attempt(gid)
    assert ledger.end_attempt(attempt.id, FailureKind.BUG, "oh") is GroupState.FAILED


def test_what_was_retired_gives_way_when_it_is_done_again(ledger):
    gid = add_group(ledger)
    publish(ledger, gid)
    ledger.decide(gid, DecisionKind.RETIRE, "me", "bad")
    assert ledger.live_products() == {}
    assert ledger.decide(gid, DecisionKind.RETRY, "me", "mended") is GroupState.READY
    assert ledger.begin_attempt(gid).replaces


def test_a_file_that_came_while_its_group_was_running_is_late(ledger):
    gid = add_group(ledger, subbands=range(15))
    attempt = ledger.begin_attempt(gid, now=AFTER)
    ledger.add_files([file(15)])
    ledger.commit_products(attempt.id, [product(gid)], range(15))
    assert ledger.late_groups() == [gid]


def test_fifty_triggers_from_eight_racing_workers_make_one_commit(ledger):
    gid = add_group(ledger)
    outcomes, barrier = [], threading.Barrier(8)

    def work():
        barrier.wait()
        for _ in range(50 // 8 + 1):
            try:
                attempt = ledger.begin_attempt(gid)
                ledger.commit_products(attempt.id, [product(gid)], range(16))
                outcomes.append("committed")
            except GroupStateError as error:
                outcomes.append(type(error).__name__)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 56
    assert outcomes.count("committed") == 1
    assert len(ledger.group(gid).attempts) == 1


def test_the_tables_themselves_refuse_a_second_current_attempt(ledger):
    gid = add_group(ledger)
    ledger.begin_attempt(gid)
    with ledger._engine.connect() as connection, pytest.raises(sa.exc.IntegrityError):
        connection.execute(attempts.insert().values(group_id=gid, number=2, started_utc=SEEN))


def test_an_unfinished_transaction_leaves_nothing(ledger):
    gid = add_group(ledger)
    attempt = ledger.begin_attempt(gid)
    twice = [product(gid), product(gid)]
    with pytest.raises(Exception, match="UNIQUE"):
        ledger.commit_products(attempt.id, twice, range(16))
    assert ledger.live_products() == {}
    assert ledger.state(gid) is GroupState.RUNNING
