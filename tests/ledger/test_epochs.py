"""Epochs in the ledger: which images may go into one, what is decided about it, how a look sums them up."""

import sqlite3
from datetime import timedelta

import pytest

from dsa110_contimg.errors import AttemptRunningError, LedgerError, UnknownEpochError
from dsa110_contimg.ledger import DecisionKind, FailureKind, GroupState, Product
from dsa110_contimg.ledger.calibrations import Observing
from dsa110_contimg.ledger.decisions import epochs_file, read_decisions
from dsa110_contimg.ledger.epoch_states import THIN, EpochState
from dsa110_contimg.ledger.epoch_summary import NO_EPOCHS, summarize_epochs
from dsa110_contimg.ledger.records import Decision, utc_of
from dsa110_contimg.ledger.summary import summarize
from ledger_groups import (
    AFTER,
    EPOCH,
    EPOCH_MJD,
    INPUTS,
    add_group,
    gid_of,
    group,
    note_epoch,
    publish_epoch,
)  # fmt: skip

OTHER = "20251005T122108+16.3"
NEXT = "20251005T132058+54.6"


def publish_images(ledger, i, checksum="sum"):
    gid = add_group(ledger, i)
    attempt = ledger.begin_attempt(gid)
    ledger.note_observing(Observing(gid, group(i).start_mjd, 54.57, {}))
    product = Product(ledger.path.parent / f"{gid}-images", "images", checksum, 7)
    ledger.commit_products(attempt.id, [product], range(16), now=AFTER)
    return gid


def test_images_are_seen_once_each_and_retired_ones_never(ledger):
    first = publish_images(ledger, 0)
    (seen,) = ledger.images_since(0)
    assert (seen.group_id, seen.dec_deg, seen.start_mjd) == (first, 54.57, group(0).start_mjd)
    assert ledger.images_since(seen.product_id) == []
    publish_images(ledger, 1)
    assert [item.group_id for item in ledger.images_since(seen.product_id)] == [gid_of(1)]
    ledger.retire_products(first, [ledger.path.parent / f"{first}-images"], "me")
    assert [item.group_id for item in ledger.images_since(0)] == [gid_of(1)]


def test_groups_of_an_hour_with_what_they_have(ledger):
    publish_images(ledger, 0)
    add_group(ledger, 1)
    add_group(ledger, 40)
    done, ready = ledger.epoch_groups(EPOCH_MJD, EPOCH_MJD + 0.0415)
    assert (done.id, done.state, done.checksum, done.size_bytes) == (gid_of(0), GroupState.DONE, "sum", 7)
    assert done.finished
    assert (ready.images, ready.dec_deg, ready.finished) == (None, None, False)
    assert ledger.is_passed(group(40).start_mjd)
    assert not ledger.is_passed(group(41).start_mjd)


def test_it_is_noted_once_and_found_by_strip_time_and_state(ledger):
    for name in (EPOCH, OTHER, EPOCH):
        note_epoch(ledger, name)
    note_epoch(ledger, NEXT, EPOCH_MJD + 0.0415)
    ledger.note_untried(OTHER, THIN, {}, "0 images")
    assert ledger.epoch_strips() == {EPOCH: "+54.6", OTHER: "+16.3", NEXT: "+54.6"}
    assert [item.id for item in ledger.epochs()] == [NEXT, EPOCH, OTHER]
    assert [item.id for item in ledger.epochs(strip="+54.6", limit=1)] == [NEXT]
    assert [item.id for item in ledger.epochs([EpochState.THIN])] == [OTHER]
    assert [item.id for item in ledger.epochs(since=utc_of(EPOCH_MJD + 0.042))] == [NEXT]
    assert [item.id for item in ledger.epochs(until=utc_of(EPOCH_MJD))] == [EPOCH, OTHER]
    with pytest.raises(UnknownEpochError, match="20990101T000000"):
        ledger.epoch("20990101T000000+54.6")


def test_what_is_published_is_to_be_kept_and_then_is(ledger):
    publish_epoch(ledger)
    assert [item.id for item in ledger.unkept_epochs()] == [EPOCH]
    ledger.note_kept(EPOCH, "of something else")  # it was made again meanwhile
    assert [item.id for item in ledger.unkept_epochs()] == [EPOCH]
    ledger.note_kept(EPOCH, "4567")
    assert ledger.unkept_epochs() == []
    assert ledger.epoch(EPOCH).kept_utc is not None


def test_an_operator_has_it_made_again(ledger):
    publish_epoch(ledger)
    assert ledger.retry_epoch(EPOCH, "me", "new beam") is EpochState.DONE
    assert ledger.asked_again() == [EPOCH]
    attempt = ledger.begin_epoch_attempt(EPOCH, INPUTS)
    assert attempt.replaces
    with pytest.raises(AttemptRunningError, match="attempt 2"):
        ledger.retry_epoch(EPOCH, "me", "once more")
    ledger.end_epoch_attempt(attempt.id, FailureKind.BUG, "no")
    assert ledger.asked_again() == []
    assert [event.kind for event in ledger.events(group_id=EPOCH)] == ["bug", "retry", "published"]


def test_that_it_is_to_be_made_again_is_kept_beside_the_products_first(ledger):
    note_epoch(ledger)
    ledger.retry_epoch(EPOCH, "me", "a new beam", now=AFTER)
    path = epochs_file(ledger.decisions_path)
    assert list(read_decisions(path)) == [Decision(EPOCH, DecisionKind.RETRY, "me", AFTER, "a new beam")]
    path.unlink()
    path.mkdir()
    with pytest.raises(LedgerError, match="cannot be kept"):
        ledger.retry_epoch(EPOCH, "me", "again", now=AFTER)
    assert [event.text for event in ledger.events(group_id=EPOCH)] == ["me: a new beam"]


def test_a_contradiction_is_said(ledger):
    publish_epoch(ledger)
    assert ledger.inconsistencies() == []
    with ledger.writing() as connection:
        connection.exec_driver_sql("UPDATE epochs SET current_attempt = 7, n_attempts = 2")
    counted, current = ledger.inconsistencies()
    assert counted == f"{EPOCH}: it counts 2 attempts, and has 1"
    assert current.endswith("is not the one that has not ended")


def test_a_look_sums_them_up(ledger):
    assert summarize(ledger.path).epochs == NO_EPOCHS
    publish_epoch(ledger, verdict="bad", reasons=["its flux scale is 1.4"])
    note_epoch(ledger, OTHER)
    note_epoch(ledger, NEXT, EPOCH_MJD + 0.0415)
    failed = ledger.begin_epoch_attempt(NEXT, INPUTS)
    ledger.end_epoch_attempt(failed.id, FailureKind.BUG, "division by zero")
    ledger.begin_epoch_attempt(OTHER, INPUTS)
    found = summarize(ledger.path, AFTER + timedelta(days=1)).epochs
    assert {state: n for state, n in found.states.items() if n} == {"bad": 1, "running": 1, "failed": 1}
    assert found.running == [OTHER]
    assert found.n_unkept == 1
    (newest,) = found.newest
    assert (newest.id, newest.verdict, newest.reasons, newest.n_images) == (EPOCH, "bad", ("its flux scale is 1.4",), 3)
    assert [(item.id, item.reasons) for item in found.failures] == [(NEXT, ("division by zero",))]


def test_a_ledger_that_is_older_than_epochs_has_none():
    assert summarize_epochs(sqlite3.connect(":memory:")) == NO_EPOCHS
