"""One SQLite file, and transactions in it that are said to read or to write."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from dsa110_contimg.errors import LedgerError, LedgerFullError, LedgerPlaceError

BUSY_S = 30.0
"""So long a transaction waits for another process's."""
_LOST = (
    "unable to open",
    "readonly",
    "disk i/o",
    "malformed",
    "not a database",
    "locked",
)


def utc_now() -> datetime:
    """Give the time (UTC)."""
    return datetime.now(UTC)


def make_engine(path: Path) -> sa.Engine:
    """Connect to a ledger; WAL, whole transactions on disk before they are said to be done."""
    engine = sa.create_engine(f"sqlite:///{path}", connect_args={"timeout": BUSY_S, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # `begin` below says what begins, and when
        connection.execute(f"PRAGMA busy_timeout = {int(BUSY_S * 1000)}")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA cache_size = -65536")

    @event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        # A reader that turned writer halfway would be refused at once, however long it may wait.
        immediate = connection.get_execution_options().get("write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


class Connected:
    """What all parts of a `Ledger` share: its file, and transactions in it."""

    def __init__(self, path: Path, engine: sa.Engine, decisions: Path | None = None) -> None:
        self.path = path
        self.decisions_path = decisions
        self._engine = engine
        self._writer = engine.execution_options(write=True)

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """See one moment of the ledger."""
        with ledger_errors(self.path), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Change the ledger: all of what is done within, or nothing."""
        with ledger_errors(self.path), self._writer.connect() as connection, connection.begin():
            yield connection

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()


@contextmanager
def ledger_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite says of its file into ours, which says what to do.

    Raises
    ------
    LedgerFullError
        The disk is full.
    LedgerPlaceError
        The file cannot be opened, written or understood.
    LedgerError
        Anything else that the database refuses.
    """
    try:
        yield
    except (sa.exc.DBAPIError, sqlite3.Error) as error:
        said = str(error.orig if isinstance(error, sa.exc.DBAPIError) else error)
        if "is full" in said.lower():
            raise LedgerFullError(
                f"the ledger cannot be written ({said})", path=path, remedy="Make room on its disk."
            ) from error
        if any(word in said.lower() for word in _LOST):
            raise LedgerPlaceError(
                f"the ledger cannot be used ({said})", path=path, remedy="Look after its disk and its permissions."
            ) from error
        raise LedgerError(f"the ledger refuses ({said})", path=path) from error
