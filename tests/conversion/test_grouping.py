"""Files belong together when their data start together, wherever their names fall."""

import json
import os
import time
from datetime import datetime, timedelta
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsa110_contimg.conversion.checks import SetAside
from dsa110_contimg.conversion.grouping import find_groups, group_starts
from dsa110_contimg.errors import NoGroupsError
from dsa110_contimg.naming import group_id, incomplete_name, subband_name
from dsa110_contimg.uvh5.start import StartInfo, mjd_of
from dsa110_contimg.uvh5.start_cache import StartCache
from subband_files import (
    BASELINES,
    CHANNEL_MHZ,
    GROUP_S,
    INTEGRATION_S,
    START,
    path_of,
    replace,
    write_group,
    write_subband,
)

GID = "2025-10-05T12:30:00"
AUTO = (BASELINES[0],)
"""One baseline: small files, for tests of many."""


def later(seconds):
    return START + timedelta(seconds=seconds)


def write(directory, **kwargs):
    return write_group(directory, **{"n_times": 2, "baselines": AUTO, **kwargs})


def the_group(directory, **kwargs):
    listing = find_groups(directory, **kwargs)
    assert len(listing.groups) == 1
    return listing.groups[0]


def test_a_complete_group(tmp_path):
    files = write(tmp_path, jitter_s={sb: sb % 3 for sb in range(16)})
    listing = find_groups(tmp_path)
    (group,) = listing.groups
    assert group.id == GID
    assert group.files == files
    assert list(group.files) == list(range(16))
    assert group.verdict == "complete"
    assert group.present == tuple(range(16))
    assert group.missing == ()
    assert group.duplicates == {}
    assert group.warnings == ()
    assert group.set_aside == listing.set_aside == listing.incomplete == ()
    assert abs(group.start_mjd - mjd_of(START)) * 86400 < 1e-4
    assert (group.end_mjd - group.start_mjd) * 86400 == pytest.approx(2 * INTEGRATION_S, abs=1e-4)
    assert group.size_bytes == sum(path.stat().st_size for path in files.values())


@pytest.mark.parametrize(("n", "verdict"), [(16, "complete"), (15, "partial"), (12, "partial"), (11, "too-few")])
def test_verdicts(tmp_path, n, verdict):
    write(tmp_path, subbands=range(16 - n, 16))
    group = the_group(tmp_path)
    assert group.verdict == verdict
    assert group.missing == tuple(range(16 - n))
    assert the_group(tmp_path, min_subbands=n).verdict != "too-few"


def test_both_suffixes(tmp_path):
    write(tmp_path, subbands=range(8))
    for sb in range(8, 16):
        write_subband(path_of(tmp_path, sb, suffix=".uvh5"), sb, n_times=2, baselines=AUTO)
    assert the_group(tmp_path).verdict == "complete"


def test_only_names_of_whole_subband_files_are_candidates(tmp_path):
    files = write(tmp_path, subbands=range(12))
    name = files[3].name
    for other in (
        f".{name}.Xy12Z3",
        name.replace("sb03", "sb03_spl"),
        name.replace("sb03", "sb16"),
        "notes.txt",
        "a.hdf5",
    ):
        (tmp_path / other).write_bytes(b"not for us")
    (tmp_path / "2025-10-05").mkdir()
    write(tmp_path / "2025-10-05", subbands=[14])
    listing = find_groups(tmp_path)
    assert [group.files for group in listing.groups] == [files]
    assert listing.set_aside == listing.incomplete == ()


def test_unfinished_files_are_listed_with_their_age(tmp_path):
    files = write(tmp_path)
    unfinished = files[7].rename(tmp_path / incomplete_name(files[7].name))
    an_hour_ago = time.time() - 3600
    os.utime(unfinished, (an_hour_ago, an_hour_ago))
    listing = find_groups(tmp_path)
    assert listing.groups[0].missing == (7,)
    (file,) = listing.incomplete
    assert (file.path, file.subband, file.name_time) == (unfinished, 7, START)
    assert file.age_s == pytest.approx(3600, abs=60)
    assert file.size_bytes == unfinished.stat().st_size
    assert find_groups(tmp_path, start=later(10)).incomplete == ()


def test_names_of_a_group_far_apart_are_a_warning(tmp_path):
    write(tmp_path, jitter_s={5: 45.0})
    group = the_group(tmp_path)
    assert group.verdict == "complete"
    assert group.warnings == ("the names are 45 s apart, from 12:30:00 to 12:30:45",)
    assert the_group(tmp_path, tolerance_s=50.0).warnings == ()


def test_neighbouring_groups_whose_names_overlap(tmp_path):
    one = write(tmp_path, jitter_s=dict.fromkeys(range(0, 16, 2), 100.0))
    two = write(tmp_path, start=later(90), jitter_s=dict.fromkeys(range(1, 16, 2), -60.0))
    groups = find_groups(tmp_path).groups
    assert [group.files for group in groups] == [one, two]


def test_a_start_a_little_away_is_the_same_group_for_the_checks_to_judge(tmp_path):
    files = write(tmp_path)
    with h5py.File(files[4], "r+") as file:
        file["Header/time_array"][:] += 1.0 / 86400
    group = the_group(tmp_path)
    assert group.files == files
    assert group.id == GID


def test_a_start_half_an_integration_away_is_another_group(tmp_path):
    files = write(tmp_path)
    with h5py.File(files[4], "r+") as file:
        file["Header/time_array"][:] += INTEGRATION_S / 2 / 86400
    assert [group.verdict for group in find_groups(tmp_path).groups] == ["partial", "too-few"]


def test_the_id_is_of_the_data_not_of_the_names(tmp_path):
    write(tmp_path, jitter_s=dict.fromkeys(range(16), 50.0))
    assert the_group(tmp_path).id == GID


# -- ranges ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def three_groups(tmp_path):
    for i in range(3):
        write(tmp_path, start=later(300 * i), subbands=range(12), jitter_s={0: -20.0, 1: 20.0})
    return tmp_path


@pytest.mark.parametrize(
    ("start_s", "end_s", "expected"),
    [
        (None, None, [0, 1, 2]),
        (0, 600, [0, 1, 2]),
        (1, 599, [1]),
        (300, 300, [1]),
        (None, 299, [0]),
        (301, None, [2]),
        (700, None, []),
        (400, 200, []),
    ],
)
def test_ranges_include_both_ends(three_groups, start_s, end_s, expected):
    start, end = (None if s is None else later(s) for s in (start_s, end_s))
    groups = find_groups(three_groups, start, end).groups
    assert [group.id for group in groups] == [group_id(later(300 * i)) for i in expected]
    assert all(len(group.files) == 12 for group in groups)


def test_a_time_without_a_zone_is_utc(three_groups):
    naive = datetime(2025, 10, 5, 12, 35)
    assert find_groups(three_groups, naive, naive).groups == find_groups(three_groups, later(300), later(300)).groups


def test_only_headers_near_the_range_are_read(three_groups):
    for path in three_groups.iterdir():
        if "T12:40" in path.name:
            path.write_bytes(b"would be set aside if it were read")
    assert find_groups(three_groups, end=later(400)).set_aside == ()


def test_bad_files_are_told_with_the_range_of_their_group(three_groups):
    early, stray = path_of(three_groups, 13, later(-1)), path_of(three_groups, 14, later(150))
    early.write_bytes(b"garbage")
    stray.write_bytes(b"garbage")
    assert [item.path for item in find_groups(three_groups, later(0), later(0)).set_aside] == [early]
    assert [item.path for item in find_groups(three_groups, later(100), later(200)).set_aside] == [stray]
    assert find_groups(three_groups, later(300)).set_aside == ()


# -- bad files ---------------------------------------------------------------------------------------------------------


def spoil(path, how):
    """Make a good file a bad one."""
    if how == "truncated":
        os.truncate(path, path.stat().st_size // 2)
    elif how == "empty":
        os.truncate(path, 0)
    elif how == "garbage":
        path.write_bytes(b"garbage" * 1000)
    elif how == "directory":
        path.unlink()
        path.mkdir()
    elif how == "dangling":
        path.unlink()
        path.symlink_to(path.parent / "nothing")
    elif how == "no key":
        replace(path, "Header/time_array", None)
    elif how == "no channels":
        replace(path, "Header/freq_array", np.ones((1, 12)))
    elif how == "time server":
        with h5py.File(path, "r+") as file:
            file["Header/time_array"][:] = 55000.0 + 2400000.5
    elif how == "unknown host":
        replace(path, "Header/freq_array", (1426.1e6 - np.arange(48) * CHANNEL_MHZ * 1e6)[None])


BAD = {
    "truncated": "truncated",
    "empty": "truncated",
    "garbage": "not-hdf5",
    "directory": "unreadable",
    "dangling": "unreadable",
    "no key": "missing-header-key",
    "no channels": "bad-header-value",
    "time server": "bogus-time",
    "unknown host": "off-grid",
}


@pytest.mark.parametrize("how", BAD)
def test_a_bad_file_is_set_aside_and_the_group_goes_on(tmp_path, how):
    files = write(tmp_path)
    others = write(tmp_path, start=later(GROUP_S))
    spoil(files[3], how)
    listing = find_groups(tmp_path)
    (item,) = listing.set_aside
    assert (item.path, item.outcome) == (files[3], BAD[how])
    assert item.reason
    assert item.remedy
    group, next_group = listing.groups
    assert group.verdict == "partial"
    assert group.missing == (3,)
    assert group.set_aside == (item,)
    assert next_group.files == others
    assert next_group.set_aside == ()


def test_a_second_sb00_off_the_grid_is_named_and_never_merged(tmp_path):
    files = write(tmp_path)
    unknown = write_subband(path_of(tmp_path, 0, later(3)), 0, n_times=2, baselines=AUTO)
    spoil(unknown, "unknown host")
    group = the_group(tmp_path)
    assert group.files == files
    assert [(item.path, item.outcome) for item in group.set_aside] == [(unknown, "off-grid")]
    assert group.verdict == "complete"


def test_a_name_far_from_its_data_is_bogus(tmp_path):
    files = write(tmp_path, jitter_s={2: 130.0})
    listing = find_groups(tmp_path)
    assert listing.groups[0].missing == (2,)
    assert [(item.path, item.outcome) for item in listing.set_aside] == [(files[2], "bogus-time")]
    assert listing.groups[0].set_aside == ()  # its name is not among theirs


def test_a_group_with_too_few_good_files_is_quarantined(tmp_path):
    files = write(tmp_path)
    for subband in range(5):
        spoil(files[subband], "garbage")
    group = the_group(tmp_path)
    assert group.verdict == "quarantined"
    assert len(group.set_aside) == 5


def test_a_file_that_vanishes_while_the_directory_is_listed(tmp_path):
    files = write(tmp_path)

    class Meanwhile(StartCache):
        """Another process takes a file away once all names are known."""

        def fetch(self, path):
            files[6].unlink(missing_ok=True)
            return super().fetch(path)

    group = the_group(tmp_path, cache=Meanwhile())
    assert group.missing == (6,)
    assert [(item.path, item.outcome) for item in group.set_aside] == [(files[6], "unreadable")]


def test_inputs_are_left_as_they_are(tmp_path):
    files = write(tmp_path)
    spoil(files[1], "truncated")
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files.values()}
    find_groups(tmp_path)
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in tmp_path.iterdir()} == before


# -- the directory -----------------------------------------------------------------------------------------------------


def test_an_empty_directory(tmp_path):
    listing = find_groups(tmp_path)
    assert (listing.groups, listing.set_aside, listing.incomplete) == ((), (), ())


@pytest.mark.parametrize("kind", ["missing", "file"])
def test_no_directory(tmp_path, kind):
    path = tmp_path / "x"
    if kind == "file":
        path.touch()
    with pytest.raises(NoGroupsError, match=r"cannot be listed .*/x\. Give a directory"):
        find_groups(path)


def test_the_cache_serves_the_next_listing(tmp_path):
    write(tmp_path / "in")
    cache = StartCache(tmp_path / "cache")
    before = find_groups(tmp_path / "in", cache=cache)
    cache.save()
    for path in (tmp_path / "in").iterdir():
        status = path.stat()
        path.write_bytes(bytes(status.st_size))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert find_groups(tmp_path / "in", cache=cache) == before
    assert find_groups(tmp_path / "in", cache=StartCache(tmp_path / "cache")) == before
    assert find_groups(tmp_path / "in").groups == ()


def test_json(tmp_path):
    files = write(tmp_path)
    spoil(files[1], "garbage")
    files[2].rename(tmp_path / incomplete_name(files[2].name))
    document = json.loads(json.dumps(find_groups(tmp_path).as_dict()))
    (group,) = document["groups"]
    assert group["group"] == GID
    assert group["verdict"] == "partial"
    assert group["missing"] == [1, 2]
    assert group["files"]["00"] == str(files[0])
    assert group["set_aside"] == document["set_aside"]
    assert document["incomplete"][0]["subband"] == 2


# -- laws --------------------------------------------------------------------------------------------------------------


def start_info(start, subband, jitter_s, offset_s=0.0):
    """What would be read of a file, without one."""
    name_time = start + timedelta(seconds=jitter_s)
    path = Path("/in") / subband_name(name_time, subband)
    mjd = mjd_of(start) + offset_s / 86400
    return StartInfo(path, subband, name_time, mjd, INTEGRATION_S, 24, 1.4e9, 1.3e9, 1, 1)


@st.composite
def archives(draw):
    """Neighbouring groups with jittered names, random subbands missing, in any order."""
    n_groups = draw(st.integers(1, 5))
    truth = {}
    for i in draw(st.sets(st.integers(0, 8), min_size=n_groups, max_size=n_groups)):
        start = START + timedelta(seconds=i * GROUP_S)
        present = draw(st.sets(st.integers(0, 15), min_size=1))
        jitters = draw(st.lists(st.floats(-14, 14), min_size=len(present), max_size=len(present)))
        truth[group_id(start)] = {sb: start_info(start, sb, j) for sb, j in zip(sorted(present), jitters, strict=True)}
    files = [info for group in truth.values() for info in group.values()]
    return truth, draw(st.permutations(files))


@given(archives())
def test_any_interleaving_of_jittered_names_is_sorted_right(archive):
    truth, files = archive
    groups, strays = group_starts(files)
    assert [group.id for group in groups] == sorted(truth)
    assert not strays
    for group in groups:
        assert group.files == {sb: info.path for sb, info in truth[group.id].items()}
        assert set(group.present) | set(group.missing) == set(range(16))
        assert group.warnings == ()


@given(archives(), st.randoms())
def test_the_order_of_the_files_does_not_matter(archive, random):
    _, files = archive
    shuffled = list(files)
    random.shuffle(shuffled)
    bad = [SetAside(info.path, "truncated", "x", "y") for info in files[::3]]
    good = [info for info in files if info.path not in {item.path for item in bad}]
    again = [info for info in shuffled if info in good]
    assert group_starts(good, bad) == group_starts(again, list(reversed(bad)))


@given(archives())
def test_no_file_is_lost(archive):
    _, files = archive
    bad = [SetAside(info.path, "truncated", "x", "y") for info in files[::2]]
    groups, strays = group_starts(files[1::2], bad)
    used = [path for group in groups for path in group.files.values()]
    aside = [item.path for group in groups for item in group.set_aside] + [item.path for item in strays]
    assert sorted(used + aside) == sorted(info.path for info in files)


@given(st.lists(st.floats(-100, 100), min_size=16, max_size=16), st.lists(st.floats(-3, 3), min_size=16, max_size=16))
def test_names_far_apart_and_starts_a_little_apart_are_one_group(jitters, offsets):
    infos = [start_info(START, sb, j, o / 4) for sb, (j, o) in enumerate(zip(jitters, offsets, strict=True))]
    groups, _ = group_starts(infos)
    assert [sorted(group.files) for group in groups] == [list(range(16))]
    spread_s = max(info.name_time for info in infos) - min(info.name_time for info in infos)
    assert bool(groups[0].warnings) == (spread_s.total_seconds() > 30)


@settings(max_examples=10)
@given(data=st.data())
def test_an_archive_on_disk(tmp_path_factory, data):
    directory = tmp_path_factory.mktemp("archive")
    truth = {}
    for i in range(3):
        start = later(i * GROUP_S)
        present = sorted(data.draw(st.sets(st.integers(0, 15), min_size=1, max_size=6)))
        jitter_s = {sb: data.draw(st.integers(-15, 15)) for sb in present}
        truth[group_id(start)] = write(directory, start=start, subbands=present, jitter_s=jitter_s)
    listing = find_groups(directory)
    assert {group.id: group.files for group in listing.groups} == truth
    assert find_groups(directory) == listing
    assert listing.set_aside == ()
