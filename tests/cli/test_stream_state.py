"""``status``, ``groups`` and ``ledger``: what they say of a ledger, and what they refuse."""

import json
import os

import pytest
from typer.testing import CliRunner

from dsa110_contimg.cli.app import app
from dsa110_contimg.ledger import FailureKind, GroupState, open_ledger
from dsa110_contimg.ledger.flaggings import Flagging
from ledger_groups import add_group, gid_of, publish


@pytest.fixture
def run(in_tmp):
    return lambda *arguments: CliRunner().invoke(app, list(map(str, arguments)))


@pytest.fixture
def ledger(in_tmp):
    """Four groups: done, ready, failed, too few."""
    state = in_tmp / "contimg-data" / "state"
    with open_ledger(state / "ledger.sqlite") as opened:
        publish(opened, add_group(opened, 0))
        add_group(opened, 1)
        attempt = opened.begin_attempt(add_group(opened, 2))
        opened.end_attempt(attempt.id, FailureKind.BUG, "division by zero")
        add_group(opened, 3, range(3))
        yield opened


def parsed(result):
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.mark.parametrize(
    "arguments",
    [["status"], ["groups", "list"], ["groups", "show", gid_of()], ["ledger", "check"], ["ledger", "upgrade"]],
)
def test_without_a_ledger_it_is_1_and_none_is_made(run, in_tmp, arguments):
    result = run(*arguments)
    assert result.exit_code == 1
    assert "there is no ledger" in result.stderr
    assert list(in_tmp.iterdir()) == []


def test_status_as_json(run, ledger):
    attempt = ledger.begin_attempt(gid_of(1), pid=77, host="here")
    with ledger.lock("stream"):
        report = parsed(run("status", "--json"))
    assert report["groups"] == dict.fromkeys(GroupState, 0) | {"done": 1, "running": 1, "failed": 1, "quarantined": 1}
    assert report["daemon"]["pid"] == os.getpid()
    assert report["backlog"] == 1
    assert report["lag_s"] > 0
    assert [(item["group_id"], item["reason"]) for item in report["failures"]][1] == (gid_of(2), "division by zero")
    (worker,) = report["workers"]
    assert (worker["group"], worker["attempt"], worker["pid"]) == (gid_of(1), attempt.number, 77)
    assert {item["name"] for item in report["space"]} == {"input", "ms", "state", "root"}
    assert all(item["free_bytes"] > 0 for item in report["space"])
    assert report["failed_attempts"]["bug"] == 1


def test_status_as_text(run, ledger):
    ledger.begin_attempt(gid_of(1))
    text = run("status").stdout
    for words in (
        "daemon   not running",
        "behind the sky",
        "1 done, 1 failed",
        "division by zero",
        "only 3 good",
        "free of",
    ):
        assert words in text


def test_status_says_what_holds_the_daemon_up_and_what_is_tried_again(run, ledger, in_tmp):
    attempt = ledger.begin_attempt(gid_of(1))
    ledger.end_attempt(attempt.id, FailureKind.TRANSIENT, "a mount blinked")
    said = {"pid": os.getpid(), "paused": "5 GB free, and 100 GB are needed", "trouble": "", "draining": True}
    (in_tmp / "contimg-data" / "state" / "daemon.json").write_text(json.dumps(said))
    with ledger.lock("stream"):
        text = run("status").stdout
        report = parsed(run("status", "--json"))
    assert "PAUSED   5 GB free" in text
    assert "TROUBLE" not in text
    assert "no new group is begun" in text
    assert f"again    {gid_of(1)}" in text
    assert "a mount blinked" in text
    assert report["said"] == said
    assert [item["kind"] for item in report["waiting"]] == ["transient"]
    assert "PAUSED" not in run("status").stdout  # of a daemon that is gone


def test_status_of_an_empty_ledger(run, in_tmp):
    open_ledger(in_tmp / "s" / "ledger.sqlite").close()
    assert "nothing is published yet" in run("status", "--state", "s").stdout


def test_list(run, ledger):
    listed = parsed(run("groups", "list", "--json"))["groups"]
    assert [item["state"] for item in listed] == ["quarantined", "failed", "ready", "done"]
    assert [item["id"] for item in parsed(run("groups", "list", "failed", "ready", "--json"))["groups"]] == [
        gid_of(2),
        gid_of(1),
    ]
    assert len(parsed(run("groups", "list", "--since", gid_of(1), "--until", gid_of(2), "--json"))["groups"]) == 2
    assert len(run("groups", "list", "--limit", 3).stdout.splitlines()) == 3
    assert run("groups", "list", "nonsense").exit_code == 2


def test_show(run, ledger):
    ledger.begin_attempt(gid_of(1))
    facts = parsed(run("groups", "show", gid_of(2), "--json"))
    assert facts["group"]["state"] == "failed"
    assert len(facts["files"]) == 16
    assert facts["attempts"][0]["failure_kind"] == "bug"
    text = run("groups", "show", "20251005T124018").stdout  # the form in paths will do
    assert "division by zero" in text
    assert "attempt  1" in text
    assert "product  /ms" in run("groups", "show", gid_of(0)).stdout
    assert "running" in run("groups", "show", gid_of(1)).stdout


def test_show_says_what_was_flagged_by_what(run, ledger):
    assert "flagged" not in run("groups", "show", gid_of(0)).stdout
    ailment = {"name": "45", "polarization": "XX", "kind": "dead"}
    record = {"by_reason": {"good": 0.857, "array": 0.12, "baseline": 0.023, "zero": 0.0}, "ailments": [ailment]}
    for flagged in (0.5, 0.143):  # the last word counts
        ledger.note_flagging(Flagging(gid_of(0), 60953.5, flagged, record))
    text = run("groups", "show", gid_of(0)).stdout
    assert "flagged  14.3%: array 12.0%, baseline 2.3%" in text
    assert "station 45 XX: dead" in text
    assert parsed(run("groups", "show", gid_of(0), "--json"))["flagging"]["record"] == record
    assert [item.group_id for item in ledger.flaggings(60953.0, 60954.0)] == [gid_of(0)]
    assert ledger.flaggings(60954.0, 60955.0) == []


def test_decisions(run, ledger, in_tmp):
    assert parsed(run("groups", "retry", gid_of(2), "--why", "fixed", "--json")) == {
        "groups": [{"group": gid_of(2), "state": "ready"}]
    }
    assert run("groups", "ignore", gid_of(0), gid_of(1)).stdout.split()[1::2] == ["ignored", "ignored"]
    assert run("groups", "quarantine", gid_of(1)).stdout.split()[1] == "quarantined"
    assert run("groups", "retire", gid_of(0)).stdout.split()[1] == "ignored"
    assert "decision" in run("groups", "show", gid_of(1)).stdout
    lines = (in_tmp / "contimg-data" / "ms" / "decisions.jsonl").read_text().splitlines()
    assert [json.loads(line)["what"] for line in lines] == ["retry", "ignore", "ignore", "quarantine", "retire"]
    assert json.loads(lines[0])["why"] == "fixed"


def test_a_refused_decision_is_1_and_does_not_stop_the_others(run, ledger):
    ledger.begin_attempt(gid_of(1))
    result = run("groups", "retry", gid_of(1), gid_of(9), gid_of(2))
    assert result.exit_code == 1
    assert "is running" in result.stderr
    assert f"no group {gid_of(9)}" in result.stderr
    assert result.stdout.split() == [gid_of(2), "ready"]
    assert run("groups", "retry", "yesterday").exit_code == 2


def test_check_rebuild_upgrade(run, in_tmp):
    (in_tmp / "in").mkdir()
    made = parsed(run("ledger", "rebuild", "--input", "in", "--output", "out", "--state", "s", "--json"))
    assert (made["n_groups"], made["former"]) == (0, None)
    assert "The old ledger is" in run("ledger", "rebuild", "--input", "in", "--output", "out", "--state", "s").stdout
    assert parsed(run("ledger", "upgrade", "--state", "s", "--json"))["revision"]
    assert "revision" in run("ledger", "upgrade", "--state", "s").stdout
    arguments = ["ledger", "check", "--input", "in", "--output", "out", "--state", "s"]
    assert "agrees" in run(*arguments).stdout
    (in_tmp / "in" / "2025-10-05T12:30:00_sb03.hdf5").touch()
    result = run(*arguments, "--json")
    assert result.exit_code == 1
    assert len(json.loads(result.stdout)["differences"]) == 1
    (in_tmp / "out").mkdir()
    (in_tmp / "out" / "decisions.jsonl").write_text("{\n")
    result = run("ledger", "rebuild", "--input", "in", "--output", "out", "--state", "s")
    assert result.exit_code == 1
    assert "not understood: {" in result.stderr
