"""``dsa110-contimg retention`` as an operator types it."""

import json

import pytest
from typer.testing import CliRunner

from dsa110_contimg.cli.app import app
from dsa110_contimg.ledger import Product, open_ledger
from ledger_groups import AFTER, add_group


@pytest.fixture
def night(tmp_path, monkeypatch):
    """One old group with a Measurement Set, and settings by which that may go."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "contimg.toml").write_text(
        '[paths]\ninput = "in"\nms = "ms"\nstate = "state"\n[retention.ms]\ndays = 1\n'
    )
    with open_ledger(tmp_path / "state" / "ledger.sqlite", decisions=tmp_path / "ms" / "decisions.jsonl") as ledger:
        gid = add_group(ledger)
        attempt = ledger.begin_attempt(gid, now=AFTER)
        path = tmp_path / "ms" / "20251005T123000.ms"
        path.mkdir(parents=True)
        (path / "table.dat").write_bytes(b"x" * 5_000_000)
        ledger.commit_products(attempt.id, [Product(path, "ms", "0123", 5_000_000)], range(16), now=AFTER)
    return path


def run(*arguments):
    return CliRunner().invoke(app, ["retention", *arguments])


def test_a_plan_comes_first(night):
    done = run("apply", "--yes")
    assert done.exit_code == 1
    assert "Make one and read it: dsa110-contimg retention plan." in done.output
    assert night.exists()


def test_plan_and_apply(night):
    planned = run("plan", "--groups")
    assert planned.exit_code == 0
    assert "ms      1 of 1 groups may go: 5 MB of 5 MB" in planned.output
    assert str(night) in planned.output
    assert "raw     0 of 0 groups may go" in planned.output
    asked = run("apply")
    assert asked.exit_code == 2
    assert "Add --yes" in asked.output
    tried = run("apply", "--dry-run")
    assert tried.exit_code == 0
    assert night.exists()
    done = run("apply", "--yes")
    assert done.exit_code == 0
    assert "removed 1 of 1: 5 MB freed" in done.output
    assert not night.exists()
    assert json.loads(run("plan", "--json").stdout)["freed_bytes"] == 0


def test_the_plan_as_json(night):
    report = json.loads(run("plan", "--json").stdout)
    assert report["freed_bytes"] == 5_000_000
    kinds = {kind["kind"]: kind for kind in report["kinds"]}
    assert kinds["ms"]["items"][0]["paths"] == [str(night)]
    assert kinds["images"]["kept"] == "retention.images.days is not set: kept for ever"


def test_status_says_when_the_disk_is_full(night):
    # In the last day by the ledger's own clock: its times are those of the test's groups.
    from datetime import timedelta

    from dsa110_contimg.ledger.summary import summarize

    ledger = night.parents[1] / "state" / "ledger.sqlite"
    soon = summarize(ledger, AFTER + timedelta(hours=2))
    assert soon.product_bytes_per_day == pytest.approx(5e6 * 12)
    assert soon.raw_bytes_per_day == pytest.approx(16_000 * 24 / (2 + 10 / 60), rel=1e-3)
    assert summarize(ledger, AFTER + timedelta(days=3)).raw_bytes_per_day == 0
