"""Calibration sets in the ledger: registration, retirement, and what they calibrated."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from dsa110_contimg.errors import LedgerError, UnknownCalibrationError
from dsa110_contimg.ledger import open_ledger
from dsa110_contimg.ledger.calibration_decisions import read_retirements, retirements_file
from dsa110_contimg.ledger.calibrations import Calibrated, Calibration, Observing
from dsa110_contimg.ledger.connection import make_engine
from dsa110_contimg.ledger.migrate import migrate
from ledger_groups import AFTER, add_group, gid_of, group, product, publish

NOON = 60953.5


def calibration(name="20251005T123000_3C286_1.cal", mid_mjd=NOON, **changed):
    values = {
        "name": name,
        "group_id": gid_of(0),
        "kind": "transit",
        "path": Path("/ms") / name,
        "checksum": "0123",
        "calibrator": "3C286",
        "grade": "good",
        "reasons": (),
        "dec_deg": 33.0,
        "mid_mjd": mid_mjd,
        "valid_from_mjd": mid_mjd - 1,
        "valid_until_mjd": mid_mjd + 1,
        "facts": {"flux_scale": {"error": 0.03}},
    }
    return Calibration(**values | changed)


def use(name, path="/ms/20251005T123000.ms", stale=False):
    return Calibrated(Path(path), gid_of(0), name, "nearest", stale, "2 h after it")


def test_a_set_comes_back_as_it_was_registered(ledger):
    item = calibration(reasons=("antenna 117 is deaf",), grade="usable")
    assert ledger.register_calibration(item, now=AFTER)
    assert ledger.calibration(item.name) == item._replace(registered_utc=AFTER)
    assert [event.kind for event in ledger.events()] == ["calibration"]
    assert "antenna 117 is deaf" in ledger.events()[0].text


def test_the_same_set_twice_is_registered_once(ledger):
    assert ledger.register_calibration(calibration())
    assert not ledger.register_calibration(calibration())
    assert len(ledger.calibrations()) == 1
    with pytest.raises(LedgerError, match="another set"):
        ledger.register_calibration(calibration(checksum="4567"))


def test_a_bad_set_is_never_registered_and_the_last_good_one_stays(ledger):
    good = calibration()
    ledger.register_calibration(good)
    with pytest.raises(LedgerError, match="bad"):
        ledger.register_calibration(calibration("other.cal", grade="bad"))
    assert [item.name for item in ledger.calibrations()] == [good.name]


def test_a_group_solved_again_replaces_its_set_and_no_other(ledger):
    for name, changed in {"a": {}, "b": {"calibrator": "3C48"}, "c": {"group_id": gid_of(1)}}.items():
        ledger.register_calibration(calibration(name, **changed))
    ledger.register_calibration(calibration("d"), now=AFTER)
    assert {item.name for item in ledger.calibrations()} == {"b", "c", "d"}
    retired = ledger.calibration("a")
    assert (retired.retired_utc, retired.retired_why) == (AFTER, "solved again: d")


def test_a_registration_that_fails_halfway_changes_nothing(ledger, monkeypatch):
    ledger.register_calibration(calibration("a"))
    with ledger.writing() as connection:
        connection.execute(
            sa.text("CREATE TRIGGER no BEFORE INSERT ON calibrations BEGIN SELECT RAISE(FAIL, 'x'); END")
        )
    with pytest.raises(LedgerError):
        ledger.register_calibration(calibration("b"))
    assert [item.name for item in ledger.calibrations()] == ["a"]


def test_sets_are_found_by_time_the_newest_first(ledger):
    for i in range(5):
        ledger.register_calibration(calibration(f"{i}", NOON + i, group_id=gid_of(i)))
    assert [item.name for item in ledger.calibrations(NOON + 1, NOON + 3)] == ["3", "2", "1"]


def test_retiring_says_what_the_set_calibrated_and_is_kept_beside_the_products(ledger):
    name = calibration().name
    ledger.register_calibration(calibration())
    ledger.record_calibrated([use(name), use(name, "/ms/image.fits")])
    stands = ledger.retire_calibration(name, "me@here", "3C286 was in a sidelobe of the Sun", now=AFTER)
    assert [str(item.product) for item in stands] == ["/ms/20251005T123000.ms", "/ms/image.fits"]
    assert ledger.calibrations() == []
    assert [item.name for item in ledger.calibrations(retired=True)] == [name]
    kept = list(read_retirements(retirements_file(ledger.decisions_path)))
    assert [(item.calibration, item.who, item.when_utc) for item in kept] == [(name, "me@here", AFTER)]
    with pytest.raises(LedgerError, match="retired by me@here"):
        ledger.retire_calibration(name, "you", "again")


def test_retirements_are_restored_to_the_sets_that_are_known(ledger, tmp_path):
    for name, gid in [("a", gid_of(0)), ("b", gid_of(1))]:
        ledger.register_calibration(calibration(name, group_id=gid))
        ledger.retire_calibration(name, "me", "odd")
    file = retirements_file(ledger.decisions_path)
    with file.open("a") as lines:
        lines.write("{}\n")
    *items, odd = read_retirements(file)
    assert odd == "{}"
    with open_ledger(tmp_path / "new") as new:
        new.register_calibration(calibration("b"))
        assert new.restore_retirements(items) == 1
        assert new.calibrations() == []


def test_what_cannot_be_kept_beside_the_products_is_not_retired(tmp_path):
    (tmp_path / "ms").write_text("not a directory")
    with open_ledger(tmp_path / "a", decisions=tmp_path / "ms" / "decisions.jsonl") as ledger:
        ledger.register_calibration(calibration())
        with pytest.raises(LedgerError, match="not taken"):
            ledger.retire_calibration(calibration().name, "me", "")
        assert len(ledger.calibrations()) == 1


def test_what_calibrated_a_product_is_known_from_both_ends_and_history_stays(ledger):
    for name, gid in [("a", gid_of(0)), ("b", gid_of(1))]:
        ledger.register_calibration(calibration(name, group_id=gid))
    ledger.record_calibrated([use("a", stale=True)], now=AFTER)
    assert (
        ledger.calibrated_by(gid_of(0))
        == ledger.calibrated_with("a")
        == [use("a", stale=True)._replace(when_utc=AFTER)]
    )
    ledger.record_calibrated([use("a"), use("b")])
    assert [item.calibration for item in ledger.calibrated_by(gid_of(0))] == ["a", "b"]
    assert len(ledger.calibrated_by(gid_of(0), replaced=True)) == 3
    with pytest.raises(UnknownCalibrationError):
        ledger.record_calibrated([use("b"), use("c")])
    assert [item.calibration for item in ledger.calibrated_by(gid_of(0))] == ["a", "b"]


def test_unknown_sets_are_said_to_be_unknown(ledger):
    for ask in (ledger.calibration, ledger.calibrated_with, lambda name: ledger.retire_calibration(name, "", "")):
        with pytest.raises(UnknownCalibrationError, match="no calibration set nothing"):
            ask("nothing")


def test_how_the_telescope_stood_is_noted_once_a_group(ledger):
    assert ledger.last_observing() is None
    for i, dec in [(1, 54.6), (0, 33.0), (0, 33.5)]:
        ledger.note_observing(Observing(gid_of(i), NOON + i, dec, {"antenna_order": "ab"}))
    assert [item.dec_deg for item in ledger.observing(NOON, NOON + 2)] == [33.5, 54.6]
    assert ledger.last_observing().group_id == gid_of(1)


def test_a_ledger_of_the_first_revision_keeps_its_groups_and_takes_sets(tmp_path):
    engine = make_engine(tmp_path / "a")
    start = group(0)
    with engine.execution_options(write=True).connect() as connection, connection.begin():
        migrate(connection, "0001")
        insert = sa.text(
            "INSERT INTO groups (id, start_mjd, first_seen_utc, deadline_utc, min_subbands, published)"
            " VALUES (:id, :mjd, '2025-10-05T12:36:00.000000Z', '2025-10-05T12:46:00.000000Z', 12, 65535)"
        )
        connection.execute(insert, {"id": start.id, "mjd": start.start_mjd})
    engine.dispose()
    with open_ledger(tmp_path / "a") as ledger:
        assert ledger.state(start.id).value == "done"
        ledger.register_calibration(calibration())
        ledger.record_calibrated([use(calibration().name)])
        publish(ledger, add_group(ledger, 1))
    assert product(start.id).kind == "ms"
