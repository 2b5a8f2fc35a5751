"""What is stale goes, what may have an owner stays, and CASA's logs go to the others."""

import os
import subprocess
import sys
import time

import pytest

from dsa110_contimg.naming import partial_name
from dsa110_contimg.storage.publish import partial_directory
from dsa110_contimg.storage.temporaries import Patience, TemporaryKind, scan_temporaries, tidy
from fuse_holders import as_nobody, holder, let_in

GROUP = "2025-10-05T12:30:00"
NOW = Patience(0.0, 0.0, frozenset())


@pytest.fixture
def root(tmp_path):
    made = tmp_path / "root"
    made.mkdir()
    return made


@pytest.fixture
def logs(tmp_path):
    return tmp_path / "state" / "logs"


def dead_pid():
    process = subprocess.Popen([sys.executable, "-I", "-S", "-c", ""])
    process.wait()
    return process.pid


def partial(root, attempt, content=b"x" * 10):
    path = root / partial_name(GROUP, attempt)
    (path / "x.ms").mkdir(parents=True)
    (path / "x.ms" / "table.dat").write_bytes(content)
    return path


def owners(root, logs, patience=NOW):
    return {item.path.name: item.owner for item in scan_temporaries([root], logs, patience).found}


def test_what_a_killed_command_left_is_stale_and_goes(root, logs):
    (root / "keep.ms").mkdir()
    left = partial(root, f"{dead_pid()}-0123abcd")
    for name in (".wsclean-abc_12", ".sources-xyz"):
        (root / name).mkdir()
        (root / name / "y").write_bytes(b"y" * 5)
    (root / ".writable-q1").write_text("")
    (root / ".strip.parquet.partial").write_text("zz")
    (root / "flags" / ".partial-before-0a1b2c3d").mkdir(parents=True)
    found = scan_temporaries([root], logs, NOW)
    assert len(found.found) == len(found.stale) == 6
    assert {item.kind for item in found.found} == {TemporaryKind.PARTIAL, TemporaryKind.SCRATCH}
    done = tidy(found, logs)
    assert sorted(done.removed) == sorted(item.path for item in found.stale)
    assert done.freed_bytes == 10 + 2 * 5 + 2
    assert not left.exists()
    assert sorted(path.name for path in root.iterdir()) == ["flags", "keep.ms"]
    assert not logs.exists()


def test_what_is_young_stays(root, logs):
    path = partial(root, f"{dead_pid()}-0123abcd")
    (root / "casa-20251005-123000.log").write_text("x")
    assert set(owners(root, logs, Patience(3600.0, 600.0, frozenset())).values()) == {"young"}
    found = scan_temporaries([root], logs, Patience(3600.0, 600.0, frozenset()))
    done = tidy(found, logs)
    assert (done.removed, len(done.kept)) == ([], 2)
    assert path.exists()


def test_one_file_that_is_young_keeps_the_whole(root, logs):
    path = partial(root, f"{dead_pid()}-0123abcd")
    assert list(owners(root, logs).values()) == [""]
    (path / "x.ms" / "new").write_text("x")
    ahead = time.time() + 1000.0  # a clock that is ahead, so that no test waits
    os.utime(path / "x.ms" / "new", (ahead, ahead))
    assert list(owners(root, logs).values()) == ["young"]


def test_one_that_is_locked_by_its_maker_stays(root, logs):
    with partial_directory(root, GROUP) as path:
        (said,) = owners(root, logs).values()
        assert "in use" in said or "lives" in said or "locked" in said
        tidy(scan_temporaries([root], logs, NOW), logs)
        assert path.is_dir()


def test_the_lock_alone_is_enough(root, logs):
    """The maker is on another machine: no process of that number is here."""
    code = (
        "import fcntl, os, sys; lock = os.open(sys.argv[1], os.O_RDONLY); fcntl.flock(lock, fcntl.LOCK_EX);"
        "print(flush=True); sys.stdin.read()"
    )
    path = partial(root, f"{dead_pid()}-0123abcd")
    found = scan_temporaries([root], logs, NOW)
    assert len(found.stale) == 1
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        # Locked since it was scanned: it is seen at the last moment.
        done = tidy(found, logs)
        assert list(done.kept.values()) == ["its maker lives after all"]
        imports = "import sys; from pathlib import Path\nfrom dsa110_contimg.storage.temporaries import *\n"
        let_in(root)
        code = (
            "print(*[item.owner for item in scan_temporaries([Path(sys.argv[1])], Path('/l'), Patience(0., 0.)).found])"
        )
        if os.geteuid() == 0:  # a user who does not see the process that has the lock
            assert as_nobody(imports, code, root) == "locked by its maker\n"
        process.stdin.close()
    assert path.is_dir()


def test_the_maker_s_number_is_enough(root, logs):
    partial(root, f"{os.getpid()}-0123abcd")
    assert list(owners(root, logs).values()) == [f"process {os.getpid()}, which made it, lives"]


def test_who_works_in_it_or_has_a_file_open_keeps_it(root, logs):
    path = partial(root, f"{dead_pid()}-0123abcd")
    with holder(path / "x.ms" / "table.dat") as process:
        assert list(owners(root, logs).values()) == [f"in use by process {process.pid}"]
    with holder(root / "elsewhere", cwd=path / "x.ms") as process:
        assert list(owners(root, logs).values()) == [f"in use by process {process.pid}"]
    assert list(owners(root, logs).values()) == [""]


def test_those_of_the_stream_stay_while_their_attempt_is_current_or_the_ledger_cannot_be_asked(root, logs):
    name = partial(root, 7).name
    assert owners(root, logs, Patience(0.0, 0.0, frozenset({name})))[name] == "of the stream's current attempt"
    assert "ledger cannot be asked" in owners(root, logs, Patience(0.0, 0.0, None))[name]
    assert owners(root, logs, Patience(0.0, 0.0, frozenset()))[name] == ""


def test_logs_of_casa_are_moved_and_replace_none(root, logs, tmp_path):
    (root / "a").mkdir()
    for place, text in ((root, "one"), (root / "a", "two")):
        (place / "casa-20251005-123000.log").write_text(text)
    (root / "casa.log").write_text("mine")
    (root / "casa-20251005-123001.log").symlink_to(root / "casa.log")
    held = root / "casa-20251005-123002.log"
    held.write_text("three")
    with holder(held):
        done = tidy(scan_temporaries([root], logs, NOW), logs)
    assert len(done.moved) == 2
    assert sorted(path.read_text() for path in logs.iterdir()) == ["one", "two"]
    assert sorted(path.name for path in logs.iterdir()) == ["casa-20251005-123000.1.log", "casa-20251005-123000.log"]
    assert sorted(path.name for path in root.iterdir() if path.is_file()) == [
        "casa-20251005-123001.log",
        "casa-20251005-123002.log",
        "casa.log",
    ]
    # Where they belong they are no litter.
    assert scan_temporaries([tmp_path / "state"], logs, NOW).found == ()


def test_names_of_others_and_of_staging_are_left(root, logs):
    for name in (".partial", "x.partial", ".scratch-copying-0123456789abcdef", ".sources", "partial-1", ".config"):
        (root / name).mkdir()
    (root / ".partial-link").symlink_to(root / "x.partial")
    assert scan_temporaries([root], logs, NOW).found == ()


def test_what_cannot_be_removed_is_said(root, logs):
    imports = "import sys; from pathlib import Path\nfrom dsa110_contimg.storage.temporaries import *\n"
    code = (
        "logs = Path('/logs')\n"
        "scan = scan_temporaries([Path(sys.argv[1])], logs, Patience(0.0, 0.0, frozenset()))\n"
        "done = tidy(scan, logs)\n"
        "print(done.removed, *done.kept.values())"
    )
    partial(root, f"{dead_pid()}-0123abcd")
    let_in(root)
    assert as_nobody(imports, code, root) == "[] Permission denied\n"


def test_one_that_is_gone_since_the_scan(root, logs):
    found = scan_temporaries([root], logs, NOW)
    partial(root, f"{dead_pid()}-0123abcd")
    found = scan_temporaries([root], logs, NOW)
    tidy(found, logs)
    assert tidy(found, logs).removed == []
