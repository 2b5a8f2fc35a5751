"""Epochs: a strip during an hour of sidereal time, of which images it was made, and the attempts at it."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    _epochs()
    _epoch_attempts()


def _text(name: str, *, nullable: bool = False, default: str | None = None) -> "sa.Column[str]":
    return sa.Column(name, sa.Text, nullable=nullable, server_default=default)


def _integer(name: str) -> "sa.Column[int]":
    return sa.Column(name, sa.Integer, nullable=False, server_default="0")


def _boolean(name: str) -> "sa.Column[bool]":
    return sa.Column(name, sa.Boolean(create_constraint=False), nullable=False, server_default="0")


def _json(name: str, default: str = "{}") -> "sa.Column[object]":
    return sa.Column(name, sa.JSON, nullable=False, server_default=default)


def _epochs() -> None:
    op.create_table(
        "epochs",
        sa.Column("id", sa.Text, primary_key=True),
        _text("strip"),
        sa.Column("start_mjd", sa.Float, nullable=False),
        sa.Column("end_mjd", sa.Float, nullable=False),
        _text("first_seen_utc"),
        _text("published_utc", nullable=True),
        _text("path", default=""),
        _text("checksum", default=""),
        _integer("size_bytes"),
        _json("inputs"),
        _text("verdict", default=""),
        _json("facts"),
        _text("kept_utc", nullable=True),
        _text("retired_utc", nullable=True),
        sa.Column("current_attempt", sa.Integer),
        _integer("n_attempts"),
        _integer("n_transient"),
        _text("last_failure", nullable=True),
        _json("tried"),
        _text("not_before_utc", nullable=True),
        _boolean("again"),
        _text("reason", default=""),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_epochs_start", "epochs", ["start_mjd"])
    unkept = sa.text("published_utc IS NOT NULL AND kept_utc IS NULL AND retired_utc IS NULL")
    op.create_index("ix_epochs_unkept", "epochs", ["start_mjd"], sqlite_where=unkept)
    op.create_index("ix_epochs_again", "epochs", ["start_mjd"], sqlite_where=sa.text("again = 1"))


def _epoch_attempts() -> None:
    op.create_table(
        "epoch_attempts",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("epoch_id", sa.Text, sa.ForeignKey("epochs.id"), nullable=False),
        _text("strip"),
        sa.Column("number", sa.Integer, nullable=False),
        _text("started_utc"),
        _text("ended_utc", nullable=True),
        _boolean("committed"),
        _boolean("replaces"),
        sa.Column("pid", sa.Integer),
        _text("host", default=""),
        sa.Column("exit_code", sa.Integer),
        _text("failure_kind", nullable=True),
        _text("message", default=""),
        _text("log_path", nullable=True),
        _json("stages", "[]"),
        sa.UniqueConstraint("epoch_id", "number", name="uq_epoch_attempts_number"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "uq_epoch_attempts_current", "epoch_attempts", ["strip"], unique=True, sqlite_where=sa.text("ended_utc IS NULL")
    )
