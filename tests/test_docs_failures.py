"""The handbook's page of failures names all that the code can, and says of errors what becomes of them."""

import ast
import inspect
import re
from pathlib import Path

import pytest

import dsa110_contimg
from dsa110_contimg import errors
from dsa110_contimg.calibration.grading import LIMITS
from dsa110_contimg.calibration.health import Ailment
from dsa110_contimg.calibration.ladder import Rung
from dsa110_contimg.flagging.antennas import AilmentKind
from dsa110_contimg.flagging.reasons import Reason
from dsa110_contimg.ledger.epoch_states import EpochState
from dsa110_contimg.ledger.records import GOOD, LATE
from dsa110_contimg.ledger.states import DecisionKind, FailureKind, GroupState
from dsa110_contimg.pipeline.failures import kind_of

PAGE = Path(__file__).parents[1] / "docs" / "failures.md"
SOURCE = Path(dsa110_contimg.__path__[0])
ERRORS = {name: item for name, item in vars(errors).items() if inspect.isclass(item) and name.endswith("Error")}


def rows(title, table=0):
    """Give the rows of a table under a heading: the names in the first cell, and the other cells."""
    section = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.MULTILINE | re.DOTALL)[1]
    lines = re.findall(r"(?:^\|.*\n)+", section, re.MULTILINE)[table].splitlines()[2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {name: cell[1:] for cell in cells for name in re.findall(r"`([^`]+)`", cell[0])}


def words(module, *functions):
    """Give the strings that calls of functions begin with in a module, or anywhere."""
    found = set()
    for path in sorted(SOURCE.rglob("*.py")) if module is None else [SOURCE / module]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in functions:
                texts = [value.value for value in node.args if isinstance(value, ast.Constant)]
                found.update(text for text in texts[:1] if isinstance(text, str))
    return found


@pytest.mark.parametrize(
    ("title", "table", "names"),
    [
        ("Errors", 0, set(ERRORS)),
        ("What is wrong with a file", 0, {kind.outcome for kind in ERRORS.values() if hasattr(kind, "outcome")}),
        ("What is wrong with a file", 0, {GOOD, LATE}),
        ("States of a group", 0, set(GroupState)),
        ("Kinds of failure", 0, set(FailureKind)),
        ("Events", 0, {*FailureKind, *DecisionKind}),
        ("Events", 0, words(None, "record_event", "add_event")),
        ("Flagged samples", 0, {reason.title for reason in Reason} | {reason.name.lower() for reason in Reason}),
        ("Sick antennas", 0, set(AilmentKind)),
        ("Verdicts on a calibration set", 0, set(LIMITS)),
        ("Which rung a group stands on", 0, set(Rung)),
        ("Verdicts on an image", 0, words("qa/quality.py", "judge", "found", "not_judged")),
        ("Verdicts on an epoch", 0, words("qa/epoch_gates.py", "judge", "found", "not_judged")),
    ],
)
def test_everything_is_named(title, table, names):
    assert names
    assert {str(name) for name in names} - set(rows(title, table)) == set()


def test_what_ails_an_antenna_on_a_calibrator_is_named():
    kinds = re.findall(r"``([a-z ]+)``", inspect.getdoc(Ailment).partition("kind : str")[2].partition("text : str")[0])
    assert len(kinds) == 7
    assert set(kinds) == set(rows("Sick antennas", 1))


def test_the_states_of_an_epoch_are_explained():
    page = PAGE.with_name("epochs.md").read_text().partition("## In the stream")[2]
    assert re.findall(r"^\| `([\w-]+)` \|", page, re.MULTILINE) == [state.value for state in EpochState]


def test_nothing_is_named_that_is_not_there():
    assert set(rows("Errors")) == set(ERRORS)
    assert set(rows("States of a group")) == set(GroupState)
    assert set(rows("Kinds of failure")) == set(FailureKind)


@pytest.mark.parametrize("name", sorted(ERRORS))
def test_the_kind_of_an_error_is_what_the_stream_makes_of_it(name):
    assert rows("Errors")[name][0] == kind_of(ERRORS[name]("something happened"))


def test_every_exit_status_is_explained():
    statuses = set(rows("Exit statuses"))
    in_code = {0, 1, 2}
    for path in (SOURCE / "cli" / "lazy.py", SOURCE / "pipeline" / "daemon.py"):
        in_code |= {int(value) for value in re.findall(r"^EXIT_\w+ = (\d+)", path.read_text(), re.MULTILINE)}
    assert {str(status) for status in in_code} == statuses


def sentences(module, function):
    """Give the longest fixed part of every text that a function of a module can return, yield or collect."""
    tree = ast.parse((SOURCE / module).read_text())
    body = next(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == function)
    inside = {id(part) for node in ast.walk(body) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    for node in ast.walk(body):
        if isinstance(node, ast.JoinedStr):
            parts = [part.value for part in node.values if isinstance(part, ast.Constant)]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            parts = [node.value]
        else:
            continue
        longest = max(parts, key=len, default="").strip(" :;,(")
        if " " in longest and node is not body.body[0] and longest not in (ast.get_docstring(body) or ""):
            yield longest


@pytest.mark.parametrize(
    ("module", "function"),
    [
        ("pipeline/attempt.py", "_overdue"),
        ("pipeline/attempt.py", "_died"),
        ("pipeline/space.py", "shortage"),
        ("ledger/states.py", "too_few"),
        ("ledger/consistency.py", "_contradictions"),
        ("ledger/consistency.py", "_of_attempts"),
        ("pipeline/differences.py", "_harm"),
        ("calibration/ladder.py", "_refusal"),
        ("calibration/tie_checks.py", "why_not"),
        ("telescope/correlator.py", "changes"),
    ],
)
def test_what_is_said_in_words_is_explained(module, function):
    page = " ".join(PAGE.read_text().split())
    said = list(sentences(module, function))
    assert said
    assert [text for text in said if text not in page] == []
