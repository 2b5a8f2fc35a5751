"""Opening a ledger, whatever is there; and its revisions."""

import sqlite3
import subprocess
import sys

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from dsa110_contimg.errors import LedgerError, LedgerPlaceError
from dsa110_contimg.ledger import GroupState, open_ledger
from dsa110_contimg.ledger.connection import make_engine
from dsa110_contimg.ledger.migrate import HEAD, SCRIPTS, migrate, revision_of
from dsa110_contimg.ledger.schema import metadata
from ledger_groups import add_group, publish

OPEN = "import sys; from pathlib import Path; from dsa110_contimg.ledger import open_ledger; "
REVISIONS = [item.revision for item in ScriptDirectory(SCRIPTS, version_locations=[SCRIPTS]).walk_revisions()][::-1]


def make_at(path, revision):
    """Make a ledger as a version made it whose newest revision this was."""
    engine = make_engine(path)
    with engine.execution_options(write=True).connect() as connection, connection.begin():
        migrate(connection, revision)
    engine.dispose()


def test_the_head_is_the_newest_script():
    assert REVISIONS[-1] == HEAD


def test_the_revisions_make_what_the_schema_says(tmp_path):
    with open_ledger(tmp_path / "a") as ledger, ledger._engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata) == []
        made = {row.name: row.sql for row in connection.execute(sa.text("SELECT name, sql FROM sqlite_master"))}
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        metadata.create_all(connection)
        for row in connection.execute(sa.text("SELECT name, sql FROM sqlite_master WHERE type = 'index'")):
            assert made[row.name] == row.sql  # partial indexes, which the comparison above does not see into
    engine.dispose()


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_ledger_of_an_earlier_revision_opens_and_works(tmp_path, revision):
    make_at(tmp_path / "a", revision)
    with open_ledger(tmp_path / "a") as ledger:
        publish(ledger, add_group(ledger))
        with ledger.reading() as connection:
            assert revision_of(connection) == HEAD


def test_an_empty_file_becomes_a_ledger(tmp_path):
    (tmp_path / "a").touch()
    with open_ledger(tmp_path / "a") as ledger:
        assert sum(ledger.counts_by_state().values()) == 0


def test_it_is_kept_in_wal_and_synced(tmp_path):
    with open_ledger(tmp_path / "a") as ledger, ledger.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 30000


def test_one_that_is_not_there_is_only_made_when_asked(tmp_path):
    with pytest.raises(LedgerPlaceError, match="there is no ledger"):
        open_ledger(tmp_path / "state" / "a", create=False)
    assert list(tmp_path.iterdir()) == []


def test_one_from_the_future_is_left_alone(tmp_path):
    open_ledger(tmp_path / "a").close()
    with sqlite3.connect(tmp_path / "a") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(LedgerError, match="revision 9999"):
        open_ledger(tmp_path / "a")


def test_another_database_is_left_alone(tmp_path):
    with sqlite3.connect(tmp_path / "a") as connection:
        connection.execute("CREATE TABLE music (title)")
    connection.close()
    with pytest.raises(LedgerError, match="not a ledger"):
        open_ledger(tmp_path / "a")


def test_what_is_no_database_and_a_place_that_cannot_be(tmp_path):
    (tmp_path / "a").write_text("not a database, though as long as the header of one would be" * 20)
    with pytest.raises(LedgerPlaceError, match="not a database"):
        open_ledger(tmp_path / "a")
    with pytest.raises(LedgerPlaceError):
        open_ledger(tmp_path / "a" / "below")
    (tmp_path / "b").mkdir()
    with pytest.raises(LedgerPlaceError):
        open_ledger(tmp_path / "b")


def test_processes_that_open_a_new_one_at_once_all_get_it(tmp_path):
    code = f"{OPEN}open_ledger(Path({str(tmp_path / 'a')!r})).close()"
    processes = [subprocess.Popen([sys.executable, "-W", "error", "-c", code]) for _ in range(4)]
    assert [process.wait(60) for process in processes] == [0] * 4


def test_importing_the_room_is_light():
    code = "import sys, dsa110_contimg.ledger as room; room.GroupState; sys.exit('sqlalchemy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_public_names_are_there():
    from dsa110_contimg import ledger

    assert all(getattr(ledger, name) for name in ledger.__all__)
    assert ledger.GroupState is GroupState
    with pytest.raises(AttributeError):
        ledger.nothing  # noqa: B018


def test_opening_an_upgraded_one_needs_no_alembic(tmp_path):
    open_ledger(tmp_path / "a").close()
    code = f"{OPEN}open_ledger(Path({str(tmp_path / 'a')!r})).close(); sys.exit('alembic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
