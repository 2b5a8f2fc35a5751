"""Products that are there, though the ledger knows nothing of their making: how a lost ledger is made anew."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from dsa110_contimg.ledger import schema
from dsa110_contimg.ledger.commits import record_commit
from dsa110_contimg.ledger.connection import Connected
from dsa110_contimg.ledger.files import mark_late, recount
from dsa110_contimg.ledger.records import Product, Stage
from dsa110_contimg.ledger.rows import group_row


class Adopted(NamedTuple):
    """The products of a group, the subbands in them, what their stages took, and when they were made."""

    group_id: str
    products: Sequence[Product]
    subbands: Sequence[int]
    stages: Sequence[Stage]
    made_utc: datetime


class Adoption(Connected):
    """The part of a ledger that takes products as they are."""

    def adopt_products(self, found: Iterable[Adopted]) -> int:
        """Take the products of groups that are known and have none; whatever is wanted of them. Give their number."""
        n_adopted = 0
        with self.writing() as connection:
            for item in found:
                row = group_row(connection, item.group_id)
                if row.published is not None or row.current_attempt is not None:
                    continue
                begun = schema.attempts.insert().values(
                    group_id=row.id, number=row.n_attempts + 1, started_utc=item.made_utc, message="found"
                )
                attempt_id = connection.execute(begun.returning(schema.attempts.c.id)).scalar_one()
                record_commit(connection, row.id, attempt_id, item.products, item.subbands, item.stages, item.made_utc)
                column = schema.groups.c
                number = schema.groups.update().where(column.id == row.id).values(n_attempts=row.n_attempts + 1)
                connection.execute(number)
                mark_late(connection, [row.id])
                recount(connection, [row.id])
                n_adopted += 1
        return n_adopted
