"""What was flagged by what in each group: the last word counts."""

from typing import Any, NamedTuple

import sqlalchemy as sa

from dsa110_contimg.ledger import schema
from dsa110_contimg.ledger.connection import Connected

_column = schema.flaggings.c


class Flagging(NamedTuple):
    """What was flagged in a group.

    Attributes
    ----------
    group_id : str
    start_mjd : float
        Of the group [MJD, UTC].
    flagged : float
        Fraction of all samples.
    record : dict
        The same by reason, antenna by antenna and channel by channel, and what ails which antenna, as the flagger
        says it.
    """

    group_id: str
    start_mjd: float
    flagged: float
    record: dict[str, Any]


class Flaggings(Connected):
    """The part of a ledger that knows what was flagged."""

    def note_flagging(self, item: Flagging) -> None:
        """Note what was flagged in a group, in place of what was noted before."""
        with self.writing() as connection:
            connection.execute(schema.flaggings.delete().where(_column.group_id == item.group_id))
            connection.execute(schema.flaggings.insert(), item._asdict())

    def flagging(self, group_id: str) -> Flagging | None:
        """Say what was flagged in a group; None if that is not known."""
        with self.reading() as connection:
            row = connection.execute(schema.flaggings.select().where(_column.group_id == group_id)).one_or_none()
        return None if row is None else Flagging(*row)

    def flaggings(self, since_mjd: float, until_mjd: float) -> list[Flagging]:
        """Say what was flagged in the groups that began in a range of time [MJD, UTC], the oldest first."""
        query: sa.Select[Any] = schema.flaggings.select().where(_column.start_mjd.between(since_mjd, until_mjd))
        with self.reading() as connection:
            return [Flagging(*row) for row in connection.execute(query.order_by(_column.start_mjd))]
