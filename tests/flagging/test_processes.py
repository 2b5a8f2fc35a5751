"""Processes that look at baselines end when the one that started them does."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

import dsa110_contimg
from dsa110_contimg.config.settings import FlagSettings
from dsa110_contimg.errors import MeasurementSetError
from dsa110_contimg.flagging.flags import find_flags

PROGRAM = """
import sys
from pathlib import Path
from dsa110_contimg.flagging import processes
from dsa110_contimg.flagging.flags import find_flags
from dsa110_contimg.config.settings import FlagSettings
if __name__ == "__main__":
    # Many small parts, and a parent that dawdles between them.
    processes._BASELINES = 4
    import time
    def dawdle(fraction):
        print(fraction, flush=True)
        time.sleep(1)
    find_flags(Path(sys.argv[1]), FlagSettings(workers=3), dawdle)
"""


@pytest.mark.slow
def test_none_outlives_a_parent_that_is_killed(group, tmp_path):
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    source = Path(dsa110_contimg.__file__).parents[1]
    with subprocess.Popen(
        [sys.executable, str(script), str(group.ms)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(source)},
    ) as parent:
        while float(parent.stdout.readline() or 1) <= 0.1:
            pass
        children = psutil.Process(parent.pid).children(recursive=True)
        assert len([child for child in children if "spawn_main" in " ".join(child.cmdline())]) == 2
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 60
    while any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_an_error_of_a_process_is_the_parents(group, tmp_path):
    with pytest.raises(MeasurementSetError):
        find_flags(tmp_path / "none.ms", FlagSettings(workers=2))
