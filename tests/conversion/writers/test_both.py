"""The two writers give the same Measurement Set."""

import shutil

import h5py
import numpy as np
import pytest

from dsa110_contimg.errors import IncompleteGroupError, UsageError
from dsa110_contimg.naming import parse_subband_name
from subband_samples import change

SMALL = {"antennas": (24, 103, 11, 116), "integrations": 3}


def subband(path):
    return parse_subband_name(path.name).subband


@pytest.fixture(scope="module")
def group(simulated):
    return simulated(**SMALL)


@pytest.fixture(scope="module")
def spoilt(group, tmp_path_factory):
    """Zeros, non-finite samples and the file's own flags, in three subbands."""
    out = tmp_path_factory.mktemp("spoilt")
    files = [shutil.copy(path, out) for path in group.files]
    rng = np.random.default_rng(4)
    for number, value in ((2, 0), (7, np.nan), (11, complex(np.inf, 1))):
        change(files[number], "visdata", rng.random((30, 1, 48, 2)) < 0.2, value)
    change(files[4], "flags", rng.random((30, 1, 48, 2)) < 0.3, value=True)
    change(files[5], "visdata", slice(10, 20), 0)
    return tuple(files)


@pytest.fixture(scope="module")
def packets_lost(group, tmp_path_factory):
    """A different nsamples in part of the group, none in some of it."""
    out = tmp_path_factory.mktemp("packets")
    files = [shutil.copy(path, out) for path in group.files]
    rng = np.random.default_rng(5)
    for number in (3, 9):
        chosen = rng.random((30, 1, 48, 2)) < 0.5
        change(files[number], "nsamples", chosen, rng.integers(0, 96, int(chosen.sum())))
    return tuple(files)


def same(direct, reference):
    """Compare everything that DESIGN calls the same Measurement Set, and the layout of rows and columns."""
    for name in (
        "TIME",
        "TIME_CENTROID",
        "ANTENNA1",
        "ANTENNA2",
        "FLAG",
        "FLAG_ROW",
        "FIELD_ID",
        "INTERVAL",
        "EXPOSURE",
    ):
        assert np.array_equal(direct.column(name), reference.column(name)), name
    for name in ("SCAN_NUMBER", "DATA_DESC_ID", "STATE_ID", "PROCESSOR_ID", "OBSERVATION_ID", "ARRAY_ID", "FEED1"):
        assert np.array_equal(direct.column(name), reference.column(name)), name
    assert np.abs(direct.column("UVW") - reference.column("UVW")).max() < 1e-3
    data = direct.column("DATA")
    assert np.isfinite(data).all()
    assert np.abs(data - reference.column("DATA")).max() < 1e-5 * np.abs(data).max()
    assert np.abs(data).max() > 1
    for name in ("WEIGHT", "SIGMA"):
        assert direct.column(name) == pytest.approx(reference.column(name), rel=1e-6), name
    assert ("WEIGHT_SPECTRUM" in direct.columns()) == ("WEIGHT_SPECTRUM" in reference.columns())
    if "WEIGHT_SPECTRUM" in direct.columns():
        assert direct.column("WEIGHT_SPECTRUM") == pytest.approx(reference.column("WEIGHT_SPECTRUM"), rel=1e-6)
    for table, name in (
        ("SPECTRAL_WINDOW", "CHAN_FREQ"), ("FIELD", "PHASE_DIR"), ("ANTENNA", "POSITION"), ("FEED", "POL_RESPONSE"),
        ("OBSERVATION", "TIME_RANGE"), ("POLARIZATION", "CORR_TYPE"),
    ):  # fmt: skip
        assert np.array_equal(direct.column(name, table), reference.column(name, table)), name


def both(converted, files, centre="meridian", **options):
    pair = [converted(files, centre, writer=writer, **options) for writer in ("direct-subband", "pyuvdata")]
    same(*pair)
    assert pair[0].outcome.missing == pair[1].outcome.missing
    return pair


@pytest.mark.parametrize("centre", ["meridian", "drift", "85.26,54.9"])
def test_whole_group(group, converted, centre):
    for ms in both(converted, group.files, centre):
        assert ms.outcome.outcome == "complete"
        assert not ms.column("FLAG").any()


def test_southern_declination_and_another_site(simulated, converted):
    group = simulated(dec_deg=-40.0, site=(-30.7, 21.4, 1000.0), **SMALL)
    both(converted, group.files)


def test_missing_subbands(group, converted):
    files = tuple(path for path in group.files if subband(path) not in {0, 6, 15})
    for ms in both(converted, files):
        assert ms.outcome.outcome == "partial"
        assert ms.outcome.missing == (0, 6, 15)
        by_block = ms.column("FLAG").all(axis=(0, 2)).reshape(16, 48)
        # Ascending in frequency: sb15 comes first.
        assert by_block.any(axis=1).nonzero()[0].tolist() == [0, 9, 15]
        assert by_block.all(axis=1).nonzero()[0].tolist() == [0, 9, 15]


def test_zeros_and_what_is_not_finite(spoilt, converted):
    for ms in both(converted, spoilt):
        assert 0.01 < ms.column("FLAG").mean() < 0.2
        assert ms.outcome.outcome == "complete"


def test_packets_lost(packets_lost, converted):
    for ms in both(converted, packets_lost):
        assert "WEIGHT_SPECTRUM" in ms.columns()
        assert np.unique(ms.column("WEIGHT")).size > 2


def test_packets_lost_and_subbands_missing(packets_lost, converted):
    for ms in both(converted, packets_lost[:8] + packets_lost[9:]):
        assert (ms.column("WEIGHT_SPECTRUM").reshape(-1, 16, 48, 2)[:, 15 - 8] == 0).all()


def test_a_subband_of_zeros_is_set_aside(group, tmp_path, converted):
    files = [shutil.copy(path, tmp_path) for path in group.files]
    change(files[3], "visdata", slice(None), 0)
    for ms in both(converted, tuple(files)):
        (item,) = ms.outcome.set_aside
        assert item.outcome == "zero-filled"
        assert item.path == tmp_path / group.files[3].name
        assert ms.outcome.missing == (3,)
        assert ms.column("FLAG")[:, 12 * 48 : 13 * 48].all()
        assert not ms.column("DATA")[:, 12 * 48 : 13 * 48].any()


@pytest.mark.parametrize("writer", ["direct-subband", "pyuvdata"])
def test_too_few_are_left(group, tmp_path, converted, writer):
    files = [shutil.copy(path, tmp_path) for path in group.files[:12]]
    change(files[3], "visdata", slice(None), 0)
    with pytest.raises(IncompleteGroupError, match="only 11 good subbands, fewer than the minimum of 12"):
        converted(tuple(files), writer=writer)


def test_the_reference_does_not_average(group, converted):
    from dsa110_contimg.conversion.plan import Averaging

    with pytest.raises(UsageError, match="does not average"):
        converted(group.files, writer="pyuvdata", averaging=Averaging(2, 1))


def test_files_were_not_touched(group):
    with h5py.File(group.files[3]) as file:
        assert file["Data/visdata"][:].all()
