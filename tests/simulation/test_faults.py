"""Faults: how they are written, and what each does to a file."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsa110_contimg.errors import UsageError
from dsa110_contimg.simulation.faults import Fault, FaultKind, faulty_files, parse_faults, spoil_file
from dsa110_contimg.simulation.writer import SubbandData
from dsa110_contimg.telescope.band import HEADER_SITE, subband_frequencies_hz

NAME_TIME = datetime(2025, 10, 5, 12, 30, 1, tzinfo=UTC)
PREVIOUS_JD = 2460954.0173


@pytest.fixture
def data():
    rng = np.random.default_rng(1)
    first, second = np.tril_indices(3)[::-1]
    return SubbandData(
        jd=2460954.0209 + np.arange(6) * 1.5e-4,
        freq_hz=subband_frequencies_hz(2),
        ant_1=first,
        ant_2=second,
        uvw_m=rng.normal(size=(6, 3)).astype(np.float32),
        visibilities=rng.normal(size=(2, 36, 48)).astype(np.complex64),
        antenna_offsets_m=np.zeros((117, 3)),
        dec_rad=0.95,
        site=HEADER_SITE,
        applied_delays_ns="0 0",
        fs_table="",
        history="",
    )


def faulty(data, *kinds):
    return faulty_files(NAME_TIME, data, set(kinds), PREVIOUS_JD)


@given(
    st.lists(
        st.builds(Fault, st.sampled_from(FaultKind), st.integers(0, 15), st.none() | st.integers(0, 300)), max_size=5
    )
)
def test_what_is_written_is_what_is_read(faults):
    assert parse_faults(",".join(map(str, faults))) == tuple(faults)


def test_a_list():
    assert parse_faults("missing:3, truncated:5@1,") == (
        Fault(FaultKind.MISSING, 3),
        Fault(FaultKind.TRUNCATED, 5, 1),
    )


@pytest.mark.parametrize(
    "text", ["missing", "missing:", "lost:3", "missing:16", "missing:3@", "missing:3@x", "Missing:3"]
)
def test_what_is_not_a_fault(text):
    with pytest.raises(UsageError):
        parse_faults(text)


def test_no_fault(data):
    ((time, contents),) = faulty(data)
    assert time == NAME_TIME
    assert contents is data


def test_missing(data):
    assert faulty(data, FaultKind.MISSING, FaultKind.DUPLICATE) == []


def test_short(data):
    ((_, short),) = faulty(data, FaultKind.SHORT)
    assert short.jd.size == 3
    assert np.array_equal(short.visibilities, data.visibilities[:, :18])


def test_zeroed_and_lost_packets(data):
    ((_, lost),) = faulty(data, FaultKind.LOST_PACKETS)
    zero = (lost.visibilities.reshape(2, 6, -1) == 0).all(axis=(0, 2))
    assert zero.tolist() == [False, False, True, True, False, False]
    ((_, zeroed),) = faulty(data, FaultKind.ZEROED)
    assert not zeroed.visibilities.any()


def test_duplicate_and_conflict(data):
    one, same = faulty(data, FaultKind.DUPLICATE)
    assert same.name_time == one.name_time + timedelta(seconds=1)
    assert np.array_equal(same.data.visibilities, one.data.visibilities)
    one, other = faulty(data, FaultKind.CONFLICT)
    assert other.name_time == one.name_time + timedelta(seconds=1)
    assert not np.array_equal(other.data.visibilities, one.data.visibilities)


def test_times_that_are_wrong(data):
    ((_, bogus),) = faulty(data, FaultKind.BOGUS_TIME)
    assert bogus.jd[0] - 2400000.5 == 55000.0
    ((_, restarted),) = faulty(data, FaultKind.RESTARTED)
    assert restarted.jd[0] == PREVIOUS_JD
    for wrong in (bogus, restarted):
        assert np.diff(wrong.jd) == pytest.approx(np.diff(data.jd), abs=1e-9)


def test_mismatched_order_moves_whole_rows(data):
    ((_, other),) = faulty(data, FaultKind.MISMATCHED_ORDER)
    assert not np.array_equal(other.ant_1, data.ant_1)
    rows = {pair: k for k, pair in enumerate(zip(data.ant_1, data.ant_2, strict=True))}
    order = [rows[pair] for pair in zip(other.ant_1, other.ant_2, strict=True)]
    assert sorted(order) == list(range(6))
    by_time = data.visibilities.reshape(2, 6, 6, 48)
    assert np.array_equal(other.visibilities.reshape(2, 6, 6, 48), by_time[:, :, order])
    assert np.array_equal(other.uvw_m, data.uvw_m[order])


def test_off_grid_is_a_file_more(data):
    good, stranger = faulty(data, FaultKind.OFF_GRID)
    assert good.data is data
    assert stranger.data.freq_hz[0] == 1426.1e6
    assert np.diff(stranger.data.freq_hz) == pytest.approx(np.diff(data.freq_hz))


def test_headers_that_disagree(data):
    ((_, stale),) = faulty(data, FaultKind.DECLINATION)
    assert np.degrees(data.dec_rad - stale.dec_rad) == pytest.approx(0.5)
    ((_, delayed),) = faulty(data, FaultKind.DELAYS)
    assert delayed.applied_delays_ns == "7 0"


def test_a_late_name(data):
    ((time, contents),) = faulty(data, FaultKind.LATE_NAME)
    assert time == NAME_TIME + timedelta(minutes=1)
    assert contents is data


@pytest.mark.parametrize(
    ("kind", "name", "size"),
    [
        (FaultKind.TRUNCATED, "2025-10-05T12:30:01_sb02.hdf5", 60),
        (FaultKind.INCOMPLETE, "2025-10-05T12:30:01_sb02_incomplete.hdf5", 100),
        (FaultKind.HIDDEN, ".2025-10-05T12:30:01_sb02.hdf5.dSa110", 100),
    ],
)
def test_what_happens_to_a_written_file(tmp_path, kind, name, size):
    path = tmp_path / "2025-10-05T12:30:01_sb02.hdf5"
    path.write_bytes(bytes(100))
    spoiled = spoil_file(path, {kind})
    assert [entry.name for entry in tmp_path.iterdir()] == [spoiled.name] == [name]
    assert spoiled.stat().st_size == size
