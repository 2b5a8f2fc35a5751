"""Making published epochs part of the light curves: in a thread, one after the other, until the ledger says it is done.

The light curves can be made anew from the epochs' directories at any time; to add one twice changes nothing.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from dsa110_contimg.pipeline.failures import message_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dsa110_contimg.config.settings import Settings
    from dsa110_contimg.ledger.epoch_states import Epoch
    from dsa110_contimg.ledger.ledger import Ledger

log = logging.getLogger(__name__)

_AGAIN_S = 300.0
_STOP_S = 2.0


class EpochKeeper:
    """Keeps what is published.

    Parameters
    ----------
    ledger : Ledger
    keep : callable
        Makes the epoch in a directory part of the light curves; to do so again changes nothing.
    tidy : callable
        Is called when there is nothing more to keep.
    """

    def __init__(self, ledger: Ledger, keep: Callable[[Path], object], tidy: Callable[[], object]) -> None:
        self._ledger = ledger
        self._keep = keep
        self._tidy = tidy
        self._failed: dict[str, float] = {}  # epochs that could not be kept, and when
        self._said: dict[str, str] = {}  # and why
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=lambda: None)

    def busy(self) -> frozenset[str]:
        """Name the strips that wait for it; not those with which it has trouble."""
        return frozenset(epoch.strip for epoch in self._to_keep())

    def look(self) -> None:
        """Begin to keep what is published, if something is, and it is not being done."""
        if self._thread.is_alive() or self._stopping.is_set():
            return
        now = time.monotonic()
        self._failed = {name: when for name, when in self._failed.items() if now - when < _AGAIN_S}
        found = self._to_keep()
        if found:
            self._thread = threading.Thread(target=self._run, args=(found,), daemon=True, name="light-curves")
            self._thread.start()

    def _to_keep(self) -> list[Epoch]:
        return [epoch for epoch in self._ledger.unkept_epochs() if epoch.id not in self._failed]

    def _run(self, found: list[Epoch]) -> None:
        for epoch in found:
            if self._stopping.is_set():
                return
            try:
                assert epoch.path is not None
                self._keep(epoch.path)
                self._ledger.note_kept(epoch.id, epoch.checksum)
            except Exception as error:  # noqa: BLE001 - whatever ails the light curves, the stream goes on
                self._say(epoch, error)
            else:
                log.info("%s: is part of the light curves", epoch.id)
        try:
            self._tidy()
        except Exception as error:
            log.warning("the light curves are not tidied up: %s", message_of(error), exc_info=error)

    def _say(self, epoch: Epoch, error: Exception) -> None:
        self._failed[epoch.id] = time.monotonic()
        said = message_of(error)
        if self._said.get(epoch.id) == said:
            log.warning("%s: still is not part of the light curves: %s", epoch.id, said)
            return
        self._said[epoch.id] = said
        log.error("%s: is not part of the light curves yet: %s", epoch.id, said, exc_info=error)
        try:
            self._ledger.record_event("unkept", said, epoch.id)
        except Exception as problem:  # noqa: BLE001
            log.warning("%s", problem)

    def stop(self) -> None:
        """Let the one that is being kept come to its end, if that is near; if not, it is kept at the next start."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_S)


def keep_in(settings: Settings) -> Callable[[Path], object]:
    """Give what makes an epoch's directory part of the light curves of the settings."""

    def keep(directory: Path) -> None:
        # Imported here, in the thread: a daemon that keeps nothing does without Parquet.
        from dsa110_contimg.pipeline.epoch import keep_epoch

        keep_epoch(directory, settings.lightcurves_directory, settings)

    return keep


def tidy_up(settings: Settings) -> Callable[[], object]:
    """Give what puts the epochs of months together that have enough of them."""

    def tidy() -> None:
        from dsa110_contimg.lightcurves.compaction import compact, due

        root = settings.lightcurves_directory
        for strip, month in due(root, settings.lightcurves):
            compact(root, strip, month, settings.lightcurves)

    return tidy
