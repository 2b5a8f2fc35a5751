"""Calibration sets: registered whole, retired with a reason, and never forgotten; and which calibrated what."""

from collections.abc import Collection, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa

from dsa110_contimg.errors import LedgerError, UnknownCalibrationError
from dsa110_contimg.ledger import schema
from dsa110_contimg.ledger.calibration_decisions import Retirement, append_retirement, retirements_file
from dsa110_contimg.ledger.connection import Connected, utc_now
from dsa110_contimg.ledger.events import add_event

GRADES = ("good", "usable")
"""What a set must be judged to be registered."""
_sets, _uses, _observing = schema.calibrations.c, schema.calibrated.c, schema.observing.c


class Calibration(NamedTuple):
    """A set of solutions.

    `kind` is ``"transit"`` or ``"tie"``; `dec_deg` the apparent declination of the pointing; `mid_mjd` when it was
    measured and `valid_from_mjd` to `valid_until_mjd` as far as it would reach [MJD, UTC]; `facts` what else is known.
    """

    name: str
    group_id: str
    kind: str
    path: Path
    checksum: str
    calibrator: str
    grade: str
    reasons: tuple[str, ...]
    dec_deg: float
    mid_mjd: float
    valid_from_mjd: float
    valid_until_mjd: float
    facts: dict[str, Any]
    registered_utc: datetime | None = None
    retired_utc: datetime | None = None
    retired_by: str = ""
    retired_why: str = ""


class Calibrated(NamedTuple):
    """That a set calibrated a product, by which rung of the ladder and why; `replaced_utc`: it was done again."""

    product: Path
    group_id: str
    calibration: str
    rung: str
    stale: bool
    why: str
    when_utc: datetime | None = None
    replaced_utc: datetime | None = None


class Observing(NamedTuple):
    """How the telescope stood for a group: its pointing [deg], and what `correlator` says."""

    group_id: str
    start_mjd: float
    dec_deg: float
    correlator: dict[str, Any]


class Calibrations(Connected):
    """The part of a ledger that keeps calibration sets."""

    def register_calibration(self, item: Calibration, *, now: datetime | None = None) -> bool:
        """Register a set, in one transaction; one of the same group, kind and calibrator gives way to it.

        Returns
        -------
        bool
            Whether it is new: to register the same again changes nothing.

        Raises
        ------
        LedgerError
            It was judged bad, or another set has its name.
        """
        if item.grade not in GRADES:
            raise LedgerError(f"a set that is {item.grade} is not registered", path=item.path)
        now = now or utc_now()
        with self.writing() as connection:
            known = connection.execute(sa.select(_sets.checksum).where(_sets.name == item.name)).scalar()
            if known is not None:
                if known != item.checksum:
                    raise LedgerError("another set of that name is registered", path=item.path)
                return False
            former = (
                _sets.group_id == item.group_id,
                _sets.kind == item.kind,
                _sets.calibrator == item.calibrator,
                _sets.retired_utc.is_(None),
            )
            gone = {"retired_utc": now, "retired_by": "stream", "retired_why": f"solved again: {item.name}"}
            connection.execute(schema.calibrations.update().where(*former).values(gone))
            connection.execute(schema.calibrations.insert(), _values(item) | {"registered_utc": now})
            text = f"{item.name}: {item.calibrator}, {item.grade}" + "".join(f"; {why}" for why in item.reasons)
            add_event(connection, "calibration", text, item.group_id, now)
            return True

    def calibration(self, name: str) -> Calibration:
        """Find a set, retired or not.

        Raises
        ------
        UnknownCalibrationError
            There is none of that name.
        """
        with self.reading() as connection:
            return _set_of(_set_row(connection, name))

    def calibrations(
        self, since_mjd: float | None = None, until_mjd: float | None = None, *, retired: bool = False
    ) -> list[Calibration]:
        """List the sets that were measured in a range of time [MJD, UTC], the newest first; on request retired ones."""
        query = schema.calibrations.select().order_by(_sets.mid_mjd.desc(), _sets.id.desc())
        if since_mjd is not None:
            query = query.where(_sets.mid_mjd >= since_mjd)
        if until_mjd is not None:
            query = query.where(_sets.mid_mjd <= until_mjd)
        if not retired:
            query = query.where(_sets.retired_utc.is_(None))
        with self.reading() as connection:
            return [_set_of(row) for row in connection.execute(query)]

    def retire_calibration(self, name: str, who: str, why: str, *, now: datetime | None = None) -> list[Calibrated]:
        """Let a set not be used any more, by an operator's decision; give what it calibrated and stands.

        Raises
        ------
        UnknownCalibrationError
            There is none of that name.
        LedgerError
            It is retired already; or the decision cannot be written beside the products.
        """
        item = Retirement(name, who, now or utc_now(), why)
        with self.writing() as connection:
            row = _set_row(connection, name)
            if row.retired_utc is not None:
                raise LedgerError(f"{name} was retired by {row.retired_by} ({row.retired_why})")
            _retire(connection, row, item)
            if self.decisions_path is not None:
                append_retirement(retirements_file(self.decisions_path), item)
            return _uses_of(connection, _uses.calibration_id == row.id, _uses.replaced_utc.is_(None))

    def restore_retirements(self, items: Iterable[Retirement]) -> int:
        """Take decisions that were read from beside the products; give the number of those on sets that are known."""
        known = 0
        with self.writing() as connection:
            for item in items:
                row = connection.execute(schema.calibrations.select().where(_sets.name == item.calibration)).first()
                if row is not None and row.retired_utc is None:
                    _retire(connection, row, item)
                    known += 1
        return known

    def record_calibrated(self, items: Collection[Calibrated], *, now: datetime | None = None) -> None:
        """Record by which sets products were calibrated, in one transaction; what was said of them before gives way.

        Raises
        ------
        UnknownCalibrationError
            One of the sets is not known: nothing is recorded.
        """
        now = now or utc_now()
        with self.writing() as connection:
            products = [str(item.product) for item in items]
            before = (_uses.product.in_(products), _uses.replaced_utc.is_(None))
            connection.execute(schema.calibrated.update().where(*before).values(replaced_utc=now))
            for item in items:
                values = {
                    "product": str(item.product),
                    "group_id": item.group_id,
                    "calibration_id": _set_row(connection, item.calibration).id,
                    "rung": item.rung,
                    "stale": item.stale,
                    "why": item.why,
                    "when_utc": now,
                }
                connection.execute(schema.calibrated.insert(), values)

    def calibrated_by(self, group_id: str, *, replaced: bool = False) -> list[Calibrated]:
        """List what calibrated the products of a group; on request also of those that were done again since."""
        standing = [] if replaced else [_uses.replaced_utc.is_(None)]
        with self.reading() as connection:
            return _uses_of(connection, _uses.group_id == group_id, *standing)

    def calibrated_with(self, name: str, *, replaced: bool = False) -> list[Calibrated]:
        """List what a set calibrated; on request also what was done again since.

        Raises
        ------
        UnknownCalibrationError
            There is none of that name.
        """
        standing = [] if replaced else [_uses.replaced_utc.is_(None)]
        with self.reading() as connection:
            return _uses_of(connection, _uses.calibration_id == _set_row(connection, name).id, *standing)

    def note_observing(self, item: Observing) -> None:
        """Note how the telescope stood for a group; the last word counts."""
        values = item._asdict()
        with self.writing() as connection:
            connection.execute(schema.observing.delete().where(_observing.group_id == item.group_id))
            connection.execute(schema.observing.insert(), values)

    def observing(self, since_mjd: float, until_mjd: float) -> list[Observing]:
        """Say how the telescope stood for the groups that began in a range of time [MJD, UTC], the oldest first."""
        query = schema.observing.select().where(_observing.start_mjd.between(since_mjd, until_mjd))
        with self.reading() as connection:
            return [Observing(*row) for row in connection.execute(query.order_by(_observing.start_mjd))]

    def last_observing(self) -> Observing | None:
        """Say how it stood for the newest group that is known."""
        query = schema.observing.select().order_by(_observing.start_mjd.desc()).limit(1)
        with self.reading() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else Observing(*row)


def _set_row(connection: sa.Connection, name: str) -> Any:
    row = connection.execute(schema.calibrations.select().where(_sets.name == name)).one_or_none()
    if row is None:
        raise UnknownCalibrationError(
            f"the ledger knows no calibration set {name}", remedy="dsa110-contimg cal list shows all."
        )
    return row


def _set_of(row: Any) -> Calibration:
    values = {key: getattr(row, key) for key in Calibration._fields}
    return Calibration(**values | {"path": Path(row.path), "reasons": tuple(row.reasons)})


def _values(item: Calibration) -> dict[str, Any]:
    return item._asdict() | {"path": str(item.path), "reasons": list(item.reasons)}


def _retire(connection: sa.Connection, row: Any, item: Retirement) -> None:
    values = {"retired_utc": item.when_utc, "retired_by": item.who, "retired_why": item.why}
    connection.execute(schema.calibrations.update().where(_sets.id == row.id).values(values))
    add_event(connection, "calibration", f"{row.name} retired by {item.who}: {item.why}", row.group_id, item.when_utc)


def _uses_of(connection: sa.Connection, *which: sa.ColumnElement[bool]) -> list[Calibrated]:
    query = sa.select(schema.calibrated, _sets.name.label("calibration"))
    query = query.join_from(schema.calibrated, schema.calibrations, _uses.calibration_id == _sets.id)
    rows = connection.execute(query.where(*which).order_by(_uses.id))
    found = [{key: getattr(row, key) for key in Calibrated._fields} for row in rows]
    return [Calibrated(**values | {"product": Path(values["product"])}) for values in found]
