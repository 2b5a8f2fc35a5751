"""Files, groups, attempts, products, decisions, events."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    _groups()
    _files()
    _attempts()
    _products()
    _decisions_and_events()


def _text(name: str, *, nullable: bool = False, default: str | None = None) -> "sa.Column[str]":
    return sa.Column(name, sa.Text, nullable=nullable, server_default=default)


def _integer(name: str, *, nullable: bool = False, default: str | None = None) -> "sa.Column[int]":
    return sa.Column(name, sa.Integer, nullable=nullable, server_default=default)


def _boolean(name: str) -> "sa.Column[bool]":
    return sa.Column(name, sa.Boolean(create_constraint=False), nullable=False, server_default="0")


def _group_id() -> "sa.Column[str]":
    return sa.Column("group_id", sa.Text, sa.ForeignKey("groups.id"), nullable=False)


def _id() -> "sa.Column[int]":
    return sa.Column("id", sa.Integer, primary_key=True)


def _groups() -> None:
    op.create_table(
        "groups",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("start_mjd", sa.Float, nullable=False),
        _text("first_seen_utc"),
        _text("deadline_utc"),
        _text("wanted", default="products"),
        _integer("min_subbands"),
        _text("reason", default=""),
        _integer("subbands", default="0"),
        _integer("late", default="0"),
        _integer("current_attempt", nullable=True),
        _integer("n_attempts", default="0"),
        _integer("n_transient", default="0"),
        _text("last_failure", nullable=True),
        _integer("published", nullable=True),
        _integer("standing", nullable=True),
        _text("not_before_utc", nullable=True),
        _boolean("redone"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_groups_start", "groups", ["start_mjd"])
    op.create_index("ix_groups_open", "groups", ["start_mjd"], sqlite_where=sa.text("published IS NULL"))
    op.create_index("ix_groups_late", "groups", ["start_mjd"], sqlite_where=sa.text("late != 0 AND redone = 0"))


def _files() -> None:
    op.create_table(
        "files",
        _id(),
        sa.Column("path", sa.Text, nullable=False, unique=True),
        _integer("subband"),
        sa.Column("group_id", sa.Text, sa.ForeignKey("groups.id")),
        sa.Column("start_mjd", sa.Float),
        _integer("size_bytes"),
        _integer("mtime_ns"),
        _text("first_seen_utc"),
        _text("outcome"),
        _text("reason", default=""),
    )
    op.create_index("ix_files_group", "files", ["group_id", "outcome", "subband"])
    op.create_index("ix_files_set_aside", "files", ["id"], sqlite_where=sa.text("outcome NOT IN ('good', 'late')"))


def _attempts() -> None:
    op.create_table(
        "attempts",
        _id(),
        _group_id(),
        _integer("number"),
        _text("started_utc"),
        _text("ended_utc", nullable=True),
        _boolean("committed"),
        _boolean("replaces"),
        _integer("pid", nullable=True),
        _text("host", default=""),
        _integer("exit_code", nullable=True),
        _text("failure_kind", nullable=True),
        _text("message", default=""),
        _text("log_path", nullable=True),
        sa.Column("stages", sa.JSON, nullable=False, server_default="[]"),
        sa.UniqueConstraint("group_id", "number", name="uq_attempts_number"),
        sqlite_autoincrement=True,
    )
    current = sa.text("ended_utc IS NULL")
    op.create_index("uq_attempts_current", "attempts", ["group_id"], unique=True, sqlite_where=current)
    op.create_index("ix_attempts_ended", "attempts", ["ended_utc"])


def _products() -> None:
    op.create_table(
        "products",
        _id(),
        _group_id(),
        sa.Column("attempt_id", sa.Integer, sa.ForeignKey("attempts.id"), nullable=False),
        _text("path"),
        _text("kind"),
        _text("checksum"),
        _integer("size_bytes"),
        _text("published_utc"),
        _text("retired_utc", nullable=True),
    )
    op.create_index("ix_products_group", "products", ["group_id"])
    live = sa.text("retired_utc IS NULL")
    op.create_index("uq_products_path", "products", ["path"], unique=True, sqlite_where=live)


def _decisions_and_events() -> None:
    op.create_table("decisions", _id(), _group_id(), _text("what"), _text("who"), _text("when_utc"), _text("why"))
    op.create_index("ix_decisions_group", "decisions", ["group_id"])
    op.create_table("events", _id(), _text("when_utc"), _text("group_id", nullable=True), _text("kind"), _text("text"))
    op.create_index("ix_events_group", "events", ["group_id"])
