"""What of a finished group may be asked to go, and what went."""

from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from dsa110_contimg.ledger import schema
from dsa110_contimg.ledger.connection import Connected, utc_now
from dsa110_contimg.ledger.decisions import take_decision
from dsa110_contimg.ledger.events import add_event
from dsa110_contimg.ledger.files import recount
from dsa110_contimg.ledger.records import GOOD, LATE, Decision, utc_of
from dsa110_contimg.ledger.states import DecisionKind, Wanted

_BATCH = 500


class Held(NamedTuple):
    """A file or product of a group that is finished.

    Attributes
    ----------
    group_id : str
    start_utc : datetime
        When the group's data begin.
    kind : str
        ``raw``, or the kind of the product.
    path : Path
    size_bytes : int
    """

    group_id: str
    start_utc: datetime
    kind: str
    path: Path
    size_bytes: int


class Retention(Connected):
    """The part of a ledger that knows what is kept."""

    def held(self) -> list[Held]:
        """List the good files and live products of finished groups, the oldest group first.

        Finished is what is published and not to be done again, or of which nothing is wanted; no attempt is under way.
        """
        group, file, product = schema.groups.c, schema.files.c, schema.products.c
        more_complete = (group.late != 0) & ~group.redone
        finished = sa.and_(
            group.current_attempt.is_(None),
            group.standing.is_(None),
            sa.or_(
                group.wanted == Wanted.NOTHING,
                (group.wanted == Wanted.PRODUCTS) & group.published.is_not(None) & ~more_complete,
            ),
        )
        files = (
            sa.select(group.id, group.start_mjd, sa.literal("raw"), file.path, file.size_bytes)
            .join(schema.files, file.group_id == group.id)
            .where(finished, file.outcome.in_([GOOD, LATE]))
        )
        products = (
            sa.select(group.id, group.start_mjd, product.kind, product.path, product.size_bytes)
            .join(schema.products, product.group_id == group.id)
            .where(finished, product.retired_utc.is_(None))
        )
        found = []
        with self.reading() as connection:
            for query in (files, products):
                rows = connection.execute(query.order_by(group.start_mjd, group.id))
                found += [Held(gid, utc_of(mjd), kind, Path(path), size) for gid, mjd, kind, path, size in rows]
        return found

    def retire_products(self, group_id: str, paths: Collection[Path], who: str, *, now: datetime | None = None) -> int:
        """Count some products of a group as gone, and say how many it has left.

        With the last of them the group is retired, at once: nothing is to be made of what may be left of its files.
        """
        column, when = schema.products.c, now or utc_now()
        live = (column.group_id == group_id) & column.retired_utc.is_(None)
        with self.writing() as connection:
            mine = live & column.path.in_([str(path) for path in paths])
            connection.execute(schema.products.update().where(mine).values(retired_utc=when))
            names = ", ".join(path.name for path in paths)
            add_event(connection, "retention", f"removed: {names}", group_id, when)
            left = int(connection.execute(sa.select(sa.func.count()).where(live)).scalar_one())
            if not left:
                why = "the last of its products was removed"
                decision = Decision(group_id, DecisionKind.RETIRE, who, when, why)
                take_decision(connection, decision, self.decisions_path)
            return left

    def forget_files(self, group_id: str, paths: Collection[Path], why: str, *, now: datetime | None = None) -> None:
        """Forget subband files of a group that are no longer there; what was published of them stays."""
        column, when = schema.files.c, now or utc_now()
        names = [str(path) for path in paths]
        with self.writing() as connection:
            for first in range(0, len(names), _BATCH):
                connection.execute(schema.files.delete().where(column.path.in_(names[first : first + _BATCH])))
            recount(connection, [group_id])
            add_event(connection, "retention", f"{why}: {len(names)} subband files", group_id, when)
