"""A lost ledger knows its calibration sets again."""

import logging

from dsa110_contimg.ledger import open_ledger
from dsa110_contimg.naming import DECISIONS_NAME
from dsa110_contimg.pipeline.calibration_records import applied_facts, register_made, standing
from dsa110_contimg.pipeline.rebuild import rebuild_ledger
from ledger_groups import gid_of
from registered_sets import make_ms, make_set, manifest_of, state_of


def without_times(items):
    return [item._replace(registered_utc=None, retired_utc=None) for item in items]


def test_sets_their_use_and_their_retirement_come_back(tmp_path, caplog):
    output, incoming = tmp_path / "ms", tmp_path / "in"
    incoming.mkdir()
    with open_ledger(tmp_path / "a.sqlite", decisions=output / DECISIONS_NAME) as ledger:
        first = make_set(output, 0)
        register_made(ledger, manifest_of(0, first), output)
        said = applied_facts(standing(ledger, state_of(5).start_mjd, state_of(5).start_mjd).choose(
            state_of(5).start_mjd, state_of(5)
        ))  # fmt: skip
        ms = make_ms(output, 5, said)
        (ms / "flags.json").write_text('{"flagged": 0.1, "by_reason": {"good": 0.9}}')
        register_made(ledger, manifest_of(5, ms), output)
        flagging = ledger.flagging(gid_of(5))
        again = make_set(output, 0, version=2)  # solved again: the first retires
        register_made(ledger, manifest_of(0, again), output)
        odd = make_set(output, 9)
        register_made(ledger, manifest_of(9, odd), output)
        ledger.retire_calibration(odd.name, "me", "the Sun")
        before = ledger.calibrations(retired=True)
        used = ledger.calibrated_by(gid_of(5))
        stood = ledger.observing(60000, 70000)
    (output / "20251005T180000_3C48_1.cal").mkdir()  # not whole: it never said what it is
    broken = make_set(output, 20)
    (broken / "B.tab" / "table.dat").unlink()
    (broken / "B.tab").rmdir()
    with caplog.at_level(logging.WARNING):
        rebuild_ledger(tmp_path / "b.sqlite", incoming, output, output / DECISIONS_NAME)
    assert "lacks its tables" in caplog.text
    with open_ledger(tmp_path / "b.sqlite") as new:
        assert without_times(new.calibrations(retired=True)) == without_times(before)
        assert [item.name for item in new.calibrations()] == [again.name]
        assert [item._replace(when_utc=None) for item in new.calibrated_by(gid_of(5))] == [
            item._replace(when_utc=None) for item in used
        ]
        assert new.flagging(gid_of(5))[2:] == flagging[2:] == (0.1, {"flagged": 0.1, "by_reason": {"good": 0.9}})
        assert [item.group_id for item in new.observing(60000, 70000)] == [item.group_id for item in stood]
