"""What a subband file says of itself, read whole."""

import os
from datetime import timedelta

import h5py
import numpy as np
import pytest

from dsa110_contimg.errors import (
    BogusTimeError,
    HeaderKeyError,
    HeaderValueError,
    InputError,
    NamingError,
    OffGridError,
)
from dsa110_contimg.uvh5.header import read_header
from subband_files import (
    BASELINES,
    CHANNEL_MHZ,
    DEC_RAD,
    INTEGRATION_S,
    START,
    frequencies_hz,
    jd,
    path_of,
    replace,
    write_subband,
)

REQUIRED = [
    *("Nblts", "Nbls", "Ntimes", "Nfreqs", "Npols", "time_array", "integration_time", "ant_1_array", "ant_2_array"),
    *("antenna_numbers", "antenna_names", "antenna_positions", "freq_array", "channel_width", "polarization_array"),
    *("latitude", "longitude", "altitude", "extra_keywords/phase_center_dec"),
]
OPTIONAL = [
    *("antenna_diameters", "phase_center_app_dec", "phase_type", "telescope_name", "instrument", "object_name"),
    *("history", "uvw_array", "spw_array", "Nspws", "Nants_data", "Nants_telescope", "extra_keywords/fs_table"),
    *("extra_keywords/applied_delays_ns", "extra_keywords/ha_phase_center", "extra_keywords/phase_center_epoch"),
]


@pytest.fixture
def subband(tmp_path):
    return write_subband(path_of(tmp_path, 3, START + timedelta(seconds=2)), 3, n_times=4)


def test_what_stands_in_the_file(subband):
    header = read_header(subband)
    assert header.path == subband
    assert header.subband == 3
    assert header.name_time == START + timedelta(seconds=2)
    expected_jd = [jd(START + timedelta(seconds=INTEGRATION_S * (i + 0.5))) for i in range(4)]
    assert (header.times_mjd + 2400000.5 == expected_jd).all()  # to the bit
    assert header.start_mjd == pytest.approx(jd(START) - 2400000.5, abs=1e-9)
    assert header.integration_s == INTEGRATION_S
    assert list(zip(header.ant_1, header.ant_2, strict=True)) == list(BASELINES)
    assert (header.n_times, header.n_baselines) == (4, len(BASELINES))
    assert (header.freq_hz == frequencies_hz(3)).all()
    assert header.channel_width_hz == CHANNEL_MHZ * 1e6
    assert not header.ascending
    assert header.dec_rad == DEC_RAD
    assert header.site == (37.2334051, -118.283, 1188.0519)
    assert header.antenna_names == tuple(str(i) for i in range(1, 118))
    assert (header.antenna_numbers == np.arange(117)).all()
    assert (header.diameters_m == 4.65).all()
    assert header.polarizations.tolist() == [-5, -6]
    assert header.data_shape == (24, 1, 48, 2)
    assert header.applied_delays_ns.split() == ["0"] * 234
    assert (header.telescope_name, header.instrument) == ("OVRO_MMA", "DSA")
    assert (header.object_name, header.history) == ("search", "written by a test")


def test_positions_are_absolute(subband):
    # Geocentre to antenna 0, which stands on the site (WGS84: 6369.9 km at this latitude and height).
    header = read_header(subband)
    assert np.linalg.norm(header.antenna_itrf_m[0]) == pytest.approx(6371.5e3, abs=2e3)
    assert np.degrees(np.arctan2(header.antenna_itrf_m[0, 1], header.antenna_itrf_m[0, 0])) == pytest.approx(-118.283)
    np.testing.assert_allclose(header.antenna_itrf_m[7] - header.antenna_itrf_m[0], [35, -21, 0], atol=1e-8)


def test_the_stamp_is_the_files_own(subband):
    header, status = read_header(subband), subband.stat()
    assert (header.size_bytes, header.mtime_ns, header.inode) == (status.st_size, status.st_mtime_ns, status.st_ino)


def test_arrays_cannot_be_changed(subband):
    header = read_header(subband)
    with pytest.raises(ValueError, match="read-only"):
        header.times_mjd[0] = 0


@pytest.mark.parametrize("key", REQUIRED)
def test_a_missing_required_key_is_named(subband, key):
    replace(subband, f"Header/{key}", None)
    with pytest.raises(HeaderKeyError, match=rf"Header/{key} is missing: .*{subband.name}\. Copy it again"):
        read_header(subband)


@pytest.mark.parametrize("key", ["visdata", "flags", "nsamples"])
def test_missing_data_are_named(subband, key):
    replace(subband, f"Data/{key}", None)
    with pytest.raises(HeaderKeyError, match=f"Data/{key} is missing"):
        read_header(subband)


def test_a_header_without_anything(subband):
    replace(subband, "Header", None)
    with pytest.raises(HeaderKeyError):
        read_header(subband)


def test_old_files_lack_keys(subband):
    for key in OPTIONAL:
        replace(subband, f"Header/{key}", None)
    header = read_header(subband)
    assert (header.diameters_m == 4.65).all()
    assert header.applied_delays_ns == header.telescope_name == header.history == ""


def test_later_uvh5(subband):
    # No axis of spectral windows, widths as an array, names of variable length, 4-byte integers.
    with h5py.File(subband, "r+") as file:
        for key in ("visdata", "flags", "nsamples"):
            data = file[f"Data/{key}"][:, 0]
            del file[f"Data/{key}"]
            file[f"Data/{key}"] = data
        header = file["Header"]
        for key, value in {
            "freq_array": frequencies_hz(3),
            "channel_width": np.full(48, CHANNEL_MHZ * 1e6),
            "antenna_names": [str(i + 1) for i in range(117)],
            "ant_1_array": header["ant_1_array"][:].astype(np.int32),
        }.items():
            del header[key]
            header[key] = value
        header["version"] = "1.2"
    header = read_header(subband)
    assert header.data_shape == (24, 48, 2)
    assert header.antenna_names[116] == "117"
    assert header.ant_1.dtype == np.int64
    assert header.channel_width_hz == CHANNEL_MHZ * 1e6


def test_ascending_channels_are_recorded(subband):
    replace(subband, "Header/freq_array", frequencies_hz(3)[::-1][None])
    assert read_header(subband).ascending


def test_one_integration(tmp_path):
    assert read_header(write_subband(path_of(tmp_path, 0), 0, n_times=1)).n_times == 1


def test_chunks_that_were_never_written_are_zeros_not_damage(subband):
    with h5py.File(subband, "r+") as file:
        del file["Data/visdata"]
        file["Data"].create_dataset("visdata", (24, 1, 48, 2), np.complex64, chunks=(8, 1, 12, 1))
    assert read_header(subband).n_times == 4


@pytest.mark.parametrize("kind", ["text for a number", "number for a text", "group", "empty", "floats for integers"])
def test_datasets_of_another_kind(subband, kind):
    key, value = {
        "text for a number": ("latitude", "37 N"),
        "number for a text": ("antenna_names", np.arange(117)),
        "empty": ("time_array", np.empty(0)),
        "floats for integers": ("ant_1_array", np.zeros(24)),
        "group": ("history", None),
    }[kind]
    replace(subband, f"Header/{key}", value)
    if kind == "group":
        with h5py.File(subband, "r+") as file:
            file["Header"].create_group(key)
    with pytest.raises(InputError, match=subband.name) as caught:
        read_header(subband)
    assert caught.value.remedy


def test_a_header_that_claims_gigabytes_is_not_read(subband):
    with h5py.File(subband, "r+") as file:
        del file["Header/history"], file["Header/time_array"]
        file["Header"].create_dataset("history", (), "S2000000000")  # nothing is stored until it is written
        file["Header"].create_dataset("time_array", (10**12,), float, chunks=(1024,))
    with pytest.raises(HeaderValueError, match="Header/time_array is float64"):
        read_header(subband)
    replace(subband, "Header/time_array", np.zeros(24))
    with pytest.raises(HeaderValueError, match=r"Header/history is .S2000000000"):
        read_header(subband)


def test_the_time_in_the_name_is_checked(subband):
    late = subband.rename(path_of(subband.parent, 3, START + timedelta(seconds=150)))
    with pytest.raises(BogusTimeError):
        read_header(late)


def test_the_subband_in_the_name_is_checked(subband):
    with pytest.raises(OffGridError):
        read_header(subband.rename(path_of(subband.parent, 4)))


def test_a_channel_off_the_grid(subband):
    # The first and the last are where they should be, and each is next to its neighbour within the tolerance.
    replace(subband, "Header/freq_array", (frequencies_hz(3) + 1500.0)[None])
    with pytest.raises(OffGridError):
        read_header(subband)


def test_a_middle_channel_off_the_grid(subband):
    freq_hz = frequencies_hz(3)
    freq_hz[20] += 5e3
    replace(subband, "Header/freq_array", freq_hz[None])
    with pytest.raises(HeaderValueError, match="not contiguous"):
        read_header(subband)


def test_no_name_of_a_subband_file(tmp_path):
    with pytest.raises(NamingError):
        read_header(tmp_path / "data.hdf5")


def test_a_cut_file_raises_nothing_raw(tmp_path):
    path = write_subband(path_of(tmp_path, 0), 0)
    size = path.stat().st_size
    for length in range(size, 0, -size // 50):
        if length < size:
            os.truncate(path, length)
            with pytest.raises(InputError):
                read_header(path)
