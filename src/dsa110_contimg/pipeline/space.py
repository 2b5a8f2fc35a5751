"""Room on the disks: reserved before a job starts, and watched so that a full disk pauses the stream, not breaks it."""

from __future__ import annotations

import logging
import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

log = logging.getLogger(__name__)

ROOT = Path("/")
TIMES_OUTPUT = 3.0
"""A job needs about so many times the room of its output."""
_STALE_S = 30.0
_LOOK_S = 1.0


class Disk(NamedTuple):
    """A file system: which one, and how many bytes are free for us."""

    device: int
    free_bytes: int


@dataclass
class Space:
    """Free space of the disks that jobs write on.

    The disks are asked by a thread each, since one that is dead answers nobody.

    Parameters
    ----------
    places : tuple of Path
        Directories that jobs write in.
    reserve_bytes : int
        What has to stay free on the root file system.
    """

    places: tuple[Path, ...]
    reserve_bytes: int
    _seen: dict[Path, tuple[Disk, float]] = field(default_factory=dict)
    _reserved: dict[str, int] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Begin to watch."""
        for place in self._all():
            threading.Thread(target=self._watch, args=(place,), daemon=True, name=f"space-{place.name}").start()
        end = time.monotonic() + 2.0
        while len(self._seen) < len(self._all()) and time.monotonic() < end:
            time.sleep(0.01)

    def stop(self) -> None:
        """End it."""
        self._stop.set()

    def free_bytes(self) -> dict[str, int]:
        """Give the free space by place, as last seen."""
        return {str(place): disk.free_bytes for place, (disk, _) in sorted(self._seen.items())}

    def reserve(self, unit: str, nbytes: int) -> None:
        """Set room aside for the job at a group or an epoch, on each disk that it writes on."""
        self._reserved[unit] = nbytes

    def release(self, unit: str) -> None:
        """Give back what was set aside."""
        self._reserved.pop(unit, None)

    def shortage(self, nbytes: int) -> str:
        """Say what is short of room for a further job that needs `nbytes`; empty if nothing is."""
        now = time.monotonic()
        taken = sum(self._reserved.values())
        for place in self._all():
            disk, seen = self._seen.get(place, (None, 0.0))
            if disk is None or now - seen > _STALE_S:
                return f"the disk of {place} does not answer"
            root = self._seen.get(ROOT)
            floor = self.reserve_bytes if root is not None and disk.device == root[0].device else 0
            needed = floor + (taken + nbytes if place in self.places else 0)
            if disk.free_bytes < needed:
                free = f"{disk.free_bytes / 1e9:.3g} GB free"
                return f"{free} on the disk of {place}, and {needed / 1e9:.3g} GB are needed"
        return ""

    def _all(self) -> tuple[Path, ...]:
        return (*self.places, ROOT)

    def _watch(self, place: Path) -> None:
        while True:
            try:
                self.look(place)
            except OSError as error:
                log.debug("%s: %s", place, error)  # it goes stale, which is said
            if self._stop.wait(_LOOK_S):
                return

    def look(self, place: Path) -> None:
        """Ask a disk now."""
        status = os.statvfs(place)
        self._seen[place] = Disk(place.stat().st_dev, status.f_bavail * status.f_frsize), time.monotonic()
