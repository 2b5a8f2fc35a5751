"""A ledger made anew from what lies on the disks, and the differences between the two."""

import json
import os
from datetime import UTC, datetime, timedelta

import pytest

import subband_files
from dsa110_contimg.errors import LedgerLockedError
from dsa110_contimg.ledger import DecisionKind, GroupState, open_ledger
from dsa110_contimg.ledger.decisions import epochs_file, read_decisions
from dsa110_contimg.ledger.epochs import EpochSeen
from dsa110_contimg.naming import ms_name
from dsa110_contimg.pipeline.commit import manifest_path
from dsa110_contimg.pipeline.description import BadFile, Manifest, ProductMade, StageTime
from dsa110_contimg.pipeline.differences import differences
from dsa110_contimg.pipeline.inventory import find_products, seen_of
from dsa110_contimg.pipeline.rebuild import DEADLINE, rebuild_ledger
from dsa110_contimg.storage.checksums import tree_bytes, tree_checksum
from ledger_groups import EPOCH, EPOCH_MJD, INPUTS

STARTS = [subband_files.START + i * timedelta(seconds=309) for i in range(4)]
GIDS = ["2025-10-05T12:30:00", "2025-10-05T12:35:09", "2025-10-05T12:40:18", "2025-10-05T12:45:27"]
NOW = datetime.now(UTC)
OTHER_EPOCH = "20251005T122108+16.3"


def make_product(directory, gid, missing=(), age=timedelta()):
    """What publishing leaves of a group, as far as a rebuild looks."""
    path = directory / ms_name(gid)
    path.mkdir(parents=True)
    (path / "table.f0").write_bytes(b"x" * 1000)
    record = path / "contimg.json"
    record.write_text(json.dumps({"format": 1, "group": gid, "missing": list(missing), "files": []}))
    os.utime(record, ((NOW - age).timestamp(),) * 2)
    return path


class Disks:
    """Incoming files of three groups, products of the first two and of one whose files are gone."""

    def __init__(self, root):
        self.incoming, self.products = root / "incoming", root / "ms"
        self.ledger, self.decisions = root / "state" / "ledger.sqlite", root / "ms" / "decisions.jsonl"
        for start, n in zip(STARTS[:3], (16, 16, 13), strict=True):
            for subband in range(n):
                path = subband_files.path_of(self.incoming, subband, start)
                subband_files.write_subband(path, subband, start)
        subband_files.path_of(self.incoming, 14, STARTS[2]).write_text("not HDF5")
        make_product(self.products, GIDS[0])
        make_product(self.products, GIDS[1], missing=[3])
        make_product(self.products, GIDS[3], age=timedelta(days=3))
        (self.products / "notes.txt").touch()

    def rebuild(self):
        return rebuild_ledger(self.ledger, self.incoming, self.products, self.decisions)

    def open(self):
        return open_ledger(self.ledger, create=False, decisions=self.decisions)


@pytest.fixture
def disks(tmp_path):
    return Disks(tmp_path)


def inputs(disks):
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in disks.incoming.iterdir()}


def test_rebuilding_finds_groups_files_and_products_and_touches_none(disks):
    before = inputs(disks)
    made = disks.rebuild()
    assert made[:4] == (46, 4, 3, 0)
    assert made.former is None
    with disks.open() as ledger:
        later = datetime.now(UTC) + DEADLINE + timedelta(minutes=1)
        states = [ledger.state(gid, later) for gid in GIDS]
        assert states == [GroupState.DONE, GroupState.PARTIAL, GroupState.READY, GroupState.DONE]
        (bad,) = ledger.set_aside()
        assert (bad.outcome, bad.subband, bad.group_id) == ("not-hdf5", 14, GIDS[2])
        assert ledger.late_groups() == [GIDS[1]]
        assert differences(ledger, disks.incoming, disks.products) == []
    assert inputs(disks) == before
    assert [path.name for path in disks.ledger.parent.iterdir() if "rebuilding" in path.name] == []


def test_decisions_survive_and_a_later_product_answers_a_retry(disks):
    disks.rebuild()
    with disks.open() as ledger:
        ledger.decide(GIDS[2], DecisionKind.IGNORE, "me", "a test", now=NOW)
        ledger.decide(GIDS[0], DecisionKind.RETRY, "me", "made since", now=NOW - timedelta(days=9))
        ledger.decide(GIDS[3], DecisionKind.RETIRE, "me", "bad", now=NOW)
        history = ledger.group(GIDS[0]).attempts
    with disks.decisions.open("a") as file:
        file.write("half a li")
    made = disks.rebuild()
    assert (made.n_decisions, made.not_understood) == (3, ["half a li"])
    assert made.former.exists()
    with disks.open() as ledger:
        assert [ledger.state(gid) for gid in (GIDS[0], GIDS[2], GIDS[3])] == [
            GroupState.DONE,
            GroupState.IGNORED,
            GroupState.IGNORED,
        ]
        assert ledger.group(GIDS[0]).attempts == history
        assert differences(ledger, disks.incoming, disks.products) == []


def test_a_damaged_ledger_is_replaced_and_kept(disks):
    disks.ledger.parent.mkdir()
    disks.ledger.write_bytes(b"not a database" * 100)
    made = disks.rebuild()
    assert made.former.read_bytes() == b"not a database" * 100
    disks.open().close()


def test_not_while_a_daemon_owns_it(disks):
    disks.rebuild()
    with disks.open() as ledger, ledger.lock("stream"), pytest.raises(LedgerLockedError, match="stream"):
        disks.rebuild()


def test_differences_are_named(disks):
    disks.rebuild()
    with disks.open() as ledger:
        new = subband_files.path_of(disks.incoming, 15, STARTS[2])
        subband_files.write_subband(new, 15, STARTS[2])
        (disks.products / ms_name(GIDS[0]) / "table.f0").write_bytes(b"")
        stranger = make_product(disks.products, "2025-10-06T00:00:00")
        gone = disks.products / ms_name(GIDS[1])
        gone.rename(disks.products / "elsewhere")
        ledger.decide(GIDS[2], DecisionKind.IGNORE, "me", "")
        disks.decisions.write_text("")
        lines = differences(ledger, disks.incoming, disks.products)
    assert len(lines) == 5
    for word in ("were published", f"{gone} is gone", f"{stranger} is not", f"{new} is not", "not beside the products"):
        assert sum(word in line for line in lines) == 1


def test_a_product_without_a_record_is_known_by_its_name(disks, caplog):
    (disks.products / ms_name(GIDS[0]) / "contimg.json").unlink()
    found = next(find_products(disks.products))
    (product,) = found.products
    assert (found.group_id, found.subbands) == (GIDS[0], tuple(range(16)))
    assert (product.checksum, product.size_bytes) == ("", tree_bytes(product.path)) == ("", 1000)
    assert "cannot be read" in caplog.text


def keep_manifest(disks, gid, bad):
    """Write what the stream keeps beside a product."""
    name = ms_name(gid)
    made = ProductMade(name, "ms", *tree_checksum(disks.products / name))
    good = tuple(subband for subband in range(16) if subband != bad)
    files = {n: str(subband_files.path_of(disks.incoming, n, STARTS[GIDS.index(gid)])) for n in range(16)}
    manifest = Manifest(
        gid, 60953.5, 7, good, {n: files[n] for n in good}, (BadFile(files[bad], "zero-filled", "no data"),), (made,),
        (StageTime("convert", 4.0, 100, 50),), NOW.isoformat(),
    )  # fmt: skip
    path = manifest_path(gid, disks.products)
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(manifest.as_dict()))


def test_manifests_bring_back_checksums_and_what_jobs_found_out(disks):
    keep_manifest(disks, GIDS[0], bad=5)
    (disks.products / "manifests" / "20300101T000000.json").write_text("{}")
    disks.rebuild()
    with disks.open() as ledger:
        history = ledger.group(GIDS[0])
        (product,) = history.products
        assert product.checksum == tree_checksum(product.path).checksum
        assert history.group.state is GroupState.PARTIAL
        assert [item.subband for item in history.files if item.outcome == "zero-filled"] == [5]
        assert GIDS[0] not in ledger.late_groups()  # the file is there, and known to be of no use
        assert [stage.name for stage in history.attempts[0].stages] == ["convert"]
        assert differences(ledger, disks.incoming, disks.products, checksums=True) == []


def test_checksums_find_what_sizes_do_not_and_readers_marks_are_no_harm(disks):
    keep_manifest(disks, GIDS[0], bad=5)
    product = disks.products / ms_name(GIDS[0])
    disks.rebuild()
    with disks.open() as ledger:
        (product / "table.lock").write_bytes(b"read by somebody")
        assert differences(ledger, disks.incoming, disks.products, checksums=True) == []
        (product / "table.f0").write_bytes(b"y" * 1000)
        assert differences(ledger, disks.incoming, disks.products) == []
        (line,) = differences(ledger, disks.incoming, disks.products, checksums=True)
        assert "checksum differs" in line


def test_directories_that_are_not_there(tmp_path):
    made = rebuild_ledger(tmp_path / "a", tmp_path / "b", tmp_path / "c", tmp_path / "d")
    assert made[:5] == (0, 0, 0, 0, [])
    assert seen_of.__doc__


def make_epoch(disks, **facts):
    """What publishing leaves of an epoch, as far as a rebuild looks."""
    path = disks.products / f"{EPOCH}-epoch"
    path.mkdir()
    (path / "mosaic.fits").write_bytes(b"x" * 100)
    made = (ProductMade(path.name, "epoch", *tree_checksum(path)),)
    stages = (StageTime("epoch", 60.0, 100, 100),)
    manifest = Manifest(EPOCH, EPOCH_MJD, 3, (), {}, (), made, stages, NOW.isoformat(), inputs=INPUTS, facts=facts)
    kept = manifest_path(EPOCH, disks.products)
    kept.parent.mkdir(exist_ok=True)
    kept.write_text(json.dumps(manifest.as_dict()))
    return path


def test_epochs_are_taken_as_they_were_made(disks):
    path = make_epoch(disks, verdict="usable", reasons=["few"])
    assert [item.group_id for item in find_products(disks.products)] == [GIDS[0], GIDS[1], GIDS[3]]
    assert disks.rebuild().n_products == 4
    with disks.open() as ledger:
        epoch = ledger.epoch(EPOCH)
        assert (epoch.state, epoch.verdict, epoch.inputs, epoch.path) == ("done", "usable", INPUTS, path)
        assert epoch.end_mjd - epoch.start_mjd == pytest.approx(1 / 24, rel=0.01)
        assert [item.id for item in ledger.unkept_epochs()] == [EPOCH]
        assert differences(ledger, disks.incoming, disks.products, checksums=True) == []
        (path / "mosaic.fits").write_bytes(b"y" * 100)
        assert differences(ledger, disks.incoming, disks.products) == []
        assert "checksum differs" in differences(ledger, disks.incoming, disks.products, checksums=True)[0]


def test_an_epoch_that_is_to_be_made_again_still_is(disks):
    make_epoch(disks, verdict="good")
    disks.rebuild()
    with disks.open() as ledger:
        ledger.retry_epoch(EPOCH, "me", "before", now=NOW - timedelta(hours=1))
    assert disks.rebuild().n_decisions == 0  # it was made after that
    with disks.open() as ledger:
        assert ledger.asked_again() == []
        ledger.note_epochs([EpochSeen(OTHER_EPOCH, "+16.3", EPOCH_MJD, EPOCH_MJD + 0.0415)])
        for name in (EPOCH, EPOCH, OTHER_EPOCH):
            ledger.retry_epoch(name, "me", "a new beam", now=NOW + timedelta(hours=1))
    with epochs_file(disks.decisions).open("a") as file:
        file.write("nonsense\n")
    assert disks.rebuild().n_decisions == 2
    with disks.open() as ledger:
        assert sorted(ledger.asked_again()) == sorted([EPOCH, OTHER_EPOCH])
        assert ledger.epoch(EPOCH).published_utc is not None
        assert [event.text for event in ledger.events(group_id=OTHER_EPOCH)] == ["me: a new beam"]
        assert differences(ledger, disks.incoming, disks.products) == []
    assert len(list(read_decisions(epochs_file(disks.decisions)))) == 5  # a rebuild writes none


def test_one_that_was_removed_is_not_made_again(disks):
    make_epoch(disks, verdict="good").rename(disks.products / "elsewhere")
    disks.rebuild()
    with disks.open() as ledger:
        assert ledger.epoch(EPOCH).retired_utc is not None
        assert differences(ledger, disks.incoming, disks.products) == []


def test_one_that_the_ledger_does_not_know_is_said_and_a_strange_manifest_left(disks):
    disks.rebuild()
    make_epoch(disks)
    with disks.open() as ledger:
        (line,) = differences(ledger, disks.incoming, disks.products)
    assert line.endswith(f"{EPOCH}-epoch is not in the ledger")
    assert disks.rebuild().n_products == 3  # its verdict is not known
