"""Samples read by their chunks' places in the file, against what the HDF5 library reads."""

import os
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dsa110_contimg.errors import FileChangedError, InputError, TruncatedFileError, UnreadableFileError
from dsa110_contimg.uvh5.header import read_header
from dsa110_contimg.uvh5.visibilities import SampleReader, SubbandReader
from subband_files import frequencies_hz, path_of, replace, write_subband


def unfolded(samples, n_rows):
    """Samples as (rows, channels, 2), by the formula in the class's own description."""
    q = np.arange(n_rows)[:, None, None] + samples.skip
    start = q // samples.rows_per_block * samples.block_stride + q % samples.rows_per_block * samples.row_stride
    return samples.values[start + samples.offsets]


def read(path, name, dtype, first, n_rows, ascending=True):
    with h5py.File(path) as file:
        fd = os.open(path, os.O_RDONLY)
        try:
            reader = SampleReader(file[name], dtype, fd, ascending=ascending)
            return unfolded(reader.read(first, n_rows), n_rows)
        finally:
            os.close(fd)


def random_samples(shape, dtype, seed=0):
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 100, shape)
    return (values + 1j * rng.normal(size=shape)).astype(dtype) if dtype == np.complex64 else values.astype(dtype)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    n_rows=st.integers(1, 70),
    chunk=st.tuples(st.integers(1, 80), st.integers(1, 48), st.integers(1, 2)),
    dtype=st.sampled_from([np.complex64, np.bool_, np.float32]),
    four=st.booleans(),
    data=st.data(),
)
def test_any_chunks(tmp_path, n_rows, chunk, dtype, four, data):
    path = tmp_path / "any.h5"
    middle = (1,) if four else ()
    shape = (n_rows, *middle, 48, 2)
    values = random_samples(shape, dtype, seed=n_rows)
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=values, chunks=(chunk[0], *middle, *chunk[1:]), maxshape=(None, *shape[1:]))
    first = data.draw(st.integers(0, n_rows - 1))
    number = data.draw(st.integers(1, n_rows - first))
    expected = values.reshape(n_rows, 48, 2)[first : first + number]
    assert np.array_equal(read(path, "x", dtype, first, number), expected)
    assert np.array_equal(read(path, "x", dtype, first, number, ascending=False), expected[:, ::-1])


LAYOUTS = {
    "contiguous": {"chunks": None},
    "gzip": {"chunks": (7, 1, 12, 1), "compression": "gzip"},
    "shuffle": {"chunks": (7, 1, 12, 1), "shuffle": True},
    "checksums": {"chunks": (7, 1, 12, 1), "fletcher32": True},
    "lzf": {"chunks": (7, 1, 12, 1), "compression": "lzf"},
    "big-endian": {"chunks": (7, 1, 12, 1), "dtype": ">c8"},
    "double precision": {"chunks": (7, 1, 12, 1), "dtype": "c16"},
    "automatic": {"chunks": True},
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_other_layouts(tmp_path, layout):
    path = tmp_path / "other.h5"
    values = random_samples((40, 1, 48, 2), np.complex64)
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=values, **layout)
    assert np.array_equal(read(path, "x", np.complex64, 11, 17), values[11:28, 0])


def test_a_user_block_before_the_file(tmp_path):
    path = tmp_path / "behind.h5"
    values = random_samples((40, 1, 48, 2), np.complex64)
    with h5py.File(path, "w", userblock_size=1024) as file:
        file.create_dataset("x", data=values, chunks=(7, 1, 12, 1))
    assert np.array_equal(read(path, "x", np.complex64, 11, 17), values[11:28, 0])


def test_chunks_laid_down_in_any_order(tmp_path):
    path = tmp_path / "order.h5"
    values = random_samples((32, 48, 2), np.float32)
    order = np.random.default_rng(1).permutation(8)
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset("x", values.shape, np.float32, chunks=(4, 48, 2))
        for k in order:
            dataset[4 * k : 4 * k + 4] = values[4 * k : 4 * k + 4]
    assert np.array_equal(read(path, "x", np.float32, 3, 27), values[3:30])


def test_chunks_never_written_are_zero(tmp_path):
    path = tmp_path / "holes.h5"
    values = random_samples((32, 48, 2), np.float32)
    values[8:20] = 0
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset("x", values.shape, np.float32, chunks=(4, 48, 2))
        dataset[:8], dataset[20:] = values[:8], values[20:]
    for first, number in ((0, 32), (8, 12), (9, 3), (6, 20)):
        assert np.array_equal(read(path, "x", np.float32, first, number), values[first : first + number])


def test_one_reader_many_reads(tmp_path):
    """Its memory is used again, for fewer rows and for more."""
    path = tmp_path / "many.h5"
    values = random_samples((64, 48, 2), np.complex64)
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=values, chunks=(5, 16, 1))
    with h5py.File(path) as file:
        fd = os.open(path, os.O_RDONLY)
        reader = SampleReader(file["x"], np.complex64, fd, ascending=True)
        for first, number in ((0, 10), (3, 40), (50, 2), (63, 1), (0, 64), (20, 10)):
            assert np.array_equal(unfolded(reader.read(first, number), number), values[first : first + number])
        os.close(fd)


# -- whole subband files -----------------------------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path):
    return write_subband(path_of(tmp_path, 3), 3, n_times=3)


def test_integrations_of_a_subband(path):
    """Channels ascend, whatever their order in the file."""
    header = read_header(path)
    with h5py.File(path, locking=False) as file, SubbandReader(header) as reader:
        for k in range(3):
            for name, samples in reader.read_integration(k)._asdict().items():
                expected = file["Data"][name][6 * k : 6 * k + 6, 0][:, ::-1]
                assert np.array_equal(unfolded(samples, 6), expected)


def test_a_file_whose_channels_ascend(path):
    replace(path, "Header/freq_array", frequencies_hz(3)[::-1][None])
    with h5py.File(path, "r+") as file:
        descending = file["Data/visdata"][:]
        file["Data/visdata"][...] = descending[:, :, ::-1]
    with SubbandReader(read_header(path)) as reader:
        assert np.array_equal(unfolded(reader.read_integration(1).visdata, 6), descending[6:12, 0, ::-1])


def test_three_dimensions(path):
    """UVH5 as it is written since: no axis of spectral windows."""
    with h5py.File(path, "r+") as file:
        values = {name: dataset[:, 0] for name, dataset in file["Data"].items()}
        for name, value in values.items():
            del file["Data"][name]
            file["Data"].create_dataset(name, data=value, chunks=(4, 12, 1))
        freq_hz = file["Header/freq_array"][0]
        del file["Header/freq_array"]
        file["Header/freq_array"] = freq_hz
    with SubbandReader(read_header(path)) as reader:
        assert np.array_equal(unfolded(reader.read_integration(2).visdata, 6), values["visdata"][12:, ::-1])


def test_changed_since_its_header_was_read(path):
    header = read_header(path)
    os.utime(path, ns=(0, header.mtime_ns + 1))
    with pytest.raises(FileChangedError, match="changed while it was read") as caught:
        SubbandReader(header)
    assert str(path) in str(caught.value)


def test_replaced_by_an_equal_file(path, tmp_path):
    header = read_header(path)
    copy = shutil.copy2(path, tmp_path / "copy")
    os.utime(copy, ns=(0, header.mtime_ns))
    os.replace(copy, path)
    with pytest.raises(FileChangedError):
        SubbandReader(header)


def test_changed_while_it_is_read(path):
    with SubbandReader(read_header(path)) as reader:
        reader.check_unchanged()
        reader.read_integration(0)
        os.utime(path)
        with pytest.raises(FileChangedError):
            reader.check_unchanged()


def test_cut_while_it_is_read(path):
    with SubbandReader(read_header(path)) as reader:
        os.truncate(path, 4096)
        with pytest.raises(TruncatedFileError, match="ends inside integration 2") as caught:
            reader.read_integration(2)
    assert str(path) in str(caught.value)
    assert "Copy the file again" in str(caught.value)


def test_cut_while_it_is_read_through_the_library(path):
    """Compressed data sets are read by HDF5, whose errors are told as ours."""
    with h5py.File(path, "r+") as file:
        values = file["Data/visdata"][:]
        del file["Data/visdata"]
        file["Data"].create_dataset("visdata", data=values, chunks=(6, 1, 48, 2), compression="gzip")
    with SubbandReader(read_header(path)) as reader:
        os.truncate(path, 4096)
        with pytest.raises(InputError) as caught:
            reader.read_integration(2)
    assert str(path) in str(caught.value)


def test_vanished(path):
    header = read_header(path)
    path.unlink()
    with pytest.raises(UnreadableFileError, match="cannot be read"):
        SubbandReader(header)


def test_descriptors_are_given_back(path):
    header, descriptors = read_header(path), Path("/proc/self/fd")
    before = len(list(descriptors.iterdir()))
    for _ in range(3):
        with SubbandReader(header) as reader:
            reader.read_integration(0)
    os.utime(path, ns=(0, 0))
    with pytest.raises(FileChangedError):
        SubbandReader(header)
    assert len(list(descriptors.iterdir())) == before
