"""A Measurement Set with anything missing is not taken for a whole one."""

import shutil

import casacore.tables as ct
import numpy as np
import pytest

from dsa110_contimg.errors import MeasurementSetError
from dsa110_contimg.ms.checks import check_ms
from dsa110_contimg.ms.layout import create_ms, fill_weights
from dsa110_contimg.ms.subtables import add_history
from small_ms import describe

DESCRIPTION = describe(n_times=2, n_antennas=8, n_channels=96, tile_channels=48)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("ms") / "whole.ms"
    create_ms(path, DESCRIPTION)
    fill_weights(path, np.ones((DESCRIPTION.n_rows, 2), np.float32), np.ones(DESCRIPTION.n_rows, bool))
    add_history(path, ["made"], application="test", command="")
    return path


@pytest.fixture
def copy(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "copy.ms")


def test_a_whole_one(whole):
    summary = check_ms(whole)
    assert (summary.n_rows, summary.n_channels, summary.n_fields) == (72, 96, 1)
    assert {"DATA", "FLAG", "UVW", "WEIGHT", "SIGMA", "TIME"} <= set(summary.columns)


def test_a_copy_elsewhere(copy):
    assert check_ms(copy).n_rows == 72


def storage_files(path):
    return sorted(file for file in path.rglob("table.*") if file.suffix not in {".info", ".lock"})


def test_every_storage_file_cut_in_half(whole, tmp_path):
    """Or gone. A subtable without rows may lose what it does not have."""
    unnoticed, messages = [], []
    for number, file in enumerate(storage_files(whole)):
        name = file.relative_to(whole)
        for how in ("cut", "gone"):
            copy = shutil.copytree(whole, tmp_path / f"{number}-{how}.ms")
            if how == "cut":
                (copy / name).write_bytes(file.read_bytes()[: file.stat().st_size // 2])
            else:
                (copy / name).unlink()
            try:
                check_ms(copy)
            except MeasurementSetError as error:
                messages.append((copy, str(error)))
            else:
                unnoticed.append(f"{name} {how}")
    assert messages
    for copy, message in messages:
        assert str(copy) in message
        assert "Convert the group again" in message
    empty = {"FLAG_CMD", "POINTING"}
    assert [name for name in unnoticed if name.split("/")[0] not in empty] == []


@pytest.mark.parametrize(
    "subtable",
    [
        "ANTENNA", "DATA_DESCRIPTION", "FEED", "FIELD", "FLAG_CMD", "HISTORY", "OBSERVATION", "POINTING",
        "POLARIZATION", "PROCESSOR", "SOURCE", "SPECTRAL_WINDOW", "STATE",
    ],
)  # fmt: skip
def test_a_subtable_is_gone(copy, subtable):
    shutil.rmtree(copy / subtable)
    with pytest.raises(MeasurementSetError, match="is not a whole Measurement Set"):
        check_ms(copy)


def test_one_byte_short(copy):
    for file in copy.glob("table.f*_TSM0"):
        whole = file.read_bytes()
        file.write_bytes(whole[:-1])
        with pytest.raises(MeasurementSetError, match=r"is shorter than its|is not a whole Measurement Set"):
            check_ms(copy)
        file.write_bytes(whole)
    assert check_ms(copy).n_rows == 72


def test_a_column_is_gone(copy):
    with ct.table(str(copy), readonly=False, ack=False) as ms:
        ms.removecols(["SIGMA"])
    with pytest.raises(MeasurementSetError, match="has no SIGMA"):
        check_ms(copy)


def test_no_rows(tmp_path):
    with ct.default_ms(str(tmp_path / "empty.ms")):
        pass
    with pytest.raises(MeasurementSetError, match="has no"):
        check_ms(tmp_path / "empty.ms")


@pytest.mark.parametrize("kind", ["nothing", "empty directory", "file"])
def test_not_a_table(tmp_path, kind):
    path = tmp_path / "a.ms"
    if kind == "empty directory":
        path.mkdir()
    elif kind == "file":
        path.write_text("not a table")
    with pytest.raises(MeasurementSetError, match="is not a whole Measurement Set"):
        check_ms(path)
