"""Attempts without a product end alike, be they at groups or at epochs."""

from datetime import timedelta

import pytest

from dsa110_contimg.ledger import FailureKind, Stage
from ledger_groups import AFTER, EPOCH, INPUTS, add_group, note_epoch


def at_a_group(ledger):
    gid = add_group(ledger)

    def end(*how, **said):
        ledger.end_attempt(ledger.begin_attempt(gid, now=AFTER).id, *how, now=AFTER, **said)
        return ledger.group(gid).attempts[-1]

    return gid, end


def at_an_epoch(ledger):
    note_epoch(ledger)

    def end(*how, **said):
        ledger.end_epoch_attempt(ledger.begin_epoch_attempt(EPOCH, INPUTS, now=AFTER).id, *how, now=AFTER, **said)
        return ledger.epoch_attempts(EPOCH)[-1]

    return EPOCH, end


def row_of(ledger, unit):
    table = "epochs" if unit == EPOCH else "groups"
    query = f"SELECT current_attempt, n_transient, last_failure, not_before_utc, reason FROM {table} WHERE id = ?"
    with ledger.reading() as connection:
        return connection.exec_driver_sql(query, (unit,)).one()


@pytest.mark.parametrize("begin", [at_a_group, at_an_epoch])
def test_what_is_kept_of_it(ledger, begin):
    unit, end = begin(ledger)
    stages = (Stage("convert", 3.0, 10, 5),)
    attempt = end(FailureKind.TRANSIENT, "a mount", exit_code=-9, stages=stages)
    assert (attempt.failure_kind, attempt.message, attempt.exit_code) == (FailureKind.TRANSIENT, "a mount", -9)
    assert (attempt.stages, attempt.ended_utc, attempt.committed) == (stages, AFTER, False)
    row = row_of(ledger, unit)
    assert (row.current_attempt, row.n_transient, row.last_failure, row.reason) == (None, 1, "transient", "a mount")
    assert (AFTER + timedelta(seconds=10)).strftime("%T") in row.not_before_utc
    assert [(event.kind, event.text) for event in ledger.events(group_id=unit, limit=1)] == [("transient", "a mount")]


@pytest.mark.parametrize("begin", [at_a_group, at_an_epoch])
def test_an_interruption_forgets_nothing(ledger, begin):
    unit, end = begin(ledger)
    end(FailureKind.RESOURCE, "no room", retry_after_s=0.0)
    end(None)
    row = row_of(ledger, unit)
    assert (row.n_transient, row.last_failure, row.reason, row.not_before_utc) == (0, "resource", "no room", None)
    (event,) = ledger.events(group_id=unit, limit=1)
    assert (event.kind, event.text) == ("interrupted", "an attempt ended without a product")


@pytest.mark.parametrize("begin", [at_a_group, at_an_epoch])
def test_want_of_memory_counts_like_what_may_pass_and_want_of_room_does_not(ledger, begin):
    unit, end = begin(ledger)
    end(FailureKind.RESOURCE, "no room", retry_after_s=0.0)
    end(FailureKind.TRANSIENT, "a mount", retry_after_s=0.0)
    end(FailureKind.MEMORY, "too large", retry_after_s=0.0)
    assert row_of(ledger, unit).n_transient == 2
    for _ in range(2):
        end(FailureKind.MEMORY, "too large", retry_after_s=0.0)
    state = ledger.epoch(unit).state if unit == EPOCH else ledger.state(unit)
    assert (state.value, row_of(ledger, unit).reason) == ("failed", "too large")
