"""What the lookout sees, as it comes to the daemon; a lookout that hangs or dies is replaced."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from dsa110_contimg.pipeline.lookout_orders import Orders

log = logging.getLogger(__name__)

_SILENCE_S = 60.0
_RESTART_S = (1.0, 60.0)
_KEPT = 64


class FileSighted(NamedTuple):
    """A whole file: its outcome is ``"good"`` or says what is wrong with it."""

    path: str
    size_bytes: int
    mtime_ns: int
    outcome: str
    reason: str


class GroupSighted(NamedTuple):
    """A group with all its files, bad ones included."""

    id: str
    start_mjd: float
    files: tuple[FileSighted, ...]


class Sightings(NamedTuple):
    """Groups that changed, and bad files that belong to none."""

    groups: tuple[GroupSighted, ...]
    strays: tuple[FileSighted, ...]


class Lookout:
    """Runs the lookout, and keeps what it says until that is taken.

    Parameters
    ----------
    orders : Orders
        What it is told.
    wake : callable
        Is called when there is something to take.
    """

    def __init__(self, orders: Orders, wake: Callable[[], object], silence_s: float = _SILENCE_S) -> None:
        self._orders = orders
        self._wake = wake
        self._silence_s = silence_s
        self._taken = threading.Condition()
        self._seen: list[Sightings] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = threading.Event()
        self._heard = time.monotonic()
        self.trouble = ""
        """Why nothing is seen; empty when all is well."""
        self.caught_up = False
        """Whether everything that is there has been seen."""
        self._reader = threading.Thread(target=self._keep_running, daemon=True, name="lookout")
        self._reader.start()
        threading.Thread(target=self._keep_listening, daemon=True, name="lookout-watch").start()

    def take(self) -> list[Sightings]:
        """Take what was seen since the last time."""
        with self._taken:
            seen, self._seen = self._seen, []
            self._taken.notify_all()
        return seen

    @property
    def pending(self) -> bool:
        """Whether there is something to take."""
        return bool(self._seen)

    def close(self) -> None:
        """End the lookout."""
        self._closed.set()
        with self._taken:
            self._taken.notify_all()
        self._end()
        self._reader.join(5.0)

    def _keep_running(self) -> None:
        pause_s = _RESTART_S[0]
        while not self._closed.is_set():
            begun = time.monotonic()
            try:
                self._run_once()
            except OSError as error:
                self.trouble = str(error)
            if self._closed.is_set():
                return
            pause_s = _RESTART_S[0] if time.monotonic() - begun > 60 else min(2 * pause_s, _RESTART_S[1])
            self.trouble = self.trouble or "the lookout died"
            log.error("%s: %s; looking again in %.0f s", self._orders.directory, self.trouble, pause_s)
            self._closed.wait(pause_s)

    def _run_once(self) -> None:
        process = subprocess.Popen(
            [sys.executable, "-m", "dsa110_contimg.pipeline.lookout"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            env={key: value for key, value in os.environ.items() if key != "NOTIFY_SOCKET"},
        )
        self._heard, self._process = time.monotonic(), process
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write((json.dumps(self._orders._asdict()) + "\n").encode())
            process.stdin.flush()
            for line in process.stdout:
                self._heard = time.monotonic()
                self._hear(json.loads(line))
        finally:
            self._end()
            process.stdout.close()
            process.stdin.close()

    def _hear(self, message: dict[str, Any]) -> None:
        if "error" in message:
            self.trouble = message["error"]
            return
        self.trouble = ""
        self.caught_up = message.get("scanned", self.caught_up)
        if "groups" not in message:
            return
        groups = tuple(
            GroupSighted(group["id"], group["start_mjd"], tuple(FileSighted(*file) for file in group["files"]))
            for group in message["groups"]
        )
        seen = Sightings(groups, tuple(FileSighted(*file) for file in message["strays"]))
        with self._taken:
            self._taken.wait_for(lambda: len(self._seen) < _KEPT or self._closed.is_set())
            self._seen.append(seen)
            self._heard = time.monotonic()
        self._wake()

    def _keep_listening(self) -> None:
        while not self._closed.is_set():
            self._closed.wait(1.0)
            full = len(self._seen) >= _KEPT
            silent_s = time.monotonic() - self._heard
            if self._process is not None and not full and silent_s > self._silence_s:
                self.trouble = f"does not answer for {silent_s:.0f} s; is its mount dead?"
                self._heard = time.monotonic()
                self._end()

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        try:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(2.0)
        except ProcessLookupError:
            process.poll()
        except subprocess.TimeoutExpired:
            log.exception("the lookout cannot be killed, and is abandoned")
            process.returncode = -signal.SIGKILL
