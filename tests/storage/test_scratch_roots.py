"""Paths below the roots, and those that are none."""

import pytest

from dsa110_contimg.errors import StagingError, UsageError
from dsa110_contimg.storage.scratch_roots import Roots, require_roots
from scratch_trees import make_roots


@pytest.fixture
def roots(tmp_path):
    return make_roots(tmp_path)


def test_a_place(roots):
    place = roots.place("ms//run/./a b/")
    assert place.path == "ms/run/a b"
    assert (place.data, place.scratch) == (roots.data / "ms/run/a b", roots.scratch / "ms/run/a b")
    assert place.ancestors == ["ms", "ms/run"]
    assert place == roots.place(roots.data / "ms/run/a b") == roots.place(f"{roots.scratch}/./ms/run/a b")
    assert place.key != roots.place("ms/run/ab").key


@pytest.mark.parametrize(
    "given",
    ["", ".", "/", "..", "a/../../b", "/etc", "a\0b", ".scratch-records", "a/.scratch-cleaned-0123456789abcdef"],
)
def test_no_place(roots, given):
    with pytest.raises(UsageError):
        roots.place(given)


def test_a_neighbour_with_a_longer_name_is_outside(roots):
    with pytest.raises(UsageError, match="outside of the roots"):
        roots.place(f"{roots.data}2/run")
    with pytest.raises(UsageError, match="leads out"):
        roots.place(f"{roots.data}/../x")


def test_links(roots, tmp_path):
    (tmp_path / "outside").mkdir()
    (roots.data / "inner").mkdir()
    (roots.data / "out").symlink_to(tmp_path / "outside")
    (roots.data / "in").symlink_to("inner")
    with pytest.raises(UsageError, match="leads out of the root"):
        roots.place("out/run")
    with pytest.raises(UsageError, match="is a symbolic link"):
        roots.place("in")
    assert roots.place("in/run").path == "in/run"
    (tmp_path / "other name").symlink_to(roots.data)
    assert Roots(tmp_path / "other name", roots.scratch).place(roots.data / "run").path == "run"


def test_roots_of_no_use(roots, tmp_path):
    require_roots(roots)
    with pytest.raises(StagingError, match="data root is not there"):
        require_roots(roots._replace(data=tmp_path / "none"))
    for scratch in (roots.data, roots.data / "fast", tmp_path):
        with pytest.raises(UsageError, match="not apart"):
            require_roots(roots._replace(scratch=scratch))
