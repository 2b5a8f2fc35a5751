"""Files that are cut, overwritten, replaced or removed while they are read.

Each is done for real, by the callback that tells of progress: after the first integration of any subband, to a subband
that a thread is reading at that time.
"""

import os
import shutil

import numpy as np
import pytest

from convert_process import assert_same_data, partials
from dsa110_contimg.conversion import convert_group, find_groups
from dsa110_contimg.conversion.group import ConversionOptions
from dsa110_contimg.errors import IncompleteGroupError
from dsa110_contimg.ms.checks import check_ms
from dsa110_contimg.naming import parse_subband_name
from subband_files import path_of, write_group, write_subband

N_TIMES = 24
NAME = "20251005T123000.ms"


@pytest.fixture
def incoming(tmp_path):
    directory = tmp_path / "incoming"
    write_group(directory, n_times=N_TIMES)
    return directory


class Disturbance:
    """Does something to a file once, at the n-th report of progress."""

    def __init__(self, moment, deed):
        self.moment, self.deed, self.done = moment, deed, False

    def __call__(self, nbytes):
        self.moment -= 1
        if self.moment < 0 and not self.done:
            self.done = True
            self.deed()


def convert(incoming, products, deed, moment=0):
    """Convert with one thread, which reads subband 0 first, and disturb it."""
    (group,) = find_groups(incoming).groups
    disturbance = Disturbance(moment, deed)
    converted = convert_group(group, products, ConversionOptions(workers=1), disturbance)
    assert disturbance.done
    check_ms(converted.ms)
    assert partials(products) == []
    return converted


def cut(path):
    os.truncate(path, path.stat().st_size // 3)


def cut_to_nothing(path):
    os.truncate(path, 0)


def overwrite(path):
    """Other data, in the same place."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2)
        file.write(np.random.default_rng(1).bytes(size // 4))


def lengthen(path):
    with path.open("ab") as file:
        file.write(bytes(1000))


def replace(path):
    """Another whole file under the name, as rsync renames it."""
    subband = parse_subband_name(path.name).subband
    other = write_subband(path_of(path.parent.parent / "elsewhere", subband), subband, n_times=N_TIMES, seed=99)
    os.replace(other, path)


@pytest.mark.parametrize("deed", [cut, cut_to_nothing, overwrite, lengthen])
@pytest.mark.parametrize("moment", [0, N_TIMES - 2])
def test_file_that_changes_under_the_reader_is_set_aside(incoming, tmp_path, deed, moment):
    path = path_of(incoming, 0)
    converted = convert(incoming, tmp_path / "ms", lambda: deed(path), moment)
    assert (converted.outcome, converted.missing) == ("partial", (0,))
    (item,) = converted.set_aside
    assert item.path == path
    assert item.outcome in {"truncated", "changed-while-read"}
    assert item.remedy


@pytest.mark.parametrize("deed", [cut, overwrite, lengthen, replace, os.remove])
def test_file_that_changes_before_it_is_opened_again_is_set_aside(incoming, tmp_path, deed):
    """Its header was read; its data are to be read after the ones of subbands 0 to 4."""
    path = path_of(incoming, 5)
    converted = convert(incoming, tmp_path / "ms", lambda: deed(path))
    assert (converted.outcome, converted.missing) == ("partial", (5,))
    (item,) = converted.set_aside
    assert (item.path, item.outcome in {"truncated", "changed-while-read", "unreadable"}) == (path, True)


@pytest.mark.parametrize("deed", [replace, os.remove])
def test_reader_keeps_the_file_that_it_has_opened(incoming, tmp_path, deed):
    """A name that goes to another file, or away, leaves the bytes that are being read as they are."""
    (group,) = find_groups(incoming).groups
    untouched = convert_group(group, tmp_path / "untouched", ConversionOptions(workers=1))
    path = path_of(incoming, 0)
    converted = convert(incoming, tmp_path / "ms", lambda: deed(path))
    assert converted.outcome == "complete"
    assert_same_data(converted.ms, untouched.ms)


def test_next_run_takes_the_file_as_it_is_then(incoming, tmp_path):
    path = path_of(incoming, 0)
    saved = shutil.copy2(path, tmp_path / "saved")
    convert(incoming, tmp_path / "ms", lambda: cut(path))
    os.replace(saved, path)
    (group,) = find_groups(incoming).groups
    again = convert_group(group, tmp_path / "ms", ConversionOptions(overwrite=True))
    assert (again.outcome, again.missing) == ("complete", ())


def test_too_many_that_change_leave_nothing(incoming, tmp_path):
    (group,) = find_groups(incoming).groups
    disturbance = Disturbance(0, lambda: [cut(path_of(incoming, subband)) for subband in range(5)])
    with pytest.raises(IncompleteGroupError, match="11 good subbands"):
        convert_group(group, tmp_path / "ms", ConversionOptions(workers=1), disturbance)
    assert list((tmp_path / "ms").iterdir()) == []
