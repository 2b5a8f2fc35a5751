"""Versions of flags: kept, listed, restored, whatever interrupts."""

import casacore.tables as ct
import numpy as np
import pytest

from dsa110_contimg.errors import FlagVersionError
from dsa110_contimg.flagging.versions import (
    FlagVersion,
    list_versions,
    new_name,
    restore_version,
    save_version,
    versions_directory,
)
from dsa110_contimg.ms.columns import OpenMs
from dsa110_contimg.ms.layout import create_ms
from small_ms import describe


@pytest.fixture
def ms(tmp_path):
    path = tmp_path / "a.ms"
    create_ms(path, describe(n_times=3, n_antennas=4, n_channels=8))
    set_flags(path, 1)
    return path


def set_flags(path, seed):
    rng = np.random.default_rng(seed)
    with ct.table(str(path), readonly=False, ack=False) as table:
        table.putcol("FLAG", rng.random((table.nrows(), 8, 2)) < 0.4)
        table.putcol("FLAG_ROW", rng.random(table.nrows()) < 0.4)
    return flags_of(path)


def flags_of(path):
    with ct.table(str(path), ack=False) as table:
        return table.getcol("FLAG"), table.getcol("FLAG_ROW")


def save(path, name, comment="as they were"):
    with OpenMs(path) as opened:
        save_version(opened, name, comment)


def restore(path, name):
    with OpenMs(path, writable=True) as opened:
        restore_version(opened, name)


def test_flags_come_back_as_they_were(ms):
    first = flags_of(ms)
    save(ms, "first", "two\nlines, and a : colon")
    second = set_flags(ms, 2)
    save(ms, "second")
    assert list_versions(ms) == [
        FlagVersion("first", "two lines, and a : colon"),
        FlagVersion("second", "as they were"),
    ]
    for name, flags in (("first", first), ("second", second), ("first", first)):
        restore(ms, name)
        for found, expected in zip(flags_of(ms), flags, strict=True):
            np.testing.assert_array_equal(found, expected)


def test_nothing_is_kept_until_something_is(ms):
    assert list_versions(ms) == []
    with pytest.raises(FlagVersionError, match=r"no flags named x are kept.*None are kept"):
        restore(ms, "x")


def test_a_name_is_used_once(ms):
    save(ms, "first")
    with pytest.raises(FlagVersionError, match="there are flags named first"):
        save(ms, "first")


@pytest.mark.parametrize("name", ["", "a b", "../x", "a:b", "x/y"])
def test_a_name_is_plain(ms, name):
    with pytest.raises(FlagVersionError, match="cannot name flags"):
        save(ms, name)
    assert list_versions(ms) == []


def test_new_names_count(ms):
    assert new_name(ms, "contimg") == "contimg_1"
    save(ms, "contimg_1")
    assert new_name(ms, "contimg") == "contimg_2"


def test_flags_of_other_data_are_not_restored(ms, tmp_path):
    save(ms, "first")
    other = tmp_path / "b.ms"
    create_ms(other, describe(n_times=2, n_antennas=4, n_channels=8))
    versions_directory(ms).rename(versions_directory(other))
    with pytest.raises(FlagVersionError, match="of 30 rows, the data of 20"):
        restore(other, "first")


def test_what_a_killed_process_left_is_no_version_and_is_cleared_away(ms):
    save(ms, "first")
    (versions_directory(ms) / ".partial-second-0123").mkdir()
    with (versions_directory(ms) / "FLAG_VERSION_LIST").open("a") as file:
        file.write("gone : its table is not there\n")
    assert [version.name for version in list_versions(ms)] == ["first"]
    save(ms, "third")
    assert [version.name for version in list_versions(ms)] == ["first", "third"]
    assert not list(versions_directory(ms).glob(".*"))


def test_a_table_without_a_line_does_not_lose_its_name(ms):
    save(ms, "contimg_1")
    (versions_directory(ms) / "FLAG_VERSION_LIST").unlink()
    assert new_name(ms, "contimg") == "contimg_2"
