"""One owner a ledger, which the others can name."""

import os
import signal
import subprocess
import sys

import pytest

from dsa110_contimg.errors import LedgerLockedError, LedgerPlaceError
from dsa110_contimg.ledger.lock import lock, lock_path, owner_of

HOLD = """
import sys, time
from pathlib import Path
from dsa110_contimg.ledger.lock import lock
with lock(Path(sys.argv[1]), "the first"):
    print("locked", flush=True)
    time.sleep(100)
"""


def test_a_second_owner_is_told_who_is_the_first(ledger):
    assert ledger.owner() is None
    with ledger.lock("stream") as me:
        assert ledger.owner() == me
        assert (me.owner, me.pid) == ("stream", os.getpid())
        with (
            pytest.raises(LedgerLockedError, match=f"stream, process {os.getpid()} on .* since 20"),
            ledger.lock("other"),
        ):
            pass
    assert ledger.owner() is None
    with ledger.lock("other"):
        assert ledger.owner().owner == "other"


def test_the_lock_dies_with_its_process(tmp_path):
    path = tmp_path / "ledger.sqlite"
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True)
    with holder:
        assert holder.stdout.readline() == "locked\n"
        with pytest.raises(LedgerLockedError, match=f"the first, process {holder.pid} "), lock(path, "the second"):
            pass
        assert owner_of(path).pid == holder.pid
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
    with lock(path, "the second"):
        pass


def test_an_owner_that_has_not_said_its_name_yet(tmp_path):
    path = tmp_path / "ledger.sqlite"
    with lock(path, "stream"):
        lock_path(path).write_text("{")
        assert owner_of(path) is None
        with pytest.raises(LedgerLockedError, match="just starting"), lock(path, "other"):
            pass


def test_a_place_where_nothing_can_be_locked(tmp_path):
    with pytest.raises(LedgerPlaceError), lock(tmp_path / "nowhere" / "ledger.sqlite", "me"):
        pass
