"""Room for a Measurement Set, and casacore's errors told as ours."""

import casacore.tables as ct
import pytest

from dsa110_contimg.errors import DiskFullError, OutputError, TruncatedFileError
from dsa110_contimg.ms.layout import BULK_COLUMNS, create_ms
from dsa110_contimg.ms.writing import reserve_room, table_errors
from small_disk import mounted
from small_ms import describe


def test_room_is_enough(tmp_path):
    """Wherever room is found, the Measurement Set fits."""
    description = describe(n_times=6, n_antennas=12, n_channels=96, tile_channels=48)
    for size_kb in (1000, 4000, 5200, 6000):
        with mounted(tmp_path / "disk", f"{size_kb}k") as disk:
            try:
                room = reserve_room(disk, description, ("DATA", "FLAG"))
            except DiskFullError as error:
                too_small = size_kb, str(error)
            else:
                room.unlink()
                create_ms(disk / "a.ms", description, ("DATA", "FLAG"))
                break
    else:
        pytest.fail("no disk was large enough")
    assert too_small[0] >= 1000
    assert "kB are free" in too_small[1] or "MB are free" in too_small[1]


def test_a_full_group_needs_its_size(tmp_path):
    from dsa110_contimg.telescope.band import band_frequencies_hz

    full = describe(n_times=24, n_antennas=96, n_channels=768, tile_channels=48, freq_hz=band_frequencies_hz())
    with mounted(tmp_path / "disk", "64m") as disk:
        # 1.37 GB of visibilities, 21 MB of flags, and the tables.
        with pytest.raises(DiskFullError, match=r"67\.1 MB are free where 1\.43 GB may be needed"):
            reserve_room(disk, full, ("DATA", "FLAG"))
        assert list(disk.iterdir()) == []


def test_room_is_kept(tmp_path):
    room = reserve_room(tmp_path, describe(), BULK_COLUMNS)
    assert room.parent == tmp_path
    assert room.stat().st_blocks * 512 >= 1 << 20


def test_casacores_error(tmp_path):
    with (
        pytest.raises(OutputError, match="its tables cannot be written") as caught,
        table_errors(tmp_path / "a.ms"),
        ct.table(str(tmp_path / "nowhere.ms"), ack=False),
    ):
        pass
    assert not isinstance(caught.value, DiskFullError)
    assert "nowhere.ms" in str(caught.value)


def test_casacores_error_on_a_full_disk(tmp_path):
    with (
        mounted(tmp_path / "disk", "16k") as disk,
        pytest.raises(DiskFullError, match="no room left for its tables"),
        table_errors(disk / "a.ms"),
    ):
        raise RuntimeError("RegularFile: cannot be created")


@pytest.mark.parametrize("error", [NotImplementedError("x"), TruncatedFileError("cut", path="b"), KeyError("c")])
def test_other_errors_go_through(tmp_path, error):
    with pytest.raises(type(error)) as caught, table_errors(tmp_path / "a.ms"):
        raise error
    assert caught.value is error
