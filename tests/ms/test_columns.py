"""Integrations and tiles of columns: the same through our files as through casacore."""

import casacore.tables as ct
import numpy as np
import pytest

from dsa110_contimg.errors import MeasurementSetError
from dsa110_contimg.ms.columns import OpenMs, read_block, read_info, read_uvw, write_block
from dsa110_contimg.ms.layout import create_ms
from small_ms import describe

N_TIMES, N_BASELINES, N_CHANNELS = 3, 10, 12


@pytest.fixture(params=["ours", "of another"])
def ms(request, tmp_path):
    """Tiled as we do it, or with all columns in casacore's standard storage."""
    path = tmp_path / "a.ms"
    create_ms(path, describe(n_times=N_TIMES, n_antennas=4, n_channels=N_CHANNELS))
    rng = np.random.default_rng(3)
    shape = (N_TIMES * N_BASELINES, N_CHANNELS, 2)
    with ct.table(str(path), readonly=False, ack=False) as table:
        if request.param != "ours":
            for column, kind in (("DATA", "complex"), ("FLAG", "boolean")):
                cells = ct.makearrcoldesc(column, 0, valuetype=kind, ndim=2)
                table.removecols([column])
                table.addcols(ct.maketabdesc(cells))
        table.putcol("DATA", (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(np.complex64))
        table.putcol("FLAG", rng.random(shape) < 0.3)
        table.putcol("WEIGHT", rng.random((shape[0], 2)).astype(np.float32))
    return path


def whole(ms, column):
    with ct.table(str(ms), ack=False) as table:
        values = table.getcol(column)
    return values.reshape(N_TIMES, N_BASELINES, *values.shape[1:])


@pytest.mark.parametrize("column", ["DATA", "FLAG", "WEIGHT", "UVW", "FLAG_ROW", "TIME"])
def test_integrations_are_casacores(ms, column):
    with OpenMs(ms) as opened:
        for first, n_times in ((0, 1), (1, 2), (0, 3)):
            found = read_block(opened, column, first, n_times)
            np.testing.assert_array_equal(found, whole(ms, column)[first : first + n_times])
            assert found.dtype == whole(ms, column).dtype


def test_tiles_are_parts_of_an_integration(ms):
    with OpenMs(ms) as opened:
        assert opened.n_blocks * opened.info.tile_channels == N_CHANNELS
        for column in ("DATA", "FLAG"):
            for time in range(N_TIMES):
                tiles = [opened.read_tile(column, time, block) for block in range(opened.n_blocks)]
                np.testing.assert_array_equal(np.concatenate(tiles, axis=1), whole(ms, column)[time])


def test_which_columns_are_read_from_their_files(ms, request):
    ours = request.node.callspec.params["ms"] == "ours"
    with OpenMs(ms) as opened:
        tiled = [opened.is_tiled(column) for column in ("DATA", "FLAG", "WEIGHT", "MODEL_DATA")]
    assert tiled == [ours, ours, False, False]


@pytest.mark.parametrize("column", ["DATA", "FLAG", "WEIGHT", "UVW"])
def test_neighbouring_baselines_at_all_times_are_casacores(ms, column):
    with OpenMs(ms) as opened:
        for baselines in (slice(0, 1), slice(3, 7), slice(0, N_BASELINES)):
            found = opened.read_baselines(column, baselines)
            np.testing.assert_array_equal(found, whole(ms, column)[:, baselines])
        with pytest.raises(IndexError):
            opened.read_baselines(column, slice(3, N_BASELINES + 1))


@pytest.mark.parametrize("column", ["FLAG", "CORRECTED_DATA", "WEIGHT"])
def test_what_is_written_is_read_by_casacore(ms, column):
    source = "DATA" if column == "CORRECTED_DATA" else column
    before = whole(ms, source)
    new = ~before if column == "FLAG" else 3 * before + 1
    with OpenMs(ms, writable=True) as opened:
        write_block(opened, column, 1, new[1:])
        np.testing.assert_array_equal(read_block(opened, column, 1, 2), new[1:])
        opened.sync()
    np.testing.assert_array_equal(whole(ms, column)[1:], new[1:])
    np.testing.assert_array_equal(whole(ms, column)[0], before[0] if column == source else 0)


@pytest.mark.parametrize("column", ["FLAG", "CORRECTED_DATA"])
def test_tiles_that_are_written_are_read_by_casacore(ms, column):
    with OpenMs(ms, writable=True) as opened:
        opened.add(column)
        new = whole(ms, "FLAG" if column == "FLAG" else "DATA")[::-1]
        for time in range(N_TIMES):
            for block in range(opened.n_blocks):
                opened.write_tile(column, time, block, new[time][:, opened.block_channels(block)])
    np.testing.assert_array_equal(whole(ms, column), new)


def test_a_column_is_added_once_and_tiled(ms):
    for value in (1j, 2j):
        write_block(ms, "CORRECTED_DATA", 0, np.full((1, N_BASELINES, N_CHANNELS, 2), value, np.complex64))
    assert (whole(ms, "CORRECTED_DATA")[0] == 2j).all()
    with ct.table(str(ms), ack=False) as table:
        kinds = [m["TYPE"] for m in table.getdminfo().values() if "CORRECTED_DATA" in m["COLUMNS"]]
    assert kinds == ["TiledColumnStMan"]


def test_uvw(ms):
    np.testing.assert_allclose(read_uvw(ms, 1, 2), describe(n_times=3, n_antennas=4).uvw_m[1:])


def test_what_is_not_there(ms):
    with OpenMs(ms) as opened:
        for column in ("MODEL_DATA", "NOTHING"):
            assert not opened.has(column)
            with pytest.raises(MeasurementSetError, match=f"no column {column}"):
                opened.read(column, 0)
        with pytest.raises(IndexError, match="integration 3 of 3"):
            opened.read("DATA", 3)
        with pytest.raises(IndexError, match="integration 3 of 3"):
            opened.read("UVW", 2, 2)


def test_read_only(ms):
    flags = whole(ms, "FLAG")
    with OpenMs(ms) as opened, pytest.raises((ValueError, OSError)):
        opened.write("FLAG", 0, ~flags)
    np.testing.assert_array_equal(whole(ms, "FLAG"), flags)


def test_integrations_of_another_shape(ms):
    with OpenMs(ms, writable=True) as opened, pytest.raises(ValueError, match="has shape"):
        opened.write("FLAG", 0, np.zeros((1, N_BASELINES, N_CHANNELS, 1), bool))


def test_a_file_that_lost_its_end(tmp_path):
    path = tmp_path / "a.ms"
    create_ms(path, describe())
    file = max(path.glob("table.f*_TSM0"), key=lambda f: f.stat().st_size)
    with file.open("r+b") as opened:
        opened.truncate(file.stat().st_size - 1)
    with pytest.raises(MeasurementSetError, match="shorter than its data"):
        read_block(path, "DATA", 0)


def test_info_is_of_the_ms(ms):
    assert read_info(ms).n_baselines == N_BASELINES
