"""An epoch is published once, whoever dies between the renamings and the record."""

import json

import pytest

from dsa110_contimg.errors import OutputExistsError, StaleAttemptError
from dsa110_contimg.ledger import open_ledger
from dsa110_contimg.ledger.epoch_states import EpochState
from dsa110_contimg.pipeline.commit import clear_left_over, current_partials, manifest_path
from dsa110_contimg.pipeline.description import MANIFEST_NAME, Manifest, ProductMade
from dsa110_contimg.pipeline.epoch_commit import commit_epoch, recover_epochs
from dsa110_contimg.storage.checksums import tree_checksum
from ledger_groups import EPOCH, EPOCH_MJD, INPUTS, note_epoch

NAME = f"{EPOCH}-epoch"


@pytest.fixture
def ledger(tmp_path):
    with open_ledger(tmp_path / "ledger.sqlite") as opened:
        note_epoch(opened)
        yield opened


@pytest.fixture
def output(tmp_path):
    (tmp_path / "ms").mkdir()
    return tmp_path / "ms"


def made(attempt, output, text="data", verdict="good"):
    """What a job leaves."""
    partial = output / f".partial-{EPOCH}-{attempt.id}"
    (partial / NAME).mkdir(parents=True)
    (partial / NAME / "mosaic.fits").write_text(text)
    product = ProductMade(NAME, "epoch", *tree_checksum(partial / NAME))
    facts = {"verdict": verdict, "reasons": []}
    manifest = Manifest(EPOCH, EPOCH_MJD, attempt.id, (), {}, (), (product,), (), "now", inputs=INPUTS, facts=facts)
    (partial / MANIFEST_NAME).write_text(json.dumps(manifest.as_dict()))
    return manifest


def begin(ledger):
    return ledger.begin_epoch_attempt(EPOCH, INPUTS)


def test_it_is_published_with_its_manifest_and_what_it_is_worth(ledger, output):
    attempt = begin(ledger)
    manifest = made(attempt, output, verdict="bad")
    assert current_partials(ledger) == {f".partial-{EPOCH}-{attempt.id}"}
    assert commit_epoch(ledger, attempt, manifest, output) is EpochState.BAD
    assert sorted(path.name for path in output.iterdir()) == [NAME, "manifests"]
    assert Manifest.read(manifest_path(EPOCH, output)) == manifest
    epoch = ledger.epoch(EPOCH)
    assert (epoch.inputs, epoch.path, epoch.checksum) == (INPUTS, output / NAME, manifest.products[0].checksum)
    with pytest.raises(StaleAttemptError):
        commit_epoch(ledger, attempt, manifest, output)


def test_nothing_that_the_ledger_does_not_know_is_replaced(ledger, output):
    (output / NAME).mkdir()
    attempt = begin(ledger)
    with pytest.raises(OutputExistsError):
        commit_epoch(ledger, attempt, made(attempt, output), output)
    assert list((output / NAME).iterdir()) == []


@pytest.mark.parametrize("renamed", [False, True])
def test_a_daemon_that_died_before_the_record_has_its_commit_finished(ledger, output, renamed):
    attempt = begin(ledger)
    made(attempt, output)
    if renamed:
        (output / f".partial-{EPOCH}-{attempt.id}" / NAME).rename(output / NAME)
    recover_epochs(ledger, output)
    assert ledger.epoch(EPOCH).state is EpochState.DONE
    assert sorted(path.name for path in output.iterdir()) == [NAME, "manifests"]


@pytest.mark.parametrize("exchanged", [False, True])
def test_that_holds_when_it_is_made_again(ledger, output, exchanged):
    first = begin(ledger)
    commit_epoch(ledger, first, made(first, output), output)
    second = begin(ledger)
    made(second, output, "new")
    partial = output / f".partial-{EPOCH}-{second.id}"
    if exchanged:
        (output / NAME).rename(output / "aside")
        (partial / NAME).rename(output / NAME)
        (output / "aside").rename(partial / NAME)
    recover_epochs(ledger, output)
    assert (output / NAME / "mosaic.fits").read_text() == "new"
    assert [attempt.committed for attempt in ledger.epoch_attempts(EPOCH)] == [True, True]
    assert not partial.exists()


@pytest.mark.parametrize("harm", ["manifest", "product", "facts"])
def test_what_is_not_whole_is_interrupted_and_cleared(ledger, output, harm):
    attempt = begin(ledger)
    manifest = made(attempt, output)
    partial = output / f".partial-{EPOCH}-{attempt.id}"
    if harm == "manifest":
        (partial / MANIFEST_NAME).unlink()
    elif harm == "product":
        (partial / NAME / "mosaic.fits").write_text("half")
    else:
        (partial / MANIFEST_NAME).write_text(json.dumps(manifest.as_dict() | {"attempt_id": 99}))
    assert clear_left_over(ledger, output, None) == []
    assert partial.exists()  # its attempt is still the current one
    recover_epochs(ledger, output)
    assert ledger.epoch(EPOCH).state is EpochState.OPEN
    assert ledger.current_epoch_attempts() == []
    clear_left_over(ledger, output, None)
    assert list(output.iterdir()) == []
