"""`housekeeping` as it is typed."""

import json
import os
import pty
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from dsa110_contimg.cli.app import app
from dsa110_contimg.ledger import open_ledger
from dsa110_contimg.naming import partial_name
from fuse_holders import hidden
from fuse_mount import fuse_mount
from ledger_groups import add_group
from stream_daemon import SOURCE

ORPHAN = ".fuse_hidden0000000700000003"


@pytest.fixture(autouse=True)
def _patience(monkeypatch):
    """A busy machine may take long to end a process that was told to."""
    monkeypatch.setenv("DSA110_CONTIMG_HOUSEKEEPING__STOP_WAIT_S", "100")


@pytest.fixture
def mount(tmp_path):
    with fuse_mount(tmp_path) as made:
        yield made


def run(*arguments):
    result = CliRunner().invoke(app, ["housekeeping", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    return result


def test_scan_as_text_and_json(in_tmp, mount):
    with hidden(mount) as (process, left):
        (mount.near / ORPHAN).write_bytes(b"x" * 10)
        result = run("fuse", "scan", mount.near, "--older-than", 0)
        assert result.exit_code == 0
        assert str(left) in result.stdout
        assert "fuse (FUSE)" in result.stdout
        assert f"held by process {process.pid} of " in result.stdout
        assert "an orphan" in result.stdout
        assert result.stdout.endswith("2 files, 5.01 kB: 5 kB held, 0 B young, 10 B orphan\n")
        report = json.loads(run("fuse", "scan", mount.near, "--json").stdout)
        assert report["totals"]["bytes_held"] == 5000
        assert {item["state"] for item in report["leftovers"]} == {"held", "young"}


def test_clean_removes_orphans_leaves_the_held_and_says_what_is_freed(in_tmp, mount):
    with hidden(mount) as (process, left):
        (mount.near / "b.ms").mkdir()
        (mount.near / "b.ms" / ORPHAN).write_bytes(b"x" * 10)
        result = run("fuse", "clean", mount.near, "--older-than", 0, "--dry-run")
        assert result.exit_code == 0
        assert (mount.near / "b.ms" / ORPHAN).exists()
        result = run("fuse", "clean", mount.near, "--older-than", 0)
        assert result.exit_code == 0
        assert "removed 1 files and 1 empty directories: 10 B freed; 1 files stay" in result.stdout
        assert left.exists()
        assert process.poll() is None
    assert run("fuse", "clean", mount.near).stdout.startswith("FUSE has left nothing here")


def test_the_age_is_that_of_the_settings(in_tmp):
    (in_tmp / ORPHAN).write_text("x")
    assert run("fuse", "clean", in_tmp).exit_code == 0
    assert (in_tmp / ORPHAN).exists()
    (in_tmp / "contimg.toml").write_text("[housekeeping]\nleftover_age_s = 0\n")
    assert run("fuse", "clean", in_tmp).exit_code == 0
    assert not (in_tmp / ORPHAN).exists()


def test_nobody_is_stopped_where_nobody_can_be_asked(in_tmp, mount):
    with hidden(mount) as (process, left):
        result = run("fuse", "clean", mount.near, "--older-than", 0, "--stop-holders")
        assert result.exit_code == 2
        assert f"process {process.pid} of " in result.stderr
        assert "nobody can be asked. Add --yes" in result.stderr
        assert process.poll() is None
        result = run("fuse", "clean", mount.near, "--older-than", 0, "--stop-holders", "--dry-run")
        assert result.exit_code == 0
        assert "to be stopped" in result.stderr
        assert process.poll() is None
        assert left.exists()


def test_with_yes_the_holder_is_stopped_and_its_bytes_are_freed(in_tmp, mount):
    with hidden(mount) as (process, left):
        result = run("fuse", "clean", mount.far, "--older-than", 0, "--stop-holders", "--yes", "--json")
        assert result.exit_code == 0, result.output
        report = json.loads(result.stdout)
        assert report["stopped"][0]["outcome"] == "ended after SIGTERM"
        assert report["removed"]["freed_bytes"] == 5000
        assert report["removed"]["directories"] == [str(mount.far / "a.ms")]
        process.wait(5)
        # Through the mount the kernel may remember the name for a second.
        assert not (mount.far / left.relative_to(mount.near)).exists()


def test_a_holder_that_is_left_is_named_with_the_reason(in_tmp, mount):
    with hidden(mount, others=[f"w{in_tmp / 'work.dat'}"]) as (process, left):
        result = run("fuse", "clean", mount.near, "--older-than", 0, "--stop-holders", "--yes")
        assert result.exit_code == 1
        assert (
            f"left alone: it holds a file outside the given directories (open for writing): {in_tmp}" in result.stderr
        )
        assert process.poll() is None
        assert left.exists()


@pytest.mark.parametrize("answer", ["y", "n"])
def test_on_a_terminal_it_asks(tmp_path, mount, answer):
    with hidden(mount) as (process, _):
        ours, theirs = pty.openpty()
        arguments = ["fuse", "clean", str(mount.near), "--older-than", "0", "--stop-holders"]
        with subprocess.Popen(
            [sys.executable, "-m", "dsa110_contimg.cli", "housekeeping", *arguments],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(SOURCE)},
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as command:
            os.write(ours, f"{answer}\n".encode())
            said, asked = command.communicate(timeout=60)
        os.close(ours)
        os.close(theirs)
        assert "Stop 1 processes?" in asked
        assert command.returncode == 0, asked
        assert ("5 kB freed" in said) == (answer == "y")
        assert (process.poll() is None) == (answer == "n")


def test_a_dead_mount_is_an_error_with_its_remedy(in_tmp, mount):
    mount.kill()
    for arguments in (("fuse", "scan"), ("temp", "scan")):
        result = run(*arguments, mount.near)
        assert result.exit_code == 1
        assert f"Unmount it (fusermount -u {mount.near})" in result.stderr


def test_the_directories_of_the_settings_are_the_default_and_input_is_never_cleaned(in_tmp):
    data = in_tmp / "contimg-data"
    for name in ("incoming", "ms", "qa"):
        (data / name).mkdir(parents=True)
        (data / name / ORPHAN).write_text("x")
    assert json.loads(run("fuse", "scan", "--json").stdout)["totals"]["files"] == 3
    assert run("fuse", "clean", "--older-than", 0).exit_code == 0
    assert [path.parent.name for path in data.rglob(ORPHAN)] == ["incoming"]
    assert run("fuse", "clean", data / "incoming", "--older-than", 0).exit_code == 0
    assert not list(data.rglob(ORPHAN))


def test_a_root_that_is_none_is_wrong_usage(in_tmp):
    for what in ("fuse", "temp"):
        for verb in ("scan", "clean"):
            result = run(what, verb, in_tmp / "none")
            assert result.exit_code == 2
            assert "is no directory" in result.stderr


def test_temp_leaves_what_the_stream_is_doing_and_moves_the_logs_of_casa(in_tmp):
    data = in_tmp / "contimg-data"
    ms, log = data / "ms", data / "ms" / "casa-20251005-123000.log"
    with open_ledger(data / "state" / "ledger.sqlite") as ledger:
        gid = add_group(ledger)
        current = ledger.begin_attempt(gid).id
    old, now = ms / partial_name(gid, 99), ms / partial_name(gid, current)
    for path in (old, now):
        path.mkdir(parents=True)
        (path / "x").write_bytes(b"x" * 10)
    log.write_text("log")
    (in_tmp / "contimg.toml").write_text("[housekeeping]\nleftover_age_s = 0\ntemporary_age_h = 0\n")
    result = run("temp", "scan")
    assert result.exit_code == 0
    assert "of the stream's current attempt" in result.stdout
    assert result.stdout.endswith("2 of 3 are stale, 13 B\n")
    result = run("temp", "clean", "--dry-run")
    assert result.exit_code == 0, result.output
    assert old.exists()
    result = run("temp", "clean", "--json")
    assert result.exit_code == 0
    done = json.loads(result.stdout)["done"]
    assert (done["removed"], done["freed_bytes"]) == ([str(old)], 10)
    assert done["moved"] == {str(log): str(data / "state" / "logs" / log.name)}
    assert now.exists()
    assert "removed 0, moved 0 logs" in run("temp", "clean").stdout


def test_temp_where_there_is_nothing(in_tmp):
    assert run("temp", "clean").stdout.startswith("nothing temporary is here")
