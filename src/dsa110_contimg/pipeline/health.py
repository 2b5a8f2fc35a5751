"""How the daemon is, for those who ask: in memory for HTTP, in a file for the command line."""

from __future__ import annotations

import json
import logging
import os
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dsa110_contimg.naming import DAEMON_NAME

if TYPE_CHECKING:
    from pathlib import Path

    from dsa110_contimg.pipeline.description import AttemptResult
    from dsa110_contimg.storage.leftovers import LeftoverTotal

log = logging.getLogger(__name__)

_WRITE_S = 2.0
_DEAD_S = 30.0


@dataclass
class Health:
    """What the daemon is doing, and what it has done since it started.

    Attributes
    ----------
    workers : int
        Jobs that may run at once.
    running : dict of str to float
        Groups and epochs under way, and since when [s since 1970].
    paused : str
        Why no job is started; empty: they are.
    trouble : str
        Why nothing is seen; empty: it is.
    draining : bool
    free_bytes : dict of str to int
        By place.
    leftovers : dict of str to LeftoverTotal
        What FUSE has left of deleted files, by place.
    stage_seconds, stage_bytes, failures : Counter
        By stage, and by kind of failure.
    """

    workers: int
    running: dict[str, float] = field(default_factory=dict)
    paused: str = ""
    trouble: str = ""
    draining: bool = False
    free_bytes: dict[str, int] = field(default_factory=dict)
    leftovers: dict[str, LeftoverTotal] = field(default_factory=dict)
    stage_seconds: Counter[str] = field(default_factory=Counter)
    stage_bytes: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    n_published: int = 0
    n_epochs: int = 0
    loop_seconds: float = 0.0
    beat: float = field(default_factory=time.monotonic)
    _written: float = -_WRITE_S

    @property
    def alive(self) -> bool:
        """Whether the daemon's loop goes round."""
        return time.monotonic() - self.beat < _DEAD_S

    def count(self, result: AttemptResult, failure: str | None) -> None:
        """Count what an attempt took, and as what it failed, if it did."""
        for stage in result.manifest.stages if result.manifest else result.stages:
            self.stage_seconds[stage.name] += stage.seconds  # type: ignore[assignment]  # a Counter adds up anything
            self.stage_bytes[stage.name] += stage.bytes_in
        if failure:
            self.failures[failure] += 1

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "utc": datetime.now(UTC).isoformat(timespec="seconds"),
            "pid": os.getpid(),
            "workers": self.workers,
            "running": sorted(self.running),
            "paused": self.paused,
            "trouble": self.trouble,
            "draining": self.draining,
            "free_bytes": self.free_bytes,
            "leftovers": {
                place: {"files": total.n_files, "bytes": total.size_bytes} for place, total in self.leftovers.items()
            },
            "published": self.n_published,
            "epochs": self.n_epochs,
            "failures": dict(self.failures),
            "loop_seconds": round(self.loop_seconds, 3),
        }

    def write(self, state: Path) -> None:
        """Write it down, if it is time to; a full disk does not stop the daemon."""
        self.beat = time.monotonic()
        if self.beat - self._written < _WRITE_S:
            return
        self._written = self.beat
        new = state / f".{DAEMON_NAME}.new"
        try:
            new.write_text(json.dumps(self.as_dict(), indent=1) + "\n")
            new.rename(state / DAEMON_NAME)
        except OSError as error:
            log.debug("%s: %s", new, error)
