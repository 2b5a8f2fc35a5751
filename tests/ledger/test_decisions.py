"""What operators decide, in the ledger and beside the products."""

import json

import pytest

from dsa110_contimg.errors import LedgerError, UnknownGroupError
from dsa110_contimg.ledger import DecisionKind, GroupState, open_ledger
from dsa110_contimg.ledger.decisions import read_decisions
from ledger_groups import AFTER, add_group, gid_of, publish


def test_a_decision_is_kept_in_both_places(ledger):
    gid = add_group(ledger)
    assert ledger.decide(gid, DecisionKind.IGNORE, "me@here", "sürvey test", now=AFTER) is GroupState.IGNORED
    assert ledger.decide(gid, DecisionKind.RETRY, "me@here", "", now=AFTER) is GroupState.READY
    kept = list(read_decisions(ledger.decisions_path))
    assert kept == ledger.decisions() == ledger.decisions(gid)
    assert [item.what for item in kept] == [DecisionKind.IGNORE, DecisionKind.RETRY]
    first = json.loads(ledger.decisions_path.read_text().splitlines()[0])
    assert first == {
        "group_id": gid,
        "what": "ignore",
        "who": "me@here",
        "when_utc": "2025-10-05T12:46:01+00:00",
        "why": "sürvey test",
    }
    assert ledger.group(gid).group.reason == ""
    assert [event.kind for event in ledger.group(gid).events] == ["ignore", "retry"]


def test_retiring_wants_nothing_and_counts_the_products_as_gone(ledger):
    gid = add_group(ledger)
    publish(ledger, gid)
    assert ledger.decide(gid, DecisionKind.RETIRE, "me", "bad pointing") is GroupState.IGNORED
    assert ledger.live_products() == {}
    assert len(ledger.product_paths()) == 1


def test_retrying_what_is_done_replaces_it(ledger):
    gid = add_group(ledger)
    publish(ledger, gid)
    assert ledger.decide(gid, DecisionKind.RETRY, "me", "new positions") is GroupState.READY
    assert len(ledger.live_products()) == 1
    publish(ledger, gid)
    assert len(ledger.live_products()) == 1
    assert len(ledger.group(gid).products) == 2


def test_one_that_cannot_be_kept_beside_the_products_is_not_taken(tmp_path):
    (tmp_path / "ms").write_text("not a directory")
    with open_ledger(tmp_path / "a", decisions=tmp_path / "ms" / "decisions.jsonl") as ledger:
        gid = add_group(ledger)
        with pytest.raises(LedgerError, match="not taken"):
            ledger.decide(gid, DecisionKind.IGNORE, "me", "")
        assert ledger.state(gid) is GroupState.READY
        assert ledger.decisions() == []


def test_an_unknown_group_leaves_nothing_behind(ledger):
    with pytest.raises(UnknownGroupError):
        ledger.decide(gid_of(5), DecisionKind.IGNORE, "me", "")
    assert list(read_decisions(ledger.decisions_path)) == []


def test_lines_that_cannot_be_understood_are_given_as_they_are(ledger):
    gid = add_group(ledger)
    ledger.decide(gid, DecisionKind.IGNORE, "me", "")
    bad = [
        "{",
        "[]",
        '{"group_id": "x"}',
        '{"group_id": "x", "what": "dance", "who": "", "when_utc": "2025", "why": ""}',
    ]
    with ledger.decisions_path.open("a") as file:
        file.write("\n".join([*bad, ""]))
    kept = list(read_decisions(ledger.decisions_path))
    assert kept[1:] == bad
    assert kept[:1] == ledger.decisions()


def test_decisions_are_restored_to_the_groups_that_are_known(ledger, tmp_path):
    for i in range(2):
        ledger.decide(add_group(ledger, i), DecisionKind.QUARANTINE, "me", "odd")
    with open_ledger(tmp_path / "new") as new:
        gid = add_group(new, 1)
        assert new.restore_decisions(list(read_decisions(ledger.decisions_path))) == 1
        assert new.state(gid) is GroupState.QUARANTINED
        assert new.group(gid).group.reason == "odd"
