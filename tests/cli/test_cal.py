"""``cal`` and ``recalibrate``: what they say of sets, and what they have done."""

import json

import pytest
from typer.testing import CliRunner

from dsa110_contimg.cli.app import app
from dsa110_contimg.ledger import GroupState, open_ledger
from dsa110_contimg.pipeline.calibration_records import applied_facts, register_made, standing
from ledger_groups import add_group, gid_of, publish
from registered_sets import make_ms, make_set, manifest_of, state_of


@pytest.fixture
def run(in_tmp):
    return lambda *arguments: CliRunner().invoke(app, list(map(str, arguments)))


@pytest.fixture
def night(in_tmp):
    """Two sets, and between them a published group that only the first calibrated."""
    output = in_tmp / "contimg-data" / "ms"
    with open_ledger(in_tmp / "contimg-data" / "state" / "ledger.sqlite") as ledger:
        first = make_set(output, 0)
        register_made(ledger, manifest_of(0, first, make_ms(output, 0)), output)
        mjd = state_of(5).start_mjd
        said = applied_facts(standing(ledger, mjd, mjd).choose(mjd, state_of(5)))
        register_made(ledger, manifest_of(5, make_ms(output, 5, said)), output)
        publish(ledger, add_group(ledger, 5))
        second = make_set(output, 9, verdict="usable")
        register_made(ledger, manifest_of(9, second), output)
        yield ledger, first.name, second.name


def parsed(result):
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_the_list_has_sets_with_grade_and_range(run, night):
    _, first, second = night
    report = parsed(run("cal", "list", "--json"))["sets"]
    assert [(item["name"], item["grade"]) for item in report] == [(second, "usable"), (first, "good")]
    lines = run("cal", "list").stdout.splitlines()
    assert lines[1].split()[:4] == [first, "+54.57", "good", "3%"]
    assert parsed(run("cal", "list", "--dec", 16.3, "--json"))["sets"] == []
    assert len(parsed(run("cal", "list", "--since", gid_of(8), "--json"))["sets"]) == 1


def test_a_set_is_shown_with_its_reasons_scale_and_use(run, night):
    _, first, _ = night
    text = run("cal", "show", first).stdout
    for said in ("good: 3C286", "by 3C286: to 3%", "antenna 5", "closure_deg", "unknown", "13 of 15 Jy", "125545.ms"):
        assert said in text
    report = parsed(run("cal", "show", first, "--json"))
    assert [item["group_id"] for item in report["calibrated"]] == [gid_of(5)]
    assert report["validity"]["start_mjd"] == pytest.approx(report["mid_mjd"] - 1)
    assert run("cal", "show", "nothing.cal").exit_code == 1


def test_which_set_serves_a_time_and_why_not_the_others(run, night):
    _, first, second = night
    report = parsed(run("cal", "for", gid_of(5), "--json"))
    assert [item["name"] for item in report["sets"]] == [first]
    assert run("cal", "for", gid_of(5)).stdout.startswith("good-of-the-day")
    late = run("cal", "for", "2025-10-07T20:00:00", "--dec", 54.57)
    assert late.exit_code == 1
    assert second not in late.stdout
    assert run("cal", "for", "2025-12-01T00:00:00").exit_code == 2


def test_a_retired_set_serves_no_more_and_what_it_calibrated_is_done_again(run, night):
    ledger, first, second = night
    result = run("cal", "retire", first, "--why", "the Sun")
    assert (result.exit_code, gid_of(5) in result.stdout) == (0, True)
    assert [item["name"] for item in parsed(run("cal", "for", gid_of(5), "--json"))["sets"]] == [second]
    assert "retired by" in run("cal", "list", "--retired").stdout
    assert run("cal", "retire", first).exit_code == 1
    span = ["--since", "2025-10-05T00:00:00", "--until", "2025-10-06T00:00:00", "--json"]
    (item,) = [item for item in parsed(run("recalibrate", "--dry-run", *span))["groups"] if item["group"] == gid_of(5)]
    assert "was retired" in item["why"]
    assert ledger.state(gid_of(5)) is GroupState.DONE
    run("recalibrate", *span)
    assert ledger.state(gid_of(5)) is GroupState.READY


def test_nothing_to_improve_is_said(run, night):
    result = run("recalibrate", "--since", "2025-10-07T00:00:00", "--until", "2025-10-08T00:00:00")
    assert (result.exit_code, result.stdout) == (0, "Nothing would be calibrated better now.\n")
