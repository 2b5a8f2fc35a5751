"""The tables. `migrations` makes them; a test keeps the two alike."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from dsa110_contimg.ledger.records import utc_text


class UtcTime(TypeDecorator[datetime]):
    """An aware time, kept as text that sorts: ``2025-10-05T12:30:00.000000Z``."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Write a time; one without a zone is a mistake."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value.isoformat()} has no time zone")
        return utc_text(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Read a time."""
        return None if value is None else datetime.fromisoformat(value)


metadata = sa.MetaData()

groups = sa.Table(
    "groups",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("start_mjd", sa.Float, nullable=False),
    sa.Column("first_seen_utc", UtcTime, nullable=False),
    sa.Column("deadline_utc", UtcTime, nullable=False),
    sa.Column("wanted", sa.Text, nullable=False, server_default="products"),
    sa.Column("min_subbands", sa.Integer, nullable=False),
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
    # What follows from the other tables, written with them (`consistency` checks it), so that states are quickly found.
    sa.Column("subbands", sa.Integer, nullable=False, server_default="0"),
    sa.Column("late", sa.Integer, nullable=False, server_default="0"),
    sa.Column("current_attempt", sa.Integer),
    sa.Column("n_attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("n_transient", sa.Integer, nullable=False, server_default="0"),
    sa.Column("last_failure", sa.Text),
    sa.Column("published", sa.Integer),
    # What was published before late files had the group done again, while that lasts.
    sa.Column("standing", sa.Integer),
    # Not before this is the group tried again; and whether it was done again for late files, which it is once.
    sa.Column("not_before_utc", UtcTime),
    sa.Column("redone", sa.Boolean(create_constraint=False), nullable=False, server_default="0"),
    sqlite_with_rowid=False,
)
sa.Index("ix_groups_start", groups.c.start_mjd)
sa.Index("ix_groups_open", groups.c.start_mjd, sqlite_where=groups.c.published.is_(None))
sa.Index("ix_groups_late", groups.c.start_mjd, sqlite_where=sa.text("late != 0 AND redone = 0"))

files = sa.Table(
    "files",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("path", sa.Text, nullable=False, unique=True),
    sa.Column("subband", sa.Integer, nullable=False),
    sa.Column("group_id", sa.Text, sa.ForeignKey("groups.id")),
    sa.Column("start_mjd", sa.Float),
    sa.Column("size_bytes", sa.Integer, nullable=False),
    sa.Column("mtime_ns", sa.Integer, nullable=False),
    sa.Column("first_seen_utc", UtcTime, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
)
sa.Index("ix_files_group", files.c.group_id, files.c.outcome, files.c.subband)
SET_ASIDE = sa.text("outcome NOT IN ('good', 'late')")  # in these words also where the index is to be used
sa.Index("ix_files_set_aside", files.c.id, sqlite_where=SET_ASIDE)

attempts = sa.Table(
    "attempts",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("group_id", sa.Text, sa.ForeignKey("groups.id"), nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("started_utc", UtcTime, nullable=False),
    sa.Column("ended_utc", UtcTime),
    sa.Column("committed", sa.Boolean(create_constraint=False), nullable=False, server_default="0"),
    sa.Column("replaces", sa.Boolean(create_constraint=False), nullable=False, server_default="0"),
    sa.Column("pid", sa.Integer),
    sa.Column("host", sa.Text, nullable=False, server_default=""),
    sa.Column("exit_code", sa.Integer),
    sa.Column("failure_kind", sa.Text),
    sa.Column("message", sa.Text, nullable=False, server_default=""),
    sa.Column("log_path", sa.Text),
    sa.Column("stages", sa.JSON, nullable=False, server_default="[]"),
    sa.UniqueConstraint("group_id", "number", name="uq_attempts_number"),
    sqlite_autoincrement=True,  # an id is never used again: directories are named by it
)
# The promise itself: one current attempt a group.
sa.Index("uq_attempts_current", attempts.c.group_id, unique=True, sqlite_where=attempts.c.ended_utc.is_(None))
sa.Index("ix_attempts_ended", attempts.c.ended_utc)

products = sa.Table(
    "products",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("group_id", sa.Text, sa.ForeignKey("groups.id"), nullable=False),
    sa.Column("attempt_id", sa.Integer, sa.ForeignKey("attempts.id"), nullable=False),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("checksum", sa.Text, nullable=False),
    sa.Column("size_bytes", sa.Integer, nullable=False),
    sa.Column("published_utc", UtcTime, nullable=False),
    sa.Column("retired_utc", UtcTime),
)
sa.Index("ix_products_group", products.c.group_id)
sa.Index("uq_products_path", products.c.path, unique=True, sqlite_where=products.c.retired_utc.is_(None))

decisions = sa.Table(
    "decisions",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("group_id", sa.Text, sa.ForeignKey("groups.id"), nullable=False),
    sa.Column("what", sa.Text, nullable=False),
    sa.Column("who", sa.Text, nullable=False),
    sa.Column("when_utc", UtcTime, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
)
sa.Index("ix_decisions_group", decisions.c.group_id)

events = sa.Table(
    "events",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("when_utc", UtcTime, nullable=False),
    sa.Column("group_id", sa.Text),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
)
sa.Index("ix_events_group", events.c.group_id)

calibrations = sa.Table(
    "calibrations",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("group_id", sa.Text, nullable=False),  # one that was solved by hand may be of a group not known here
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("checksum", sa.Text, nullable=False),
    sa.Column("calibrator", sa.Text, nullable=False),
    sa.Column("grade", sa.Text, nullable=False),
    sa.Column("reasons", sa.JSON, nullable=False, server_default="[]"),
    sa.Column("dec_deg", sa.Float, nullable=False),
    sa.Column("mid_mjd", sa.Float, nullable=False),
    # As far as it would reach; that it ends where the telescope changed follows from `observing`.
    sa.Column("valid_from_mjd", sa.Float, nullable=False),
    sa.Column("valid_until_mjd", sa.Float, nullable=False),
    sa.Column("facts", sa.JSON, nullable=False, server_default="{}"),
    sa.Column("registered_utc", UtcTime, nullable=False),
    sa.Column("retired_utc", UtcTime),
    sa.Column("retired_by", sa.Text, nullable=False, server_default=""),
    sa.Column("retired_why", sa.Text, nullable=False, server_default=""),
)
sa.Index("ix_calibrations_mid", calibrations.c.mid_mjd)
sa.Index("ix_calibrations_group", calibrations.c.group_id)

calibrated = sa.Table(
    "calibrated",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("product", sa.Text, nullable=False),
    sa.Column("group_id", sa.Text, nullable=False),
    sa.Column("calibration_id", sa.Integer, sa.ForeignKey("calibrations.id"), nullable=False),
    sa.Column("rung", sa.Text, nullable=False),
    sa.Column("stale", sa.Boolean(create_constraint=False), nullable=False, server_default="0"),
    sa.Column("why", sa.Text, nullable=False, server_default=""),
    sa.Column("when_utc", UtcTime, nullable=False),
    sa.Column("replaced_utc", UtcTime),
)
sa.Index("ix_calibrated_group", calibrated.c.group_id)
sa.Index("ix_calibrated_set", calibrated.c.calibration_id)
sa.Index("ix_calibrated_product", calibrated.c.product)

observing = sa.Table(
    "observing",
    metadata,
    sa.Column("group_id", sa.Text, primary_key=True),
    sa.Column("start_mjd", sa.Float, nullable=False),
    sa.Column("dec_deg", sa.Float, nullable=False),
    sa.Column("correlator", sa.JSON, nullable=False, server_default="{}"),
    sqlite_with_rowid=False,
)
sa.Index("ix_observing_start", observing.c.start_mjd)

flaggings = sa.Table(
    "flaggings",
    metadata,
    sa.Column("group_id", sa.Text, primary_key=True),
    sa.Column("start_mjd", sa.Float, nullable=False),
    sa.Column("flagged", sa.Float, nullable=False),
    sa.Column("record", sa.JSON, nullable=False, server_default="{}"),
)
sa.Index("ix_flaggings_start", flaggings.c.start_mjd)

epochs = sa.Table(
    "epochs",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("strip", sa.Text, nullable=False),
    sa.Column("start_mjd", sa.Float, nullable=False),
    sa.Column("end_mjd", sa.Float, nullable=False),
    sa.Column("first_seen_utc", UtcTime, nullable=False),
    # What was published: of which images (their checksums by group), what it is worth, and what else is known of it.
    sa.Column("published_utc", UtcTime),
    sa.Column("path", sa.Text, nullable=False, server_default=""),
    sa.Column("checksum", sa.Text, nullable=False, server_default=""),
    sa.Column("size_bytes", sa.Integer, nullable=False, server_default="0"),
    sa.Column("inputs", sa.JSON, nullable=False, server_default="{}"),
    sa.Column("verdict", sa.Text, nullable=False, server_default=""),
    sa.Column("facts", sa.JSON, nullable=False, server_default="{}"),
    # When it became part of the light curves, and when it was removed.
    sa.Column("kept_utc", UtcTime),
    sa.Column("retired_utc", UtcTime),
    # What was last tried, of which images, and what came of it; whether an operator wants it done again.
    sa.Column("current_attempt", sa.Integer),
    sa.Column("n_attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("n_transient", sa.Integer, nullable=False, server_default="0"),
    sa.Column("last_failure", sa.Text),
    sa.Column("tried", sa.JSON, nullable=False, server_default="{}"),
    sa.Column("not_before_utc", UtcTime),
    sa.Column("again", sa.Boolean(create_constraint=False), nullable=False, server_default="0"),
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
    sqlite_with_rowid=False,
)
sa.Index("ix_epochs_start", epochs.c.start_mjd)
UNKEPT = sa.text("published_utc IS NOT NULL AND kept_utc IS NULL AND retired_utc IS NULL")
sa.Index("ix_epochs_unkept", epochs.c.start_mjd, sqlite_where=UNKEPT)
AGAIN = sa.text("again = 1")
sa.Index("ix_epochs_again", epochs.c.start_mjd, sqlite_where=AGAIN)

epoch_attempts = sa.Table(
    "epoch_attempts",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("epoch_id", sa.Text, sa.ForeignKey("epochs.id"), nullable=False),
    sa.Column("strip", sa.Text, nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("started_utc", UtcTime, nullable=False),
    sa.Column("ended_utc", UtcTime),
    sa.Column("committed", sa.Boolean(create_constraint=False), nullable=False, server_default="0"),
    sa.Column("replaces", sa.Boolean(create_constraint=False), nullable=False, server_default="0"),
    sa.Column("pid", sa.Integer),
    sa.Column("host", sa.Text, nullable=False, server_default=""),
    sa.Column("exit_code", sa.Integer),
    sa.Column("failure_kind", sa.Text),
    sa.Column("message", sa.Text, nullable=False, server_default=""),
    sa.Column("log_path", sa.Text),
    sa.Column("stages", sa.JSON, nullable=False, server_default="[]"),
    sa.UniqueConstraint("epoch_id", "number", name="uq_epoch_attempts_number"),
    sqlite_autoincrement=True,
)
# The promise itself: one current attempt a strip.
sa.Index(
    "uq_epoch_attempts_current", epoch_attempts.c.strip, unique=True, sqlite_where=epoch_attempts.c.ended_utc.is_(None)
)
