"""How it goes: newest data, lag, rate, failures, what the stages took."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from dsa110_contimg.ledger import schema
from dsa110_contimg.ledger.connection import Connected, utc_now
from dsa110_contimg.ledger.groups import file_of, group_of, product_of, utc_of
from dsa110_contimg.ledger.records import Failure, FileSeen, Product, Stage
from dsa110_contimg.ledger.state_sql import state_case
from dsa110_contimg.ledger.states import FailureKind, GroupState

_column = schema.groups.c
_GIVEN_UP = (GroupState.FAILED, GroupState.QUARANTINED)


class StageTotal(NamedTuple):
    """What a stage took in all attempts together."""

    name: str
    n_runs: int
    seconds: float
    bytes_in: int
    bytes_out: int


class Reports(Connected):
    """The part of a ledger that says how it goes."""

    def newest_data(self) -> datetime | None:
        """Give the start of the newest group that has a good file (UTC)."""
        return self._newest(_column.subbands != 0)

    def newest_product(self) -> datetime | None:
        """Give the start of the newest group that is published (UTC)."""
        return self._newest(_column.published.is_not(None))

    def lag_s(self, now: datetime | None = None) -> float | None:
        """Say how far the products are behind the sky: time since the start of the newest published group [s]."""
        newest = self.newest_product()
        return None if newest is None else ((now or utc_now()) - newest).total_seconds()

    def n_published(self, since: datetime) -> int:
        """Count the groups published since a time."""
        column = schema.attempts.c
        query = sa.select(sa.func.count()).where(column.ended_utc >= since, column.committed.is_(True))
        with self.reading() as connection:
            return connection.execute(query).scalar_one()

    def groups_per_hour(self, now: datetime | None = None, over: timedelta = timedelta(hours=1)) -> float:
        """Give the rate at which groups were published of late [1/h]."""
        return self.n_published((now or utc_now()) - over) / (over / timedelta(hours=1))

    def failures(self, limit: int = 20, now: datetime | None = None) -> list[Failure]:
        """List the groups that are not tried again by themselves, the newest first, with the reason."""
        now = now or utc_now()
        attempt = schema.attempts.c
        query = (
            sa.select(schema.groups, attempt.log_path, attempt.ended_utc)
            .outerjoin(schema.attempts, sa.and_(attempt.group_id == _column.id, attempt.number == _column.n_attempts))
            .where(state_case(now).in_([state.value for state in _GIVEN_UP]))
            .order_by(_column.start_mjd.desc())
            .limit(limit)
        )
        found = []
        with self.reading() as connection:
            for row in connection.execute(query):
                group = group_of(row, now)
                kind = None if row.last_failure is None else FailureKind(row.last_failure)
                log_path = None if row.log_path is None else Path(row.log_path)
                when = row.ended_utc or row.deadline_utc
                found.append(Failure(group.id, group.state, kind, group.reason, when, log_path))
        return found

    def waiting_after_failure(self, limit: int = 20, now: datetime | None = None) -> list[Failure]:
        """List the groups that are to be tried again after a failure, the newest first; `when_utc`: not before."""
        now = now or utc_now()
        query = (
            schema.groups.select()
            .where(_column.published.is_(None), _column.last_failure.is_not(None))
            .where(state_case(now) == GroupState.READY.value)
            .order_by(_column.start_mjd.desc())
            .limit(limit)
        )
        with self.reading() as connection:
            groups = [(row, group_of(row, now)) for row in connection.execute(query)]
        return [
            Failure(group.id, group.state, FailureKind(row.last_failure), group.reason, row.not_before_utc or now, None)
            for row, group in groups
        ]

    def failures_by_kind(self) -> dict[FailureKind, int]:
        """Count the attempts that failed, ever."""
        column = schema.attempts.c
        query = sa.select(column.failure_kind, sa.func.count()).where(column.failure_kind.is_not(None))
        with self.reading() as connection:
            found = {FailureKind(kind): n for kind, n in connection.execute(query.group_by(column.failure_kind))}
        return {kind: found.get(kind, 0) for kind in FailureKind}

    def stage_totals(self, since: datetime | None = None) -> list[StageTotal]:
        """Sum up what the stages took, in attempts that ended since a time (or ever)."""
        column = schema.attempts.c
        query = sa.select(column.stages).where(column.ended_utc.is_not(None))
        if since is not None:
            query = query.where(column.ended_utc >= since)
        totals: dict[str, StageTotal] = {}
        with self.reading() as connection:
            for stages in connection.scalars(query):
                for stage in (Stage(**values) for values in stages):
                    old = totals.get(stage.name, StageTotal(stage.name, 0, 0.0, 0, 0))
                    totals[stage.name] = StageTotal(
                        stage.name,
                        old.n_runs + 1,
                        old.seconds + stage.seconds,
                        old.bytes_in + stage.bytes_in,
                        old.bytes_out + stage.bytes_out,
                    )
        return sorted(totals.values())

    def live_products(self) -> dict[Path, tuple[str, Product]]:
        """Give every product that should be there, with its group, by path."""
        query = schema.products.select().where(schema.products.c.retired_utc.is_(None))
        with self.reading() as connection:
            return {Path(row.path): (row.group_id, product_of(row)) for row in connection.execute(query)}

    def product_paths(self) -> set[Path]:
        """Give the paths of all products that ever were, retired ones too."""
        with self.reading() as connection:
            return {Path(path) for path in connection.scalars(sa.select(schema.products.c.path))}

    def set_aside(self, limit: int = 100) -> list[FileSeen]:
        """List the newest files that are not used, the newest first."""
        column = schema.files.c
        query = schema.files.select().where(schema.SET_ASIDE).order_by(column.id.desc())
        with self.reading() as connection:
            return [file_of(row) for row in connection.execute(query.limit(limit))]

    def _newest(self, which: sa.ColumnElement[bool]) -> datetime | None:
        query = sa.select(_column.start_mjd).where(which).order_by(_column.start_mjd.desc()).limit(1)
        with self.reading() as connection:
            mjd = connection.execute(query).scalar()
        return None if mjd is None else utc_of(mjd)
