"""Every kind of bad file, through the command line: named with what to do about it, and no other group suffers.

One directory has a group for each kind, its other fifteen files good, and one run converts them all.
"""

import os
import shutil
from datetime import timedelta
from typing import NamedTuple

import h5py
import numpy as np
import pytest

from convert_process import fingerprints, partials, report, run_convert
from dsa110_contimg.ms.checks import check_ms
from subband_files import BASELINES, GROUP_S, START, frequencies_hz, path_of, replace, write_group
from subband_files import write_subband as write

BAD = 6
"""The subband whose file is bad."""
N_TIMES = 4


class Kind(NamedTuple):
    """What is done to one file of a group, and what is said of it."""

    spoil: object
    outcome: str
    says: str = ""


def change(key, function):
    """Put function(value) in the place of a dataset."""

    def spoil(path, start):
        with h5py.File(path, "r") as file:
            value = file[key][()]
        replace(path, key, function(value))

    return spoil


def not_hdf5(path, start):
    path.write_text("It is a text.\n" * 1000)


def empty(path, start):
    path.write_bytes(b"")


def truncated(path, start):
    os.truncate(path, path.stat().st_size * 3 // 5)


def no_header_key(path, start):
    replace(path, "Header/time_array", None)


def other_pols(path, start):
    replace(path, "Header/polarization_array", np.array([-1, -2]))


def channel_count(path, start):
    replace(path, "Header/freq_array", frequencies_hz(BAD)[None, :47])


def axes(path, start):
    path.unlink()
    write(path, BAD, start, n_times=N_TIMES, baselines=(*BASELINES[1:], BASELINES[0]))


def bogus_time(path, start):
    path.unlink()
    at_55000 = START.replace(year=2009, month=6, day=18, hour=0, minute=0)
    write(path, BAD, at_55000, n_times=N_TIMES)


def time_of_another_day(path, start):
    path.unlink()
    write(path, BAD, start - timedelta(days=1), n_times=N_TIMES)


def unknown_antenna(path, start):
    path.unlink()
    write(path, BAD, start, n_times=N_TIMES, baselines=(*BASELINES[:5], (200, 200)))


def off_grid(path, start):
    replace(path, "Header/freq_array", (frequencies_hz(BAD) - frequencies_hz(BAD)[0] + 1426.1e6)[None])


def short(path, start):
    path.unlink()
    write(path, BAD, start, n_times=N_TIMES // 2)


def zeros(path, start):
    with h5py.File(path, "r+") as file:
        file["Data/visdata"][:] = 0


def other_copy(path, start):
    write(path_of(path.parent, BAD, start + timedelta(seconds=2)), BAD, start, n_times=N_TIMES, seed=99)


def equal_copy(path, start):
    shutil.copy(path, path_of(path.parent, BAD, start + timedelta(seconds=2)))


def a_directory(path, start):
    path.unlink()
    path.mkdir()


KINDS = {
    "not HDF5": Kind(not_hdf5, "not-hdf5"),
    "empty": Kind(empty, "truncated", "0 bytes"),
    "truncated": Kind(truncated, "truncated"),
    "missing header key": Kind(no_header_key, "missing-header-key", "time_array"),
    "wrong polarizations": Kind(other_pols, "bad-header-value", "polarization"),
    "wrong channel count": Kind(channel_count, "bad-header-value", "47"),
    "other axes": Kind(axes, "mismatched-axes"),
    "MJD 55000": Kind(bogus_time, "bogus-time", "55000"),
    "a day before its name": Kind(time_of_another_day, "bogus-time"),
    "unknown antenna": Kind(unknown_antenna, "unknown-antenna", "200"),
    "off the grid": Kind(off_grid, "off-grid", "1426.1"),
    "short": Kind(short, "short"),
    "zeros": Kind(zeros, "zero-filled"),
    "two that differ": Kind(other_copy, "duplicate"),
    "a directory": Kind(a_directory, "unreadable"),
}


class Converted(NamedTuple):
    """A run over all kinds: the groups' starts, the files' state before and after, and what was said."""

    incoming: object
    products: object
    starts: dict
    before: dict
    done: object


def group_of(start):
    return f"{start + timedelta(milliseconds=500):%Y-%m-%dT%H:%M:%S}"


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    directory = tmp_path_factory.mktemp("bad")
    incoming, products = directory / "incoming", directory / "ms"
    starts = {}
    for number, name in enumerate([*KINDS, "good", "equal copies"]):
        starts[name] = start = START + timedelta(seconds=number * GROUP_S)
        write_group(incoming, start, n_times=N_TIMES)
        if name in KINDS:
            KINDS[name].spoil(path_of(incoming, BAD, start), start)
    equal_copy(path_of(incoming, BAD, starts["equal copies"]), starts["equal copies"])
    before = fingerprints(incoming)
    return Converted(incoming, products, starts, before, run_convert(incoming, products, "--json"))


def found(converted, name):
    """Return the report of a kind's group."""
    (group,) = [g for g in report(converted.done)["groups"] if g["group"] == group_of(converted.starts[name])]
    return group


def test_partial_groups_are_no_failure(converted):
    assert converted.done.returncode == 0, converted.done.stderr


def test_every_group_is_converted_and_nothing_else(converted):
    groups = [group["group"] for group in report(converted.done)["groups"]]
    assert groups == [group_of(start) for start in converted.starts.values()]
    names = [f"{start + timedelta(milliseconds=500):%Y%m%dT%H%M%S}.ms" for start in converted.starts.values()]
    assert sorted(path.name for path in converted.products.iterdir()) == names
    for name in names:
        check_ms(converted.products / name)


def test_inputs_are_as_they_were(converted):
    assert fingerprints(converted.incoming) == converted.before


@pytest.mark.parametrize("name", KINDS)
def test_bad_file_is_named_with_its_fault_and_a_remedy(converted, name):
    kind, path = KINDS[name], path_of(converted.incoming, BAD, converted.starts[name])
    items = [item for item in report(converted.done)["set_aside"] if item["path"] == str(path)]
    items += [item for item in found(converted, name)["set_aside"] if item["path"] == str(path)]
    assert items
    assert {item["outcome"] for item in items} == {kind.outcome}
    assert all(kind.says in item["reason"] for item in items)
    assert all(item["remedy"] for item in items)


@pytest.mark.parametrize("name", KINDS)
def test_log_names_the_file_and_the_remedy(converted, name):
    path = path_of(converted.incoming, BAD, converted.starts[name])
    lines = [line for line in converted.done.stderr.splitlines() if str(path) in line]
    assert lines
    (item,) = [item for item in found(converted, name)["set_aside"] if item["path"] == str(path)]
    assert any(KINDS[name].outcome in line and line.endswith(item["remedy"]) for line in lines)


@pytest.mark.parametrize("name", KINDS)
def test_the_rest_of_the_group_is_converted(converted, name):
    group = found(converted, name)
    assert (group["outcome"], group["missing"]) == ("partial", [BAD])


@pytest.mark.parametrize("name", ["good", "equal copies"])
def test_good_groups_are_complete(converted, name):
    group = found(converted, name)
    assert (group["outcome"], group["missing"]) == ("complete", [])


def test_group_with_too_few_good_files_fails_alone(tmp_path):
    incoming, products = tmp_path / "incoming", tmp_path / "ms"
    later = START + timedelta(seconds=GROUP_S)
    for start in (START, later):
        write_group(incoming, start)
    for subband in range(5):
        os.truncate(path_of(incoming, subband), 5000)
    done = run_convert(incoming, products, "--json")
    assert done.returncode == 1
    bad, good = report(done)["groups"]
    assert (bad["outcome"], good["outcome"]) == ("failed", "complete")
    assert "11 of 16" in bad["error"]
    assert path_of(incoming, 3).name in bad["error"]
    assert "min-subbands" in bad["error"]
    assert [path.name for path in products.iterdir()] == [f"{later + timedelta(milliseconds=500):%Y%m%dT%H%M%S}.ms"]


def test_no_majority_fails_without_a_product(tmp_path):
    incoming, products = tmp_path / "incoming", tmp_path / "ms"
    write_group(incoming, subbands=range(8))
    write_group(incoming, subbands=range(8, 16), baselines=BASELINES[::-1])
    done = run_convert(incoming, products)
    assert done.returncode == 1
    assert "majority" in done.stderr
    assert partials(products) == list(products.iterdir()) == []


def test_empty_directory(tmp_path):
    (tmp_path / "incoming").mkdir()
    done = run_convert(tmp_path / "incoming", tmp_path / "ms")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert str(tmp_path / "incoming") in line


def test_directory_of_other_files(tmp_path):
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    for name in ("notes.txt", "2025-10-05T12:30:00_sb00_incomplete.hdf5", ".2025-10-05T12:30:00_sb00.hdf5.Xy12Ab"):
        (incoming / name).write_text("x")
    done = run_convert(incoming, tmp_path / "ms")
    assert done.returncode == 1
    assert str(incoming) in done.stderr


def test_range_without_a_group(tmp_path):
    write_group(tmp_path / "incoming")
    done = run_convert(tmp_path / "incoming", tmp_path / "ms", "--start", "2025-10-06T00:00:00")
    assert done.returncode == 1
    assert str(tmp_path / "incoming") in done.stderr


def test_directory_that_is_not_there(tmp_path):
    done = run_convert(tmp_path / "nowhere", tmp_path / "ms")
    assert done.returncode in {1, 2}
    assert str(tmp_path / "nowhere") in done.stderr
    assert not (tmp_path / "ms").exists()


def test_input_that_is_a_file(tmp_path):
    file = write(path_of(tmp_path / "incoming", 0), 0)
    done = run_convert(file, tmp_path / "ms")
    assert done.returncode in {1, 2}
    assert str(file) in done.stderr


def test_output_that_is_a_file(tmp_path):
    write_group(tmp_path / "incoming")
    (tmp_path / "ms").write_text("mine")
    done = run_convert(tmp_path / "incoming", tmp_path / "ms")
    assert done.returncode in {1, 2}
    assert str(tmp_path / "ms") in done.stderr
    assert (tmp_path / "ms").read_text() == "mine"


@pytest.mark.parametrize("option", [("--writer", "fast"), ("--phase-centre", "up"), ("--average-channels", 7)])
def test_wrong_usage(tmp_path, option):
    write_group(tmp_path / "incoming")
    done = run_convert(tmp_path / "incoming", tmp_path / "ms", *option)
    assert done.returncode == 2
    assert str(option[1]) in done.stderr


def test_broken_product_is_replaced_and_a_good_one_kept(tmp_path):
    incoming, products = tmp_path / "incoming", tmp_path / "ms"
    write_group(incoming)
    assert run_convert(incoming, products).returncode == 0
    (ms,) = products.iterdir()
    before = fingerprints(ms)
    done = run_convert(incoming, products, "--json")
    assert (done.returncode, report(done)["groups"][0]["outcome"]) == (0, "exists")
    assert fingerprints(ms) == before
    os.truncate(max(ms.glob("*_TSM0"), key=lambda path: path.stat().st_size), 1000)
    done = run_convert(incoming, products, "--json")
    assert (done.returncode, report(done)["groups"][0]["outcome"]) == (0, "complete")
    check_ms(ms)
    assert partials(products) == []
