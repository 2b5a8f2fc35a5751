"""That an epoch is to be made again stands beside the products, too."""

import pytest

from dsa110_contimg.errors import LedgerError
from dsa110_contimg.ledger.epoch_decisions import EpochRetry, append_retry, read_retries, retries_file
from ledger_groups import AFTER, EPOCH, MINUTE, note_epoch


def test_what_was_written_is_read_and_the_rest_given_as_it_is(tmp_path):
    path = retries_file(tmp_path / "ms" / "decisions.jsonl")
    assert list(read_retries(path)) == []
    items = [EpochRetry(EPOCH, "me", AFTER, "a new beam"), EpochRetry(EPOCH, "you", AFTER + MINUTE, "")]
    for item in items:
        append_retry(path, item)
    with path.open("a") as file:
        file.write("{}\n")
        file.write('{"epoch": "x", "who": "", "when_utc": "2025-10-05T12:30:00", "why": ""}\n')
    *found, nothing, nameless = read_retries(path)
    assert found == items
    assert nothing == "{}"
    assert '"x"' in nameless


def test_it_is_written_before_it_takes_effect(ledger):
    note_epoch(ledger)
    ledger.retry_epoch(EPOCH, "me", "a new beam", now=AFTER)
    path = retries_file(ledger.decisions_path)
    assert list(read_retries(path)) == [EpochRetry(EPOCH, "me", AFTER, "a new beam")]
    path.unlink()
    path.mkdir()
    with pytest.raises(LedgerError, match="cannot be kept"):
        ledger.retry_epoch(EPOCH, "me", "again", now=AFTER)
    assert [event.text for event in ledger.events(group_id=EPOCH)] == ["me: a new beam"]
