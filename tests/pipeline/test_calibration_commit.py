"""A set is published and registered with the group in which it was solved, or not at all."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from dsa110_contimg.errors import LedgerError, StaleAttemptError
from dsa110_contimg.ledger import DecisionKind, GroupState, open_ledger
from dsa110_contimg.naming import partial_name
from dsa110_contimg.pipeline.calibration_records import applied_facts, standing
from dsa110_contimg.pipeline.commit import commit, recover
from dsa110_contimg.pipeline.description import MANIFEST_NAME
from ledger_groups import add_group
from registered_sets import make_ms, make_set, manifest_of, state_of


@pytest.fixture
def output(tmp_path):
    (tmp_path / "ms").mkdir()
    return tmp_path / "ms"


@pytest.fixture
def ledger(tmp_path):
    with open_ledger(tmp_path / "state" / "ledger.sqlite") as opened:
        yield opened


def made(ledger, output, verdict="good"):
    """What a job leaves that solved on its group, and calibrated it by its own set."""
    gid = add_group(ledger, 0)
    attempt = ledger.begin_attempt(gid)
    partial = output / partial_name(gid, attempt.id)
    path = make_set(partial, 0, attempt.id, verdict)
    record = json.loads((path / "set.json").read_text())
    said = {"sets": [record["name"]], "tie": None, "rung": "good-of-the-day", "stale": False, "why": "its own"}
    manifest = replace(
        manifest_of(0, make_ms(partial, 0, said), path),
        attempt_id=attempt.id,
        made_utc=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    (partial / MANIFEST_NAME).write_text(json.dumps(manifest.as_dict()))
    return gid, attempt, manifest


def test_group_set_and_use_are_recorded_together(ledger, output):
    gid, attempt, manifest = made(ledger, output)
    assert commit(ledger, attempt, manifest, output) is GroupState.DONE
    (item,) = ledger.calibrations()
    assert item.path.is_dir()
    assert [use.calibration for use in ledger.calibrated_by(gid)] == [item.name]
    mjd = state_of(3).start_mjd
    chosen = standing(ledger, mjd, mjd).choose(mjd, state_of(3))
    assert applied_facts(chosen)["sets"] == [item.name]


@pytest.mark.parametrize("step", ["register_calibration", "note_observing", "record_calibrated", "commit_products"])
def test_a_daemon_that_dies_at_any_step_finishes_when_it_is_back(ledger, output, monkeypatch, step):
    gid, attempt, manifest = made(ledger, output)

    def die(*_args, **_kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ledger, step, die)
        with pytest.raises(KeyboardInterrupt):
            commit(ledger, attempt, manifest, output)
    assert ledger.state(gid) is GroupState.RUNNING
    recover(ledger, output, None)
    assert ledger.state(gid) is GroupState.DONE
    (item,) = ledger.calibrations(retired=True)
    assert [use.calibration for use in ledger.calibrated_by(gid)] == [item.name]
    assert len(list(output.glob("*.cal"))) == 1
    assert not list(output.glob(".partial*"))


def test_what_is_no_longer_wanted_registers_nothing(ledger, output):
    gid, attempt, manifest = made(ledger, output)
    ledger.decide(gid, DecisionKind.IGNORE, "me", "test")
    with pytest.raises(StaleAttemptError):
        commit(ledger, attempt, manifest, output)
    assert ledger.calibrations() == []
    assert not list(output.glob("*.cal"))


def test_a_bad_set_that_a_job_should_not_have_left_stops_the_group(ledger, output):
    gid, attempt, manifest = made(ledger, output, "bad")
    with pytest.raises(LedgerError, match="bad"):
        commit(ledger, attempt, manifest, output)
    assert ledger.calibrations() == []
    assert ledger.state(gid) is GroupState.RUNNING
