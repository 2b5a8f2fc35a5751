"""Headers that the correlator does not write, each made in a real file."""

import h5py
import numpy as np
import pytest

from dsa110_contimg.errors import HeaderValueError, InputError, UnknownAntennaError
from dsa110_contimg.uvh5.header import read_header
from subband_files import BASELINES, path_of, replace, write_subband

N_TIMES = 4
N_ROWS = N_TIMES * len(BASELINES)


@pytest.fixture
def subband(tmp_path):
    return write_subband(path_of(tmp_path, 3), 3, n_times=N_TIMES)


def refused(path, kind=HeaderValueError):
    """Read a header that is refused, and return the message, which names the file and a remedy."""
    with pytest.raises(InputError) as caught:
        read_header(path)
    assert type(caught.value) is kind
    assert path.name in str(caught.value)
    assert caught.value.remedy
    return caught.value.message


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("polarization_array", [-5, -7], r"polarizations [-5, -7], not [-5, -6]"),
        ("polarization_array", [-5, -6, -7, -8], "polarizations"),
        ("Npols", 4, "4 polarizations, not 2"),
        ("Nfreqs", 47, "47 channels, not 48"),
        ("freq_array", np.ones((1, 24)), "24 channels, not 48"),
        ("Nblts", 23, "Nblts is 23, and Ntimes x Nbls is 4 x 6"),
        ("Ntimes", 3, "Nblts is 24, and Ntimes x Nbls is 3 x 6"),
        ("Ntimes", [4, 4], "2 values, not one"),
        ("channel_width", 122070.3125, "channel_width is 122070.3125 Hz"),
        ("latitude", float("nan"), "Header/latitude is nan"),
        ("latitude", 137.0, "on no globe"),
        ("antenna_positions", np.zeros((117, 2)), "antenna_positions has the shape (117, 2)"),
        ("antenna_positions", np.full((117, 3), np.inf), "not finite"),
        ("antenna_diameters", np.full(5, 4.65), "antenna_diameters"),
        ("extra_keywords/phase_center_dec", 54.57, "phase_center_dec is 54.57 rad"),
        ("extra_keywords/phase_center_dec", 0.9, "phase_center_app_dec"),
        ("extra_keywords/ha_phase_center", 0.1, "not the meridian"),
        ("phase_type", "phased", "'phased', not 'drift'"),
        ("time_array", np.full(N_ROWS - 1, 2460954.0), "23 values for 24 rows"),
    ],
)
def test_a_value_that_the_correlator_does_not_write(subband, key, value, message):
    replace(subband, f"Header/{key}", value)
    assert message in refused(subband)


def test_negative_width_is_only_a_direction(subband):
    replace(subband, "Header/channel_width", -244140.625)
    assert read_header(subband).channel_width_hz == 244140.625


@pytest.mark.parametrize("key", ["visdata", "flags", "nsamples"])
def test_the_shape_of_the_data(subband, key):
    with h5py.File(subband, "r+") as file:
        data = file[f"Data/{key}"][:-1]
        del file[f"Data/{key}"]
        file[f"Data/{key}"] = data
    assert f"Data/{key} has the shape (23, 1, 48, 2)" in refused(subband)


def test_data_of_two_shapes(subband):
    with h5py.File(subband, "r+") as file:
        data = file["Data/flags"][:, 0]
        del file["Data/flags"]
        file["Data/flags"] = data
    assert "and Data/visdata" in refused(subband)


@pytest.mark.parametrize(
    ("key", "dtype"),
    [("visdata", np.complex128), ("visdata", [("r", "<i4"), ("i", "<i4")]), ("flags", np.int16), ("nsamples", int)],
)
def test_the_type_of_the_data(subband, key, dtype):
    replace(subband, f"Data/{key}", np.zeros((N_ROWS, 1, 48, 2), dtype))
    assert f"Data/{key} is" in refused(subband)


def test_baseline_major_rows(subband):
    with h5py.File(subband, "r+") as file:
        for key in ("time_array", "ant_1_array", "ant_2_array"):
            column = file[f"Header/{key}"]
            column[:] = column[:].reshape(N_TIMES, -1).T.ravel()
    assert "order of time, then baseline" in refused(subband)


@pytest.mark.parametrize("key", ["ant_1_array", "ant_2_array"])
def test_baselines_that_change_between_integrations(subband, key):
    with h5py.File(subband, "r+") as file:
        file[f"Header/{key}"][N_ROWS - 1] = 5
    assert "change between integrations" in refused(subband)


@pytest.mark.parametrize("moved_s", [-0.002, 0.002, 12.9, -25.8])
def test_times_that_do_not_follow_each_other(subband, moved_s):
    with h5py.File(subband, "r+") as file:
        file["Header/time_array"][2 * len(BASELINES) :] += moved_s / 86400
    assert "follows" in refused(subband)


def test_times_may_be_as_coarse_as_their_float(subband):
    # A Julian Date as a double has 40 us.
    with h5py.File(subband, "r+") as file:
        file["Header/time_array"][2 * len(BASELINES) :] += 80e-6 / 86400
    assert read_header(subband).n_times == N_TIMES


@pytest.mark.parametrize("rows", [slice(None), slice(5, 6)])
def test_integrations_of_another_length(subband, rows):
    with h5py.File(subband, "r+") as file:
        file["Header/integration_time"][rows] = 12.5
    assert "integrations" in refused(subband)


@pytest.mark.parametrize("again", [(23, 98), (98, 23), (23, 23)])
def test_a_baseline_twice(tmp_path, again):
    path = write_subband(path_of(tmp_path, 0), 0, baselines=(*BASELINES, again))
    assert f"antennas 23 and {again[0] + again[1] - 23} occurs 2 times" in refused(path)


def test_an_antenna_that_is_not_in_the_table(tmp_path):
    path = write_subband(path_of(tmp_path, 0), 0, baselines=((0, 0), (0, 117), (117, 117)))
    assert "antenna 117 is not in the header's antenna_numbers" in refused(path, UnknownAntennaError)


def test_a_station_that_the_array_does_not_have(tmp_path):
    path = write_subband(path_of(tmp_path, 0), 0, baselines=((0, 0), (0, 117), (117, 117)))
    for key, value in {
        "antenna_numbers": np.arange(118),
        "antenna_names": np.array([str(i + 1) for i in range(118)], "S4"),
        "antenna_positions": np.zeros((118, 3)),
        "antenna_diameters": np.full(118, 4.65),
    }.items():
        replace(path, f"Header/{key}", value)
    assert "station '118', which the array does not have" in refused(path, UnknownAntennaError)


def test_an_unknown_station_without_baselines_is_no_fault(subband):
    for key, value in {
        "antenna_numbers": np.arange(118),
        "antenna_names": np.array([*(str(i + 1) for i in range(117)), "tent"], "S4"),
        "antenna_positions": np.zeros((118, 3)),
        "antenna_diameters": np.full(118, 4.65),
    }.items():
        replace(subband, f"Header/{key}", value)
    assert read_header(subband).antenna_names[-1] == "tent"


def test_an_antenna_under_another_name(subband):
    replace(subband, "Header/antenna_names", np.array([str(i) for i in range(117)], "S4"))
    assert "antenna 23 is named '23', and should be station 24" in refused(subband, UnknownAntennaError)


def test_a_table_with_too_few_names(subband):
    replace(subband, "Header/antenna_names", np.array(["1", "2"], "S4"))
    assert "2 antenna names for 117 antenna numbers" in refused(subband)


def test_a_table_with_a_number_twice(subband):
    replace(subband, "Header/antenna_numbers", np.r_[np.arange(116), 3])
    assert "number twice" in refused(subband)
