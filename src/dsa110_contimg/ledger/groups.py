"""Groups by state: which is next, how many there are, all about one."""

from collections.abc import Collection
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from dsa110_contimg.ledger import schema
from dsa110_contimg.ledger.connection import Connected, utc_now
from dsa110_contimg.ledger.decisions import decision_of
from dsa110_contimg.ledger.events import events_of
from dsa110_contimg.ledger.records import FileSeen, Group, GroupHistory, Product, mjd_of, subbands_of
from dsa110_contimg.ledger.rows import attempt_of, group_row
from dsa110_contimg.ledger.state_sql import facts_of, state_case
from dsa110_contimg.ledger.states import ALL_SUBBANDS, GroupState, Wanted, derive_state, too_few

LIVE = timedelta(hours=1)
"""A group that began less than this ago is live, and comes before the backlog."""
_column = schema.groups.c


class Groups(Connected):
    """The part of a ledger that finds groups."""

    def ready_groups(
        self,
        now: datetime | None = None,
        limit: int = 10,
        *,
        live_first: bool = True,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> list[str]:
        """List the groups to run next: ready, and not waiting after a failure; the oldest first.

        Parameters
        ----------
        now : datetime, optional
            The time; today's by default.
        limit : int
            At most so many.
        live_first : bool
            Whether groups of the last hour come before older ones.
        since, until : datetime, optional
            Only groups that began from `since` to `until`, both included.
        """
        now = now or utc_now()
        waits = _column.not_before_utc > now
        query = (
            sa.select(_column.id)
            .where(_column.published.is_(None), state_case(now) == GroupState.READY.value, ~sa.func.coalesce(waits, 0))
            .order_by(_column.start_mjd, _column.id)
        )
        if since is not None:
            query = query.where(_column.start_mjd >= mjd_of(since - timedelta(seconds=0.5)))
        if until is not None:
            query = query.where(_column.start_mjd <= mjd_of(until + timedelta(seconds=0.5)))
        live = _column.start_mjd >= mjd_of(now - LIVE)
        found: list[str] = []
        with self.reading() as connection:
            # Two looks at the index of open groups: one that sorts by both would read all of the backlog.
            for part in (live, ~live) if live_first else (sa.true(),):
                if len(found) < limit:
                    found += connection.scalars(query.where(part).limit(limit - len(found)))
        return found

    def next_deadline(self) -> datetime | None:
        """Say when the next of the groups that still lack subbands stops waiting for them."""
        query = sa.select(sa.func.min(_column.deadline_utc)).where(
            _column.published.is_(None), state_case(utc_now()) == GroupState.COLLECTING.value
        )
        with self.reading() as connection:
            return connection.execute(query).scalar()

    def counts_by_state(self, now: datetime | None = None) -> dict[GroupState, int]:
        """Count the groups in each state; every state is named."""
        state = state_case(now or utc_now()).label("state")
        query = sa.select(state, sa.func.count()).select_from(schema.groups).group_by(state)
        with self.reading() as connection:
            found = {GroupState(name): count for name, count in connection.execute(query)}
        return {state: found.get(state, 0) for state in GroupState}

    def groups(
        self,
        states: Collection[GroupState] = (),
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        now: datetime | None = None,
    ) -> list[Group]:
        """List groups, the newest first: those in some states (none said: in any), begun from `since` to `until`."""
        now = now or utc_now()
        query = schema.groups.select().order_by(_column.start_mjd.desc(), _column.id.desc()).limit(limit)
        if states:
            query = query.where(state_case(now).in_([state.value for state in states]))
        if since is not None:
            query = query.where(_column.start_mjd >= mjd_of(since - timedelta(seconds=0.5)))
        if until is not None:
            query = query.where(_column.start_mjd <= mjd_of(until + timedelta(seconds=0.5)))
        with self.reading() as connection:
            return [group_of(row, now) for row in connection.execute(query)]

    def state(self, group_id: str, now: datetime | None = None) -> GroupState:
        """Give the state of a group.

        Raises
        ------
        UnknownGroupError
            There is no such group.
        """
        with self.reading() as connection:
            return derive_state(facts_of(group_row(connection, group_id)), now or utc_now())

    def group(self, group_id: str, now: datetime | None = None) -> GroupHistory:
        """Give all that is known of a group.

        Raises
        ------
        UnknownGroupError
            There is no such group.
        """

        def rows(table: sa.Table) -> sa.CursorResult[Any]:
            return connection.execute(table.select().where(table.c.group_id == group_id).order_by(table.c.id))

        with self.reading() as connection:
            row = group_row(connection, group_id)
            return GroupHistory(
                group_of(row, now or utc_now()),
                facts_of(row),
                tuple(sorted(map(file_of, rows(schema.files)), key=lambda file: (file.subband, file.path))),
                tuple(map(attempt_of, rows(schema.attempts))),
                tuple(map(product_of, rows(schema.products))),
                tuple(map(decision_of, rows(schema.decisions))),
                events_of(rows(schema.events)),
            )


def group_of(row: Any, now: datetime) -> Group:
    """Make a group of a row of its table."""
    facts = facts_of(row)
    state = derive_state(facts, now)
    return Group(
        row.id,
        state,
        row.start_mjd,
        row.first_seen_utc,
        row.deadline_utc,
        Wanted(row.wanted),
        row.min_subbands,
        subbands_of(row.subbands),
        subbands_of(ALL_SUBBANDS & ~row.subbands),
        row.n_attempts,
        row.reason or too_few(facts, state),
    )


def file_of(row: Any) -> FileSeen:
    """Make a file of a row of its table."""
    return FileSeen(**{key: getattr(row, key) for key in FileSeen._fields} | {"path": Path(row.path)})


def product_of(row: Any) -> Product:
    """Make a product of a row of its table."""
    return Product(**{key: getattr(row, key) for key in Product._fields} | {"path": Path(row.path)})
