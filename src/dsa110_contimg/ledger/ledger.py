"""The ledger: its parts in one."""

from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self

from dsa110_contimg.ledger.adoption import Adoption
from dsa110_contimg.ledger.attempts import Attempts
from dsa110_contimg.ledger.calibrations import Calibrations
from dsa110_contimg.ledger.commits import Commits
from dsa110_contimg.ledger.consistency import Consistency
from dsa110_contimg.ledger.decisions import Decisions
from dsa110_contimg.ledger.epoch_attempts import EpochAttempts
from dsa110_contimg.ledger.epochs import Epochs
from dsa110_contimg.ledger.events import Events
from dsa110_contimg.ledger.files import Files
from dsa110_contimg.ledger.flaggings import Flaggings
from dsa110_contimg.ledger.groups import Groups
from dsa110_contimg.ledger.lock import Owner, lock, owner_of
from dsa110_contimg.ledger.reports import Reports
from dsa110_contimg.ledger.retention import Retention


class Ledger(
    Files,
    Groups,
    Attempts,
    Commits,
    Decisions,
    Reports,
    Events,
    Adoption,
    Consistency,
    Calibrations,
    Flaggings,
    Retention,
    Epochs,
    EpochAttempts,
):
    """What the pipeline remembers; `open_ledger` opens one.

    Every method is one transaction: all of it or nothing, on the disk when it returns. One ledger may be used by many
    threads, and one file by many processes; of these one owns it (`lock`) and runs attempts.
    """

    def lock(self, owner: str) -> AbstractContextManager[Owner]:
        """Own the ledger for a while; a second owner gets a `LedgerLockedError` that names the first."""
        return lock(self.path, owner)

    def owner(self) -> Owner | None:
        """Say who owns it now."""
        return owner_of(self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
