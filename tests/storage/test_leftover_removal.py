"""Removing leftovers: what nobody holds goes, with the empty shell of its product; what is held stays."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsa110_contimg.storage.leftover_removal import remove_orphans
from dsa110_contimg.storage.leftovers import scan_leftovers
from fuse_holders import NOBODY, as_nobody, hidden, holder, let_in
from fuse_mount import fuse_mount

ORPHAN = ".fuse_hidden0000000700000003"
IMPORTS = """
import sys
from pathlib import Path
from dsa110_contimg.storage.leftover_removal import remove_orphans
from dsa110_contimg.storage.leftovers import scan_leftovers
"""
CLEAN = """
removed = remove_orphans(scan_leftovers([Path(sys.argv[1])], min_age_s=0.0), min_age_s=0.0)
print(len(removed.files), *removed.failures.values())
"""


@pytest.fixture
def mount(tmp_path):
    with fuse_mount(tmp_path) as made:
        yield made


def orphan(directory, content=b"x" * 100):
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / ORPHAN
    path.write_bytes(content)
    return path


def clean(*roots, min_age_s=0.0):
    return remove_orphans(scan_leftovers(roots, min_age_s=min_age_s), min_age_s=min_age_s)


@pytest.mark.parametrize("side", ["near", "far"])
def test_orphans_go_and_held_files_stay(mount, side):
    root = getattr(mount, side)
    with hidden(mount, "held.ms/x") as (process, left):
        one, two = orphan(mount.near / "gone.ms" / "ANTENNA"), orphan(mount.near / "gone.ms")
        removed = clean(root)
        assert sorted(removed.files) == sorted(root / path.relative_to(mount.near) for path in (one, two))
        assert removed.freed_bytes == 200
        assert list(removed.kept.values()) == ["held"]
        assert removed.failures == {}
        assert sorted(mount.near.iterdir()) == [mount.near / "held.ms"]
        assert left.exists()  # under the very same name: nothing was renamed
        assert process.poll() is None


def test_what_is_young_stays(mount):
    path = orphan(mount.near)
    removed = clean(mount.near, min_age_s=600.0)
    assert list(removed.kept) == [path]
    assert removed.freed_bytes == 0
    assert path.exists()


def test_one_that_is_held_again_since_the_scan_stays(mount):
    path = orphan(mount.near / "a.ms")
    found = scan_leftovers([mount.near], min_age_s=0.0)
    with holder(path):
        removed = remove_orphans(found, min_age_s=0.0)
        assert list(removed.kept) == [path]
        assert path.exists()
    assert remove_orphans(found, min_age_s=0.0).files == [path]


def test_what_its_holder_has_let_go_counts_as_removed(mount):
    with hidden(mount) as (_, left):
        found = scan_leftovers([mount.near], min_age_s=0.0)
        (item,) = found.leftovers
    removed = remove_orphans(found, min_age_s=0.0, released=[item])
    assert (removed.files, removed.freed_bytes, removed.directories) == ([left], 5000, [left.parent])


def test_one_that_is_gone_since_the_scan_is_not_counted(tmp_path):
    path = orphan(tmp_path)
    found = scan_leftovers([tmp_path], min_age_s=0.0)
    path.unlink()
    assert remove_orphans(found, min_age_s=0.0).files == []


@pytest.mark.parametrize(
    ("place", "also", "left"),
    [
        ("x.ms/ANTENNA", "", []),
        ("x.ms/ANTENNA", "x.ms/table.dat", ["x.ms", "x.ms/table.dat"]),
        (".partial-20251005T123000-7/x.ms/A", "", []),
        ("2025/x.ms/A", "", ["2025"]),
        ("2025/plots", "", ["2025"]),
        (".", "", []),
    ],
)
def test_the_empty_shell_of_a_product_goes_too_but_no_other_directory(tmp_path, place, also, left):
    root = tmp_path / "root"
    orphan(root / place)
    if also:
        (root / also).write_text("x")
    removed = clean(root)
    assert sorted(path.relative_to(root).as_posix() for path in root.rglob("*")) == left
    assert all(not path.exists() for path in removed.directories)
    assert root.is_dir()


def test_a_root_that_is_a_product_itself_stays(tmp_path):
    orphan(tmp_path / "x.ms")
    removed = clean(tmp_path / "x.ms")
    assert removed.directories == []
    assert (tmp_path / "x.ms").is_dir()


def test_an_empty_directory_that_held_none_stays(tmp_path):
    (tmp_path / "empty.ms").mkdir()
    orphan(tmp_path / "x.ms")
    clean(tmp_path)
    assert (tmp_path / "empty.ms").is_dir()


@settings(max_examples=8)
@given(st.lists(st.sampled_from(["a.ms", "b", "a.ms/A", "b/c.ms/D", "."]), unique=True), st.booleans())
def test_whatever_is_no_leftover_stays(tmp_path_factory, places, also):
    root = tmp_path_factory.mktemp("root")
    for place in places:
        orphan(root / place)
        if also:
            (root / place / "data").write_text("x")
    removed = clean(root)
    assert removed.freed_bytes == 100 * len(places)
    assert not list(root.rglob(ORPHAN))
    assert len(list(root.rglob("data"))) == (len(places) if also else 0)


def test_a_holder_who_cannot_be_seen_is_noticed_by_the_kernel(tmp_path):
    """Somebody else's process, of whom a user sees nothing, holds the user's own file."""
    root = tmp_path / "root"
    path = orphan(root)
    if os.geteuid() == 0:
        os.chown(path, NOBODY, NOBODY)
        os.chown(root, NOBODY, NOBODY)
        let_in(root)
    with holder(path):
        assert "0 held by a process that cannot be seen" in as_nobody(IMPORTS, CLEAN, root)
        assert path.exists()
    assert as_nobody(IMPORTS, CLEAN, root) == "1\n"


def test_a_file_that_one_can_say_nothing_of_is_left(tmp_path):
    path = orphan(tmp_path / "root")
    let_in(tmp_path / "root")
    assert "cannot be looked into, and may hold it" in as_nobody(IMPORTS, CLEAN, tmp_path / "root")
    assert path.exists()


def test_what_may_not_be_deleted_is_said(tmp_path):
    path = orphan(tmp_path / "root")
    if os.geteuid() == 0:
        os.chown(path, NOBODY, NOBODY)  # its directory is ours: who owns the file may not unlink it
        let_in(tmp_path / "root")
    assert as_nobody(IMPORTS, CLEAN, tmp_path / "root") == "0 Permission denied\n"
