"""``epochs``, and what ``status`` says of them."""

import json

import pytest
from typer.testing import CliRunner

from dsa110_contimg.cli.app import app
from dsa110_contimg.ledger import FailureKind, open_ledger
from ledger_groups import EPOCH, EPOCH_MJD, INPUTS, gid_of, note_epoch, publish_epoch

NEXT, AFTER_NEXT = "20251005T132058+54.6", "20251005T142048+54.6"


@pytest.fixture
def run(in_tmp):
    return lambda *arguments: CliRunner().invoke(app, list(map(str, arguments)))


@pytest.fixture
def ledger(in_tmp):
    """Three hours: bad, failed, being made."""
    with open_ledger(in_tmp / "contimg-data" / "state" / "ledger.sqlite") as opened:
        publish_epoch(opened, verdict="bad", reasons=["its flux scale is 1.4"])
        attempt = opened.begin_epoch_attempt(note_epoch(opened, NEXT, EPOCH_MJD + 0.0415), INPUTS)
        opened.end_epoch_attempt(attempt.id, FailureKind.BUG, "division by zero")
        opened.begin_epoch_attempt(note_epoch(opened, AFTER_NEXT, EPOCH_MJD + 0.083), INPUTS)
        yield opened


def parsed(result):
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.mark.parametrize("arguments", [["list"], ["show", EPOCH], ["retry", EPOCH]])
def test_without_a_ledger_it_is_1(run, in_tmp, arguments):
    result = run("epochs", *arguments)
    assert result.exit_code == 1
    assert "there is no ledger" in result.stderr


def test_list(run, ledger):
    running, failed, bad = run("epochs", "list").stdout.splitlines()
    assert running.startswith(f"{AFTER_NEXT} running")
    assert failed.startswith(f"{NEXT} failed")
    assert failed.endswith("division by zero")
    assert bad.startswith(f"{EPOCH} bad      bad       3 images")
    assert bad.endswith("not in the light curves yet, its flux scale is 1.4")
    assert [item["id"] for item in parsed(run("epochs", "list", "bad", "--json"))["epochs"]] == [EPOCH]
    assert len(run("epochs", "list", "--strip", "+54.6", "--limit", 2).stdout.splitlines()) == 2
    assert run("epochs", "list", "--strip", "+16.3").stdout == ""
    assert len(run("epochs", "list", "--since", "2025-10-05T13:30:00").stdout.splitlines()) == 2
    assert run("epochs", "list", "nonsense").exit_code == 2


def test_show(run, ledger):
    text = run("epochs", "show", EPOCH).stdout
    for words in ("2025-10-05T12:21:08Z", f"/ms/{EPOCH}-epoch", "3 images", gid_of(2), "committed", "published"):
        assert words in text
    facts = parsed(run("epochs", "show", NEXT, "--json"))
    assert facts["epoch"]["state"] == "failed"
    assert facts["attempts"][0]["message"] == "division by zero"
    unknown = run("epochs", "show", "20200101T000000+54.6")
    assert (unknown.exit_code, "epochs list" in unknown.stderr) == (1, True)
    assert run("epochs", "show", "yesterday").exit_code == 2


def test_retry(run, ledger):
    assert "to be made again" in run("epochs", "retry", EPOCH, "--why", "a new beam").stdout
    assert ledger.asked_again() == [EPOCH]
    assert parsed(run("epochs", "retry", NEXT, "--json")) == {"epochs": [{"epoch": NEXT, "state": "open"}]}
    result = run("epochs", "retry", AFTER_NEXT, NEXT)
    assert result.exit_code == 1
    assert "is running" in result.stderr
    assert "again" in run("epochs", "list", "bad").stdout


def test_status(run, ledger):
    text = run("status").stdout
    assert "epochs   1 running, 1 bad, 1 failed; 1 not in the light curves yet" in text
    assert f"epoch    {AFTER_NEXT}: is being made" in text
    assert f"epoch    {EPOCH}: bad, 3 images" in text
    assert f"failed   epoch {NEXT}: division by zero" in text
    assert parsed(run("status", "--json"))["epochs"]["states"]["bad"] == 1
