"""Running an external program so that nothing it does can hold or harm us.

It has a process group of its own, which is ended when its time is over, and with it all that it has started; a working
directory of its own, for what it leaves; no terminal; and its words go to a file.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_TERM_S = 3.0
_KILL_S = 10.0
_VERSION_S = 60.0
_LOOK_S = 0.02
_VERSION = re.compile(r"\b\d+\.\d+(?:\.\w+)*")
# What would lead a foreign Python to our packages, or have it say or do something else.
_NOT_PASSED = {"PYTHONPATH", "PYTHONHOME", "PYTHONWARNINGS", "PYTHONSTARTUP", "DISPLAY"}
_SET = {
    "PYTHONNOUSERSITE": "1",
    "MPLBACKEND": "Agg",
    "BOKEH_RESOURCES": "inline",  # pages that open without a network
}


def run_program(command: Sequence[str], room: Path, words: Path, timeout_s: float) -> str | None:
    """Run a program to its end, or to that of its time.

    Parameters
    ----------
    command : sequence of str
        The program and its arguments.
    room : Path
        Its working directory.
    words : Path
        Where what it says is written.
    timeout_s : float
        Its time [s].

    Returns
    -------
    str or None
        Why it did not end well.
    """
    try:
        with words.open("wb") as out:
            process = subprocess.Popen(  # noqa: S603
                command,
                cwd=room,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=tool_environment(),
            )
    except OSError as error:
        return f"it cannot be started ({error.strerror or error})"
    try:
        status = process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        return f"it was ended after {timeout_s:g} s"
    finally:
        _end_group(process)
    if status < 0:
        return f"it was killed by {signal.Signals(-status).name}"
    return f"it ended with status {status}" if status else None


def program_version(program: Path, timeout_s: float) -> str:
    """Ask a program for its version; ``unknown`` where it does not say one."""
    with tempfile.TemporaryDirectory(prefix="version-", ignore_cleanup_errors=True) as room:
        words = Path(room) / "words"
        if run_program([str(program), "--version"], Path(room), words, min(timeout_s, _VERSION_S)) is not None:
            return "unknown"
        lines = words.read_text(errors="replace").strip().splitlines()
    # Warnings of libraries come before it.
    found = _VERSION.search(lines[-1]) if lines else None
    return found[0] if found else "unknown"


def tool_environment() -> dict[str, str]:
    """Give the variables that a program sees."""
    return {name: value for name, value in os.environ.items() if name not in _NOT_PASSED} | _SET


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End what is left of a process group: ask, wait, kill. What cannot be killed (a dead mount) is left behind."""
    for number, patience_s in ((signal.SIGTERM, _TERM_S), (signal.SIGKILL, _KILL_S)):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            if process.poll() is not None and not _group_lives(process.pid):
                return
            time.sleep(_LOOK_S)


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True
