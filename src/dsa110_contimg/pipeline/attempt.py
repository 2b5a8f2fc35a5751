"""The supervisor of one attempt: it starts the job, watches it, ends it if need be, and says how it ended.

`run_attempt` is all that an executor carries. It opens no ledger, and what it waits for is a pipe: neither a dead disk
nor a job in uninterruptible sleep can hold it.
"""

from __future__ import annotations

import json
import logging
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dsa110_contimg.pipeline.description import AttemptResult, JobDescription, Manifest, StageTime
from dsa110_contimg.pipeline.failures import BUG, RESOURCE, TRANSIENT, kind_of, message_of

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

_LOOK_S = 0.25
_MEMORY_LOOK_S = 1.0
_TERM_S = 3.0
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_KILL_S = 10.0
_FULL_WORDS = ("No space left on device", "Disk quota exceeded", "std::bad_alloc")
_CRASHES = {signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE, signal.SIGILL, signal.SIGSYS}


def run_attempt(description: JobDescription, stopped: Callable[[], bool] = lambda: False) -> AttemptResult:
    """Run one attempt as a child process, to its end or to that of its time.

    Parameters
    ----------
    description : JobDescription
        What to do.
    stopped : callable
        Whether the daemon wants to stop: the job is then ended, which is no failure.
    """
    try:
        description.write()
        watch = _start(description)
    except OSError as error:
        return AttemptResult(None, kind_of(error), f"the job cannot be started ({message_of(error)})")
    try:
        reason = watch.until_end(stopped)
        watch.end_process()
        result = watch.result(reason)
    finally:
        watch.close()
    _put_away(description, result)
    return result


def _put_away(description: JobDescription, result: AttemptResult) -> None:
    """Remove the description; that of a bug is evidence, and lies beside the log."""
    try:
        if result.failure == BUG:
            description.path.rename(Path(description.log_path).with_suffix(".json"))
        else:
            description.path.unlink(missing_ok=True)
    except OSError as error:
        log.warning("%s: %s", description.path, error)


def _start(description: JobDescription) -> _Watch:
    log_path = Path(description.log_path)
    log_path.parent.mkdir(parents=True, exist_ok=True)
    ours, theirs = os.pipe()
    threads = str(description.threads)
    environment = os.environ | {
        "OMP_NUM_THREADS": threads,
        "NUMBA_NUM_THREADS": threads,
        "HDF5_USE_FILE_LOCKING": "FALSE",
    }
    environment.pop("NOTIFY_SOCKET", None)  # only the daemon speaks to systemd
    try:
        with log_path.open("ab") as out:
            process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "dsa110_contimg.pipeline.job", str(description.path), str(theirs)],
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=out,
                pass_fds=(theirs,),
                start_new_session=True,
                env=environment,
            )
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(theirs)
    os.set_blocking(ours, False)
    return _Watch(description, process, ours)


def resident_bytes(pid: int) -> int:
    """Sum the resident memory of a process and its descendants [bytes]; those that are just ending count nothing.

    Read from /proc: psutil would look through all processes of the machine for their parents.
    """
    used, pending = 0, [str(pid)]
    while pending:
        place = Path("/proc", pending.pop())
        try:
            used += int((place / "statm").read_text().split()[1]) * _PAGE_BYTES
            for task in (place / "task").iterdir():
                pending += (task / "children").read_text().split()
        except (OSError, IndexError):
            continue
    return used


def _oom_kills() -> int:
    """Count the processes that the kernel has ended for want of memory, in all its groups; 0 where it does not say."""
    with suppress(OSError):
        for line in Path("/proc/vmstat").read_text().splitlines():
            name, _, number = line.partition(" ")
            if name == "oom_kill":
                return int(number)
    return 0


@dataclass
class _Watch:
    """A job under way, and what it has said."""

    description: JobDescription
    process: subprocess.Popen[bytes]
    pipe: int
    stage: str = "start"
    said: dict[str, Any] | None = None
    peak_bytes: int = 0
    alone: bool = False
    starved: bool = False
    _oom_before: int = field(default_factory=_oom_kills)
    _rest: bytes = b""
    _begun: float = field(default_factory=time.monotonic)
    _stage_begun: float = field(default_factory=time.monotonic)
    _heard: float = field(default_factory=time.monotonic)
    _memory_looked: float = 0.0

    def until_end(self, stopped: Callable[[], bool]) -> tuple[str | None, str] | None:
        """Wait until the job has ended by itself (None), or say why it has to be ended: kind, and message."""
        poll = select.poll()
        poll.register(self.pipe, select.POLLIN | select.POLLHUP)
        open_pipe = True
        while True:
            if open_pipe:
                poll.poll(_LOOK_S * 1000)
                open_pipe = self._listen()
            elif self.process.poll() is None:
                time.sleep(0.02)
            if self.process.poll() is not None:
                self._listen()
                return None
            if self.said is None and (reason := self._overdue(stopped)) is not None:
                return reason

    def _listen(self) -> bool:
        """Take in what the job says; False when it has closed its end."""
        while True:
            try:
                data = os.read(self.pipe, 1 << 16)
            except BlockingIOError:
                return True
            if not data:
                return False
            self._heard = time.monotonic()
            *lines, self._rest = (self._rest + data).split(b"\n")
            for line in lines:
                self._take(json.loads(line))

    def _take(self, message: dict[str, Any]) -> None:
        stage = message.get("beat")
        if stage is None:
            self.said = message
        elif stage != self.stage:
            self.stage, self._stage_begun = stage, time.monotonic()

    def _overdue(self, stopped: Callable[[], bool]) -> tuple[str | None, str] | None:
        now, description = time.monotonic(), self.description
        allowed_s = description.timeouts_s.get(self.stage)
        if stopped():
            return None, "interrupted: the daemon stops"
        if now - self._begun > description.deadline_s:
            return TRANSIENT, f"not done after {description.deadline_s:.0f} s (at {self.stage})"
        if allowed_s is not None and now - self._stage_begun > allowed_s:
            return TRANSIENT, f"{self.stage} not done after {allowed_s:.0f} s"
        if now - self._heard > description.heartbeat_s:
            return TRANSIENT, f"no sign of life for {description.heartbeat_s:.0f} s (at {self.stage})"
        used = self._memory()
        if description.memory_cap_bytes is not None and used > description.memory_cap_bytes:
            self.alone = self.starved = True
            return RESOURCE, f"{self.stage} took {used / 1e9:.1f} GB, more than its share of memory"
        return None

    def _memory(self) -> int:
        """Sum the resident memory of the job and its children, once a second."""
        now = time.monotonic()
        if now - self._memory_looked < _MEMORY_LOOK_S:
            return 0
        self._memory_looked = now
        used = resident_bytes(self.process.pid)
        self.peak_bytes = max(self.peak_bytes, used)
        return used

    def end_process(self) -> None:
        """End what is left of the job's process group; one that cannot be ended is abandoned."""
        for how, patience_s in ((signal.SIGTERM, _TERM_S), (signal.SIGKILL, _KILL_S)):
            if self.process.poll() is not None:
                break
            self._signal(how)
            try:
                self.process.wait(patience_s)
            except subprocess.TimeoutExpired:
                continue
        self._signal(signal.SIGKILL)  # its children, if it left any

    def _signal(self, how: signal.Signals) -> None:
        try:
            os.killpg(self.process.pid, how)
        except ProcessLookupError:
            return
        except PermissionError as error:
            log.warning("%s: %s", self.description.group, error)

    def result(self, reason: tuple[str | None, str] | None) -> AttemptResult:
        """Say how it ended."""
        code = self.process.poll()
        said = self.said or {}
        if "made" in said:
            return AttemptResult(Manifest.from_dict(said["made"]), exit_code=code, peak_bytes=self.peak_bytes)
        stages = tuple(StageTime(*values) for values in said.get("stages", ()))
        if "failed" in said:
            kind, message, self.alone = said["failed"], said["message"], said["alone"]
            self.starved = self.alone and kind == RESOURCE
        elif reason is not None:
            kind, message = reason
            if code is None:
                message += "; it cannot be killed, and is abandoned"
        else:
            kind, message = self._died(code)
        return AttemptResult(None, kind, message, code, stages, self.peak_bytes, self.alone, self.starved)

    def _died(self, code: int | None) -> tuple[str, str]:
        if code is not None and code < 0:
            name = signal.Signals(-code).name
            if -code in _CRASHES and any(words in self._last_words() for words in _FULL_WORDS):
                return RESOURCE, f"{self.stage} was ended by {name}: no room left on a disk, or in memory"
            if -code in _CRASHES:
                return BUG, f"{self.stage} was ended by {name}"  # a library that crashes does so again
            self.alone, self.starved = True, _oom_kills() > self._oom_before
            return (
                RESOURCE,
                f"{self.stage} was ended by {name}: {'for want of memory' if self.starved else 'by somebody'}",
            )
        return BUG, f"{self.stage} ended with status {code} and no result"

    def _last_words(self) -> str:
        """Read the end of the log: a C++ library that cannot write its tables aborts, and says why there alone."""
        try:
            with Path(self.description.log_path).open("rb") as log_file:
                log_file.seek(max(0, log_file.seek(0, os.SEEK_END) - 4096))
                return log_file.read().decode(errors="replace")
        except OSError as error:
            return str(error)

    def close(self) -> None:
        """Let go of the job."""
        os.close(self.pipe)
        if self.process.stdin is not None:
            self.process.stdin.close()
        if self.process.poll() is None:
            self.process.returncode = -signal.SIGKILL  # abandoned: nobody waits for it, nor warns that nobody did
