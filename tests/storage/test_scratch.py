"""Staging, archiving and cleaning on real file systems, with real processes."""

import contextlib
import errno
import itertools
import os
import signal
import subprocess
import sys
import time
import warnings

import pytest
from hypothesis import HealthCheck, given, settings

from dsa110_contimg.errors import (
    CopiesDifferError,
    DiskFullError,
    NotStagedError,
    OutputError,
    StagingError,
    TableLockedError,
    UsageError,
)
from dsa110_contimg.storage import copying, renaming
from dsa110_contimg.storage.mirroring import Watch
from dsa110_contimg.storage.scratch import Outcome, archive, clean, stage
from dsa110_contimg.storage.scratch_records import read_record, record_path
from dsa110_contimg.storage.scratch_roots import Roots
from dsa110_contimg.storage.scratch_status import status
from scratch_trees import LIMITS, TREES, build, facts, left_over, make_roots, names
from small_disk import mounted

RUN = {
    "table.dat": (b"table", 0o644),
    "table.lock": (b"", 0o644),
    "ANTENNA": {"table.f0": (b"a" * 5000, 0o600), "empty": {}},
    "a b.txt": (b"text", 0o444),
    "link": "a b.txt",
}


@pytest.fixture
def roots(tmp_path):
    return make_roots(tmp_path)


@pytest.fixture
def run(roots):
    """A product on the data root."""
    place = roots.place("ms/run")
    (roots.data / "ms").mkdir()
    build(place.data, RUN)
    return place


# -- there and back ----------------------------------------------------------------------------------------------------


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(tree=TREES)
def test_any_tree_comes_back_as_it_was(tmp_path, tree):
    """Names with blanks, line ends and bytes that are no text; empty directories, links, modes and times."""
    base = tmp_path / str(time.monotonic_ns())
    base.mkdir()
    roots = make_roots(base)
    place = roots.place("a/run")
    (roots.data / "a").mkdir()
    build(place.data, tree)
    before = facts(place.data)
    assert stage(place, LIMITS).outcome is Outcome.STAGED
    assert facts(place.scratch) == before
    place.data.rename(base / "gone")
    assert archive(place, LIMITS).outcome is Outcome.ARCHIVED
    assert facts(place.data) == before
    assert clean(place, LIMITS).outcome is Outcome.CLEANED
    assert facts(place.data) == before
    assert names(roots.scratch) == [".scratch-records"]
    assert left_over(roots) == []


def test_a_file_is_a_product_too(roots):
    build(roots.data / "one.hdf5", (os.urandom(1000), 0o640))
    place = roots.place("one.hdf5")
    before = facts(place.data)
    stage(place, LIMITS)
    assert facts(place.scratch) == before
    place.scratch.write_bytes(b"new")
    archive(place, LIMITS)
    assert place.data.read_bytes() == b"new"
    clean(place, LIMITS)
    assert names(roots.data) == ["one.hdf5"]


def test_a_file_of_many_pieces(roots, monkeypatch):
    monkeypatch.setattr(copying, "PIECE_BYTES", 1 << 20)
    build(roots.data / "big", (os.urandom(5_300_000), 0o440))
    place = roots.place("big")
    told = []
    stage(place, LIMITS, Watch(told.append, told.append))
    assert facts(place.scratch) == facts(place.data)
    assert told[0] == sum(told[1:]) == 5_300_000
    clean(place, LIMITS)


def test_holes_stay_holes(roots):
    with (roots.data / "sparse").open("wb") as file:
        file.truncate(40 << 20)
        file.seek(30 << 20)
        file.write(b"x")
    place = roots.place("sparse")
    stage(place, LIMITS)
    assert place.scratch.read_bytes() == place.data.read_bytes()
    assert place.scratch.stat().st_blocks * 512 < 10 << 20
    clean(place, LIMITS)


def test_only_what_changed_is_written_again(run):
    stage(run, LIMITS)
    inode = (run.data / "ANTENNA" / "table.f0").stat().st_ino
    (run.scratch / "table.dat").write_text("changed")
    done = archive(run, LIMITS)
    assert (done.n_copied, done.copied_bytes) == (1, 7)
    assert (run.data / "ANTENNA" / "table.f0").stat().st_ino == inode
    assert facts(run.data) == facts(run.scratch)


def test_doing_it_again_does_nothing(run):
    stage(run, LIMITS)
    inode = run.scratch.stat().st_ino
    assert stage(run, LIMITS).outcome is Outcome.NOTHING_TO_DO
    assert archive(run, LIMITS).outcome is Outcome.NOTHING_TO_DO
    assert run.scratch.stat().st_ino == inode


def test_a_newer_archive_is_staged_anew(run):
    stage(run, LIMITS)
    (run.data / "new").write_text("new")
    (run.data / "a b.txt").unlink()
    assert stage(run, LIMITS).outcome is Outcome.STAGED
    assert facts(run.scratch) == facts(run.data)


def test_what_was_copied_by_hand_is_adopted(run):
    subprocess.run(["cp", "-a", "--parents", "ms/run", str(run.roots.scratch)], cwd=run.roots.data, check=True)
    stage(run, LIMITS)
    assert read_record(record_path(run)).items
    clean(run, LIMITS)


# -- archiving ---------------------------------------------------------------------------------------------------------


def test_delete_removes_what_is_no_longer_staged(run):
    stage(run, LIMITS)
    (run.scratch / "a b.txt").unlink()
    (run.scratch / "link").unlink()
    archive(run, LIMITS)
    assert "a b.txt" in names(run.data)
    assert archive(run, LIMITS, delete=True, dry_run=True).removed == ("a b.txt", "link")
    assert "a b.txt" in names(run.data)
    done = archive(run, LIMITS, delete=True)
    assert done.removed == ("a b.txt", "link")
    assert facts(run.data) == facts(run.scratch)


def test_without_delete_the_archive_keeps_what_it_has(run):
    build(run.data / "more", {"deep": {"file": (b"kept", 0o600)}, "link": "deep"})
    stage(run, LIMITS)
    kept = facts(run.data / "more")
    subprocess.run(["rm", "-r", str(run.scratch / "more")], check=True)
    (run.scratch / "new").write_text("new")
    archive(run, LIMITS)
    assert facts(run.data / "more") == kept
    assert (run.data / "new").read_text() == "new"


def test_a_directory_becomes_a_file(run):
    stage(run, LIMITS)
    subprocess.run(["rm", "-r", str(run.scratch / "ANTENNA")], check=True)
    (run.scratch / "ANTENNA").write_text("file")
    archive(run, LIMITS)
    assert facts(run.data) == facts(run.scratch)


def test_what_was_never_staged_as_a_whole_deletes_nothing(run):
    build(run.scratch, {"new": (b"new", 0o644)})
    with pytest.raises(CopiesDifferError, match="never staged as a whole") as caught:
        archive(run, LIMITS, delete=True)
    assert "table.dat" in caught.value.differences
    archive(run, LIMITS)
    assert {"new", "table.dat"} <= set(names(run.data))


def test_the_archive_is_newer(run):
    stage(run, LIMITS)
    (run.data / "table.dat").write_text("by somebody else")
    (run.scratch / "table.dat").write_text("ours")
    with pytest.raises(CopiesDifferError, match=r"has changed since, and would be lost \(table.dat\).*--force"):
        archive(run, LIMITS)
    assert (run.data / "table.dat").read_text() == "by somebody else"
    archive(run, LIMITS, force=True)
    assert (run.data / "table.dat").read_text() == "ours"


def test_a_newer_file_where_nothing_was_staged(run):
    build(run.scratch, {"table.dat": (b"older", 0o644)})
    os.utime(run.data / "table.dat")
    with pytest.raises(CopiesDifferError, match="would be lost"):
        archive(run, LIMITS)


# -- cleaning ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda place: (place.scratch / "new").write_text("x"), "new: only staged"),
        (lambda place: (place.data / "new").write_text("x"), "new: only archived"),
        (lambda place: (place.scratch / "table.dat").write_text("x"), "table.dat: 1 bytes staged, 5 archived"),
        (lambda place: (place.data / "table.dat").write_bytes(b"tabLe"), "table.dat: contents differ"),
        (lambda place: (place.scratch / "link").replace(place.scratch / "a b.txt"), "a b.txt: is another kind"),
        (lambda place: subprocess.run(["rm", "-r", str(place.data)], check=True), "ms/run: is not archived"),
    ],
)
def test_only_an_identical_archive_lets_the_staged_copy_go(run, change, said):
    stage(run, LIMITS)
    change(run)
    before = facts(run.scratch)
    for dry_run in (True, False):
        with pytest.raises(CopiesDifferError, match="so the staged one stays") as caught:
            clean(run, LIMITS, dry_run=dry_run)
        assert any(line.startswith(said) for line in caught.value.differences)
    assert facts(run.scratch) == before
    clean(run, LIMITS, force=True)
    assert not run.scratch.exists()


def test_the_same_size_and_time_do_not_deceive_it(run):
    stage(run, LIMITS)
    path = run.data / "ANTENNA" / "table.f0"
    status = path.stat()
    path.write_bytes(b"a" * 4999 + b"b")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(CopiesDifferError, match=r"ANTENNA/table\.f0: contents differ"):
        clean(run, LIMITS)
    (run.data / "ANTENNA" / "table.f0").write_bytes(b"a" * 5000)
    clean(run, LIMITS)


def test_marks_of_readers_are_no_difference(run):
    stage(run, LIMITS)
    (run.scratch / "table.lock").write_bytes(b"a reader was here")
    assert stage(run, LIMITS).outcome is Outcome.NOTHING_TO_DO
    clean(run, LIMITS)


def test_a_change_at_the_last_moment_keeps_it(run, monkeypatch):
    """Somebody writes while both copies are read."""
    stage(run, LIMITS)
    calls = itertools.count(1)

    def late(nbytes):
        if next(calls) == 6:  # three files here, three there
            (run.scratch / "table.dat").write_text("later")

    with pytest.raises(CopiesDifferError, match="changed while it was verified"):
        clean(run, LIMITS, Watch(advance=late))
    assert (run.scratch / "table.dat").read_text() == "later"
    assert left_over(run.roots) == []


def test_a_copy_that_somebody_else_removed(run):
    stage(run, LIMITS)
    subprocess.run(["rm", "-r", str(run.scratch)], check=True)
    with pytest.raises(NotStagedError):
        archive(run, LIMITS)
    clean(run, LIMITS)
    with pytest.raises(NotStagedError, match="nothing to clean"):
        clean(run, LIMITS)


# -- what is refused ---------------------------------------------------------------------------------------------------


def test_nothing_is_there(roots):
    with pytest.raises(NotStagedError, match="nothing to stage"):
        stage(roots.place("nothing"), LIMITS)


def test_what_was_changed_on_scratch_is_not_replaced(run):
    stage(run, LIMITS)
    (run.data / "table.dat").write_text("new")
    (run.scratch / "a b.txt").chmod(0o644)
    (run.scratch / "a b.txt").write_text("work")
    with pytest.raises(CopiesDifferError, match=r"has changed since it was staged \(a b.txt\)"):
        stage(run, LIMITS)
    assert (run.scratch / "a b.txt").read_text() == "work"


def test_what_was_made_on_scratch_is_not_replaced(run):
    build(run.scratch, {"mine": (b"work", 0o644)})
    with pytest.raises(CopiesDifferError, match="something else is on the scratch disk"):
        stage(run, LIMITS)
    assert names(run.scratch) == ["mine"]


def test_parts_and_wholes(run):
    stage(run, LIMITS)
    with pytest.raises(StagingError, match="is a part of ms/run"):
        clean(run.roots.place("ms/run/ANTENNA"), LIMITS)
    with pytest.raises(StagingError, match="its part ms/run is staged"):
        stage(run.roots.place("ms"), LIMITS)


def test_links_that_lead_out(run, tmp_path):
    (tmp_path / "secret").write_text("x")
    (run.data / "out").symlink_to(tmp_path / "secret")
    with pytest.raises(UsageError, match="leads out of the root"):
        stage(run, LIMITS)
    assert names(run.roots.scratch) == [".scratch-records"]


def test_pipes_cannot_be_copied(run):
    os.mkfifo(run.data / "pipe")
    with pytest.raises(StagingError, match="neither a file"):
        stage(run, LIMITS)


def test_unreadable_files(run):
    """Root reads everything unless that capability is taken from it."""
    (run.data / "table.dat").chmod(0)
    code = """
from pathlib import Path
from sys import argv
import pytest
from dsa110_contimg.errors import StagingError
from dsa110_contimg.storage.scratch import stage
from dsa110_contimg.storage.scratch_roots import Roots
from scratch_trees import LIMITS
roots = Roots(Path(argv[1]), Path(argv[2]))
with pytest.raises(StagingError, match="cannot be read"):
    stage(roots.place("ms/run"), LIMITS)
"""
    like_others = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.geteuid() == 0 else ()
    done = subprocess.run(
        [*like_others, sys.executable, "-c", code, str(run.roots.data), str(run.roots.scratch)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_what_changes_while_it_is_copied_is_not_published(run):
    late = Watch(advance=lambda nbytes: (run.data / "new").write_text("later"))
    with pytest.raises(CopiesDifferError, match=r"changed while it was copied \(new\)"):
        stage(run, LIMITS, late)
    assert not run.scratch.exists()
    stage(run, LIMITS)
    assert facts(run.scratch) == facts(run.data)


def test_a_file_that_shrinks_while_it_is_copied(roots, monkeypatch):
    monkeypatch.setattr(copying, "PIECE_BYTES", 5 << 20)
    place = roots.place("big")
    place.data.write_bytes(bytes(20 << 20))
    late = Watch(advance=lambda nbytes: os.truncate(place.data, 1000))
    with pytest.raises(StagingError, match="changed while it was copied"):
        stage(place, LIMITS._replace(workers=1), late)
    assert not place.scratch.exists()


def test_a_dry_run_changes_nothing(run):
    everything = facts(run.roots.data.parent)
    assert stage(run, LIMITS, dry_run=True).n_copied == 4
    assert facts(run.roots.data.parent) == everything
    stage(run, LIMITS)
    (run.scratch / "table.dat").write_text("changed")
    everything = facts(run.roots.data.parent)
    assert archive(run, LIMITS, delete=True, dry_run=True).n_copied == 1
    with pytest.raises(CopiesDifferError):
        clean(run, LIMITS, dry_run=True)
    assert facts(run.roots.data.parent) == everything


# -- locked tables -----------------------------------------------------------------------------------------------------

HOLDER = """
import sys
import casacore.tables as ct
with ct.table(sys.argv[1], readonly=sys.argv[2] == "reading", ack=False) as table:
    table.getcell("A", 0)
    if sys.argv[2] == "writing":
        table.putcell("A", 0, 2.0)
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture(params=["reading", "writing"])
def hold(request):
    """A real process that has a table open with casacore; and how."""
    started = []

    def start(table):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(table), request.param],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start, request.param
    for process in started:
        if process.returncode is None:
            process.communicate("\n")


def test_a_table_that_another_process_has(roots, hold):
    import casacore.tables as ct

    start, how = hold
    (roots.data / "run").mkdir()
    description = ct.maketabdesc([ct.makescacoldesc("A", 1.0)])
    with ct.table(str(roots.data / "run" / "a.ms"), description, nrow=3, ack=False):
        pass
    place = roots.place("run")
    stage(place, LIMITS)
    (place.scratch / "new").write_text("new")
    holder = start(place.scratch / "a.ms")
    with pytest.raises(TableLockedError, match=rf"by process {holder.pid} \(python.*run/a\.ms"):
        clean(place, LIMITS, force=True)
    if how == "reading":
        archive(place, LIMITS)
    else:
        with pytest.raises(TableLockedError, match="locked for writing"):
            archive(place, LIMITS)
    holder.communicate("\n")
    archive(place, LIMITS)
    (place.scratch / "new").write_text("newer")
    holder = start(place.data / "a.ms")
    with pytest.raises(TableLockedError, match=f"by process {holder.pid}"):
        archive(place, LIMITS)  # what is open there would be replaced
    holder.communicate("\n")
    if how == "reading":
        archive(place, LIMITS)
    else:
        with pytest.raises(CopiesDifferError, match="has changed since"):
            archive(place, LIMITS)


# -- full disks --------------------------------------------------------------------------------------------------------


def test_room_is_asked_for_first(tmp_path):
    (tmp_path / "data" / "run").mkdir(parents=True)
    (tmp_path / "data" / "run" / "big").write_bytes(bytes(2 << 20))
    with mounted(tmp_path / "disk", "1m") as disk:
        place = Roots(tmp_path / "data", disk / "scratch").place("run")
        for dry_run in (True, False):
            with pytest.raises(DiskFullError, match=r"no room: 2\.\d+ MB are needed"):
                stage(place, LIMITS, dry_run=dry_run)
        assert left_over(place.roots) == ["stage"] or left_over(place.roots) == []


def test_a_disk_that_fills_while_it_is_copied(tmp_path):
    """Its copy is removed, for a full disk hurts all; what was there stays."""
    (tmp_path / "data" / "run").mkdir(parents=True)
    (tmp_path / "data" / "run" / "small").write_bytes(b"x")
    for n in range(8):
        (tmp_path / "data" / "run" / f"big{n}").write_bytes(os.urandom(5 << 20))
    with mounted(tmp_path / "disk", "60m") as disk:
        place = Roots(tmp_path / "data", disk / "scratch").place("run")
        other = disk / "other"

        def fill(nbytes):
            if not other.exists():
                with other.open("wb") as file:
                    os.posix_fallocate(file.fileno(), 0, 30 << 20)

        with pytest.raises(DiskFullError, match="no room left"):
            stage(place, LIMITS, Watch(advance=fill))
        assert names(place.roots.scratch) == [".scratch-records"]
        assert left_over(place.roots) == []
        other.unlink()
        stage(place, LIMITS)
        assert facts(place.scratch) == facts(place.data)


def test_a_disk_that_cannot_be_written(run):
    with mounted(run.roots.data.parent / "disk", "1m") as disk:
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        with pytest.raises(OutputError, match="Read-only"):
            stage(Roots(run.roots.data, disk).place("ms/run"), LIMITS)


# -- several at once, and killed ---------------------------------------------------------------------------------------

VERB = """
import sys
from pathlib import Path
from dsa110_contimg.storage import copying, renaming
from dsa110_contimg.storage.mirroring import Limits, Watch
from dsa110_contimg.storage.scratch import archive, clean, stage
from dsa110_contimg.storage.scratch_roots import Roots
copying.PIECE_BYTES = 1 << 20
copying._BATCH_PIECES = 2
verb, data, scratch, path = sys.argv[1:]
verb = {"stage": stage, "archive": archive, "clean": clean}[verb]
print("begin", flush=True)
done = verb(Roots(Path(data), Path(scratch)).place(path), Limits(2, 0), Watch(print, lambda n: print(n, flush=True)))
print("done", done.outcome.value, flush=True)
"""


def start(verb, place):
    arguments = [sys.executable, "-c", VERB, verb, str(place.roots.data), str(place.roots.scratch), place.path]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def end(process):
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


@pytest.fixture
def many(roots):
    """A product of many files, one of them of many pieces."""
    place = roots.place("many")
    place.data.mkdir()
    for n in range(40):
        (place.data / f"file {n}").write_bytes(os.urandom(100_000))
    (place.data / "long").write_bytes(os.urandom(20 << 20))
    return place


def test_two_stage_the_same(many):
    both = [start("stage", many) for _ in range(2)]
    outcomes = [end(process) for process in both]
    assert [code for code, _, _ in outcomes] == [0, 0], outcomes
    assert sorted(out.split("done ")[1].strip() for _, out, _ in outcomes) == ["nothing to do", "staged"]
    assert facts(many.scratch) == facts(many.data)
    assert left_over(many.roots) == []


def test_one_stages_and_one_cleans(many):
    before = facts(many.data)
    both = [start("stage", many), start("clean", many)]
    staged, cleaned = (end(process) for process in both)
    assert staged[0] == 0, staged
    assert cleaned[0] == 0 or "NotStagedError" in cleaned[2]
    if many.scratch.exists():
        assert facts(many.scratch) == before
    assert facts(many.data) == before
    assert left_over(many.roots) == []


def test_a_killed_copy_goes_on(many, monkeypatch):
    monkeypatch.setattr(copying, "PIECE_BYTES", 1 << 20)
    process = start("stage", many)
    seen = 0
    while seen < 30:  # pieces, of the many
        assert process.stdout.readline()
        seen += 1
    process.send_signal(signal.SIGKILL)
    end(process)
    assert not many.scratch.exists()
    assert left_over(many.roots)
    written = []
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, block, at: written.append(len(block)) or real(fd, block, at))
    stage(many, LIMITS)
    assert facts(many.scratch) == facts(many.data)
    assert sum(written) <= sum(file.stat().st_size for file in many.data.iterdir()) - 2_000_000
    assert left_over(many.roots) == []


def test_a_killed_copy_that_nobody_wants(many):
    """It is seen, and can be cleaned; what it was copied from stays."""
    process = start("stage", many)
    for _ in range(10):
        assert process.stdout.readline()
    assert [item.at_work for item in status(many.roots, 0).products] == [True]
    process.send_signal(signal.SIGKILL)
    end(process)
    (seen,) = status(many.roots, 0).products
    assert (seen.path, seen.state, seen.at_work) == ("many", "unfinished", False)
    assert seen.size_bytes > 0
    assert clean(many, LIMITS).outcome is Outcome.CLEANED
    assert status(many.roots, 0).products == ()
    assert left_over(many.roots) == []
    assert len(names(many.data)) == 41


def test_a_damaged_rest_of_a_killed_copy_is_not_taken(many, monkeypatch):
    monkeypatch.setattr(copying, "PIECE_BYTES", 1 << 20)
    process = start("stage", many)
    for _ in range(30):
        assert process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    end(process)
    (partial,) = many.roots.scratch.glob(".scratch-copying-*")
    for file in partial.iterdir():
        file.write_bytes(b"\0" * file.stat().st_size)
    (many.data / "file 3").write_bytes(b"changed")
    (partial / "nobody's").write_text("x")
    stage(many, LIMITS)
    assert facts(many.scratch) == facts(many.data)


KILLERS = ("rename", "link", "replace", "unlink", "rmdir", "mkdir")
SMALL = {"table.dat": (b"table", 0o644), "gone": (b"x", 0o444), "same": {"f": (b"same", 0o600), "link": "f"}}


def killed(verb, place, at, monkeypatch, exchange):
    """Run a verb in a child that is killed just before its call number `at` of the system; give its exit status."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads of numerical libraries, which the child not uses
        child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    try:
        count = itertools.count(1)

        def counted(real):
            def call(*arguments, **options):
                if next(count) == at:
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(*arguments, **options)

            return call

        for name in KILLERS if exchange else ("rename", "replace"):
            setattr(os, name, counted(getattr(os, name)))
        renaming.renameat2 = counted(renaming.renameat2 if exchange else lambda *_: errno.EINVAL)
        if verb == "archive":
            archive(place, LIMITS, delete=True)
        else:
            clean(place, LIMITS)
        os._exit(0)
    finally:
        os._exit(1)


@pytest.mark.parametrize("exchange", [True, False], ids=["exchange", "plain rename"])
@pytest.mark.parametrize("verb", ["archive", "clean"])
def test_killed_at_every_step(tmp_path, monkeypatch, verb, exchange):
    """Never half a product under its name, never one lost; and the next command brings all into order."""
    for at in range(1, 200):
        (tmp_path / str(at)).mkdir()
        place = make_roots(tmp_path / str(at)).place("run")
        build(place.data, SMALL)
        stage(place, LIMITS)
        old = facts(place.data)
        (place.scratch / "table.dat").write_text("changed")
        (place.scratch / "gone").unlink()
        if verb == "clean":
            archive(place, LIMITS, delete=True)
            old = facts(place.data)
        new = facts(place.scratch)
        ended = killed(verb, place, at, monkeypatch, exchange)
        assert ended in {0, signal.SIGKILL}
        # Where two names cannot be exchanged there is an instant without any; what had it is beside it.
        assert (facts(place.data) in (old, new)) if place.data.exists() else not exchange
        if place.scratch.exists():
            assert facts(place.scratch) == new
        if verb == "archive":
            archive(place, LIMITS, delete=True)
        if verb == "archive" or place.scratch.exists():
            clean(place, LIMITS)
        else:
            with contextlib.suppress(NotStagedError):  # it may be back, as it was about to be looked at
                clean(place, LIMITS)
        assert facts(place.data) == new
        assert not place.scratch.exists()
        assert left_over(place.roots) == []
        if ended == 0:
            break
    assert at > (6 if exchange else 2)
