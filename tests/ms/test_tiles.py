"""The storage file of one column."""

import numpy as np
import pytest

from dsa110_contimg.errors import MeasurementSetError
from dsa110_contimg.ms.layout import create_ms
from dsa110_contimg.ms.tiles import TileFile, bulk_file
from small_ms import describe


@pytest.fixture
def ms(tmp_path):
    create_ms(tmp_path / "a.ms", describe())
    return tmp_path / "a.ms"


def test_a_tile_of_another_size(ms):
    with TileFile(ms, "DATA", describe()) as file, pytest.raises(ValueError, match="has 384 bytes, not 192"):
        file.write(0, 0, np.zeros((6, 2, 2), np.complex64))


def test_a_column_that_is_not_tiled(ms):
    with pytest.raises(MeasurementSetError, match="column TIME is not in a tiled file"):
        bulk_file(ms, "TIME")
    with pytest.raises(MeasurementSetError, match="column MODEL_DATA"):
        TileFile(ms, "MODEL_DATA", describe())


def test_tiles_lie_by_time_then_channel(ms):
    with TileFile(ms, "DATA", describe()) as file:
        file.write(1, 0, np.full((6, 4, 2), 3j, np.complex64))
        file.sync()
    values = np.frombuffer(bulk_file(ms, "DATA").read_bytes(), np.complex64).reshape(4, -1)
    assert values.any(axis=1).tolist() == [False, False, True, False]


def test_tiles_may_be_written_over(ms):
    with TileFile(ms, "FLAG", describe()) as file:
        for value in (0xFF, 0x0F):
            file.write(0, 1, np.full(6, value, np.uint8))
    assert bulk_file(ms, "FLAG").read_bytes() == bytes(6) + b"\x0f" * 6 + bytes(12)
