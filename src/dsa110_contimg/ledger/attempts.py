"""Attempts and what they leave: one attempt at a time at a group, and one commit of it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from dsa110_contimg.errors import AttemptRunningError, GroupStateError, StaleAttemptError, UnknownGroupError
from dsa110_contimg.ledger import schema
from dsa110_contimg.ledger.connection import Connected, utc_now
from dsa110_contimg.ledger.events import add_event
from dsa110_contimg.ledger.files import mark_late, recount, set_outcomes
from dsa110_contimg.ledger.records import Attempt, Product, Stage, mask_of
from dsa110_contimg.ledger.state_sql import facts_of
from dsa110_contimg.ledger.states import FailureKind, GroupState, Wanted, derive_state

_FIRST_BACKOFF = timedelta(seconds=10)
_groups, _attempts, _products = schema.groups.c, schema.attempts.c, schema.products.c


def attempt_of(row: Any) -> Attempt:
    """Make an attempt of a row of its table."""
    values = {key: getattr(row, key) for key in Attempt._fields}
    values["failure_kind"] = None if row.failure_kind is None else FailureKind(row.failure_kind)
    values["log_path"] = None if row.log_path is None else Path(row.log_path)
    values["stages"] = tuple(Stage(**stage) for stage in row.stages)
    return Attempt(**values)


def group_row(connection: sa.Connection, group_id: str) -> Any:
    """Find a group's row.

    Raises
    ------
    UnknownGroupError
        There is none.
    """
    row = connection.execute(schema.groups.select().where(_groups.id == group_id)).one_or_none()
    if row is None:
        raise UnknownGroupError(f"the ledger knows no group {group_id}", remedy="dsa110-contimg groups list shows all.")
    return row


class Attempts(Connected):
    """The part of a ledger that keeps attempts and products."""

    def begin_attempt(
        self,
        group_id: str,
        *,
        now: datetime | None = None,
        log_path: Path | None = None,
        pid: int | None = None,
        host: str = "",
    ) -> Attempt:
        """Begin an attempt at a group that is ready (a pause after a failure does not matter here).

        Raises
        ------
        AttemptRunningError
            One is under way.
        GroupStateError
            The group is not ready: not whole, done, given up, or not wanted.
        UnknownGroupError
            There is no such group.
        """
        now = now or utc_now()
        with self.writing() as connection:
            row = group_row(connection, group_id)
            state = derive_state(facts_of(row), now)
            if row.current_attempt is not None:
                raise AttemptRunningError(f"an attempt at {group_id} is running (attempt {row.n_attempts})")
            if state is not GroupState.READY:
                raise GroupStateError(f"{group_id} is {state.value}, not ready")
            replaces = sa.select(sa.exists().where(_products.group_id == group_id, _products.retired_utc.is_(None)))
            values = {
                "group_id": group_id,
                "number": row.n_attempts + 1,
                "started_utc": now,
                "log_path": None if log_path is None else str(log_path),
                "pid": pid,
                "host": host,
                "replaces": connection.execute(replaces).scalar_one(),
            }
            begun = connection.execute(schema.attempts.insert().values(values).returning(schema.attempts)).one()
            _update_group(connection, group_id, current_attempt=begun.id, n_attempts=begun.number)
            return attempt_of(begun)

    def note_process(self, attempt_id: int, *, pid: int, host: str, log_path: Path | None = None) -> None:
        """Say which process works on an attempt, and where it logs."""
        values: dict[str, object] = {"pid": pid, "host": host}
        if log_path is not None:
            values["log_path"] = str(log_path)
        with self.writing() as connection:
            connection.execute(schema.attempts.update().where(_attempts.id == attempt_id).values(values))

    def current_attempts(self) -> list[Attempt]:
        """List the attempts that are under way; after a crash, those that were."""
        query = schema.attempts.select().where(_attempts.ended_utc.is_(None)).order_by(_attempts.id)
        with self.reading() as connection:
            return [attempt_of(row) for row in connection.execute(query)]

    def attempt(self, attempt_id: int) -> Attempt | None:
        """Find an attempt by its id."""
        with self.reading() as connection:
            row = connection.execute(schema.attempts.select().where(_attempts.id == attempt_id)).one_or_none()
        return None if row is None else attempt_of(row)

    def end_attempt(
        self,
        attempt_id: int,
        failure_kind: FailureKind | None,
        message: str = "",
        *,
        exit_code: int | None = None,
        stages: Sequence[Stage] = (),
        retry_after_s: float | None = None,
        set_aside: Mapping[Path, tuple[str, str]] | None = None,
        now: datetime | None = None,
    ) -> GroupState:
        """End an attempt that made no product, and give the state that its group is then in.

        Parameters
        ----------
        attempt_id : int
        failure_kind : FailureKind or None
            Why it failed; None: it was interrupted (the daemon stopped or died), which counts as no failure.
        message : str
            One line for people.
        exit_code : int, optional
            Of its process; negative: the signal that ended it.
        stages : sequence of Stage
            What it did.
        retry_after_s : float, optional
            The group is not tried again before [s]; by default 10 s, 40 s, 160 s after transient failures.
        set_aside : mapping of Path to (str, str), optional
            Files that it found bad: outcome and reason.

        Raises
        ------
        StaleAttemptError
            It has ended already.
        """
        now = now or utc_now()
        with self.writing() as connection:
            row = self._current(connection, attempt_id)
            values = _ended(now, message, exit_code, stages)
            values["failure_kind"] = failure_kind
            connection.execute(schema.attempts.update().where(_attempts.id == attempt_id).values(values))
            set_outcomes(connection, set_aside or {})
            n_transient = row.n_transient + (failure_kind is FailureKind.TRANSIENT)
            if retry_after_s is None and failure_kind is FailureKind.TRANSIENT:
                retry_after_s = _FIRST_BACKOFF.total_seconds() * 4.0**row.n_transient
            _update_group(
                connection,
                row.id,
                current_attempt=None,
                n_transient=n_transient,
                last_failure=failure_kind or row.last_failure,
                not_before_utc=None if retry_after_s is None else now + timedelta(seconds=retry_after_s),
                reason=message if failure_kind else row.reason,
            )
            kind = failure_kind.value if failure_kind else "interrupted"
            add_event(connection, kind, message or "an attempt ended without a product", row.id, now)
            return derive_state(facts_of(group_row(connection, row.id)), now)

    def commit_products(
        self,
        attempt_id: int,
        products: Sequence[Product],
        subbands: Iterable[int],
        *,
        stages: Sequence[Stage] = (),
        set_aside: Mapping[Path, tuple[str, str]] | None = None,
        now: datetime | None = None,
    ) -> GroupState:
        """Record what an attempt published, in one transaction, and end it; give its group's state.

        Products of earlier attempts at the group are retired: those of the same paths were replaced.

        Parameters
        ----------
        attempt_id : int
        products : sequence of Product
            Under their final names. Their `attempt_id` and times are filled in here.
        subbands : iterable of int
            The subbands that are in them.
        stages, set_aside
            As of `end_attempt`.

        Raises
        ------
        StaleAttemptError
            The attempt is not the current one, or its group is no longer wanted: nothing is recorded.
        """
        now = now or utc_now()
        with self.writing() as connection:
            row = self._current(connection, attempt_id)
            if row.wanted != Wanted.PRODUCTS:
                raise StaleAttemptError(f"nothing is wanted of {row.id} any more: an operator decided so")
            record_commit(connection, row.id, attempt_id, products, subbands, stages, now)
            set_outcomes(connection, set_aside or {})
            mark_late(connection, [row.id])
            recount(connection, [row.id])
            after = group_row(connection, row.id)
            state = derive_state(facts_of(after), now)
            add_event(connection, "published", f"{len(products)} products, {state.value}", row.id, now)
            return state

    def is_current(self, attempt_id: int) -> bool:
        """Whether an attempt may still be committed: ask before anything is renamed."""
        query = sa.select(_groups.wanted).where(_groups.current_attempt == attempt_id)
        query = query.join_from(schema.attempts, schema.groups, _attempts.group_id == _groups.id)
        with self.reading() as connection:
            return connection.execute(query.where(_attempts.id == attempt_id)).scalar() == Wanted.PRODUCTS

    @staticmethod
    def _current(connection: sa.Connection, attempt_id: int) -> Any:
        """Find the group whose current attempt this is."""
        query = sa.select(schema.groups).join(schema.attempts, _attempts.group_id == _groups.id)
        query = query.where(_attempts.id == attempt_id, _groups.current_attempt == attempt_id)
        row = connection.execute(query).one_or_none()
        if row is None:
            raise StaleAttemptError(f"attempt {attempt_id} is not the current one of its group")
        return row


def record_commit(
    connection: sa.Connection,
    group_id: str,
    attempt_id: int,
    products: Sequence[Product],
    subbands: Iterable[int],
    stages: Sequence[Stage],
    when: datetime,
) -> None:
    """Write down the products of an attempt, and its end, within a transaction that has checked that it may."""
    former = schema.products.update().where(_products.group_id == group_id, _products.retired_utc.is_(None))
    connection.execute(former.values(retired_utc=when))
    if products:
        made = {"group_id": group_id, "attempt_id": attempt_id, "published_utc": when}
        connection.execute(schema.products.insert(), [_product_values(product) | made for product in products])
    values = _ended(when, "", 0, stages) | {"committed": True}
    connection.execute(schema.attempts.update().where(_attempts.id == attempt_id).values(values))
    _update_group(
        connection,
        group_id,
        current_attempt=None,
        published=mask_of(subbands),
        last_failure=None,
        n_transient=0,
        not_before_utc=None,
        reason="",
    )


def _update_group(connection: sa.Connection, group_id: str, **values: object) -> None:
    connection.execute(schema.groups.update().where(_groups.id == group_id).values(values))


def _ended(now: datetime, message: str, exit_code: int | None, stages: Sequence[Stage]) -> dict[str, Any]:
    return {
        "ended_utc": now,
        "message": message,
        "exit_code": exit_code,
        "stages": [stage._asdict() for stage in stages],
    }


def _product_values(product: Product) -> dict[str, Any]:
    return {
        "path": str(product.path),
        "kind": product.kind,
        "checksum": product.checksum,
        "size_bytes": product.size_bytes,
    }
