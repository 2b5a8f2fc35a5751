"""Asking the daemon to finish and stop."""

from __future__ import annotations

import os
import platform
import signal
import time
from typing import TYPE_CHECKING

from dsa110_contimg.errors import LedgerError, UsageError
from dsa110_contimg.ledger.lock import owner_of

if TYPE_CHECKING:
    from pathlib import Path

    from dsa110_contimg.ledger.lock import Owner


def drain_daemon(ledger: Path, *, wait: bool) -> Owner:
    """Tell the owner of a ledger to drain, and give who that is.

    Parameters
    ----------
    ledger : Path
    wait : bool
        Whether to come back only when it has stopped.

    Raises
    ------
    LedgerError
        There is none, or it may not be told.
    UsageError
        It runs on another host.
    """
    owner = owner_of(ledger)
    if owner is None:
        raise LedgerError("no daemon owns the ledger", path=ledger, remedy="There is nothing to drain.")
    if owner.host != platform.node():
        raise UsageError(f"the daemon is {owner}", remedy=f"Drain it on {owner.host}.")
    try:
        os.kill(owner.pid, signal.SIGUSR1)
    except OSError as error:
        raise LedgerError(f"cannot tell {owner} ({error.strerror})", remedy="Be the user that runs it.") from error
    while wait and owner_of(ledger) == owner:
        time.sleep(0.2)
    return owner
