"""A disk that is really full: one line that says so, and nothing half written."""

import os
import subprocess
import sys

import pytest

from convert_process import fingerprints, partials, report, run_convert
from dsa110_contimg.ms.checks import check_ms
from subband_files import write_group

NAME = "20251005T123000.ms"
N_TIMES = 24
SPARE = 8_000_000
"""What must be free besides, before it is begun [bytes]."""

# Somebody else fills the disk after so many integrations of subbands have been dealt with.
FILLED_MEANWHILE = """
import os
import sys
from itertools import count
from pathlib import Path
from dsa110_contimg.conversion import convert_group, find_groups
from dsa110_contimg.errors import DiskFullError

incoming, products, moment = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
calls = count()

def progress(nbytes):
    if next(calls) == moment:
        with (products / "ballast").open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass

try:
    convert_group(find_groups(incoming).groups[0], products, progress=progress)
except DiskFullError as error:
    print(error)
    sys.exit(1)
"""

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small tmpfs")


@pytest.fixture(scope="module")
def incoming(tmp_path_factory):
    """A group whose Measurement Set takes 4 MB."""
    directory = tmp_path_factory.mktemp("incoming")
    write_group(directory, n_times=N_TIMES)
    return directory


@pytest.fixture(scope="module")
def needed(incoming, tmp_path_factory):
    """How much room the Measurement Set takes [bytes]."""
    products = tmp_path_factory.mktemp("roomy") / "ms"
    done = run_convert(incoming, products)
    assert done.returncode == 0, done.stderr
    return sum(-(-path.stat().st_size // 4096) * 4096 for path in (products / NAME).rglob("*"))


@pytest.fixture
def small_disk(tmp_path):
    """Give a function that mounts a disk of so many bytes; all are unmounted in the end."""
    mounted = []

    def mount(nbytes):
        directory = tmp_path / f"disk{len(mounted)}"
        directory.mkdir()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={nbytes}", "tmpfs", str(directory)], capture_output=True, text=True
        )
        if done.returncode:
            pytest.skip(f"no tmpfs can be mounted here: {done.stderr.strip()}")
        mounted.append(directory)
        return directory

    yield mount
    for directory in mounted:
        subprocess.run(["umount", "-l", str(directory)], check=True)


def assert_says_full(done, place):
    """One line names the place and what to do; the status is that of a failure."""
    assert done.returncode == 1, done.stderr
    told = [line for line in done.stderr.splitlines() if "no room left" in line]
    assert len(told) == 1, done.stderr
    assert str(place) in told[0]
    assert "Free some space" in told[0]


@pytest.mark.parametrize("part", [0.002, 0.9])
def test_products(incoming, needed, small_disk, part):
    before = fingerprints(incoming)
    products = small_disk(int(needed * part))
    done = run_convert(incoming, products)
    assert_says_full(done, products)
    assert list(products.iterdir()) == []
    assert fingerprints(incoming) == before


def test_scratch(incoming, needed, small_disk, tmp_path):
    scratch, products = small_disk(needed // 2), tmp_path / "ms"
    done = run_convert(incoming, products, "--scratch", scratch)
    assert_says_full(done, scratch)
    assert list(scratch.iterdir()) == list(products.iterdir()) == []


def test_products_with_a_roomy_scratch(incoming, needed, small_disk, tmp_path):
    scratch, products = tmp_path / "scratch", small_disk(needed // 2)
    done = run_convert(incoming, products, "--scratch", scratch)
    assert_says_full(done, products)
    assert list(scratch.iterdir()) == list(products.iterdir()) == []


def test_pyuvdata_writer(incoming, needed, small_disk):
    products = small_disk(needed // 2)
    done = run_convert(incoming, products, "--writer", "pyuvdata")
    assert_says_full(done, products)
    assert list(products.iterdir()) == []


def test_it_goes_on_when_there_is_room(incoming, needed, small_disk):
    products = small_disk(needed + SPARE)
    ballast = products / "ballast"
    ballast.write_bytes(bytes(SPARE + needed // 2))
    assert_says_full(run_convert(incoming, products), products)
    ballast.unlink()
    done = run_convert(incoming, products, "--json")
    assert done.returncode == 0, done.stderr
    assert [group["outcome"] for group in report(done)["groups"]] == ["complete"]
    assert partials(products) == []


def test_old_product_stays_where_a_new_one_has_no_room(incoming, needed, small_disk):
    products = small_disk(needed + SPARE)
    assert run_convert(incoming, products).returncode == 0
    (products / "ballast").write_bytes(bytes(SPARE // 2))
    before = fingerprints(products)
    assert_says_full(run_convert(incoming, products, "--overwrite"), products)
    assert fingerprints(products) == before


@pytest.mark.parametrize("moment", [0, 15 * N_TIMES, 16 * N_TIMES - 1])
def test_disk_that_somebody_else_fills_meanwhile(incoming, needed, small_disk, moment):
    """Whole if the room that was set aside at the start is enough, else an error; never half, never a crash."""
    before = fingerprints(incoming)
    products = small_disk(needed + SPARE)
    command = [sys.executable, "-c", FILLED_MEANWHILE, *map(str, (incoming, products, moment))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (products / "ballast").stat().st_size > 0
    assert partials(products) == []
    assert fingerprints(incoming) == before
    if done.returncode == 0:
        check_ms(products / NAME)
    else:
        assert done.returncode == 1, done.stderr
        assert "no room left" in done.stdout
        assert str(products) in done.stdout
        assert not (products / NAME).exists()
