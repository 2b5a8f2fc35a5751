"""Epochs: which there are, what may go into one, what was decided about it."""

from collections.abc import Collection, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa

from dsa110_contimg.errors import AttemptRunningError, UnknownEpochError
from dsa110_contimg.ledger import schema
from dsa110_contimg.ledger.connection import Connected, utc_now
from dsa110_contimg.ledger.decisions import append_decision, epochs_file
from dsa110_contimg.ledger.epoch_states import Epoch, EpochGroup, EpochState, epoch_state, given_up
from dsa110_contimg.ledger.events import add_event
from dsa110_contimg.ledger.records import Attempt, Decision, mjd_of, utc_of
from dsa110_contimg.ledger.retention import Held
from dsa110_contimg.ledger.rows import attempt_of
from dsa110_contimg.ledger.state_sql import FACTS, facts_of
from dsa110_contimg.ledger.states import DecisionKind, derive_state

IMAGES = "images"
"""Kind of the products of which epochs are made."""
_epochs, _attempts = schema.epochs.c, schema.epoch_attempts.c
_groups, _products, _observing = schema.groups.c, schema.products.c, schema.observing.c
_VALUES = set(Epoch._fields) - {"state", "given_up", "path"}


class EpochSeen(NamedTuple):
    """An epoch of which there are images: its id, its strip, and its hour [MJD, UTC]."""

    id: str
    strip: str
    start_mjd: float
    end_mjd: float


class NewImages(NamedTuple):
    """Images that were published: the number of the product, and of which group."""

    product_id: int
    group_id: str
    start_mjd: float
    dec_deg: float


class Epochs(Connected):
    """The part of a ledger that knows epochs."""

    def images_since(self, product_id: int) -> list[NewImages]:
        """List the images that are there and were published after a product, in that order."""
        query = (
            sa.select(_products.id, _groups.id, _groups.start_mjd, _observing.dec_deg)
            .join(schema.groups, _groups.id == _products.group_id)
            .join(schema.observing, _observing.group_id == _groups.id)
            .where(_products.id > product_id, _products.kind == IMAGES, _products.retired_utc.is_(None))
            .order_by(_products.id)
        )
        with self.reading() as connection:
            return [NewImages(*row) for row in connection.execute(query)]

    def epoch_strips(self) -> dict[str, str]:
        """Give the strip of every epoch, by its id; those that were seen first come first."""
        query = sa.select(_epochs.id, _epochs.strip).order_by(_epochs.first_seen_utc, _epochs.id)
        with self.reading() as connection:
            return {row.id: row.strip for row in connection.execute(query)}

    def note_epochs(self, epochs: Iterable[EpochSeen], *, now: datetime | None = None) -> None:
        """Note that there are epochs; those that are known stay as they are."""
        when = now or utc_now()
        values = [epoch._asdict() | {"first_seen_utc": when} for epoch in epochs]
        if values:
            with self.writing() as connection:
                connection.execute(schema.epochs.insert().prefix_with("OR IGNORE"), values)

    def epoch_groups(self, since_mjd: float, until_mjd: float, *, now: datetime | None = None) -> list[EpochGroup]:
        """List the groups that began in a range of time [MJD, UTC; its end left out], the oldest first."""
        live = sa.and_(_products.group_id == _groups.id, _products.kind == IMAGES, _products.retired_utc.is_(None))
        query = (
            sa.select(
                _groups.id,
                _groups.start_mjd,
                *(column for column in FACTS),
                _observing.dec_deg,
                _products.path,
                _products.checksum,
                _products.size_bytes,
                _products.published_utc,
            )
            .select_from(schema.groups)
            .outerjoin(schema.observing, _observing.group_id == _groups.id)
            .outerjoin(schema.products, live)
            .where(_groups.start_mjd >= since_mjd, _groups.start_mjd < until_mjd)
            .order_by(_groups.start_mjd, _groups.id)
        )
        when = now or utc_now()
        with self.reading() as connection:
            return [
                EpochGroup(
                    row.id,
                    row.start_mjd,
                    derive_state(facts_of(row), when),
                    row.dec_deg,
                    None if row.path is None else Path(row.path),
                    row.checksum or "",
                    row.size_bytes or 0,
                    row.published_utc,
                )
                for row in connection.execute(query)
            ]

    def is_passed(self, mjd: float) -> bool:
        """Whether data were seen that begin at a time [MJD, UTC] or later."""
        query = sa.select(sa.exists().where(_groups.start_mjd >= mjd))
        with self.reading() as connection:
            return bool(connection.execute(query).scalar_one())

    def epoch(self, epoch_id: str) -> Epoch:
        """Give what is known of an epoch.

        Raises
        ------
        UnknownEpochError
            There is no such epoch.
        """
        with self.reading() as connection:
            return epoch_of(epoch_row(connection, epoch_id))

    def epochs(
        self,
        states: Collection[EpochState] = (),
        *,
        strip: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
    ) -> list[Epoch]:
        """List epochs, the newest first: those in some states (none said: in any), of a strip, of a range of time."""
        query: sa.Select[Any] = schema.epochs.select().order_by(_epochs.start_mjd.desc(), _epochs.id.desc())
        if strip is not None:
            query = query.where(_epochs.strip == strip)
        if since is not None:
            query = query.where(_epochs.end_mjd > mjd_of(since))
        if until is not None:
            query = query.where(_epochs.start_mjd <= mjd_of(until))
        if limit is not None and not states:
            query = query.limit(limit)
        with self.reading() as connection:
            found = [epoch_of(row) for row in connection.execute(query)]
        return [item for item in found if not states or item.state in states][:limit]

    def epoch_attempts(self, epoch_id: str) -> list[Attempt]:
        """List the attempts at an epoch, the oldest first."""
        query = _attempts_query().where(_attempts.epoch_id == epoch_id).order_by(_attempts.id)
        with self.reading() as connection:
            return [attempt_of(row) for row in connection.execute(query)]

    def current_epoch_attempts(self) -> list[Attempt]:
        """List the attempts at epochs that are under way; after a crash, those that were."""
        query = _attempts_query().where(_attempts.ended_utc.is_(None)).order_by(_attempts.id)
        with self.reading() as connection:
            return [attempt_of(row) for row in connection.execute(query)]

    def unkept_epochs(self) -> list[Epoch]:
        """List the published epochs that are not part of the light curves yet, the oldest first."""
        query = schema.epochs.select().where(schema.UNKEPT)
        with self.reading() as connection:
            return [epoch_of(row) for row in connection.execute(query.order_by(_epochs.start_mjd, _epochs.id))]

    def note_kept(self, epoch_id: str, checksum: str, *, now: datetime | None = None) -> None:
        """Note that what was published of an epoch, which had this checksum, has become part of the light curves."""
        change = schema.epochs.update().where(_epochs.id == epoch_id, _epochs.checksum == checksum)
        with self.writing() as connection:
            connection.execute(change.values(kept_utc=now or utc_now()))

    def note_untried(
        self, epoch_id: str, what: str, inputs: dict[str, str], reason: str, *, now: datetime | None = None
    ) -> None:
        """Note that an epoch is not made of these images, and why: `THIN` or `BY_HAND`, and a line for people."""
        with self.writing() as connection:
            change = schema.epochs.update().where(_epochs.id == epoch_id)
            connection.execute(change.values(last_failure=what, tried=inputs, reason=reason, again=False))
            add_event(connection, what, reason, epoch_id, now or utc_now())

    def retry_epoch(self, epoch_id: str, who: str, why: str, *, now: datetime | None = None) -> EpochState:
        """Have an epoch made again as soon as may be, whatever became of it; give its state.

        It is also written beside the products, before it takes effect here.

        Raises
        ------
        UnknownEpochError
            There is no such epoch.
        AttemptRunningError
            It is being made.
        LedgerError
            It cannot be written beside the products.
        """
        when = now or utc_now()
        with self.writing() as connection:
            row = epoch_row(connection, epoch_id)
            if row.current_attempt is not None:
                raise AttemptRunningError(f"an attempt at {epoch_id} is running (attempt {row.n_attempts})")
            values = {"again": True, "last_failure": None, "n_transient": 0, "not_before_utc": None, "reason": ""}
            connection.execute(schema.epochs.update().where(_epochs.id == epoch_id).values(values))
            add_event(connection, "retry", f"{who}: {why}", epoch_id, when)
            if self.decisions_path is not None:
                decision = Decision(epoch_id, DecisionKind.RETRY, who, when, why)
                append_decision(epochs_file(self.decisions_path), decision)
            return epoch_of(epoch_row(connection, epoch_id)).state

    def asked_again(self) -> list[str]:
        """List the epochs that an operator wants made again."""
        query = sa.select(_epochs.id).where(schema.AGAIN, _epochs.current_attempt.is_(None))
        with self.reading() as connection:
            return list(connection.scalars(query.order_by(_epochs.start_mjd)))

    def held_epochs(self) -> list[Held]:
        """List the directories of epochs that may be asked to go, the oldest first: published, kept, left alone."""
        free = (_epochs.current_attempt.is_(None), ~_epochs.again, _epochs.retired_utc.is_(None))
        query = schema.epochs.select().where(_epochs.kept_utc.is_not(None), *free)
        with self.reading() as connection:
            rows = connection.execute(query.order_by(_epochs.start_mjd, _epochs.id)).all()
        return [Held(row.id, utc_of(row.start_mjd), "epochs", Path(row.path), row.size_bytes) for row in rows]

    def retire_epoch(self, epoch_id: str, why: str, *, now: datetime | None = None) -> None:
        """Count the directory of an epoch as gone; what was measured stays in the light curves."""
        when = now or utc_now()
        with self.writing() as connection:
            connection.execute(schema.epochs.update().where(_epochs.id == epoch_id).values(retired_utc=when))
            add_event(connection, "retention", why, epoch_id, when)


def epoch_row(connection: sa.Connection, epoch_id: str) -> Any:
    """Find an epoch's row.

    Raises
    ------
    UnknownEpochError
        There is none.
    """
    row = connection.execute(schema.epochs.select().where(_epochs.id == epoch_id)).one_or_none()
    if row is None:
        raise UnknownEpochError(
            f"the ledger knows no epoch {epoch_id}", remedy="Those that there are: dsa110-contimg epochs list."
        )
    return row


def epoch_of(row: Any) -> Epoch:
    """Make an epoch of a row of its table."""
    return Epoch(
        **{key: getattr(row, key) for key in _VALUES},
        path=Path(row.path) if row.path else None,
        given_up=given_up(row.last_failure, row.n_transient),
        state=epoch_state(row.current_attempt, row.published_utc, row.verdict, row.last_failure, row.n_transient),
    )


def _attempts_query() -> "sa.Select[Any]":
    """Select attempts at epochs as those at groups: what they are of is called `group_id`."""
    others = [column for column in schema.epoch_attempts.c if column.name not in {"epoch_id", "strip"}]
    return sa.select(_attempts.epoch_id.label("group_id"), *others)
