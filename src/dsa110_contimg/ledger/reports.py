"""What the stages took, which products there are, which files are not used; `summary` says how it goes."""

from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from dsa110_contimg.ledger import schema
from dsa110_contimg.ledger.connection import Connected
from dsa110_contimg.ledger.groups import file_of, product_of
from dsa110_contimg.ledger.records import FileSeen, Product, Stage


class StageTotal(NamedTuple):
    """What a stage took in all attempts together."""

    name: str
    n_runs: int
    seconds: float
    bytes_in: int
    bytes_out: int


class Reports(Connected):
    """The part of a ledger that says how it goes."""

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
