"""How much FUSE has left in the stream's directories, looked at now and then."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dsa110_contimg.storage.leftovers import LeftoverTotal, count_leftovers

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)


@dataclass
class LeftoverWatch:
    """Adds up leftovers in a thread for each directory, since one on a dead mount answers nobody.

    Parameters
    ----------
    places : tuple of Path
        Directories, which need not exist; one that is below another is part of that.
    every_s : float
        How long after one look the next begins [s].
    """

    places: tuple[Path, ...]
    every_s: float
    _seen: dict[Path, tuple[LeftoverTotal, float]] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Begin to watch."""
        places = {place.absolute() for place in self.places}
        for place in places:
            if not any(other in place.parents for other in places):
                threading.Thread(target=self._watch, args=(place,), daemon=True, name=f"leftovers-{place.name}").start()

    def stop(self) -> None:
        """End it."""
        self._stop.set()

    def totals(self) -> dict[str, LeftoverTotal]:
        """Give what was found by place, except where the last look is long ago."""
        oldest = time.monotonic() - 3 * self.every_s
        return {str(place): total for place, (total, seen) in sorted(self._seen.items()) if seen >= oldest}

    def _watch(self, place: Path) -> None:
        while True:
            try:
                self._look(place)
            except OSError as error:
                log.debug("%s: %s", place, error)
            if self._stop.wait(self.every_s):
                return

    def _look(self, place: Path) -> None:
        before = self._seen.get(place, (LeftoverTotal(0, 0), 0.0))[0]
        total = count_leftovers(place)
        self._seen[place] = total, time.monotonic()
        if total.n_files > before.n_files:
            log.warning(
                "FUSE has left %d files (%.3g GB) below %s, deleted while they were open: `housekeeping fuse scan` "
                "says who holds them",
                total.n_files,
                total.size_bytes / 1e9,
                place,
            )
