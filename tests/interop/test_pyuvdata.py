"""pyuvdata reads it back, without a warning and without a network."""

import casacore.tables as ct
import h5py
import numpy as np
import pytest
from pyuvdata import UVData

from dsa110_contimg.telescope.stations import load_stations
from interop_group import FREQ_HZ, INTEGRATIONS


@pytest.fixture(scope="module")
def read(observed):
    """Warnings are errors here; UVWs that the antennas' positions do not give are too."""
    return UVData.from_file(str(observed.ms), file_type="ms", strict_uvw_antpos_check=True)


def test_the_telescope_has_all_its_antennas_where_they_stand(read, observed):
    telescope, stations = read.telescope, load_stations()
    assert telescope.name == "OVRO_MMA"
    assert telescope.Nants == 117
    assert list(telescope.antenna_names) == [str(n) for n in range(1, 118)]
    place = np.array([c.to_value("m") for c in telescope.location.geocentric])
    np.testing.assert_allclose(telescope.antenna_positions + place, stations.itrf_m, atol=1e-3)
    latitude, longitude, height = telescope.location_lat_lon_alt_degrees
    np.testing.assert_allclose([latitude, longitude, height], observed.truth["site"], atol=1e-6)


def test_times_are_those_of_the_files(read, observed):
    with h5py.File(next(observed.files.glob("*_sb00.hdf5"))) as file:
        times = np.unique(file["Header/time_array"])
    np.testing.assert_allclose(np.unique(read.time_array), times, rtol=0, atol=1e-9)
    assert read.Ntimes == INTEGRATIONS


def test_channels_ascend_without_a_gap(read):
    np.testing.assert_allclose(read.freq_array, FREQ_HZ, rtol=0, atol=1)
    assert read.Nspws == 1
    assert list(read.polarization_array) == [-5, -6]


def test_phase_centre_is_the_meridian_of_mid_group(read, observed):
    (centre,) = read.phase_center_catalog.values()
    assert (centre["cat_type"], centre["cat_frame"]) == ("sidereal", "icrs")
    place = np.degrees([centre["cat_lon"], centre["cat_lat"]])
    np.testing.assert_allclose(place, observed.truth["meridian"], rtol=0, atol=0.01 / 3600)


def test_data_are_ours_in_the_other_convention(read, observed):
    """Pyuvdata's baselines go from antenna 1 to antenna 2, a Measurement Set's the other way."""
    with ct.table(str(observed.ms), ack=False) as ms:
        names = ("DATA", "FLAG", "UVW", "ANTENNA1", "ANTENNA2")
        data, flags, uvw, ant_1, ant_2 = (ms.getcol(name) for name in names)
    np.testing.assert_array_equal(read.ant_1_array, ant_1)
    np.testing.assert_array_equal(read.ant_2_array, ant_2)
    np.testing.assert_array_equal(read.data_array, np.conj(data))
    np.testing.assert_array_equal(read.flag_array, flags)
    np.testing.assert_allclose(read.uvw_array, -uvw, rtol=0, atol=1e-9)


def test_autocorrelations_are_real(read):
    autos = read.ant_1_array == read.ant_2_array
    assert (read.data_array[autos].imag == 0).all()


def test_turned_back_to_each_integration_it_is_what_the_files_hold(read, observed):
    """Phased by pyuvdata to where the array pointed, the data are the correlator's own."""
    group = read.copy()
    latitude = np.radians(observed.truth["site"][0])
    dec = np.radians(observed.truth["pt_dec_deg"])
    # North of the zenith, as here, the meridian is at azimuth 0.
    group.phase(
        lon=0.0, lat=np.pi / 2 - (dec - latitude), cat_type="driftscan", phase_frame="altaz", cat_name="meridian"
    )
    with h5py.File(next(observed.files.glob("*_sb02.hdf5"))) as file:
        correlator = file["Data/visdata"][:, 0][:, ::-1]
        first, second = file["Header/ant_1_array"][:], file["Header/ant_2_array"][:]
        times = file["Header/time_array"][:]
    swapped = first > second
    correlator[swapped] = np.conj(correlator[swapped])
    order = np.lexsort((np.maximum(first, second), np.minimum(first, second), times))
    here = np.lexsort((group.ant_2_array, group.ant_1_array, group.time_array))
    ours = group.data_array[here][:, 13 * 48 : 14 * 48]
    np.testing.assert_allclose(ours, correlator[order], rtol=0, atol=5e-4 * np.abs(correlator[order]).max())
