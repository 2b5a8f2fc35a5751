"""Watching a directory: which files are whole, and which groups they make, in whatever order they come."""

import os
import random
import shutil
import threading
import time
from datetime import timedelta

import pytest

from dsa110_contimg.conversion.grouping import find_groups
from dsa110_contimg.conversion.streaming import Incoming, Stamp
from dsa110_contimg.errors import NoGroupsError
from subband_files import START, replace, write_group

OLD_S = 100.0


def age(path, seconds=OLD_S):
    """Have a file last written to some time ago."""
    then = time.time() - seconds
    os.utime(path, (then, then))
    return path


def aged_group(directory, **kwargs):
    files = write_group(directory, **kwargs)
    for path in files.values():
        age(path)
    return files


def look(incoming, names=None):
    found = incoming.whole(names)
    return found, incoming.judge(found)


def test_files_that_are_old_are_whole_at_once_and_seen_once(tmp_path):
    files = aged_group(tmp_path)
    incoming = Incoming(tmp_path)
    found, seen = look(incoming)
    assert found == sorted(path.name for path in files.values())
    (group,) = seen.groups
    assert group.files == files
    assert look(incoming)[0] == []
    assert not incoming.settling


def test_a_file_that_is_written_to_is_not_whole_until_it_rests(tmp_path):
    whole = write_group(tmp_path / "aside", subbands=[3])[3]
    incoming = Incoming(tmp_path / "in", settle_s=0.2)
    path = tmp_path / "in" / whole.name
    path.parent.mkdir()
    data = whole.read_bytes()
    with path.open("wb") as file:
        for part in (data[:1000], data[1000:]):
            file.write(part)
            file.flush()
            assert incoming.whole() == []
            assert incoming.settling
    time.sleep(0.25)
    assert incoming.whole() == [path.name]
    assert not incoming.settling


def test_a_file_that_is_copied_with_its_times_is_not_taken_before_it_opens(tmp_path):
    """An old time alone does not make it whole: it is named for what it is, and taken again when it has changed."""
    path = write_group(tmp_path, subbands=[3])[3]
    data = path.read_bytes()
    path.write_bytes(data[:20000])
    age(path)
    incoming = Incoming(tmp_path)
    _, seen = look(incoming)
    assert [(item.path, item.outcome) for item in seen.strays] == [(path, "truncated")]
    path.write_bytes(data)
    age(path)
    _, seen = look(incoming)
    assert [group.present for group in seen.groups] == [(3,)]


@pytest.mark.parametrize("seed", range(5))
def test_whatever_the_order_the_groups_are_those_of_a_listing(tmp_path, seed):
    rng = random.Random(seed)
    aside, directory = tmp_path / "aside", tmp_path / "in"
    directory.mkdir()
    files = []
    for number in range(3):
        jitter_s = {subband: rng.choice([0.0, 1.0, 2.0]) for subband in range(16)}
        start = START + timedelta(seconds=309 * number)
        files += aged_group(aside, start=start, jitter_s=jitter_s, subbands=range(rng.choice([13, 16]))).values()
    bogus = files[5]
    replace(bogus, "Header/integration_time", -1.0 * _column(bogus, "integration_time"))
    cut = files[20]
    cut.write_bytes(cut.read_bytes()[:3000])
    copy = files[9].with_name(files[9].name.replace("_sb", ".5_sb"))
    shutil.copy2(files[9], copy)
    files.append(copy)
    rng.shuffle(files)
    incoming = Incoming(directory)
    groups, strays = {}, {}
    while files:
        some = []
        for _ in range(min(len(files), rng.randrange(1, 9))):
            path = files.pop()
            some.append(age(path.rename(directory / path.name)))
        _, seen = look(incoming, {path.name for path in some})
        groups |= {group.id: group for group in seen.groups}
        strays |= {item.path: item for item in seen.strays}
    listing = find_groups(directory)
    assert [groups[gid] for gid in sorted(groups)] == list(listing.groups)
    assert {item.path for item in listing.set_aside} <= set(strays) | {
        item.path for group in groups.values() for item in group.set_aside
    }


def _column(path, key):
    import h5py

    with h5py.File(path) as file:
        return file[f"Header/{key}"][:]


def test_what_is_known_is_not_judged_again_but_counts_for_its_group(tmp_path):
    files = aged_group(tmp_path, subbands=range(15))
    incoming = Incoming(tmp_path)
    incoming.know({path.name: Stamp(path.stat().st_size, path.stat().st_mtime_ns) for path in files.values()})
    assert incoming.whole() == []
    files |= aged_group(tmp_path, subbands=[15])
    found, seen = look(incoming)
    assert found == [files[15].name]
    assert seen.groups[0].files == files


def test_only_names_near_the_range_are_looked_at(tmp_path):
    for number in range(4):
        aged_group(tmp_path, start=START + timedelta(hours=number), subbands=[0])
    incoming = Incoming(tmp_path, since=START + timedelta(hours=1), until=START + timedelta(hours=2))
    _, seen = look(incoming)
    assert [group.id for group in seen.groups] == ["2025-10-05T13:30:00", "2025-10-05T14:30:00"]


def test_other_names_and_files_that_go_away_do_not_matter(tmp_path):
    path = aged_group(tmp_path, subbands=[0])[0]
    age(path.rename(path.with_name(path.name.replace(".hdf5", "_incomplete.hdf5"))))
    (tmp_path / f".{path.name}.x7Yz12").touch()
    (tmp_path / "notes.txt").touch()
    incoming = Incoming(tmp_path)
    assert incoming.whole() == []
    gone = aged_group(tmp_path, subbands=[1])[1]
    found = incoming.whole()
    gone.unlink()
    assert incoming.judge(found) == ([], [])
    assert incoming.whole() == []
    assert gone.name not in incoming.stamps


def test_a_directory_that_is_not_there_is_an_error_that_says_so(tmp_path):
    with pytest.raises(NoGroupsError, match="cannot be listed"):
        Incoming(tmp_path / "nowhere").whole()


def test_a_link_that_does_not_answer_holds_up_nobody(tmp_path, monkeypatch):
    """A named pipe stands for a dead mount: who opens it hangs."""
    monkeypatch.setattr("dsa110_contimg.conversion.streaming._LINK_S", 0.3)
    files = aged_group(tmp_path / "in", subbands=[0, 1])
    pipe = tmp_path / "dead"
    os.mkfifo(pipe)
    files[1].unlink()
    files[1].symlink_to(pipe)
    incoming = Incoming(tmp_path / "in")
    assert incoming.whole() == [files[0].name]
    with pipe.open("wb"):  # it comes back
        time.sleep(0.2)
    assert threading.active_count() < 10


def test_data_with_other_rows_than_the_header_counts_are_not_whole(tmp_path):
    path = aged_group(tmp_path, subbands=[2])[2]
    replace(path, "Header/Nblts", 13)
    age(path)
    _, seen = look(Incoming(tmp_path))
    assert [item.outcome for item in seen.strays] == ["bad-header-value"]
