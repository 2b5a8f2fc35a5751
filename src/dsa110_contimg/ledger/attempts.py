"""Attempts: one at a time at a group."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from dsa110_contimg.errors import AttemptRunningError, GroupStateError
from dsa110_contimg.ledger import schema
from dsa110_contimg.ledger.connection import Connected, utc_now
from dsa110_contimg.ledger.endings import Ending, end_in_vain
from dsa110_contimg.ledger.events import add_event
from dsa110_contimg.ledger.files import set_outcomes
from dsa110_contimg.ledger.records import Attempt, Stage
from dsa110_contimg.ledger.rows import attempt_of, current_group, group_row, update_group
from dsa110_contimg.ledger.state_sql import facts_of
from dsa110_contimg.ledger.states import FailureKind, GroupState, Wanted, derive_state

_attempts, _products = schema.attempts.c, schema.products.c


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
            replaces = sa.select(sa.exists().where(_products.group_id == group_id))
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
            update_group(connection, group_id, current_attempt=begun.id, n_attempts=begun.number)
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
            The group is not tried again before [s]; by default 10 s, 40 s, 160 s after failures that may pass.
        set_aside : mapping of Path to (str, str), optional
            Files that it found bad: outcome and reason.

        Raises
        ------
        StaleAttemptError
            It has ended already.
        """
        now = now or utc_now()
        with self.writing() as connection:
            row = current_group(connection, attempt_id)
            ending = Ending(failure_kind, message, exit_code, stages, retry_after_s, now)
            change = end_in_vain(connection, schema.attempts, attempt_id, row, ending)
            set_outcomes(connection, set_aside or {})
            update_group(connection, row.id, **change)
            state = derive_state(facts_of(group_row(connection, row.id)), now)
            given_up = row.wanted == Wanted.PRODUCTS and state in {GroupState.FAILED, GroupState.QUARANTINED}
            if row.standing is None or not given_up:
                return state
            # It was done again for late files, in vain: what was published before is still there.
            update_group(connection, row.id, published=row.standing, standing=None)
            add_event(connection, "kept", "its products stay as they were", row.id, now)
            return derive_state(facts_of(group_row(connection, row.id)), now)
