"""What is registered, and what of it is kept when it is said again."""

from datetime import timedelta
from pathlib import Path

import pytest

from dsa110_contimg.errors import LedgerError
from dsa110_contimg.ledger import GroupState
from ledger_groups import AFTER, DEADLINE, SEEN, add_group, file, gid_of, group, publish


def test_a_group_collects_its_files(ledger):
    gid = add_group(ledger, subbands=range(15))
    assert ledger.state(gid, SEEN) is GroupState.COLLECTING
    assert ledger.group(gid).group.missing == (15,)
    assert ledger.add_files([file(15)]) == 1
    assert ledger.state(gid, SEEN) is GroupState.READY
    assert ledger.group_files(gid) == {n: file(n).path for n in range(16)}


def test_saying_it_again_moves_neither_deadline_nor_first_sight(ledger):
    gid = add_group(ledger)
    later = SEEN + timedelta(days=1)
    ledger.register([group(0, later, 1)], [file(3, first_seen_utc=later, size_bytes=7, mtime_ns=8)])
    history = ledger.group(gid)
    assert (history.group.deadline_utc, history.group.min_subbands) == (DEADLINE, 12)
    assert history.files[3] == file(3, size_bytes=7, mtime_ns=8)
    assert ledger.known_files([file(3).path, Path("/incoming/none")]) == {file(3).path: (7, 8)}


def test_a_file_that_turns_bad_no_longer_counts(ledger):
    gid = add_group(ledger)
    ledger.set_outcomes({file(2).path: ("truncated", "it ends early"), Path("/none"): ("truncated", "")})
    assert ledger.group(gid).group.missing == (2,)
    assert ledger.group(gid).files[2].reason == "it ends early"
    ledger.add_files([file(2, mtime_ns=9)])  # copied again, whole
    assert ledger.group(gid).group.missing == ()


def test_a_file_that_moves_to_another_group_leaves_the_first(ledger):
    add_group(ledger, 0)
    add_group(ledger, 1, [])
    ledger.add_files([file(4, 0, group_id=gid_of(1))])
    assert ledger.group(gid_of(0)).group.missing == (4,)
    assert ledger.group(gid_of(1)).group.present == (4,)
    assert ledger.inconsistencies() == []


def test_two_files_of_one_subband_count_once_and_the_first_is_used(ledger):
    gid = add_group(ledger, subbands=range(12))
    copy = file(3, path=Path("/incoming/zz_sb03.hdf5"))
    ledger.add_files([copy])
    assert len(ledger.group(gid).group.present) == 12
    assert ledger.group_files(gid)[3] == file(3).path


def test_a_file_without_a_group(ledger):
    stray = file(1, group_id=None, start_mjd=None, outcome="bogus-time", reason="MJD 55000")
    ledger.add_files([stray])
    assert ledger.set_aside() == [stray]
    assert sum(ledger.counts_by_state().values()) == 0


def test_a_file_of_an_unknown_group_is_refused_with_all_that_came_with_it(ledger):
    with pytest.raises(LedgerError, match="FOREIGN KEY"):
        ledger.register([group(0)], [file(1, 0), file(1, 7)])
    assert ledger.groups() == []


def test_many_at_once(ledger):
    n = 150
    ledger.register([group(i) for i in range(n)], [file(sb, i) for i in range(n) for sb in range(16)])
    assert ledger.counts_by_state()[GroupState.READY] == n
    assert len(ledger.known_files(file(sb, i).path for i in range(n) for sb in range(16))) == 16 * n
    assert ledger.inconsistencies() == []


def test_a_good_file_of_a_published_subband_is_not_late(ledger):
    gid = add_group(ledger)
    publish(ledger, gid, now=AFTER)
    ledger.add_files([file(3, mtime_ns=99)])
    assert {item.outcome for item in ledger.group(gid).files} == {"good"}
    assert ledger.late_groups() == []


def test_a_time_without_a_zone_is_refused(ledger):
    with pytest.raises(Exception, match="time zone"):
        ledger.register([group(0, SEEN.replace(tzinfo=None))], [])
