"""What is said when there is nothing to do."""

from datetime import timedelta

import pytest

from dsa110_contimg.conversion.grouping import find_groups
from dsa110_contimg.errors import NoGroupsError
from dsa110_contimg.naming import incomplete_name
from subband_files import START, path_of, write_group


def test_a_listing_with_a_group_is_enough(tmp_path):
    write_group(tmp_path, subbands=[1])
    find_groups(tmp_path).require_groups()


def test_an_empty_directory_is_named(tmp_path):
    with pytest.raises(NoGroupsError) as caught:
        find_groups(tmp_path).require_groups()
    assert f"no group of subband files (and no subband file): {tmp_path}. Give the directory" in str(caught.value)


def test_what_is_there_instead_is_told(tmp_path):
    path_of(tmp_path, 0).write_bytes(b"garbage")
    (tmp_path / incomplete_name(path_of(tmp_path, 1).name)).touch()
    with pytest.raises(FileNotFoundError, match="1 files set aside, 1 still being written"):
        find_groups(tmp_path).require_groups()


def test_a_range_without_a_group(tmp_path):
    write_group(tmp_path, subbands=[1])
    with pytest.raises(NoGroupsError, match="time range"):
        find_groups(tmp_path, start=START + timedelta(days=1)).require_groups()
