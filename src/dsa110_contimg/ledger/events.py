"""Lines for people: what happened, when, to which group."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from dsa110_contimg.ledger import schema
from dsa110_contimg.ledger.connection import Connected, utc_now
from dsa110_contimg.ledger.records import Event


def add_event(connection: sa.Connection, kind: str, text: str, group_id: str | None, when: datetime) -> None:
    """Write an event within a transaction that does what the event tells of."""
    values = {"when_utc": when, "group_id": group_id, "kind": kind, "text": text}
    connection.execute(schema.events.insert(), values)


def events_of(rows: Iterable[Any]) -> tuple[Event, ...]:
    """Make events of rows."""
    return tuple(Event(row.id, row.when_utc, row.group_id, row.kind, row.text) for row in rows)


class Events(Connected):
    """The part of a ledger that keeps events."""

    def record_event(self, kind: str, text: str, group_id: str | None = None, *, now: datetime | None = None) -> None:
        """Keep an event: a kind in a word (``"paused"``), and a line of text."""
        with self.writing() as connection:
            add_event(connection, kind, text, group_id, now or utc_now())

    def events(self, limit: int = 100, *, group_id: str | None = None, kind: str | None = None) -> list[Event]:
        """List the newest events, the newest first."""
        query = sa.select(schema.events).order_by(schema.events.c.id.desc()).limit(limit)
        if group_id is not None:
            query = query.where(schema.events.c.group_id == group_id)
        if kind is not None:
            query = query.where(schema.events.c.kind == kind)
        with self.reading() as connection:
            return list(events_of(connection.execute(query)))

    def forget_events(self, before: datetime) -> int:
        """Drop events from before a time, so that months do not fill the disk; give their number."""
        with self.writing() as connection:
            return connection.execute(schema.events.delete().where(schema.events.c.when_utc < before)).rowcount
