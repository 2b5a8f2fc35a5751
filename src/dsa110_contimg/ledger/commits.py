"""Committing: what an attempt published, written down in one transaction, once."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from dsa110_contimg.errors import StaleAttemptError
from dsa110_contimg.ledger import schema
from dsa110_contimg.ledger.connection import Connected, utc_now
from dsa110_contimg.ledger.events import add_event
from dsa110_contimg.ledger.files import mark_late, recount, set_outcomes
from dsa110_contimg.ledger.records import Product, Stage, mask_of
from dsa110_contimg.ledger.rows import current_group, ended, group_row, update_group
from dsa110_contimg.ledger.state_sql import facts_of
from dsa110_contimg.ledger.states import GroupState, Wanted, derive_state

_groups, _attempts, _products = schema.groups.c, schema.attempts.c, schema.products.c


class Commits(Connected):
    """The part of a ledger that takes what attempts published."""

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
            row = current_group(connection, attempt_id)
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
    values = ended(when, "", 0, stages) | {"committed": True}
    connection.execute(schema.attempts.update().where(_attempts.id == attempt_id).values(values))
    update_group(
        connection,
        group_id,
        current_attempt=None,
        published=mask_of(subbands),
        standing=None,
        last_failure=None,
        n_transient=0,
        not_before_utc=None,
        reason="",
    )


def _product_values(product: Product) -> dict[str, Any]:
    return {
        "path": str(product.path),
        "kind": product.kind,
        "checksum": product.checksum,
        "size_bytes": product.size_bytes,
    }
