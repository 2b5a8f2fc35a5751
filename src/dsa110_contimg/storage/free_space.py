"""How much room there is, asked so that a dead mount delays nobody."""

import os
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple


class Space(NamedTuple):
    """The room on the file system of a path [bytes], and the system's number; None where `problem` says why not."""

    path: Path
    free_bytes: int | None
    total_bytes: int | None
    problem: str = ""
    file_system: int | None = None


class FreeSpace:
    """Asks after free space in threads that may hang; of a path that hangs only one, however often it is asked."""

    def __init__(self) -> None:
        self._asked: dict[Path, _Question] = {}

    def ask(self, paths: Iterable[Path], timeout_s: float = 0.5) -> list[Space]:
        """Say how much room there is at each path, or at its nearest parent that exists; within `timeout_s` for all."""
        wanted = [path.absolute() for path in paths]
        for path in wanted:
            if path not in self._asked:
                self._asked[path] = _Question(path)
        deadline = time.monotonic() + timeout_s
        found = []
        for path in wanted:
            question = self._asked.get(path)
            if question is None:  # said twice, and answered
                question = _Question(path)
            question.join(max(0.0, deadline - time.monotonic()))
            if question.is_alive():
                found.append(Space(path, None, None, f"no answer within {timeout_s:g} s: a dead mount?"))
            else:
                self._asked.pop(path, None)
                found.append(question.answer)
        return found


class _Question(threading.Thread):
    """One question; a daemon thread, so that the process can end without the answer."""

    def __init__(self, path: Path) -> None:
        super().__init__(name=f"free space of {path}", daemon=True)
        self._path = path
        self.answer = Space(path, None, None, "not asked")
        self.start()

    def run(self) -> None:
        """Ask; this is what may hang."""
        place = self._path
        while True:
            try:
                status = os.statvfs(place)
            except FileNotFoundError:
                place = place.parent
            except OSError as error:
                self.answer = Space(self._path, None, None, error.strerror or str(error))
                return
            else:
                unit = status.f_frsize
                free, total = status.f_bavail * unit, status.f_blocks * unit
                self.answer = Space(self._path, free, total, file_system=status.f_fsid)
                return
