"""One decision about several groups or epochs, and what is printed of attempts and events."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer

from dsa110_contimg.cli.decisions import decide_each, print_attempts, print_events
from dsa110_contimg.errors import GroupStateError, UnknownEpochError
from dsa110_contimg.ledger import Attempt, Event, FailureKind, GroupState, Stage

NOW = datetime(2025, 10, 5, 12, 30, tzinfo=UTC)


def decide(name):
    if name == "running":
        raise GroupStateError("an attempt is running")
    if name == "unknown":
        raise UnknownEpochError("no such epoch")
    return GroupState.READY


def test_those_that_refuse_do_not_keep_the_others_from_it(capsys):
    with pytest.raises(typer.Exit) as ended:
        decide_each("epoch", ["running", "a", "unknown", "b"], decide, "{id} is {state}", as_json=False)
    assert ended.value.exit_code == 1
    said = capsys.readouterr()
    assert said.out.splitlines() == ["a is ready", "b is ready"]
    assert said.err.splitlines() == ["error: an attempt is running", "error: no such epoch"]


def test_as_json_stdout_is_the_report_alone(capsys):
    decide_each("group", ["a"], decide, "{id}", as_json=True)
    assert json.loads(capsys.readouterr().out) == {"groups": [{"group": "a", "state": "ready"}]}


def test_attempts_and_events(capsys):
    first = Attempt(1, "g", 1, NOW, ended_utc=NOW, failure_kind=FailureKind.BUG, message="no", log_path=Path("/a.log"))
    others = [
        Attempt(2, "g", 2, NOW, ended_utc=NOW),
        Attempt(3, "g", 3, NOW, ended_utc=NOW, committed=True, stages=(Stage("flag", 2.5),)),
        Attempt(4, "g", 4, NOW),
    ]
    print_attempts([first, *others], lambda stage: f"{stage.seconds} s")
    print_events([Event(1, NOW, "g", "bug", "no")])
    assert [line.strip() for line in capsys.readouterr().out.splitlines()] == [
        "attempt  1  2025-10-05T12:30:00Z  bug  no",
        "log: /a.log",
        "attempt  2  2025-10-05T12:30:00Z  interrupted",
        "attempt  3  2025-10-05T12:30:00Z  committed",
        "flag: 2.5 s",
        "attempt  4  2025-10-05T12:30:00Z  running",
        "event    2025-10-05T12:30:00Z  bug: no",
    ]
