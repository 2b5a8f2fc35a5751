"""Trying things in a process of their own, which may crash or hang as it likes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_END_S = 2.0


class Trial(NamedTuple):
    """How a process ended.

    Attributes
    ----------
    works : bool
        Whether it ended well and in time.
    said : str
        The last line that it wrote, or what became of it.
    text : str
        All that it wrote.
    """

    works: bool
    said: str
    text: str


def run(
    command: Sequence[str],
    timeout_s: float,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> Trial:
    """Run a command and say how it went.

    Parameters
    ----------
    command : sequence of str
        The program and its arguments.
    timeout_s : float
        After this it is killed. If even that does not end it, it is left behind: it waits for a dead mount.
    environment : mapping, optional
        Variables beside those of this process.
    directory : Path, optional
        Where it runs; here if not given.
    """
    try:
        process = subprocess.Popen(  # noqa: S603 - this Python, or a tool that was found on PATH
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=os.environ | dict(environment or {}),
            cwd=directory,
            start_new_session=True,
        )
    except OSError as error:
        return Trial(False, error.strerror or str(error), "")
    try:
        text, _ = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        try:
            process.communicate(timeout=_END_S)
        except subprocess.TimeoutExpired:
            return Trial(False, f"no answer within {timeout_s:g} s, and it cannot be killed", "")
        return Trial(False, f"no answer within {timeout_s:g} s", "")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    last = lines[-1] if lines else ""
    if process.returncode < 0:
        last = f"killed by {signal.Signals(-process.returncode).name}"
    return Trial(process.returncode == 0, last or f"exit status {process.returncode}", text)


def python(code: str, *arguments: str, timeout_s: float, environment: Mapping[str, str] | None = None) -> Trial:
    """Run some lines of Python, with this interpreter, as `run` does."""
    return run([sys.executable, "-c", code, *arguments], timeout_s, environment)
