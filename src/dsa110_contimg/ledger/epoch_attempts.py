"""Attempts at epochs: one at a time of a strip; and what came of them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa

from dsa110_contimg.errors import AttemptRunningError, StaleAttemptError
from dsa110_contimg.ledger import schema
from dsa110_contimg.ledger.connection import Connected, utc_now
from dsa110_contimg.ledger.endings import Ending, end_in_vain
from dsa110_contimg.ledger.epoch_states import EpochState, given_up
from dsa110_contimg.ledger.epochs import epoch_of, epoch_row
from dsa110_contimg.ledger.events import add_event
from dsa110_contimg.ledger.records import Attempt, Product, Stage
from dsa110_contimg.ledger.rows import attempt_of, ended
from dsa110_contimg.ledger.states import FailureKind

_epochs, _attempts = schema.epochs.c, schema.epoch_attempts.c


class EpochCommit(NamedTuple):
    """What was published of an epoch: its directory, of which images, what it is worth, what else is known."""

    product: Product
    inputs: Mapping[str, str]
    verdict: str
    facts: Mapping[str, Any]


class EpochAttempts(Connected):
    """The part of a ledger that keeps attempts at epochs."""

    def begin_epoch_attempt(
        self, epoch_id: str, inputs: Mapping[str, str], *, now: datetime | None = None, host: str = ""
    ) -> Attempt:
        """Begin an attempt at an epoch, with these images (their checksums, by group).

        Failures with other images are forgotten.

        Raises
        ------
        AttemptRunningError
            One is under way at an epoch of the same strip.
        UnknownEpochError
            There is no such epoch.
        """
        now = now or utc_now()
        with self.writing() as connection:
            row = epoch_row(connection, epoch_id)
            running = sa.select(_attempts.epoch_id).where(_attempts.strip == row.strip, _attempts.ended_utc.is_(None))
            if (other := connection.execute(running).scalar()) is not None:
                raise AttemptRunningError(f"an attempt at {other}, of the same strip, is running")
            values = {
                "epoch_id": epoch_id,
                "strip": row.strip,
                "number": row.n_attempts + 1,
                "started_utc": now,
                "host": host,
                "replaces": row.published_utc is not None,
            }
            insert = schema.epoch_attempts.insert().values(values)
            begun = connection.execute(insert.returning(*schema.epoch_attempts.c, _attempts.epoch_id.label("group_id")))
            attempt = attempt_of(begun.one())
            change: dict[str, Any] = {"current_attempt": attempt.id, "n_attempts": attempt.number}
            if row.tried != dict(inputs):
                change |= {"tried": dict(inputs), "last_failure": None, "n_transient": 0}
            _update(connection, epoch_id, **change)
            return attempt

    def note_epoch_process(self, attempt_id: int, *, pid: int, log_path: Path) -> None:
        """Say which process works on an attempt at an epoch, and where it logs."""
        with self.writing() as connection:
            change = schema.epoch_attempts.update().where(_attempts.id == attempt_id)
            connection.execute(change.values(pid=pid, log_path=str(log_path)))

    def is_current_at_epoch(self, attempt_id: int) -> bool:
        """Whether an attempt at an epoch may still be committed: ask before anything is renamed."""
        query = sa.select(sa.exists().where(_epochs.current_attempt == attempt_id))
        with self.reading() as connection:
            return bool(connection.execute(query).scalar_one())

    def end_epoch_attempt(
        self,
        attempt_id: int,
        failure_kind: FailureKind | None,
        message: str = "",
        *,
        exit_code: int | None = None,
        stages: Sequence[Stage] = (),
        retry_after_s: float | None = None,
        now: datetime | None = None,
    ) -> EpochState:
        """End an attempt that made no product, and give the state that its epoch is then in.

        Parameters and errors are those of `end_attempt`.
        """
        now = now or utc_now()
        with self.writing() as connection:
            row = _current(connection, attempt_id)
            ending = Ending(failure_kind, message, exit_code, stages, retry_after_s, now)
            change = end_in_vain(connection, schema.epoch_attempts, attempt_id, row, ending)
            again = row.again and not given_up(failure_kind, change["n_transient"])
            _update(connection, row.id, again=again, **change)
            return epoch_of(epoch_row(connection, row.id)).state

    def commit_epoch(
        self, attempt_id: int, made: EpochCommit, *, stages: Sequence[Stage] = (), now: datetime | None = None
    ) -> EpochState:
        """Record what an attempt at an epoch published, in one transaction, and end it; give the epoch's state.

        It is not part of the light curves then: `note_kept`.

        Raises
        ------
        StaleAttemptError
            The attempt is not the current one: nothing is recorded.
        """
        now = now or utc_now()
        with self.writing() as connection:
            row = _current(connection, attempt_id)
            values = ended(now, "", 0, stages) | {"committed": True}
            connection.execute(schema.epoch_attempts.update().where(_attempts.id == attempt_id).values(values))
            record_epoch(connection, row.id, made, now)
            state = epoch_of(epoch_row(connection, row.id)).state
            add_event(connection, "published", f"{len(made.inputs)} images, {made.verdict}", row.id, now)
            return state

    def adopt_epoch(
        self, epoch_id: str, strip: str, hour: tuple[float, float], made: EpochCommit, made_utc: datetime
    ) -> None:
        """Take an epoch that was published as it is: how a lost ledger is made anew."""
        values = {
            "id": epoch_id,
            "strip": strip,
            "start_mjd": hour[0],
            "end_mjd": hour[1],
            "first_seen_utc": made_utc,
        }
        with self.writing() as connection:
            connection.execute(schema.epochs.insert().prefix_with("OR IGNORE"), values)
            record_epoch(connection, epoch_id, made, made_utc)


def record_epoch(connection: sa.Connection, epoch_id: str, made: EpochCommit, when: datetime) -> None:
    """Write down what is published of an epoch, within a transaction that has checked that it may."""
    _update(
        connection,
        epoch_id,
        published_utc=when,
        path=str(made.product.path),
        checksum=made.product.checksum,
        size_bytes=made.product.size_bytes,
        inputs=dict(made.inputs),
        tried=dict(made.inputs),
        verdict=made.verdict,
        facts=dict(made.facts),
        kept_utc=None,
        retired_utc=None,
        current_attempt=None,
        last_failure=None,
        n_transient=0,
        not_before_utc=None,
        again=False,
        reason="",
    )


def _current(connection: sa.Connection, attempt_id: int) -> Any:
    row = connection.execute(schema.epochs.select().where(_epochs.current_attempt == attempt_id)).one_or_none()
    if row is None:
        raise StaleAttemptError(f"attempt {attempt_id} is not the current one of its epoch")
    return row


def _update(connection: sa.Connection, epoch_id: str, **values: object) -> None:
    connection.execute(schema.epochs.update().where(_epochs.id == epoch_id).values(values))
