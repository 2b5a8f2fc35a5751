"""The supervisor against jobs that hang, crash, eat memory, or find no room."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from dsa110_contimg.pipeline import attempt as module
from dsa110_contimg.pipeline.attempt import run_attempt
from dsa110_contimg.pipeline.description import MANIFEST_NAME, BadFile, JobDescription, Manifest
from dsa110_contimg.storage.checksums import tree_checksum
from subband_files import write_group

pytestmark = pytest.mark.alone

GROUP = "2025-10-05T12:30:00"


def describe(base, files=None, **changes):
    values = {
        "group": GROUP, "attempt_id": 7, "start_mjd": 60953.5, "files": files or {}, "set_aside": (),
        "output": str(base / "ms"), "scratch": str(base / "scratch"), "stages": ("convert",), "timeouts_s": {},
        "deadline_s": 120.0, "heartbeat_s": 60.0, "memory_cap_bytes": None, "threads": 1,
        "log_path": str(base / "logs" / "one.log"), "jobs": str(base / "jobs"), "options": {},
    }  # fmt: skip
    return JobDescription(**(values | changes))


def group_files(base, **kwargs):
    return {subband: str(path) for subband, path in write_group(base / "in", **kwargs).items()}


@pytest.fixture
def stage(tmp_path, monkeypatch):
    """Make a job whose one stage is some code."""

    def make(code, **changes):
        (tmp_path / "job.py").write_text(
            "import sys\n"
            "from dsa110_contimg.pipeline import job, stages\n"
            "sys.modules['odd_stage'] = odd = type(sys)('odd_stage')\n"
            f"exec({code!r}, vars(odd))\n"
            "stages.STAGES['odd'] = stages.Stage('odd_stage', 60.0)\n"
            "sys.exit(job.main(sys.argv[1:]))\n"
        )
        real = subprocess.Popen

        def start(command, **kwargs):
            return real([sys.executable, str(tmp_path / "job.py"), *command[3:]], **kwargs)

        monkeypatch.setattr(module.subprocess, "Popen", start)
        return describe(tmp_path, stages=("odd",), **changes)

    return make


def test_a_good_job_leaves_products_that_its_manifest_vouches_for(tmp_path):
    bad = BadFile("in/2025-10-05T12:30:00_sb09.hdf5", "truncated", "cut")
    files = group_files(tmp_path, subbands=[subband for subband in range(16) if subband != 9])
    description = describe(tmp_path, files, set_aside=(bad,))
    result = run_attempt(description)
    assert (result.failure, result.exit_code) == (None, 0)
    assert result.manifest == Manifest.read(description.partial / MANIFEST_NAME)
    assert result.manifest.subbands == tuple(subband for subband in range(16) if subband != 9)
    assert result.manifest.set_aside == (bad,)
    (product,) = result.manifest.products
    assert tree_checksum(description.partial / product.name) == (product.checksum, product.size_bytes)
    assert result.peak_bytes > 5e7
    assert sorted(path.name for path in description.partial.iterdir()) == ["20251005T123000.ms", MANIFEST_NAME]
    assert not description.work.exists()
    assert not description.path.exists()


def test_the_same_attempt_is_not_made_twice(tmp_path):
    description = describe(tmp_path, group_files(tmp_path))
    description.partial.mkdir(parents=True)
    (description.partial / "mine").touch()
    result = run_attempt(description)
    assert (result.failure, "already" in result.message) == ("bug", True)
    assert (description.partial / "mine").exists()


def test_bad_data_are_said_to_be_so(tmp_path):
    files = group_files(tmp_path, subbands=range(5))
    result = run_attempt(describe(tmp_path, files))
    assert result.failure == "bad-data"
    assert "only 5 of 16" in result.message
    assert list((tmp_path / "ms").iterdir()) == []


@pytest.mark.parametrize(
    ("code", "kind", "says"),
    [
        ("def run(context): raise ZeroDivisionError('oh')", "bug", "ZeroDivisionError: oh"),
        ("def run(context): raise OSError(5, 'Input/output error')", "transient", "Input/output error"),
        ("def run(context): raise OSError(28, 'No space left on device')", "resource", "No space left"),
        ("def run(context): raise MemoryError", "resource", "MemoryError"),
        ("import os\ndef run(context): os._exit(4)", "bug", "status 4"),
        ("import os, signal\ndef run(context): os.kill(os.getpid(), signal.SIGSEGV)", "bug", "SIGSEGV"),
        ("import os\ndef run(context):\n os.write(2, b'No space left on device')\n os.abort()", "resource", "no room"),
        (
            "import os, signal\ndef run(context): os.kill(os.getpid(), signal.SIGKILL)",
            "resource",
            "SIGKILL: by somebody",
        ),
    ],
)
def test_how_it_fails_says_what_kind_of_failure_it_is(stage, tmp_path, code, kind, says):
    description = stage(code)
    result = run_attempt(description)
    assert result.manifest is None
    assert result.failure == kind
    assert says in result.message
    assert result.starved == (says == "MemoryError")
    assert not description.path.exists()
    assert (tmp_path / "logs" / "one.json").exists() == (kind == "bug")  # evidence
    if kind == "bug" and "oh" in code:
        assert "ZeroDivisionError: oh" in (tmp_path / "logs" / "one.log").read_text()


def test_a_stage_has_its_own_timeout_and_what_it_started_ends_with_it(stage, tmp_path):
    code = (
        "import pathlib, subprocess, time\n"
        "def run(context):\n"
        "    child = subprocess.Popen(['sleep', '300'])\n"
        f"    pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(child.pid))\n"
        "    time.sleep(300)\n"
    )
    result = run_attempt(stage(code, timeouts_s={"odd": 3.0}))
    assert (result.failure, result.message) == ("transient", "odd not done after 3 s")
    pid = int((tmp_path / "pid").read_text())
    end = time.monotonic() + 5
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_job_without_a_sign_of_life_is_ended(stage):
    code = "import os, signal\ndef run(context): os.kill(os.getpid(), signal.SIGSTOP)"
    result = run_attempt(stage(code, heartbeat_s=3.0))
    assert result.failure == "transient"
    assert "no sign of life for 3 s" in result.message


def test_a_job_that_takes_too_much_memory_is_ended(stage):
    code = "import time\ndef run(context):\n    held = b'1' * 400_000_000\n    time.sleep(300)"
    result = run_attempt(stage(code, memory_cap_bytes=300_000_000))
    assert result.failure == "resource"
    assert "memory" in result.message
    assert result.peak_bytes > 3e8


def test_one_that_the_daemon_stops_has_not_failed(stage):
    stop = threading.Event()
    threading.Timer(1.5, stop.set).start()
    result = run_attempt(stage("import time\ndef run(context): time.sleep(300)"), stop.is_set)
    assert (result.manifest, result.failure) == (None, None)
    assert "interrupted" in result.message


def test_nothing_is_left_open(stage):
    description = stage("def run(context): raise OSError(5, 'Input/output error')")
    run_attempt(description)
    before = len(list(Path("/proc/self/fd").iterdir())), threading.active_count()
    for _ in range(3):
        run_attempt(description)
    assert (len(list(Path("/proc/self/fd").iterdir())), threading.active_count()) == before


def test_a_description_survives_the_disk(tmp_path):
    description = describe(tmp_path, {3: "a"}, set_aside=(BadFile("b", "short", "why"),))
    description.write()
    assert JobDescription.read(description.path) == description
    assert json.loads(description.path.read_text())["group"] == GROUP
