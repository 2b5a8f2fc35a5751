"""One file against the strict majority of its group: what differs, and who is set aside."""

import json
import os
from datetime import timedelta

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsa110_contimg.conversion.checks import SetAside, check_group, read_group
from dsa110_contimg.errors import IncompleteGroupError, NotHDF5Error, UsageError
from dsa110_contimg.uvh5.header import read_header
from subband_files import BASELINES, START, path_of, replace, write_group, write_subband

SUBBANDS = list(range(6))


@pytest.fixture
def group(tmp_path):
    return write_group(tmp_path, subbands=SUBBANDS, n_times=3)


def only_one_set_aside(group, subband):
    """Check that all other files survive, and return what is said of the one."""
    checked = read_group(group)
    assert list(checked.headers) == [sb for sb in SUBBANDS if sb != subband]
    assert checked.files == {sb: group[sb] for sb in SUBBANDS if sb != subband}
    (item,) = checked.set_aside
    assert item.path == group[subband]
    assert item.remedy
    return item


def write_other(group, subband, **kwargs):
    group[subband].unlink()
    write_subband(group[subband], subband, **{"n_times": 3, **kwargs})


def set_dec(path, dec_deg):
    replace(path, "Header/extra_keywords/phase_center_dec", np.radians(dec_deg))
    replace(path, "Header/phase_center_app_dec", np.radians(dec_deg))


def test_a_good_group_is_kept_whole(group):
    checked = read_group(dict(reversed(group.items())))
    assert list(checked.headers) == SUBBANDS
    assert checked.files == group
    assert checked.set_aside == ()
    assert json.loads(json.dumps(checked.as_dict()))["files"]["03"] == str(group[3])


def test_one_file_is_its_own_majority(group):
    assert list(read_group({2: group[2]}).headers) == [2]


def test_another_declination(group):
    set_dec(group[2], 16.27)
    item = only_one_set_aside(group, 2)
    assert item.outcome == "mismatched-axes"
    assert item.reason == "declination 16.27 deg, the other 5 files say 54.57 deg"
    assert item.as_dict() == {
        "path": str(group[2]),
        "outcome": "mismatched-axes",
        "reason": item.reason,
        "remedy": item.remedy,
    }


def test_a_declination_a_little_away_is_told_apart(group):
    set_dec(group[2], 54.5701)
    assert "declination 54.5701 deg, the other 5 files say 54.5700 deg" in only_one_set_aside(group, 2).reason


def test_a_short_file(group):
    write_other(group, 4, n_times=2)
    item = only_one_set_aside(group, 4)
    assert (item.outcome, item.reason) == ("short", "2 integrations, the other 5 files have 3")


def test_a_long_file(group):
    write_other(group, 4, n_times=4)
    item = only_one_set_aside(group, 4)
    assert (item.outcome, item.reason) == ("mismatched-axes", "4 integrations, the other 5 files have 3")


def test_times_are_compared_to_the_bit(group):
    with h5py.File(group[1], "r+") as file:
        times = file["Header/time_array"]
        times[:] = np.nextafter(times[:], np.inf)
    item = only_one_set_aside(group, 1)
    assert item.outcome == "mismatched-axes"
    assert "its times are up to 4.02331e-05 s from those of the other 5 files" in item.reason


def test_another_order_of_baselines(group):
    swapped = (BASELINES[0], BASELINES[2], BASELINES[1], *BASELINES[3:])
    write_other(group, 3, baselines=swapped)
    assert "2 of its 6 baselines are not in the order" in only_one_set_aside(group, 3).reason


def test_a_baseline_the_other_way_round(group):
    a, b = BASELINES[1]
    write_other(group, 3, baselines=(BASELINES[0], (b, a), *BASELINES[2:]))
    assert "1 of its 6 baselines" in only_one_set_aside(group, 3).reason


@pytest.mark.parametrize("end", [0, 1])
def test_another_antenna_at_one_end_of_a_baseline(group, end):
    other = list(BASELINES[1])
    other[end] = 50
    write_other(group, 3, baselines=(BASELINES[0], tuple(other), *BASELINES[2:]))
    assert "1 of its 6 baselines" in only_one_set_aside(group, 3).reason


def test_fewer_baselines(group):
    write_other(group, 3, baselines=BASELINES[:-1])
    assert "5 baselines, the other 5 files have 6" in only_one_set_aside(group, 3).reason


def test_other_delays(group):
    replace(group[0], "Header/extra_keywords/applied_delays_ns", " ".join(["0"] * 233 + ["5"]))
    assert "1 of its 234 applied delays differ" in only_one_set_aside(group, 0).reason


def test_delays_written_with_other_spaces_are_the_same(group):
    replace(group[0], "Header/extra_keywords/applied_delays_ns", "  ".join(["0"] * 234))
    assert read_group(group).set_aside == ()


def test_fewer_delays(group):
    replace(group[0], "Header/extra_keywords/applied_delays_ns", "0 0")
    assert "2 applied delays, the other 5 files have 234" in only_one_set_aside(group, 0).reason


def test_another_site(group):
    replace(group[5], "Header/longitude", -118.2834)
    reason = only_one_set_aside(group, 5).reason
    assert "its site is 35.5 m from that of the other 5 files" in reason  # 0.0004 deg x cos(37.2 deg)
    assert "antennas" in reason


def test_another_position_of_an_antenna(group):
    with h5py.File(group[5], "r+") as file:
        file["Header/antenna_positions"][60] += [0.0, 0.3, 0.4]
    assert only_one_set_aside(group, 5).reason == "its antennas are up to 0.5 m from those of the other 5 files"


def test_another_antenna_table(group):
    replace(group[5], "Header/antenna_numbers", np.r_[np.arange(116), 200])
    assert "antenna names or numbers" in only_one_set_aside(group, 5).reason


def test_another_integration_time(group):
    with h5py.File(group[5], "r+") as file:
        file["Header/integration_time"][:] += 5e-4
    assert "integrations of 12.8854 s, the other 5 files have 12.8849 s" in only_one_set_aside(group, 5).reason


def test_several_differences_are_all_told(group):
    write_other(group, 1, n_times=2)
    set_dec(group[1], 33.0)
    item = only_one_set_aside(group, 1)
    assert item.outcome == "short"
    assert (
        item.reason
        == "2 integrations, the other 5 files have 3; declination 33.00 deg, the other 5 files say 54.57 deg"
    )


def test_files_with_faults_of_their_own(group):
    os.truncate(group[0], 9000)
    group[1].write_bytes(b"nothing of the sort")
    replace(group[2], "Header/channel_width", None)
    checked = read_group(group)
    assert list(checked.headers) == [3, 4, 5]
    assert [(item.path, item.outcome) for item in checked.set_aside] == [
        (group[0], "truncated"),
        (group[1], "not-hdf5"),
        (group[2], "missing-header-key"),
    ]


def test_set_aside_files_are_in_the_order_of_their_subbands(group):
    os.truncate(group[5], 9000)
    set_dec(group[1], 33.0)
    assert [item.path for item in read_group(group).set_aside] == [group[1], group[5]]


def test_half_is_no_majority(group):
    for subband in (1, 3, 5):
        set_dec(group[subband], 33.0)
    with pytest.raises(IncompleteGroupError) as caught:
        read_group(group)
    assert "no strict majority among 6 files: sb00, sb02, sb04 agree; sb01, sb03, sb05: declination 33.00 deg" in str(
        caught.value
    )
    assert caught.value.remedy
    assert caught.value.path == group[0].parent


def test_camps_that_differ_in_different_things_do_not_add_up(group):
    # Five of six share each property, but only two share both with the most.
    set_dec(group[0], 33.0)
    set_dec(group[1], 33.0)
    for subband in (2, 3):
        write_other(group, subband, n_times=2)
    with pytest.raises(IncompleteGroupError, match=r"sb00, sb01 agree; sb02, sb03: 2 integrations.*; sb04, sb05: decl"):
        read_group(group)


def test_no_file_that_can_be_used(group):
    for path in group.values():
        path.write_bytes(b"garbage")
    with pytest.raises(IncompleteGroupError, match=r"none of the 6 files can be used .not an HDF5 file"):
        read_group(group)


def test_nothing_to_check():
    with pytest.raises(IncompleteGroupError, match="no file"):
        check_group({})
    with pytest.raises(IncompleteGroupError, match="no file"):
        read_group({})


def test_a_file_under_another_subband(group):
    with pytest.raises(UsageError, match="given as subband 7"):
        read_group({7: group[2]})


def test_an_error_becomes_what_is_kept_of_it(tmp_path):
    error = NotHDF5Error("not an HDF5 file", path=tmp_path / "x", remedy="Move it.")
    assert SetAside.from_error(error) == SetAside(tmp_path / "x", "not-hdf5", "not an HDF5 file", "Move it.")


@pytest.fixture(scope="module")
def three_kinds(tmp_path_factory):
    """Headers of three kinds that differ in one thing each; subbands are made up."""
    directory = tmp_path_factory.mktemp("kinds")
    paths = [write_subband(path_of(directory, sb, START + timedelta(seconds=sb)), sb, n_times=2) for sb in range(3)]
    set_dec(paths[1], 33.0)
    replace(paths[2], "Header/extra_keywords/applied_delays_ns", "1 2")
    return [read_header(path) for path in paths]


@given(kinds=st.lists(st.integers(0, 2), min_size=1, max_size=16), seed=st.randoms())
def test_the_majority_is_more_than_half_whatever_the_order(three_kinds, kinds, seed):
    headers = {subband: three_kinds[kind] for subband, kind in enumerate(kinds)}
    shuffled = list(headers.items())
    seed.shuffle(shuffled)
    most = max(range(3), key=kinds.count)
    if 2 * kinds.count(most) <= len(kinds):
        with pytest.raises(IncompleteGroupError):
            check_group(dict(shuffled))
        return
    checked = check_group(dict(shuffled))
    assert list(checked.headers) == [subband for subband, kind in enumerate(kinds) if kind == most]
    assert len(checked.set_aside) == len(kinds) - kinds.count(most)
    assert check_group(checked.headers).headers == checked.headers
