"""Records of what is staged, and locks that vanish with their processes."""

import subprocess
import sys

import pytest

from dsa110_contimg.errors import StagingError
from dsa110_contimg.storage.scratch_records import (
    Item,
    Record,
    announce,
    at_work,
    has_its_name,
    is_at_work,
    read_record,
    read_records,
    record_path,
    settle,
    write_record,
)
from dsa110_contimg.storage.scratch_roots import Roots, make_scratch_root
from dsa110_contimg.storage.trees import Kind
from scratch_trees import make_roots, names

HOLDER = """
import sys
from pathlib import Path
from dsa110_contimg.storage.scratch_records import at_work
from dsa110_contimg.storage.scratch_roots import Roots
with at_work(Roots(Path(sys.argv[1]), Path(sys.argv[2])).place(sys.argv[3])):
    print("at work", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def place(tmp_path):
    place = make_roots(tmp_path).place("ms/run \udcff")
    place.roots.records.mkdir()
    return place


RECORD = Record("ms/run", "2025-10-05T12:30:00Z", "", {"a \udcff\n": Item(Kind.FILE, 3, 0o644, 10**18 + 1, "", "abc")})


def test_a_record_comes_back(place):
    write_record(place, RECORD)
    assert read_record(record_path(place)) == RECORD
    assert read_records(place.roots) == [RECORD]
    assert read_record(place.roots.records / "none.json") is None


def test_a_damaged_record_is_named(place):
    record_path(place).write_text('{"items": {"a": ["socket"]}}')
    with pytest.raises(StagingError, match=rf"damaged record.*{place.key}"):
        read_records(place.roots)


def test_what_is_announced_counts_once_it_has_its_name(place):
    product = place.roots.data / "product"
    product.mkdir()
    announce(place, RECORD, product, place.roots.data / "final")
    assert not has_its_name(place)
    assert names(place.roots.records) == []
    announce(place, RECORD, product, place.roots.data / "final")
    product.rename(place.roots.data / "final")
    assert has_its_name(place)
    settle(place)
    assert read_records(place.roots) == [RECORD]
    assert not has_its_name(place)


def test_one_works_others_wait(tmp_path):
    roots = make_roots(tmp_path)
    arguments = [sys.executable, "-c", HOLDER, str(roots.data), str(roots.scratch)]
    assert not is_at_work(roots, "ms/run")

    def start(path):
        return subprocess.Popen([*arguments, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    first = start("ms/run")
    assert first.stdout.readline() == "at work\n"
    assert is_at_work(roots, "ms/run")
    with at_work(roots.place("ms/other")), at_work(roots.place("else")):
        pass
    waiting = [start(path) for path in ("ms/run", "ms", "ms/run/part")]
    first.kill()  # its locks go with it
    first.communicate()
    for process in waiting:  # whichever is next, for they wait for each other too
        process.stdin.write("\n")
        process.stdin.flush()
    assert [process.communicate(timeout=60)[0] for process in waiting] == ["at work\n"] * 3
    assert not is_at_work(roots, "ms/run")


def test_the_scratch_root_alone_is_made(tmp_path):
    make_scratch_root(Roots(tmp_path / "data", tmp_path / "scratch"))
    assert (tmp_path / "scratch").is_dir()
    with pytest.raises(StagingError, match="nor can it be made"):
        make_scratch_root(Roots(tmp_path / "data", tmp_path / "not mounted" / "scratch"))
