"""When a file's data start, and whether that and its channels agree with its name."""

from datetime import timedelta

import h5py
import numpy as np
import pytest

from dsa110_contimg.errors import (
    BogusTimeError,
    HeaderKeyError,
    HeaderValueError,
    NamingError,
    OffGridError,
    UnreadableFileError,
)
from dsa110_contimg.uvh5.start import check_start, mjd_of, read_start
from subband_files import (
    CHANNEL_MHZ,
    INTEGRATION_S,
    START,
    TOP_MHZ,
    frequencies_hz,
    jd,
    path_of,
    replace,
    write_subband,
)


@pytest.fixture
def subband(tmp_path):
    return write_subband(path_of(tmp_path, 3, START + timedelta(seconds=2)), 3, n_times=4)


def test_start_is_half_an_integration_before_the_first_time(subband):
    info = read_start(subband)
    check_start(info)
    assert info.path == subband
    assert info.subband == 3
    assert info.name_time == START + timedelta(seconds=2)
    assert abs(info.start_mjd - mjd_of(START)) * 86400 < 1e-4
    assert info.integration_s == INTEGRATION_S
    assert info.n_times == 4
    assert info.first_freq_hz == (TOP_MHZ - 3 * 48 * CHANNEL_MHZ) * 1e6
    assert info.last_freq_hz == frequencies_hz(3)[-1]
    assert (info.size_bytes, info.mtime_ns) == (subband.stat().st_size, subband.stat().st_mtime_ns)


def test_all_subbands_of_a_group_start_at_the_same_bit(tmp_path):
    starts = {read_start(write_subband(path_of(tmp_path, sb), sb)).start_mjd for sb in range(16)}
    assert len(starts) == 1


def test_mjd():
    assert mjd_of(START) == pytest.approx(jd(START) - 2400000.5, abs=1e-9)


@pytest.mark.parametrize("key", ["time_array", "integration_time", "Ntimes", "freq_array"])
def test_a_missing_key_is_named(subband, key):
    replace(subband, f"Header/{key}", None)
    with pytest.raises(HeaderKeyError, match=rf"Header/{key} is missing: .*{subband.name}\. Copy it again"):
        read_start(subband)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("time_array", np.empty(0)),
        ("freq_array", np.ones((1, 47))),
        ("Ntimes", 0),
        ("Ntimes", float("nan")),
        ("Ntimes", 1.5),
    ],
)
def test_a_value_that_cannot_be(subband, key, value):
    replace(subband, f"Header/{key}", value)
    with pytest.raises(HeaderValueError, match=rf"Header/{key}.*{subband.name}"):
        read_start(subband)


def test_text_where_a_number_should_be(subband):
    replace(subband, "Header/Ntimes", "four")
    with pytest.raises(UnreadableFileError, match="where numbers should be"):
        read_start(subband)


def test_ascending_channels_are_on_the_grid_too(subband):
    replace(subband, "Header/freq_array", frequencies_hz(3)[::-1][None])
    check_start(read_start(subband))


@pytest.mark.parametrize("away_s", [-119, 119])
def test_a_name_may_be_two_minutes_from_its_data(tmp_path, away_s):
    check_start(read_start(write_subband(path_of(tmp_path, 0, START + timedelta(seconds=away_s)), 0)))


@pytest.mark.parametrize("away_s", [-121, 121, 86400])
def test_a_name_further_from_its_data_is_bogus(tmp_path, away_s):
    path = write_subband(path_of(tmp_path, 0, START + timedelta(seconds=away_s)), 0)
    with pytest.raises(
        BogusTimeError, match=r"the name says .* and the data start at 2025-10-05T12:30:00 .*time server"
    ):
        check_start(read_start(path))


@pytest.mark.parametrize("mjd", [55000.0, 0.0, 1e12, float("nan"), float("inf")])
def test_times_without_a_time_server_are_bogus(subband, mjd):
    with h5py.File(subband, "r+") as file:
        file["Header/time_array"][:] = mjd + 2400000.5
    with pytest.raises(BogusTimeError, match=r"the name says 2025-10-05T12:30:02 and the data start at .*MJD"):
        check_start(read_start(subband))


@pytest.mark.parametrize("seconds", [0.0, -1.0, 1e4, float("nan")])
def test_an_integration_time_that_cannot_be(subband, seconds):
    with h5py.File(subband, "r+") as file:
        file["Header/integration_time"][:] = seconds
    with pytest.raises(HeaderValueError, match="integration_time"):
        check_start(read_start(subband))


def test_the_unknown_host_is_off_the_grid(tmp_path):
    path = write_subband(path_of(tmp_path, 0), 0)
    replace(path, "Header/freq_array", (1426.1e6 - np.arange(48) * CHANNEL_MHZ * 1e6)[None])
    with pytest.raises(
        OffGridError, match=r"1426\.100000 MHz, which is on no subband's grid; sb00 begins at 1498\.643188"
    ):
        check_start(read_start(path))


def test_channels_of_another_subband(subband):
    replace(subband, "Header/freq_array", frequencies_hz(5)[None])
    with pytest.raises(OffGridError, match="which is sb05's; sb03 begins at"):
        check_start(read_start(subband))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.0, -1.0])
def test_frequencies_that_are_none(subband, value):
    replace(subband, "Header/freq_array", np.full((1, 48), value))
    with pytest.raises(OffGridError):
        check_start(read_start(subband))


def test_only_whole_subband_files_have_a_start(tmp_path):
    with pytest.raises(NamingError):
        read_start(tmp_path / "2025-10-05T12:30:00_sb00_incomplete.hdf5")
