"""One group, one product: whoever triggers, races, or dies between the rename and the record."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dsa110_contimg.errors import AttemptRunningError, GroupStateError, OutputExistsError, StaleAttemptError
from dsa110_contimg.ledger import DecisionKind, GroupState, open_ledger
from dsa110_contimg.pipeline.commit import commit, manifest_path, recover
from dsa110_contimg.pipeline.description import MANIFEST_NAME, Manifest, ProductMade
from dsa110_contimg.pipeline.job import Reporter
from dsa110_contimg.pipeline.register import register
from dsa110_contimg.pipeline.sightings import FileSighted, GroupSighted, Sightings
from dsa110_contimg.storage.checksums import tree_checksum

GROUP = "2025-10-05T12:30:00"
NAME = "20251005T123000.ms"


def sightings(subbands=range(16), outcome="good"):
    files = [FileSighted(f"/in/2025-10-05T12:30:00_sb{subband:02d}.hdf5", 100, 1, outcome, "") for subband in subbands]
    return Sightings((GroupSighted(GROUP, 60953.5, tuple(files)),), ())


@pytest.fixture
def ledger(tmp_path):
    with open_ledger(tmp_path / "ledger.sqlite") as ledger:
        register(ledger, [sightings()], 600, 12)
        yield ledger


@pytest.fixture
def output(tmp_path):
    (tmp_path / "ms").mkdir()
    return tmp_path / "ms"


def made(attempt, output, text="data", subbands=range(16)):
    """What a job leaves."""
    partial = output / f".partial-20251005T123000-{attempt.id}"
    (partial / NAME).mkdir(parents=True)
    (partial / NAME / "table.dat").write_text(text)
    product = ProductMade(NAME, "ms", *tree_checksum(partial / NAME))
    manifest = Manifest(GROUP, 60953.5, attempt.id, tuple(subbands), {}, (), (product,), (), "now")
    import json

    (partial / MANIFEST_NAME).write_text(json.dumps(manifest.as_dict()))
    return manifest


def test_fifty_triggers_are_one_group_and_one_attempt(ledger):
    for _ in range(50):
        register(ledger, [sightings()], 600, 12)
    assert ledger.ready_groups() == [GROUP]
    with ThreadPoolExecutor(8) as pool:
        begun = list(pool.map(lambda _: _begin(ledger), range(50)))
    assert sum(attempt is not None for attempt in begun) == 1


def _begin(ledger):
    try:
        return ledger.begin_attempt(GROUP)
    except (AttemptRunningError, GroupStateError):
        return None


def test_eight_workers_that_race_publish_one_product(ledger, output):
    attempt = ledger.begin_attempt(GROUP)
    manifest = made(attempt, output)

    def race(_):
        try:
            return commit(ledger, attempt, manifest, output)
        except (StaleAttemptError, OutputExistsError, OSError):
            return None

    with ThreadPoolExecutor(8) as pool:
        states = list(pool.map(race, range(8)))
    assert states.count(GroupState.DONE) == 1
    assert len(ledger.group(GROUP).products) == 1
    assert sorted(path.name for path in output.iterdir()) == [NAME, "manifests"]
    assert Manifest.read(manifest_path(GROUP, output)) == manifest


def test_what_an_operator_no_longer_wants_is_not_published(ledger, output):
    attempt = ledger.begin_attempt(GROUP)
    manifest = made(attempt, output)
    ledger.decide(GROUP, DecisionKind.IGNORE, "me", "no")
    with pytest.raises(StaleAttemptError):
        commit(ledger, attempt, manifest, output)
    assert not (output / NAME).exists()


def test_nothing_that_the_ledger_does_not_know_is_replaced(ledger, output):
    (output / NAME).mkdir()
    (output / NAME / "mine").touch()
    attempt = ledger.begin_attempt(GROUP)
    with pytest.raises(OutputExistsError):
        commit(ledger, attempt, made(attempt, output), output)
    assert (output / NAME / "mine").exists()


@pytest.mark.parametrize("renamed", [False, True])
def test_a_daemon_that_died_before_the_record_has_its_commit_finished(ledger, output, renamed):
    attempt = ledger.begin_attempt(GROUP)
    made(attempt, output)
    if renamed:
        (output / f".partial-20251005T123000-{attempt.id}" / NAME).rename(output / NAME)
    recover(ledger, output, None)
    assert ledger.state(GROUP) is GroupState.DONE
    assert (output / NAME / "table.dat").read_text() == "data"
    assert sorted(path.name for path in output.iterdir()) == [NAME, "manifests"]


@pytest.mark.parametrize("exchanged", [False, True])
def test_that_holds_when_a_product_is_replaced(ledger, output, exchanged):
    first = ledger.begin_attempt(GROUP)
    commit(ledger, first, made(first, output, "old"), output)
    ledger.decide(GROUP, DecisionKind.RETRY, "me", "again")
    second = ledger.begin_attempt(GROUP)
    made(second, output, "new")
    if exchanged:
        partial = output / f".partial-20251005T123000-{second.id}"
        (output / NAME).rename(output / "aside")
        (partial / NAME).rename(output / NAME)
        (output / "aside").rename(partial / NAME)
    recover(ledger, output, None)
    assert (output / NAME / "table.dat").read_text() == "new"
    assert sorted(path.name for path in output.iterdir()) == [NAME, "manifests"]
    assert [product.retired_utc is None for product in ledger.group(GROUP).products] == [False, True]


@pytest.mark.parametrize("damage", ["no manifest", "no product", "other data"])
def test_what_is_not_whole_is_interrupted_and_cleared(ledger, output, damage):
    attempt = ledger.begin_attempt(GROUP)
    made(attempt, output)
    partial = output / f".partial-20251005T123000-{attempt.id}"
    if damage == "no manifest":
        (partial / MANIFEST_NAME).unlink()
    elif damage == "no product":
        shutil.rmtree(partial / NAME)
    else:
        (partial / NAME / "table.dat").write_text("dat")
    recover(ledger, output, None)
    assert ledger.state(GROUP) is GroupState.READY
    assert list(output.iterdir()) == []
    (ended,) = ledger.group(GROUP).attempts
    assert (ended.failure_kind, ended.committed) == (None, False)


def test_what_a_job_found_out_about_a_file_stands_until_the_file_changes(ledger):
    path = Path("/in/2025-10-05T12:30:00_sb03.hdf5")
    ledger.set_outcomes({path: ("zero-filled", "zeros")})
    register(ledger, [sightings()], 600, 12)
    assert ledger.group(GROUP).files[3].outcome == "zero-filled"
    new = FileSighted(str(path), 100, 2, "good", "")
    register(ledger, [Sightings((GroupSighted(GROUP, 60953.5, (new,)),), ())], 600, 12)
    assert ledger.group(GROUP).files[3].outcome == "good"


def test_the_last_that_is_said_of_a_stray_counts(ledger):
    stray = FileSighted("/in/2025-10-05T13:30:00_sb03.hdf5", 100, 2, "truncated", "cut")
    register(ledger, [Sightings((), (stray,))], 600, 12)
    (file,) = ledger.set_aside()
    assert (file.outcome, file.group_id) == ("truncated", None)
    assert file.first_seen_utc <= datetime.now(UTC)


def test_a_reporter_without_a_supervisor_is_silent():
    Reporter(None).enter("convert")
