"""Attempts at epochs: one at a time of a strip, one commit, and what is published stands."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsa110_contimg.errors import AttemptRunningError, StaleAttemptError
from dsa110_contimg.ledger import FailureKind, Stage
from dsa110_contimg.ledger.epoch_states import THIN, EpochState, epoch_state, given_up
from ledger_groups import AFTER, EPOCH, INPUTS, epoch_commit, note_epoch, publish_epoch

OTHER = "20251005T122108+16.3"
NEXT = "20251005T132058+54.6"


def test_from_open_to_done(ledger):
    note_epoch(ledger)
    assert ledger.epoch(EPOCH).state is EpochState.OPEN
    attempt = ledger.begin_epoch_attempt(EPOCH, INPUTS, now=AFTER, host="here")
    assert (attempt.group_id, attempt.number, attempt.replaces) == (EPOCH, 1, False)
    ledger.note_epoch_process(attempt.id, pid=4711, log_path=ledger.path.parent / "a.log")
    assert ledger.is_current_at_epoch(attempt.id)
    assert [item.pid for item in ledger.current_epoch_attempts()] == [4711]
    state = ledger.commit_epoch(attempt.id, epoch_commit(), stages=[Stage("epoch", 60.0, 10, 5)], now=AFTER)
    assert state is EpochState.DONE
    found = ledger.epoch(EPOCH)
    assert (found.inputs, found.verdict, found.published_utc, found.n_attempts) == (INPUTS, "good", AFTER, 1)
    (kept,) = ledger.epoch_attempts(EPOCH)
    assert (kept.committed, kept.exit_code, kept.stages) == (True, 0, (Stage("epoch", 60.0, 10, 5),))
    assert ledger.current_epoch_attempts() == []
    with pytest.raises(StaleAttemptError):
        ledger.commit_epoch(attempt.id, epoch_commit())


def test_there_is_one_at_a_time_of_a_strip(ledger):
    for name in (EPOCH, OTHER, NEXT):
        note_epoch(ledger, name)

    def begin(name):
        try:
            return ledger.begin_epoch_attempt(name, INPUTS)
        except AttemptRunningError:
            return None

    with ThreadPoolExecutor(6) as pool:
        begun = [item for item in pool.map(begin, [EPOCH, NEXT, OTHER] * 6) if item is not None]
    assert sorted(item.group_id[-5:] for item in begun) == ["+16.3", "+54.6"]


def test_a_failure_that_may_pass_is_tried_again_three_times(ledger):
    note_epoch(ledger)
    for number in range(1, 5):
        attempt = ledger.begin_epoch_attempt(EPOCH, INPUTS, now=AFTER)
        state = ledger.end_epoch_attempt(
            attempt.id, FailureKind.TRANSIENT, "a mount", retry_after_s=10.0 * number, now=AFTER
        )
        found = ledger.epoch(EPOCH)
        assert found.not_before_utc == AFTER + timedelta(seconds=10.0 * number)
        assert state is (EpochState.OPEN if number < 4 else EpochState.FAILED)
        assert found.given_up is (number == 4)
    assert found.reason == "a mount"
    ledger.begin_epoch_attempt(EPOCH, INPUTS | {"2025-10-05T12:50:00": "late"})
    found = ledger.epoch(EPOCH)
    assert (found.given_up, found.n_transient) == (False, 0)  # that was of other images


def test_what_is_published_stands_when_it_is_made_again_in_vain(ledger):
    publish_epoch(ledger)
    attempt = ledger.begin_epoch_attempt(EPOCH, {"2025-10-05T12:30:00": "other"})
    assert ledger.epoch(EPOCH).state is EpochState.RUNNING
    assert ledger.end_epoch_attempt(attempt.id, FailureKind.BUG, "no") is EpochState.DONE
    found = ledger.epoch(EPOCH)
    assert (found.inputs, found.reason, found.given_up) == (INPUTS, "no", True)
    assert (
        ledger.end_epoch_attempt(ledger.begin_epoch_attempt(EPOCH, INPUTS).id, None, "interrupted") is EpochState.DONE
    )


def test_an_adopted_one_is_as_it_was_published(ledger):
    ledger.adopt_epoch(EPOCH, "+54.6", (60953.0, 60953.04), epoch_commit(verdict="bad"), AFTER)
    found = ledger.epoch(EPOCH)
    assert (found.state, found.published_utc, found.inputs) == (EpochState.BAD, AFTER, INPUTS)


@given(
    running=st.booleans(),
    published=st.booleans(),
    verdict=st.sampled_from(["good", "usable", "bad"]),
    failure=st.sampled_from([None, THIN, *(kind.value for kind in FailureKind)]),
    n_transient=st.integers(0, 6),
)
def test_the_state_follows(running, published, verdict, failure, n_transient):
    state = epoch_state(1 if running else None, published or None, verdict, failure, n_transient)
    assert (state is EpochState.RUNNING) is running
    if not running and published:
        assert state is (EpochState.BAD if verdict == "bad" else EpochState.DONE)
    elif not running:
        assert (state is EpochState.OPEN) is not given_up(failure, n_transient)
