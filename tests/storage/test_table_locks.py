"""Who has a table locked is asked, and no lock is taken."""

import fcntl
import subprocess
import sys

import casacore.tables as ct
import pytest

from dsa110_contimg.errors import StagingError, TableLockedError
from dsa110_contimg.storage.table_locks import find_locks, probe, refuse_users, refuse_writers

HOLDER = """
import sys
import casacore.tables as ct
table = ct.table(sys.argv[1], readonly=sys.argv[2] == "ro", lockoptions=sys.argv[3], ack=False)
if sys.argv[4] == "write":
    table.putcell("A", 0, 2.0)
if sys.argv[4] == "lock":
    table.lock(write=sys.argv[2] == "rw")
print("held", flush=True)
sys.stdin.readline()
table.close()
"""


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "run" / "a.ms"
    path.parent.mkdir()
    with ct.table(str(path), ct.maketabdesc([ct.makescacoldesc("A", 1.0)]), nrow=2, ack=False):
        pass
    return path


@pytest.mark.parametrize(
    ("arguments", "writing"),
    [
        (("ro", "auto", "open"), False),
        (("rw", "auto", "write"), True),
        (("rw", "user", "open"), False),
        (("rw", "user", "lock"), True),
        (("rw", "permanent", "open"), True),
    ],
)
def test_a_process_with_casacore(table, arguments, writing):
    assert probe(table) is None
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(table), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "held\n"
    try:
        for _ in range(2):  # asking leaves it as it is
            (lock,) = find_locks(table.parent)
            assert (lock.table, lock.pid, lock.writing) == (table, holder.pid, writing)
        with pytest.raises(TableLockedError, match=rf"by process {holder.pid} \(.*python.*\): .*a\.ms\."):
            refuse_users(table.parent)
        if writing:
            with pytest.raises(TableLockedError, match="is locked for writing"):
                refuse_writers(table.parent)
        else:
            refuse_writers(table.parent)
    finally:
        holder.communicate("\n")
    assert probe(table) is None
    refuse_users(table.parent)


def test_our_own_locks_do_not_count(table):
    with ct.table(str(table), readonly=False, ack=False) as opened:
        opened.putcell("A", 0, 3.0)
        refuse_users(table.parent)


def test_no_table_and_no_locks(tmp_path, table, monkeypatch):
    assert probe(tmp_path) is None

    def no_locks(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "fcntl", no_locks)
    assert probe(table) is None


def test_a_lock_file_that_is_a_link(table):
    (table / "table.lock").unlink()
    (table / "table.lock").symlink_to("/dev/null")
    with pytest.raises(StagingError, match="cannot be read"):
        find_locks(table.parent)
