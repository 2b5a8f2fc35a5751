"""The byte layout of a subband file, against facts recorded from one of the telescope's."""

import h5py
import numpy as np
import pytest

from dsa110_contimg.errors import OutputError, OutputExistsError
from dsa110_contimg.simulation.writer import SubbandData, write_subband
from dsa110_contimg.telescope.band import HEADER_SITE, subband_frequencies_hz

N_BASELINES, N_TIMES = 55, 24
N_ROWS = N_BASELINES * N_TIMES
PATH = "2025-10-05T12:30:02_sb00.hdf5"

# Name: type, shape, maximal shape, chunks.
LAYOUT = {
    "Data/flags": ("bool", (N_ROWS, 1, 48, 2), (None, 1, 48, 2), (256, 1, 24, 1)),
    "Data/nsamples": ("<f4", (N_ROWS, 1, 48, 2), (None, 1, 48, 2), (256, 1, 12, 1)),
    "Data/visdata": ("<c8", (N_ROWS, 1, 48, 2), (None, 1, 48, 2), (128, 1, 12, 1)),
    "Header/Nants_data": ("<i8", (), (), None),
    "Header/Nants_telescope": ("<i8", (), (), None),
    "Header/Nbls": ("<i8", (), (), None),
    "Header/Nblts": ("<i8", (), (), None),
    "Header/Nfreqs": ("<i8", (), (), None),
    "Header/Npols": ("<i8", (), (), None),
    "Header/Nspws": ("<i8", (), (), None),
    "Header/Ntimes": ("<i8", (), (), None),
    "Header/altitude": ("<f8", (), (), None),
    "Header/ant_1_array": ("<i8", (N_ROWS,), (None,), (1024,)),
    "Header/ant_2_array": ("<i8", (N_ROWS,), (None,), (1024,)),
    "Header/antenna_diameters": ("<f8", (117,), (117,), None),
    "Header/antenna_names": ("|S4", (117,), (117,), None),
    "Header/antenna_numbers": ("<i8", (117,), (117,), None),
    "Header/antenna_positions": ("<f8", (117, 3), (117, 3), None),
    "Header/channel_width": ("<f8", (), (), None),
    "Header/extra_keywords/applied_delays_ns": ("|S467", (), (), None),
    "Header/extra_keywords/fs_table": ("|S41", (), (), None),
    "Header/extra_keywords/ha_phase_center": ("<f8", (), (), None),
    "Header/extra_keywords/phase_center_dec": ("<f8", (), (), None),
    "Header/extra_keywords/phase_center_epoch": ("|O", (), (), None),
    "Header/freq_array": ("<f8", (1, 48), (1, 48), None),
    "Header/history": ("|S64", (), (), None),
    "Header/instrument": ("|S3", (), (), None),
    "Header/integration_time": ("<f8", (N_ROWS,), (None,), (1024,)),
    "Header/latitude": ("<f8", (), (), None),
    "Header/longitude": ("<f8", (), (), None),
    "Header/object_name": ("|S6", (), (), None),
    "Header/phase_center_app_dec": ("<f8", (), (), None),
    "Header/phase_type": ("|S5", (), (), None),
    "Header/polarization_array": ("<i8", (2,), (2,), None),
    "Header/spw_array": ("<i8", (1,), (1,), None),
    "Header/telescope_name": ("|S8", (), (), None),
    "Header/time_array": ("<f8", (N_ROWS,), (None,), (1024,)),
    "Header/uvw_array": ("<f4", (N_ROWS, 3), (None, 3), (512, 3)),
}
# Where the chunks of one dataset lie one after the other: byte offset and first chunk of each such stretch. In the
# order in which the integrations touched them.
STRETCHES = [
    (30376, "Header/time_array", (0,)),
    (40664, "Header/integration_time", (0,)),
    (51472, "Header/uvw_array", (0, 0)),
    (59712, "Header/ant_1_array", (0,)),
    (70000, "Header/ant_2_array", (0,)),
    (81848, "Data/visdata", (0, 0, 0, 0)),
    (183808, "Data/flags", (0, 0, 0, 0)),
    (212040, "Data/nsamples", (0, 0, 0, 0)),
    (310344, "Data/visdata", (128, 0, 0, 0)),
    (506952, "Data/flags", (256, 0, 0, 0)),
    (531528, "Data/nsamples", (256, 0, 0, 0)),
    (629832, "Data/visdata", (384, 0, 0, 0)),
    (728136, "Header/uvw_array", (512, 0)),
    (734280, "Data/visdata", (512, 0, 0, 0)),
]
FILE_SIZE = 1960152


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(1)
    first, second = np.tril_indices(10)[::-1]
    shape = (2, N_ROWS, 48)
    return SubbandData(
        jd=2460954.0209 + np.arange(N_TIMES) * 1.5e-4,
        freq_hz=subband_frequencies_hz(0),
        ant_1=first,
        ant_2=second,
        uvw_m=rng.normal(size=(N_BASELINES, 3)).astype(np.float32),
        visibilities=(rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(np.complex64),
        antenna_offsets_m=rng.normal(size=(117, 3)),
        dec_rad=0.9524855140078734,
        site=HEADER_SITE,
        applied_delays_ns=" ".join(["0"] * 234),
        fs_table="fringestopping_table_dec54.6deg_10ant.npz",
        history="x" * 64,
    )


@pytest.fixture(scope="module")
def path(data, tmp_path_factory):
    path = tmp_path_factory.mktemp("written") / PATH
    write_subband(path, data)
    return path


def datasets(file):
    found = {}
    file.visititems(lambda name, item: found.update({name: item}) if isinstance(item, h5py.Dataset) else None)
    return found


def test_datasets_types_shapes_and_chunks(path):
    with h5py.File(path) as file:
        layout = {n: (d.dtype.str, d.shape, d.maxshape, d.chunks) for n, d in datasets(file).items()}
        layout = {n: (t.replace("|b1", "bool"), *rest) for n, (t, *rest) in layout.items()}
    assert layout == LAYOUT


def test_how_they_are_stored(path):
    with h5py.File(path) as file:
        assert file.libver == ("earliest", "v200")
        assert not file.attrs
        for name, dataset in datasets(file).items():
            properties = dataset.id.get_create_plist()
            assert not dataset.attrs, name
            assert properties.get_nfilters() == 0, name
            expected = h5py.h5d.ALLOC_TIME_INCR if dataset.chunks else h5py.h5d.ALLOC_TIME_LATE
            assert properties.get_alloc_time() == expected, name
        epoch = file["Header/extra_keywords/phase_center_epoch"].id.get_type()
        assert epoch.is_variable_str()
        assert epoch.get_cset() == h5py.h5t.CSET_UTF8
        assert file["Header/history"].id.get_type().get_cset() == h5py.h5t.CSET_ASCII


def test_chunks_lie_where_the_correlator_puts_them(path):
    with h5py.File(path) as file:
        chunks = []
        for name, dataset in datasets(file).items():
            infos = [dataset.id.get_chunk_info(k) for k in range(dataset.id.get_num_chunks())] if dataset.chunks else []
            chunks += [(info.byte_offset, name, info.chunk_offset, info.size) for info in infos]
    stretches, end, last = [], None, None
    for offset, name, origin, size in sorted(chunks):
        if name != last or offset != end:
            stretches.append((offset, name, origin))
        last, end = name, offset + size
    assert stretches[: len(STRETCHES)] == STRETCHES
    assert end == path.stat().st_size == FILE_SIZE


def test_what_was_given_is_what_is_read(path, data):
    with h5py.File(path) as file:
        header = file["Header"]
        assert np.array_equal(file["Data/visdata"][:, 0], data.visibilities.transpose(1, 2, 0))
        assert not file["Data/flags"][:].any()
        assert (file["Data/nsamples"][:] == 96).all()
        assert np.array_equal(header["time_array"][:], np.repeat(data.jd, N_BASELINES))
        assert np.array_equal(header["ant_1_array"][:], np.tile(data.ant_1, N_TIMES))
        assert np.array_equal(header["ant_2_array"][:], np.tile(data.ant_2, N_TIMES))
        assert np.array_equal(header["uvw_array"][:], np.tile(data.uvw_m, (N_TIMES, 1)))
        assert np.array_equal(header["freq_array"][0], data.freq_hz)
        assert (header["integration_time"][:] == 12.884902000427246).all()
        assert [header[n][()] for n in ("Nblts", "Nbls", "Ntimes", "Nants_data", "Nfreqs", "Npols", "Nspws")] == [
            1320, 55, 24, 10, 48, 2, 1,
        ]  # fmt: skip
        assert header["polarization_array"][:].tolist() == [-5, -6]
        assert header["antenna_names"][:].tolist() == [str(n).encode() for n in range(1, 118)]
        assert header["antenna_numbers"][:].tolist() == list(range(117))
        assert header["channel_width"][()] == 244140.625
        assert header["telescope_name"][()] == b"OVRO_MMA"
        assert header["phase_type"][()] == b"drift"
        assert header["phase_center_app_dec"][()] == header["extra_keywords/phase_center_dec"][()] == data.dec_rad
        assert header["extra_keywords/phase_center_epoch"].asstr()[()] == "HADEC"


def test_no_incomplete_file_stays(path):
    assert [entry.name for entry in path.parent.iterdir()] == [PATH]


def test_an_existing_file_is_left_alone(tmp_path, data):
    (tmp_path / PATH).write_bytes(b"precious")
    with pytest.raises(OutputExistsError, match=PATH):
        write_subband(tmp_path / PATH, data)
    assert (tmp_path / PATH).read_bytes() == b"precious"


def test_a_directory_that_is_not_there(tmp_path, data):
    with pytest.raises(OutputError, match="cannot be written"):
        write_subband(tmp_path / "absent" / PATH, data)
