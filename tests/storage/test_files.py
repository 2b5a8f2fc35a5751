"""Errors of the file system told as ours, room set aside, flushing."""

import errno
import os

import pytest

from dsa110_contimg.errors import DiskFullError, OutputError
from dsa110_contimg.storage.files import allocate, output_errors, sync_directory, sync_tree
from small_disk import mounted


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_full(tmp_path, code):
    with pytest.raises(DiskFullError, match="no room left") as caught, output_errors(tmp_path / "a.ms"):
        raise OSError(code, os.strerror(code))
    assert "Free some space" in str(caught.value)
    assert str(tmp_path / "a.ms") in str(caught.value)


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS, errno.EIO, errno.ENOTCONN])
def test_other_errors(tmp_path, code):
    with pytest.raises(OutputError, match="cannot be written") as caught, output_errors(tmp_path):
        raise OSError(code, os.strerror(code))
    assert not isinstance(caught.value, DiskFullError)
    assert os.strerror(code) in str(caught.value)


def test_ours_go_through_as_they_are(tmp_path):
    inner = OutputError("cannot be written", path=tmp_path / "inner")
    with pytest.raises(OutputError) as caught, output_errors(tmp_path / "outer"):
        raise inner
    assert caught.value is inner


def test_what_is_no_error_of_the_system_goes_through(tmp_path):
    with pytest.raises(KeyError), output_errors(tmp_path):
        raise KeyError("x")


def test_allocate(tmp_path):
    allocate(tmp_path / "new", 1_000_000)
    found = (tmp_path / "new").stat()
    assert found.st_size == 1_000_000
    assert found.st_blocks * 512 >= 1_000_000
    assert not any((tmp_path / "new").read_bytes())


def test_allocate_where_there_is_a_file(tmp_path):
    (tmp_path / "old").write_bytes(b"abc")
    allocate(tmp_path / "old", 10)
    assert (tmp_path / "old").read_bytes() == b"abc" + bytes(7)


def test_allocate_nowhere(tmp_path):
    with pytest.raises(OutputError, match="cannot be written"):
        allocate(tmp_path / "nowhere" / "file", 10)


def test_allocate_more_than_there_is(tmp_path):
    with mounted(tmp_path / "disk", "1m") as disk:
        with pytest.raises(DiskFullError, match="no room left"):
            allocate(disk / "large", 5_000_000)
        allocate(disk / "small", 100_000)


def test_sync(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_text("x")
    sync_tree(tmp_path / "a")
    sync_directory(tmp_path)
    assert (tmp_path / "a" / "b" / "file").read_text() == "x"
