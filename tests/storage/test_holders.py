"""Which holders may be stopped, and that they end."""

import os
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from dsa110_contimg.storage.holders import HolderPlan, plan_stops, stop_process, why_not
from dsa110_contimg.storage.leftovers import scan_leftovers
from dsa110_contimg.storage.open_files import process_of
from fuse_holders import NOBODY, as_nobody, hidden, holder, let_in
from fuse_mount import fuse_mount

NONE = frozenset()


@pytest.fixture
def mount(tmp_path):
    with fuse_mount(tmp_path) as made:
        yield made


def plan(root, min_age_s=0.0):
    found = scan_leftovers([root], min_age_s=min_age_s)
    (planned,) = plan_stops(found, min_age_s=min_age_s)
    return planned, found


def stop(planned, found, wait_s=100.0):
    return stop_process(planned, found.roots, wait_s=wait_s)


@pytest.mark.parametrize("side", ["near", "far"])
def test_a_holder_ends_after_sigterm_and_the_leftover_with_it(mount, side):
    with hidden(mount) as (process, left):
        planned, found = plan(getattr(mount, side))
        assert (planned.process.pid, planned.refusal, planned.held_bytes) == (process.pid, "", 5000)
        assert planned.as_dict()["leftovers"] == [found.leftovers[0].path]
        stopped = stop(planned, found)
        assert stopped.gone
        assert stopped.as_dict()["outcome"] == "ended after SIGTERM"
        process.wait(5)
        end = time.monotonic() + 10
        while left.exists() and time.monotonic() < end:  # FUSE lets go a little later
            time.sleep(0.01)
        assert not left.exists()
        assert stop(planned, found).outcome == "it has ended"


def test_one_that_does_not_listen_is_killed(mount):
    with hidden(mount, ignores_term=True) as (process, _):
        stopped = stop(*plan(mount.near), wait_s=0.2)
        assert stopped.gone
        assert "killed" in stopped.outcome
        process.wait(5)


def test_what_is_young_has_its_holder_left(mount):
    with hidden(mount):
        assert plan_stops(scan_leftovers([mount.near], min_age_s=600.0), min_age_s=600.0) == []


@pytest.mark.parametrize("how", ["w", "a"])
def test_who_writes_elsewhere_is_left(mount, tmp_path, how):
    with hidden(mount, others=[f"{how}{tmp_path / 'other.dat'}"]) as (process, _):
        planned, found = plan(mount.near)
        assert str(tmp_path / "other.dat") in planned.refusal
        assert "outside the given directories (open for writing)" in planned.refusal
        stopped = stop(planned, found)
        assert (stopped.gone, process.poll()) == (False, None)


def test_who_has_become_one_that_writes_elsewhere_is_left_though_it_was_planned(mount, tmp_path):
    with hidden(mount, others=[f"w{tmp_path / 'other.dat'}"]) as (process, _):
        planned, found = plan(mount.near)
        assert not stop(planned._replace(refusal=""), found).gone
        assert process.poll() is None


def test_reading_elsewhere_logs_and_files_within_the_roots_do_not_count(mount, tmp_path):
    (tmp_path / "input").write_text("x")
    others = [f"r{tmp_path / 'input'}", f"a{tmp_path / 'casa.log'}", f"w{mount.near / 'more'}", "w/dev/null"]
    with hidden(mount, others=others):
        assert plan(mount.near)[0].refusal == ""
        # Seen from behind, the mount is in the roots, too.
        assert plan(mount.far)[0].refusal == ""


def test_a_narrower_root_leaves_who_holds_more_than_that(mount):
    (mount.near / "b.ms").mkdir()
    with hidden(mount, others=[f"w{mount.near / 'b.ms' / 'x'}"]):
        assert str(mount.near / "b.ms" / "x") in plan(mount.near / "a.ms")[0].refusal
        assert plan(mount.near)[0].refusal == ""


def test_a_deleted_file_on_fuse_outside_counts_even_if_it_is_only_read(mount):
    (mount.near / "b").write_text("x")
    with hidden(mount, others=[f"r{mount.near / 'b'}"]):
        assert plan(mount.near / "a.ms")[0].refusal == ""
        (mount.near / "b").unlink()
        assert "deleted on FUSE" in plan(mount.near / "a.ms")[0].refusal


def test_what_is_mapped_to_be_written_counts(mount, tmp_path):
    (tmp_path / "elsewhere").write_text("x")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path; from fuse_holders import mapped_only\n"
        "with mapped_only(Path(sys.argv[2])): print(flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(Path(__file__).parents[1]), str(tmp_path / "elsewhere")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        assert "elsewhere" in why_not(process.pid, [mount.near], NONE)
        process.stdin.close()


def test_never_this_process_nor_its_ancestors_nor_the_first(tmp_path):
    for pid in (os.getpid(), os.getppid(), 1):
        assert "descends" in why_not(pid, [tmp_path], NONE)


def test_never_the_program_of_a_mount(mount):
    with hidden(mount):
        assert "answers for a FUSE mount" in why_not(mount.pid, [mount.far], NONE)


def test_a_number_that_is_another_process_s_by_now(mount):
    with hidden(mount) as (process, _):
        planned, found = plan(mount.near)
        older = planned.process._replace(since_utc=planned.process.since_utc - timedelta(hours=1))
        assert stop(planned._replace(process=older), found).outcome == "it has ended"
        assert process.poll() is None


def test_root_may_stop_another_user_s_process(mount):
    if os.geteuid() != 0:
        pytest.skip("only root can start another user's process")
    let_in(mount.near)
    with hidden(mount, user=NOBODY) as (process, _):
        planned, found = plan(mount.near)
        assert planned.process.uid == NOBODY
        assert stop(planned, found).gone
        process.wait(5)


def test_who_is_not_root_leaves_another_user_s_process(tmp_path):
    imports = """
import sys
import time
from pathlib import Path
from dsa110_contimg.storage.holders import HolderPlan, stop_process, why_not
from dsa110_contimg.storage.open_files import process_of
"""
    code = """
pid, root = int(sys.argv[1]), Path(sys.argv[2])
print(why_not(pid, [root], frozenset()))
stopped = stop_process(HolderPlan(process_of(pid), (), ""), [root], wait_s=1.0)
print(stopped.gone, stopped.outcome)
"""
    with holder(tmp_path / "x") as process:
        said = as_nobody(imports, code, process.pid, tmp_path)
        assert process.poll() is None
    assert said.splitlines() == [
        "it is another user's: only root may stop it",
        "False it is another user's: only root may stop it",
    ]


def test_a_plan_for_a_process_that_ended(tmp_path):
    with holder(tmp_path / "x") as process:
        planned = HolderPlan(process_of(process.pid), (), "")
    assert stop_process(planned, [tmp_path], wait_s=1.0) == (planned.process, "it has ended", True)
