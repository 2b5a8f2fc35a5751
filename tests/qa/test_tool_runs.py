"""Running external programs: their time, their children, their words."""

import os
import time
from pathlib import Path

import pytest

from dsa110_contimg.qa.tool_runs import program_version, run_program
from stand_in_tools import program


@pytest.fixture
def run(tmp_path):
    """Run a program in Python; give why it did not end well, and what it said."""

    def run_it(source, timeout_s=60.0):
        made = program(tmp_path, "it", source)
        (tmp_path / "room").mkdir()
        why = run_program([str(made), "a"], tmp_path / "room", tmp_path / "words", timeout_s)
        return why, (tmp_path / "words").read_text(errors="replace")

    return run_it


def test_one_that_ends_well(run, tmp_path):
    why, words = run(
        "import sys, os\nprint(sys.argv[1:], os.getcwd(), repr(sys.stdin.read()))\nprint('!', file=sys.stderr)"
    )
    assert why is None
    assert words.splitlines() == [f"['a'] {tmp_path / 'room'} ''", "!"]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("raise SystemExit(3)", "it ended with status 3"),
        ("import os\nos.abort()", "it was killed by SIGABRT"),
    ],
)
def test_one_that_fails(run, source, said):
    assert run(source)[0] == said


def test_one_that_cannot_be_started(tmp_path):
    assert "cannot be started" in run_program([str(tmp_path / "none")], tmp_path, tmp_path / "words", 1.0)


_HANGS = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(os.getpid(), child.pid, flush=True)
time.sleep(600)
"""


def test_one_that_hangs_is_ended_with_all_that_it_started(run):
    why, words = run(_HANGS, timeout_s=2.0)
    assert why == "it was ended after 2 s"
    for pid in map(int, words.split()):
        _wait_for_end(pid)


def test_what_it_leaves_running_is_ended(run):
    sleeper = "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])"
    why, words = run(f"import subprocess, sys\nprint({sleeper}.pid)")
    assert why is None
    _wait_for_end(int(words))


def _wait_for_end(pid, patience_s=20.0):
    """Wait until a process is no more, or is a zombie that whoever adopted it has to bury."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return
        except FileNotFoundError:
            return
        time.sleep(0.05)
    raise AssertionError(f"{pid} still runs")


def test_it_sees_nothing_of_ours(run, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.fspath("/nowhere"))
    why, words = run(
        "import os\nprint(os.environ.get('PYTHONPATH'), os.environ['MPLBACKEND'], os.environ['BOKEH_RESOURCES'])"
    )
    assert (why, words) == (None, "None Agg inline\n")


@pytest.mark.parametrize(
    ("source", "version"),
    [
        ("print('it version 1.22.3rc1')", "1.22.3rc1"),
        ("print('python3.11: a warning')\nprint('it 4.5')", "4.5"),
        ("", "unknown"),
        ("print('no')", "unknown"),
        ("raise SystemExit(1)", "unknown"),
    ],
)
def test_version(tmp_path, source, version):
    assert program_version(program(tmp_path, "it", source), 60.0) == version


def test_a_version_is_not_waited_for(tmp_path):
    assert program_version(program(tmp_path, "it", "import time\ntime.sleep(600)"), 0.2) == "unknown"
