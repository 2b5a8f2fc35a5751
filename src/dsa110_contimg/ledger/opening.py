"""Opening a ledger: only where SQLite is safe, and with today's tables."""

import logging
import sqlite3
import time
from pathlib import Path

import sqlalchemy as sa

from dsa110_contimg.errors import LedgerError, LedgerPlaceError
from dsa110_contimg.ledger.connection import BUSY_S, ledger_errors, make_engine
from dsa110_contimg.ledger.file_system import require_local, require_there
from dsa110_contimg.ledger.ledger import Ledger
from dsa110_contimg.ledger.migrate import HEAD, migrate, revision_of

log = logging.getLogger(__name__)


def open_ledger(path: Path, *, create: bool = True, decisions: Path | None = None) -> Ledger:
    """Open a ledger, and bring its tables up to date.

    Parameters
    ----------
    path : Path
        The SQLite file, on a local disk.
    create : bool
        Whether to make one where there is none.
    decisions : Path, optional
        The JSON-lines file beside the products in which operators' decisions are kept too.

    Raises
    ------
    LedgerPlaceError
        There is none, it cannot be opened, or it is on a network or FUSE file system.
    LedgerError
        A newer version of this package made it.
    """
    path = path.absolute()
    require_local(path)
    if not create:
        require_there(path)
    elif not path.exists():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LedgerPlaceError(f"cannot be made ({error.strerror})", path=path.parent) from error
    engine = make_engine(path)
    try:
        with ledger_errors(path):
            _prepare(engine, path)
    except BaseException:
        engine.dispose()
        raise
    return Ledger(path, engine, decisions)


def _prepare(engine: sa.Engine, path: Path) -> None:
    with engine.connect() as connection, connection.begin():
        if revision_of(connection) == HEAD:
            return
    _use_wal(path)
    with engine.execution_options(write=True).connect() as connection, connection.begin():
        before = revision_of(connection)  # again: another process may have been faster
        if before == HEAD:
            return
        if before is None and connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar_one():
            raise LedgerError("it is a database, but not a ledger", path=path, remedy="Set paths.state elsewhere.")
        migrate(connection)
        log.info("%s: tables brought from revision %s to %s", path, before or "none", HEAD)


def _use_wal(path: Path) -> None:
    """Set the journal's mode, which the file keeps; SQLite does not wait by itself for this."""
    deadline = time.monotonic() + BUSY_S
    while True:
        connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
            break
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        finally:
            connection.close()
    if mode != "wal":
        raise LedgerPlaceError(
            f"SQLite gives no WAL there, only {mode!r}", path=path, remedy="Set paths.state to a local disk."
        )
