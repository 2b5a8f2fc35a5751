"""Every way in which a file cannot be opened: real ones, on a real disk."""

import os
import struct
from contextlib import contextmanager

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsa110_contimg.errors import InputError, NotHDF5Error, TruncatedFileError, UnreadableFileError
from dsa110_contimg.uvh5.opening import FileStamp, open_subband, probe
from subband_files import path_of, write_subband

NOBODY = 65534


@contextmanager
def without_privileges():
    """Run as a user whom permissions bind."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def subband(tmp_path):
    return write_subband(path_of(tmp_path, 3), 3)


def open_and_close(path):
    with open_subband(path):
        pass


def refused(kind, path):
    """Check that a file is refused in every way of opening it, with its name and a remedy; return the message."""
    for opening in (probe, open_and_close):
        with pytest.raises(InputError) as caught:
            opening(path)
        assert type(caught.value) is kind
        assert str(path) in str(caught.value)
        assert caught.value.remedy
        assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_good_file_is_open_inside_the_block_and_closed_after_it(subband):
    with open_subband(subband) as (file, stamp):
        assert file["Data/visdata"].shape == (12, 1, 48, 2)
    assert not file
    assert stamp == probe(subband) == FileStamp.of(subband.stat())


def test_reading_leaves_no_trace(subband):
    before, content = subband.stat(), subband.read_bytes()
    open_and_close(subband)
    assert subband.read_bytes() == content
    assert subband.stat().st_mtime_ns == before.st_mtime_ns


@pytest.mark.parametrize("content", [b"garbage", b"x" * 100_000, b"\x89PNG\r\n\x1a\n" + bytes(5000)])
def test_other_contents(tmp_path, content):
    path = path_of(tmp_path, 0)
    path.write_bytes(content)
    assert "not an HDF5 file" in refused(NotHDF5Error, path)


def test_an_empty_file_is_a_truncated_one(tmp_path):
    path = path_of(tmp_path, 0)
    path.touch()
    assert "after 0 bytes" in refused(TruncatedFileError, path)


@given(part=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_anywhere_is_truncated(tmp_path_factory, part):
    path = write_subband(path_of(tmp_path_factory.mktemp("cut"), 3), 3, n_times=1)
    size = path.stat().st_size
    length = int(part * size)
    os.truncate(path, length)
    message = refused(TruncatedFileError, path)
    assert f"after {length} " in message
    if length >= 48:
        assert f"of {size} bytes" in message


def test_one_byte_is_missed(subband):
    os.truncate(subband, subband.stat().st_size - 1)
    refused(TruncatedFileError, subband)


def test_a_cut_file_whose_writer_died_before_it_noted_the_length(subband):
    size = subband.stat().st_size
    with h5py.File(subband) as file:
        ends = []
        file["Data/nsamples"].id.chunk_iter(lambda chunk: ends.append(chunk.byte_offset + chunk.size))
    with subband.open("r+b") as raw:
        raw.seek(40)
        raw.write(struct.pack("<Q", max(ends) - 20_000))
    os.truncate(subband, max(ends) - 10_000)
    assert max(ends) <= size
    with pytest.raises(TruncatedFileError, match=f"after {max(ends) - 10_000} of at least"):
        open_and_close(subband)


def test_a_file_longer_than_noted_is_whole(subband):
    with subband.open("ab") as raw:
        raw.write(bytes(1000))
    open_and_close(subband)


def test_damage_inside_is_named(subband):
    content = bytearray(subband.read_bytes())
    content[96:2000] = bytes(2000 - 96)
    subband.write_bytes(content)
    with pytest.raises(UnreadableFileError, match=r"structure is damaged.*Copy it again"):
        open_and_close(subband)


def test_an_error_while_reading_names_the_file(subband):
    with pytest.raises(UnreadableFileError, match=subband.name), open_subband(subband) as (file, _):
        file["Header/nothing"]


def test_another_input_error_passes_unchanged(subband):
    error = NotHDF5Error("mine", path=subband)
    with pytest.raises(NotHDF5Error) as caught, open_subband(subband):
        raise error
    assert caught.value is error


def test_no_permission(subband):
    subband.chmod(0)
    with without_privileges():
        message = refused(UnreadableFileError, subband)
    assert "permission" in message


def test_vanished(tmp_path):
    assert "vanished" in refused(UnreadableFileError, path_of(tmp_path, 0))


def test_dangling_link(tmp_path):
    path = path_of(tmp_path, 0)
    path.symlink_to(tmp_path / "nothing")
    refused(UnreadableFileError, path)


def test_directory(tmp_path):
    path = path_of(tmp_path, 0)
    path.mkdir()
    assert "not a regular file" in refused(UnreadableFileError, path)


def test_named_pipe_is_not_waited_for(tmp_path):
    path = path_of(tmp_path, 0)
    os.mkfifo(path)
    assert "not a regular file" in refused(UnreadableFileError, path)


def test_a_path_through_a_file(subband):
    assert "cannot be read (Not a directory)" in refused(UnreadableFileError, subband / "below")


def test_a_disk_that_does_not_answer(tmp_path):
    path = path_of(tmp_path, 0)
    path.symlink_to("/proc/self/mem")  # reading its beginning is an I/O error
    assert "cannot be read (Input/output error)" in refused(UnreadableFileError, path)


@pytest.mark.parametrize("how", [{"libver": "latest"}, {"userblock_size": 512}])
def test_other_superblocks(subband, how):
    with h5py.File(subband) as file, h5py.File(subband.with_suffix(".uvh5"), "w", **how) as other:
        for room in ("Header", "Data"):
            file.copy(room, other)
    path = subband.with_suffix(".uvh5")
    with open_subband(path) as (file, _):
        assert file["Data/visdata"].shape == (12, 1, 48, 2)
    os.truncate(path, path.stat().st_size - 1000)
    with pytest.raises(TruncatedFileError):
        open_and_close(path)


def test_contiguous_data_of_a_dead_writer(subband):
    with h5py.File(subband, "r+") as file:
        del file["Data/nsamples"]
        file["Data/nsamples"] = np.ones((4000, 1, 48, 2), np.float32)
        end = file["Data/nsamples"].id.get_offset() + file["Data/nsamples"].nbytes
    assert end <= subband.stat().st_size
    with subband.open("r+b") as raw:
        raw.seek(40)
        raw.write(struct.pack("<Q", end - 70_000))
    os.truncate(subband, end - 60_000)
    with pytest.raises(UnreadableFileError, match="structure is damaged"):
        open_and_close(subband)
