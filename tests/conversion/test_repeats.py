"""Two files for one subband: copies, rivals, and data sets that repeat a start."""

import os
import shutil
from datetime import timedelta

import h5py
import numpy as np
import pytest

from dsa110_contimg.conversion.grouping import find_groups
from dsa110_contimg.conversion.repeats import data_digest, same_data
from dsa110_contimg.errors import InputError
from subband_files import START, path_of, replace, write_group, write_subband

GID = "2025-10-05T12:30:00"


def later(seconds):
    return START + timedelta(seconds=seconds)


def copy_of(path, subband, seconds):
    return shutil.copyfile(path, path_of(path.parent, subband, later(seconds)))


def outcomes(items):
    return {item.path: item.outcome for item in items}


# -- equal data --------------------------------------------------------------------------------------------------------


def test_the_same_data_under_another_name_and_history(tmp_path):
    one = write_subband(path_of(tmp_path, 0), 0)
    other = copy_of(one, 0, 1)
    replace(other, "Header/history", "copied, and this was noted at length in the history of the file")
    assert same_data(one, other)


@pytest.mark.parametrize("key", ["Data/visdata", "Data/flags", "Data/nsamples", "Header/ant_1_array"])
def test_one_value_makes_other_data(tmp_path, key):
    one = write_subband(path_of(tmp_path, 0), 0, n_times=60)  # more rows than the first look takes
    other = copy_of(one, 0, 1)
    with h5py.File(other, "r+") as file:
        row = file[key][-1]
        file[key][-1] = row + 1 if row.dtype != bool else ~row
    assert data_digest(one, 128) == data_digest(other, 128)
    assert not same_data(one, other)


def test_not_a_number_equals_itself(tmp_path):
    one = write_subband(path_of(tmp_path, 0), 0)
    with h5py.File(one, "r+") as file:
        file["Data/visdata"][3] = np.nan
    assert same_data(one, copy_of(one, 0, 1))


def test_data_that_cannot_be_read_are_an_input_error(tmp_path):
    one = write_subband(path_of(tmp_path, 0), 0)
    with pytest.raises(InputError):
        same_data(one, path_of(tmp_path, 1))


# -- copies ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [2, 60])
def test_of_a_copy_the_first_name_is_used(tmp_path, seconds):
    files = write_group(tmp_path)
    copy = copy_of(files[3], 3, seconds)
    (group,) = find_groups(tmp_path).groups
    assert group.files == files
    assert group.verdict == "complete"
    assert group.duplicates == {3: (copy,)}
    (item,) = group.set_aside
    assert item.outcome == "duplicate"
    assert item.reason == f"has the same data as {files[3].name}, which is used"


def test_a_hard_link_and_a_third_copy(tmp_path):
    files = write_group(tmp_path)
    second, third = path_of(tmp_path, 3, later(1)), path_of(tmp_path, 3, later(2), ".uvh5")
    os.link(files[3], second)
    shutil.copyfile(files[3], third)
    (group,) = find_groups(tmp_path).groups
    assert group.files == files
    assert group.duplicates == {3: (second, third)}


def test_a_whole_group_copied_under_later_names_is_one_group(tmp_path):
    files = write_group(tmp_path)
    copies = {sb: (copy_of(path, sb, 60),) for sb, path in files.items()}
    (group,) = find_groups(tmp_path).groups
    assert group.files == files
    assert group.duplicates == copies


# -- rivals ------------------------------------------------------------------------------------------------------------


def test_of_rivals_none_can_be_trusted(tmp_path):
    files = write_group(tmp_path)
    rival = write_subband(path_of(tmp_path, 3, later(2)), 3, seed=99)
    (group,) = find_groups(tmp_path).groups
    assert group.verdict == "partial"
    assert group.missing == (3,)
    assert outcomes(group.set_aside) == {files[3]: "duplicate", rival: "duplicate"}
    assert rival.name in group.set_aside[0].reason
    assert group.duplicates == {3: (files[3], rival)}


@pytest.mark.parametrize("seconds", [-2, 2])
def test_a_rival_that_differs_from_the_majority_is_the_bad_one(tmp_path, seconds):
    files = write_group(tmp_path, n_times=3)
    rival = write_subband(path_of(tmp_path, 3, later(seconds)), 3, seed=99, n_times=2)
    (group,) = find_groups(tmp_path).groups
    assert group.files == files
    assert outcomes(group.set_aside) == {rival: "duplicate"}
    assert "2 integrations, the other 15 files have 3" in group.set_aside[0].reason


def test_a_rival_with_a_bad_header_is_the_bad_one(tmp_path):
    files = write_group(tmp_path)
    rival = write_subband(path_of(tmp_path, 3, later(2)), 3, seed=99)
    replace(rival, "Header/antenna_positions", None)
    (group,) = find_groups(tmp_path).groups
    assert group.files == files
    assert outcomes(group.set_aside) == {rival: "missing-header-key"}


def test_a_cut_rival_is_the_bad_one(tmp_path):
    files = write_group(tmp_path)
    os.truncate(copy_of(files[3], 3, 2), 9000)
    (group,) = find_groups(tmp_path).groups
    assert group.files == files
    assert [item.outcome for item in group.set_aside] == ["truncated"]


def test_rivals_without_a_majority_to_judge_them(tmp_path):
    one = write_subband(path_of(tmp_path, 3), 3, n_times=2)
    other = write_subband(path_of(tmp_path, 3, later(2)), 3, n_times=3)
    (group,) = find_groups(tmp_path, min_subbands=1).groups
    assert group.files == {}
    assert group.verdict == "quarantined"
    assert outcomes(group.set_aside) == {one: "duplicate", other: "duplicate"}


def test_a_bad_vote_does_not_count(tmp_path):
    files = write_group(tmp_path, subbands=[1, 2, 3], n_times=3)
    replace(files[1], "Header/antenna_names", None)
    rival = write_subband(path_of(tmp_path, 3, later(2)), 3, n_times=2)
    (group,) = find_groups(tmp_path).groups
    assert group.files == files  # the bad one is found when the group is read
    assert outcomes(group.set_aside) == {rival: "duplicate"}


# -- repeated starts ---------------------------------------------------------------------------------------------------


def test_a_second_data_set_with_the_same_start(tmp_path):
    one = write_group(tmp_path)
    two = write_group(tmp_path, jitter_s=dict.fromkeys(range(16), 60), seed=99)
    listing = find_groups(tmp_path)
    assert [(group.id, group.files) for group in listing.groups] == [(GID, one), (f"{GID}b", two)]
    assert [group.verdict for group in listing.groups] == ["complete", "complete"]
    assert listing.set_aside == ()


def test_a_second_data_set_is_never_filled_up_from_the_first(tmp_path):
    one = write_group(tmp_path, subbands=range(13))
    two = write_group(tmp_path, subbands=range(3, 16), jitter_s=dict.fromkeys(range(16), 60), seed=99)
    groups = find_groups(tmp_path).groups
    assert [group.files for group in groups] == [one, two]
    assert [group.verdict for group in groups] == ["partial", "partial"]


def test_three_data_sets(tmp_path):
    sets = [write_group(tmp_path, jitter_s=dict.fromkeys(range(16), 50 * i), seed=i) for i in range(3)]
    groups = find_groups(tmp_path).groups
    assert [group.id for group in groups] == [GID, f"{GID}b", f"{GID}c"]
    assert [group.files for group in groups] == sets


@pytest.mark.parametrize("seconds", [-60, 60])
def test_a_few_files_that_repeat_a_start_are_named(tmp_path, seconds):
    files = write_group(tmp_path, subbands=range(14))
    repeated = write_group(tmp_path, subbands=[3, 7, 15], jitter_s=dict.fromkeys(range(16), seconds), seed=99)
    listing = find_groups(tmp_path)
    (group,) = listing.groups
    assert group.files == files  # sb15 is not taken from the repeated ones
    assert outcomes(group.set_aside) == dict.fromkeys(repeated.values(), "duplicate")
    assert f"under a name {seconds:+d} s away, with 2 more" in group.set_aside[0].reason
    assert listing.set_aside == group.set_aside


def test_a_file_that_repeats_the_start_before_is_reported_with_the_group_that_lacks_it(tmp_path):
    one = write_group(tmp_path)
    two = write_group(tmp_path, start=later(77), subbands=[sb for sb in range(16) if sb != 8])
    repeated = write_subband(path_of(tmp_path, 8, later(78)), 8, seed=99)
    first, second = find_groups(tmp_path).groups
    assert (first.files, first.set_aside) == (one, ())
    assert (second.files, second.missing) == (two, (8,))
    assert outcomes(second.set_aside) == {repeated: "duplicate"}
    assert "repeats the start of 2025-10-05T12:30:00_sb00.hdf5" in second.set_aside[0].reason
    assert "+78 s away, alone" in second.set_aside[0].reason


def test_a_repeated_start_minutes_later_is_a_bogus_time(tmp_path):
    files = write_group(tmp_path)
    repeated = write_group(tmp_path, jitter_s=dict.fromkeys(range(16), 309), seed=99)
    listing = find_groups(tmp_path)
    assert [group.files for group in listing.groups] == [files]
    assert outcomes(listing.set_aside) == dict.fromkeys(repeated.values(), "bogus-time")


def test_a_stray_between_two_data_sets_belongs_to_none(tmp_path):
    one = write_group(tmp_path, subbands=range(15))
    two = write_group(tmp_path, subbands=range(15), jitter_s=dict.fromkeys(range(16), 100), seed=99)
    stray = write_subband(path_of(tmp_path, 15, later(50)), 15)
    listing = find_groups(tmp_path)
    assert [group.files for group in listing.groups] == [one, two]
    assert outcomes(listing.set_aside) == {stray: "duplicate"}


def test_a_stray_of_the_only_data_set_belongs_to_it(tmp_path):
    files = write_group(tmp_path, jitter_s={15: 50})
    copy = copy_of(files[3], 3, 1)
    (group,) = find_groups(tmp_path).groups
    assert group.files == files
    assert group.duplicates == {3: (copy,)}
    assert group.warnings


def test_two_data_sets_mixed_in_their_names_are_quarantined(tmp_path):
    one = write_group(tmp_path)
    two = write_group(tmp_path, jitter_s=dict.fromkeys(range(16), 1), seed=99)
    (group,) = find_groups(tmp_path).groups
    assert group.files == {}
    assert group.verdict == "quarantined"
    assert set(outcomes(group.set_aside)) == {*one.values(), *two.values()}
