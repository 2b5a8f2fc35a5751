"""Bringing a ledger to the newest revision of its tables: Alembic, without its command line or an ``alembic.ini``."""

from pathlib import Path

import sqlalchemy as sa

from dsa110_contimg.errors import LedgerError

HEAD = "0003"
"""The newest revision; a test holds it against the scripts."""
SCRIPTS = Path(__file__).parent / "migrations"


def revision_of(connection: sa.Connection) -> str | None:
    """Say the revision of a ledger's tables; None: it has none yet."""
    if connection.exec_driver_sql("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").scalar() is None:
        return None
    found: str | None = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return found


def migrate(connection: sa.Connection, to: str = HEAD) -> None:
    """Bring the tables to a revision, within the caller's transaction (SQLite's definitions are transactional).

    Raises
    ------
    LedgerError
        A newer version of this package made the ledger.
    """
    # Imported here: a ledger that is up to date does not need it.
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext, MigrationStep, RevisionStep
    from alembic.script import ScriptDirectory

    script = ScriptDirectory(SCRIPTS, version_locations=[SCRIPTS])
    now = revision_of(connection)
    if now is not None and now not in {item.revision for item in script.walk_revisions()}:
        raise LedgerError(
            f"the ledger is of revision {now}, and the newest that is known here is {HEAD}",
            remedy="Install the version of dsa110-contimg that wrote it, or a newer one.",
        )

    def steps(_heads: tuple[str, ...], _context: MigrationContext) -> list[RevisionStep]:
        wanted = reversed(list(script.iterate_revisions(to, now or "base", implicit_base=True)))
        return [MigrationStep.upgrade_from_script(script.revision_map, item) for item in wanted]

    context = MigrationContext.configure(connection, opts={"fn": steps})
    with Operations.context(context):
        context.run_migrations()
