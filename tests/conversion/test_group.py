"""One group from files to a published Measurement Set, or to an error that leaves nothing."""

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import casacore.tables as ct
import numpy as np
import pytest

from dsa110_contimg.conversion import convert_group, find_groups, write_ms_from_subbands
from dsa110_contimg.conversion.group import ConversionOptions, is_good_ms
from dsa110_contimg.conversion.provenance import read_provenance
from dsa110_contimg.errors import (
    DiskFullError,
    DuplicateSubbandError,
    IncompleteGroupError,
    NamingError,
    OutputError,
    OutputExistsError,
    UsageError,
)
from dsa110_contimg.ms.checks import check_ms
from dsa110_contimg.telescope.stations import WORKING_STATIONS, Stations, load_stations
from small_disk import another_disk, mounted

GROUP = "20251005T123000.ms"


@pytest.fixture(scope="module")
def group(simulated):
    return simulated(antennas=(24, 103, 11), integrations=3)


@pytest.fixture(scope="module")
def found(group):
    (only,) = find_groups(group.files[0].parent).groups
    return only


def left(directory):
    return sorted(entry.name for entry in directory.iterdir())


def test_a_good_group(found, group, tmp_path):
    done = convert_group(found, tmp_path)
    assert (done.group, done.outcome, done.missing, done.set_aside) == ("2025-10-05T12:30:00", "complete", (), ())
    assert done.ms == tmp_path / GROUP
    assert left(tmp_path) == [GROUP]
    assert done.bytes_in == sum(path.stat().st_size for path in group.files)
    assert done.bytes_out == sum(file.stat().st_size for file in done.ms.rglob("*") if file.is_file())
    assert done.seconds > 0
    assert check_ms(done.ms).n_rows == 18


def test_what_the_tables_say(found, group, tmp_path):
    """What comes from the headers, end to end."""
    path = convert_group(found, tmp_path).ms
    with ct.table(f"{path}::ANTENNA", ack=False) as antenna:
        assert antenna.nrows() == 117
        assert antenna.getcol("POSITION") == pytest.approx(load_stations().itrf_m, abs=1e-6)
    with ct.table(f"{path}::FIELD", ack=False) as field:
        assert field.getcol("NAME") == ["meridian_20251005T123000"]
    with ct.table(f"{path}::OBSERVATION", ack=False) as observation:
        assert observation.getcol("TELESCOPE_NAME") == ["OVRO_MMA"]
        start, end = observation.getcell("TIME_RANGE", 0)
        assert start == pytest.approx((group.mjd[0]) * 86400 - 6.4424, abs=1e-3)
        assert end - start == pytest.approx(3 * 12.884902, abs=1e-3)
    with ct.table(f"{path}::SPECTRAL_WINDOW", ack=False) as window:
        freq_hz = window.getcell("CHAN_FREQ", 0)
        assert freq_hz[0] == pytest.approx(1311.387329e6, abs=0.5)
        assert freq_hz[-1] == pytest.approx(1498.643188e6, abs=0.5)
        assert (np.diff(freq_hz) == 244140.625).all()
        assert (window.getcell("CHAN_WIDTH", 0) == 244140.625).all()
    with ct.table(str(path), ack=False) as ms:
        antenna1, antenna2 = ms.getcol("ANTENNA1"), ms.getcol("ANTENNA2")
        assert set(antenna1) | set(antenna2) == {23, 102, 10}
        assert (antenna1 <= antenna2).all()
        pairs = list(zip(antenna1[:6].tolist(), antenna2[:6].tolist(), strict=True))
        assert pairs == sorted(pairs)
        assert (np.diff(ms.getcol("TIME")) >= 0).all()


def test_channels_come_from_their_subbands(group, tmp_path, converted):
    """Were two subbands exchanged, or one upside down, spectra would have steps."""
    data = converted(group.files).column("DATA")
    row = np.abs(data[np.flatnonzero(converted(group.files).column("ANTENNA1") == 10)[0], :, 0])
    steps = np.abs(np.diff(row))
    assert steps[47::48].max() < 3 * np.median(steps) + 1e-6


# -- products that are there already -----------------------------------------------------------------------------------


def stamp(path):
    return {file: (file.stat().st_mtime_ns, file.stat().st_ino) for file in path.rglob("*")}


def test_a_good_one_is_left_alone(found, tmp_path):
    first = convert_group(found, tmp_path)
    before = stamp(first.ms)
    again = convert_group(found, tmp_path)
    assert again.outcome == "exists"
    assert again.ms == first.ms
    assert stamp(first.ms) == before


def test_overwrite(found, tmp_path):
    first = convert_group(found, tmp_path)
    with ct.table(str(first.ms), readonly=False, ack=False) as ms:
        ms.putcol("DATA", np.zeros_like(ms.getcol("DATA")))
    again = convert_group(found, tmp_path, ConversionOptions(overwrite=True))
    assert again.outcome == "complete"
    with ct.table(str(first.ms), ack=False) as ms:
        assert ms.getcol("DATA").all()
    assert left(tmp_path) == [GROUP]


@pytest.mark.parametrize("how", ["cut", "subtable", "headless", "empty"])
def test_a_broken_one_is_replaced(found, tmp_path, how, caplog):
    final = tmp_path / GROUP
    if how == "empty":
        final.mkdir()
    else:
        convert_group(found, tmp_path)
        if how == "cut":
            os.truncate(max(final.glob("*TSM0"), key=lambda file: file.stat().st_size), 1000)
        elif how == "headless":
            (final / "table.dat").unlink()
        else:
            shutil.rmtree(final / "FIELD")
    caplog.clear()
    assert not is_good_ms(final)
    assert convert_group(found, tmp_path).outcome == "complete"
    assert is_good_ms(final)
    assert left(tmp_path) == [GROUP]
    assert "Convert the group again" in caplog.text


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("kind", ["directory", "file", "link"])
def test_what_is_no_measurement_set_is_never_replaced(group, tmp_path, kind, overwrite):
    """A slip of the hand must not cost a directory of other things."""
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis.tex").write_text("all of it")
    target = tmp_path / "precious"
    if kind == "file":
        target = tmp_path / "precious" / "thesis.tex"
    elif kind == "link":
        target = tmp_path / "link"
        target.symlink_to(tmp_path / "precious")
    with pytest.raises(OutputExistsError, match="something that is no Measurement Set is there"):
        write_ms_from_subbands(group.files, target, ConversionOptions(overwrite=overwrite))
    assert (tmp_path / "precious" / "thesis.tex").read_text() == "all of it"


def test_many_at_once(found, tmp_path):
    """Eight threads, one product; each is told of it, and nothing else stays."""
    with ThreadPoolExecutor(8) as pool:
        outcomes = [done.outcome for done in pool.map(lambda _: convert_group(found, tmp_path), range(8))]
    assert outcomes.count("complete") == 1
    assert outcomes.count("exists") == 7
    assert left(tmp_path) == [GROUP]
    assert is_good_ms(tmp_path / GROUP)


# -- scratch -----------------------------------------------------------------------------------------------------------


def test_scratch_on_the_same_disk(found, tmp_path):
    done = convert_group(found, tmp_path / "ms", ConversionOptions(scratch=tmp_path / "scratch"))
    assert left(tmp_path / "ms") == [GROUP]
    assert left(tmp_path / "scratch") == []
    assert is_good_ms(done.ms)


def test_scratch_on_another_disk(found, tmp_path, group, converted):
    from dsa110_contimg.storage.publish import partial_directory

    with partial_directory(another_disk(tmp_path), found.id) as scratch:
        done = convert_group(found, tmp_path / "ms", ConversionOptions(scratch=scratch))
        assert left(scratch) == []
    with ct.table(str(done.ms), ack=False) as ms:
        assert np.array_equal(ms.getcol("DATA"), converted(group.files).column("DATA"))


# -- disks that are full, or may not be written ------------------------------------------------------------------------


@pytest.mark.parametrize("writer", ["direct-subband", "pyuvdata"])
def test_a_full_disk(found, tmp_path, writer):
    """Full at any moment: an error that says so, and nothing left; with room enough, a Measurement Set."""
    outcomes = []
    few, many = (400, 4600, 8000), (16, 400, 1000, 3000, 4200, 4300, 4400, 4500, 4600, 4800, 8000)
    for size_kb in few if writer == "pyuvdata" else many:
        with mounted(tmp_path / "disk", f"{size_kb}k") as disk:
            try:
                outcomes.append(convert_group(found, disk, ConversionOptions(writer=writer)).outcome)
                assert is_good_ms(disk / GROUP)
            except OutputError as error:
                outcomes.append(type(error))
                assert left(disk) == []
    assert outcomes[-1] == "complete"
    assert set(outcomes) == {DiskFullError, "complete"}


def test_a_disk_that_others_fill_meanwhile(found, tmp_path):
    """There is room for the tables that are written last: casacore would end the process without."""
    with mounted(tmp_path / "disk", "16m") as disk:

        def fill(nbytes):
            with open(disk / "others", "ab", buffering=0) as others, suppress(OSError):  # noqa: PTH123
                while True:
                    others.write(bytes(65536))

        done = convert_group(found, disk, progress=fill)
        assert is_good_ms(done.ms)
        assert left(disk) == [GROUP, "others"]


def test_a_full_disk_after_scratch(found, tmp_path):
    with mounted(tmp_path / "disk", "300k") as disk:
        with pytest.raises(DiskFullError):
            convert_group(found, disk, ConversionOptions(scratch=tmp_path / "scratch"))
        assert left(disk) == []
    assert left(tmp_path / "scratch") == []


def test_a_read_only_disk(found, tmp_path):
    with mounted(tmp_path / "disk", "4m") as disk:
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        with pytest.raises(OutputError, match="cannot be written"):
            convert_group(found, disk)


# -- files by name -----------------------------------------------------------------------------------------------------


def test_files_in_any_order(group, tmp_path, converted):
    files = np.random.default_rng(1).permutation([str(path) for path in group.files]).tolist()
    done = write_ms_from_subbands(files, str(tmp_path / "deeper" / "my own name.ms"))
    assert done.ms == tmp_path / "deeper" / "my own name.ms"
    with ct.table(str(done.ms), ack=False) as ms:
        assert np.array_equal(ms.getcol("DATA"), converted(group.files).column("DATA"))


def test_two_files_for_a_subband(group, tmp_path):
    twin = shutil.copy(group.files[3], tmp_path / group.files[3].name.replace("12:30:00", "12:30:01"))
    with pytest.raises(DuplicateSubbandError, match="a second file for subband 3"):
        write_ms_from_subbands([*group.files, twin], tmp_path / "a.ms")


def test_files_that_are_none(tmp_path):
    with pytest.raises(NamingError):
        write_ms_from_subbands([tmp_path / "data.hdf5"], tmp_path / "a.ms")
    with pytest.raises(IncompleteGroupError):
        write_ms_from_subbands([], tmp_path / "a.ms")
    assert left(tmp_path) == []


def test_one_is_there(group, tmp_path):
    write_ms_from_subbands(group.files, tmp_path / "a.ms")
    with pytest.raises(OutputExistsError, match="is there already"):
        write_ms_from_subbands(group.files, tmp_path / "a.ms")
    write_ms_from_subbands(group.files, tmp_path / "a.ms", ConversionOptions(overwrite=True))


def test_an_unknown_writer(group, tmp_path):
    with pytest.raises(UsageError, match=r"no writer 'concat'.*direct-subband, pyuvdata"):
        write_ms_from_subbands(group.files, tmp_path / "a.ms", ConversionOptions(writer="concat"))
    assert left(tmp_path) == []


def test_the_minimum(group, tmp_path):
    with pytest.raises(IncompleteGroupError, match="only 11 of 16 subbands are good, fewer than the minimum of 12"):
        write_ms_from_subbands(group.files[:11], tmp_path / "a.ms")
    done = write_ms_from_subbands(group.files[:2], tmp_path / "a.ms", ConversionOptions(min_subbands=1))
    assert done.outcome == "partial"
    assert done.missing == tuple(range(2, 16))
    assert done.as_dict()["missing"] == list(range(2, 16))


def test_a_bad_file_is_set_aside_by_name(group, tmp_path):
    files = [shutil.copy(path, tmp_path) for path in group.files]
    os.truncate(files[6], 5000)
    (tmp_path / "out").mkdir()
    done = write_ms_from_subbands(files, tmp_path / "out" / "a.ms")
    (item,) = done.set_aside
    assert str(item.path) == str(files[6])
    assert item.outcome == "truncated"
    assert done.missing == (6,)
    assert read_provenance(done.ms)["set_aside"][0]["outcome"] == "truncated"


# -- other positions ---------------------------------------------------------------------------------------------------


def test_positions_that_are_given(group, tmp_path, converted):
    """A station that stands a metre further up: the baselines to it are longer in the Measurement Set."""
    table = load_stations()
    moved = table.itrf_m.copy()
    moved[102] *= 1 + 1 / np.linalg.norm(moved[102])
    options = ConversionOptions(stations=Stations(table.numbers, moved))
    path = write_ms_from_subbands(group.files, tmp_path / "a.ms", options).ms
    with ct.table(f"{path}::ANTENNA", ack=False) as antenna:
        assert np.array_equal(antenna.getcol("POSITION"), moved)
    before = converted(group.files)
    with ct.table(str(path), ack=False) as ms:
        change_m = np.linalg.norm(ms.getcol("UVW") - before.column("UVW"), axis=1)
    one_end = (before.column("ANTENNA1") == 102) != (before.column("ANTENNA2") == 102)
    assert change_m[one_end] == pytest.approx(1.0, abs=1e-6)
    assert change_m[~one_end] == pytest.approx(0.0, abs=1e-6)


def test_positions_of_too_few(group, tmp_path):
    table = load_stations()
    few = np.array([n for n in WORKING_STATIONS if n != 103])
    options = ConversionOptions(stations=Stations(few, table.itrf_m[few - 1]))
    with pytest.raises(UsageError, match="no position for station 103 in the given table"):
        write_ms_from_subbands(group.files, tmp_path / "a.ms", options)
