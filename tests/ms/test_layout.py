"""A table laid out and filled tile by tile is what casacore reads; and what casacore writes, we lay out alike."""

import casacore.tables as ct
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dsa110_contimg.errors import OutputError
from dsa110_contimg.ms.layout import BULK_COLUMNS, add_bulk_column, create_ms, fill_weights, tile_bytes
from dsa110_contimg.ms.tiles import TileFile, bulk_file
from small_ms import describe

ALL = tuple(BULK_COLUMNS)


def random_values(rng, column, shape):
    if column == "FLAG":
        return rng.random(shape) < 0.5
    values = rng.normal(size=shape)
    return (
        values.astype(np.float32) if column.endswith("_SPECTRUM") else (values + 1j * values[::-1]).astype(np.complex64)
    )


def fill(path, column, description, values):
    """Write (times, baselines, channels, 2) in tiles."""
    step = description.tile_channels
    with TileFile(path, column, description) as file:
        for t in range(description.n_times):
            for block in range(description.n_channels // step):
                tile = np.ascontiguousarray(values[t, :, block * step : (block + 1) * step])
                file.write(t, block, np.packbits(tile, bitorder="little") if column == "FLAG" else tile)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 99),
    n_times=st.integers(1, 4),
    n_antennas=st.integers(1, 5),
    tile_channels=st.sampled_from([1, 2, 3, 4, 12]),
    n_tiles=st.integers(1, 4),
)
@pytest.mark.parametrize("column", ALL)
def test_tiles_are_read_back_by_casacore(tmp_path_factory, column, seed, n_times, n_antennas, tile_channels, n_tiles):
    description = describe(n_times, n_antennas, n_tiles * tile_channels, tile_channels)
    path = tmp_path_factory.mktemp("ms") / "small.ms"
    create_ms(path, description, (column,))
    shape = (n_times, description.n_baselines, description.n_channels, 2)
    values = random_values(np.random.default_rng(seed), column, shape)
    fill(path, column, description, values)
    with ct.table(str(path), ack=False) as ms:
        assert np.array_equal(ms.getcol(column).reshape(shape), values)
        for row in (0, ms.nrows() - 1):
            assert np.array_equal(ms.getcell(column, row), values.reshape(-1, *shape[2:])[row])


def test_bits_that_do_not_fill_a_byte(tmp_path):
    """One channel of three baselines: six bits a tile, in a byte of its own."""
    description = describe(n_times=3, n_antennas=2, n_channels=4, tile_channels=1)
    create_ms(tmp_path / "a.ms", description)
    assert tile_bytes("FLAG", description) == 1
    assert bulk_file(tmp_path / "a.ms", "FLAG").stat().st_size == 12
    values = np.random.default_rng(1).random((3, 3, 4, 2)) < 0.5
    fill(tmp_path / "a.ms", "FLAG", description, values)
    with ct.table(str(tmp_path / "a.ms"), ack=False) as ms:
        assert np.array_equal(ms.getcol("FLAG").reshape(values.shape), values)


def test_columns_do_not_mix(tmp_path):
    description = describe()
    create_ms(tmp_path / "a.ms", description, ALL)
    rng = np.random.default_rng(3)
    values = {column: random_values(rng, column, (2, 6, 8, 2)) for column in ALL}
    for column in ALL:
        fill(tmp_path / "a.ms", column, description, values[column])
    assert len({bulk_file(tmp_path / "a.ms", column) for column in ALL}) == len(ALL)
    with ct.table(str(tmp_path / "a.ms"), ack=False) as ms:
        for column in ALL:
            assert np.array_equal(ms.getcol(column).reshape(2, 6, 8, 2), values[column])


def test_casacore_writes_the_same_bytes(tmp_path):
    """The layout is casacore's own: what it puts itself stands in the file as our tiles do."""
    description = describe()
    values = {column: random_values(np.random.default_rng(4), column, (2, 6, 8, 2)) for column in ALL}
    for name in ("ours.ms", "theirs.ms"):
        create_ms(tmp_path / name, description, ALL)
    for column in ALL:
        fill(tmp_path / "ours.ms", column, description, values[column])
    with ct.table(str(tmp_path / "theirs.ms"), readonly=False, ack=False) as ms:
        for column in ALL:
            ms.putcol(column, values[column].reshape(12, 8, 2))
    for column in ALL:
        ours, theirs = (bulk_file(tmp_path / name, column).read_bytes() for name in ("ours.ms", "theirs.ms"))
        assert ours == theirs


def test_empty_columns_are_zero(tmp_path):
    create_ms(tmp_path / "a.ms", describe(), ALL)
    with ct.table(str(tmp_path / "a.ms"), ack=False) as ms:
        for column in ALL:
            assert not ms.getcol(column).any()


def test_room_is_set_aside(tmp_path):
    description = describe(n_times=4, n_antennas=20, n_channels=96, tile_channels=48)
    create_ms(tmp_path / "a.ms", description)
    size = bulk_file(tmp_path / "a.ms", "DATA").stat()
    assert size.st_size == 4 * 210 * 96 * 2 * 8
    assert size.st_blocks * 512 >= size.st_size


def test_a_column_added_later(tmp_path):
    description = describe()
    create_ms(tmp_path / "a.ms", description)
    data = random_values(np.random.default_rng(5), "DATA", (2, 6, 8, 2))
    fill(tmp_path / "a.ms", "DATA", description, data)
    add_bulk_column(tmp_path / "a.ms", "MODEL_DATA", description)
    model = random_values(np.random.default_rng(6), "MODEL_DATA", (2, 6, 8, 2))
    fill(tmp_path / "a.ms", "MODEL_DATA", description, model)
    with ct.table(str(tmp_path / "a.ms"), ack=False) as ms:
        assert np.array_equal(ms.getcol("MODEL_DATA").reshape(model.shape), model)
        assert np.array_equal(ms.getcol("DATA").reshape(data.shape), data)


def test_rows(tmp_path):
    description = describe(n_times=3, n_antennas=2, n_fields=3)
    create_ms(tmp_path / "a.ms", description)
    with ct.table(str(tmp_path / "a.ms"), ack=False) as ms:
        assert ms.getcol("ANTENNA1").tolist() == [0, 0, 1] * 3
        assert ms.getcol("ANTENNA2").tolist() == [0, 1, 1] * 3
        assert np.array_equal(ms.getcol("UVW"), description.uvw_m.reshape(-1, 3))
        assert np.array_equal(ms.getcol("TIME"), np.repeat(description.times_mjd * 86400, 3))
        assert np.array_equal(ms.getcol("TIME_CENTROID"), ms.getcol("TIME"))
        assert ms.getcol("FIELD_ID").tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
        assert (ms.getcol("INTERVAL") == 12.88).all()
        assert (ms.getcol("EXPOSURE") == 12.88).all()
        assert (ms.getcol("SCAN_NUMBER") == 1).all()
        for name in ("ARRAY_ID", "DATA_DESC_ID", "FEED1", "FEED2", "OBSERVATION_ID", "PROCESSOR_ID", "STATE_ID"):
            assert (ms.getcol(name) == 0).all()
        assert ms.getcolkeyword("UVW", "MEASINFO")["Ref"] == "J2000"
        assert ms.getcolkeyword("TIME", "MEASINFO")["Ref"] == "UTC"
        assert ms.getcolkeyword("TIME", "QuantumUnits")[0] == "s"


def test_weights(tmp_path):
    create_ms(tmp_path / "a.ms", describe(n_times=1, n_antennas=2))
    weight = np.array([[4, 1], [0, 16], [0, 0]], np.float32)
    fill_weights(tmp_path / "a.ms", weight, np.array([True, True, False]))
    with ct.table(str(tmp_path / "a.ms"), ack=False) as ms:
        assert np.array_equal(ms.getcol("WEIGHT"), weight)
        assert ms.getcol("SIGMA").tolist() == [[0.5, 1], [0, 0.25], [0, 0]]
        assert ms.getcol("FLAG_ROW").tolist() == [False, False, True]


def test_data_are_little_endian_on_disk(tmp_path):
    """As the tiles are written: on another machine casacore would have to turn them."""
    create_ms(tmp_path / "a.ms", describe())
    with ct.table(str(tmp_path / "a.ms"), ack=False) as ms:
        assert ms.getdminfo("DATA")["SPEC"]["HYPERCUBES"]["*1"]["TileShape"].tolist() == [2, 4, 6]
    fill(tmp_path / "a.ms", "DATA", describe(), np.full((2, 6, 8, 2), 1 + 2j, np.complex64))
    head = np.frombuffer(bulk_file(tmp_path / "a.ms", "DATA").read_bytes()[:8], "<f4")
    assert head.tolist() == [1, 2]


def test_no_place(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises((OutputError, OSError, RuntimeError)):
        create_ms(tmp_path / "file" / "a.ms", describe())
