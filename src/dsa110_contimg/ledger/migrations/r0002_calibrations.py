"""Calibration sets, what they calibrated, and for each group how the telescope stood and what was flagged."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    _calibrations()
    _calibrated()
    _observing()
    _flaggings()


def _text(name: str, *, nullable: bool = False, default: str | None = None) -> "sa.Column[str]":
    return sa.Column(name, sa.Text, nullable=nullable, server_default=default)


def _float(name: str) -> "sa.Column[float]":
    return sa.Column(name, sa.Float, nullable=False)


def _json(name: str, default: str) -> "sa.Column[object]":
    return sa.Column(name, sa.JSON, nullable=False, server_default=default)


def _calibrations() -> None:
    op.create_table(
        "calibrations",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        _text("group_id"),
        _text("kind"),
        _text("path"),
        _text("checksum"),
        _text("calibrator"),
        _text("grade"),
        _json("reasons", "[]"),
        _float("dec_deg"),
        _float("mid_mjd"),
        _float("valid_from_mjd"),
        _float("valid_until_mjd"),
        _json("facts", "{}"),
        _text("registered_utc"),
        _text("retired_utc", nullable=True),
        _text("retired_by", default=""),
        _text("retired_why", default=""),
    )
    op.create_index("ix_calibrations_mid", "calibrations", ["mid_mjd"])
    op.create_index("ix_calibrations_group", "calibrations", ["group_id"])


def _calibrated() -> None:
    op.create_table(
        "calibrated",
        sa.Column("id", sa.Integer, primary_key=True),
        _text("product"),
        _text("group_id"),
        sa.Column("calibration_id", sa.Integer, sa.ForeignKey("calibrations.id"), nullable=False),
        _text("rung"),
        sa.Column("stale", sa.Boolean(create_constraint=False), nullable=False, server_default="0"),
        _text("why", default=""),
        _text("when_utc"),
        _text("replaced_utc", nullable=True),
    )
    op.create_index("ix_calibrated_group", "calibrated", ["group_id"])
    op.create_index("ix_calibrated_set", "calibrated", ["calibration_id"])
    op.create_index("ix_calibrated_product", "calibrated", ["product"])


def _observing() -> None:
    op.create_table(
        "observing",
        sa.Column("group_id", sa.Text, primary_key=True),
        _float("start_mjd"),
        _float("dec_deg"),
        _json("correlator", "{}"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_observing_start", "observing", ["start_mjd"])


def _flaggings() -> None:
    op.create_table(
        "flaggings",
        sa.Column("group_id", sa.Text, primary_key=True),
        _float("start_mjd"),
        _float("flagged"),
        _json("record", "{}"),
    )
    op.create_index("ix_flaggings_start", "flaggings", ["start_mjd"])
