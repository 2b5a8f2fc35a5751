"""Leftovers on a real FUSE mount, held by real processes."""

import os
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsa110_contimg.errors import UsageError
from dsa110_contimg.storage import leftovers
from dsa110_contimg.storage.leftovers import (
    LEFTOVER,
    LeftoverState,
    count_leftovers,
    look_again,
    scan_leftovers,
)
from fuse_holders import hidden
from fuse_mount import fuse_mount

ORPHAN = ".fuse_hidden0000000700000003"


def scan(*roots, min_age_s=600.0, **options):
    return scan_leftovers(roots, min_age_s=min_age_s, **options)


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_names_are_libfuse_s(node, count):
    assert LEFTOVER.fullmatch(f".fuse_hidden{node:08x}{count:08x}")


@pytest.mark.parametrize("name", [".fuse_hidden", ".fuse_hidden_notes.txt", "fuse_hidden0000000700000003"])
def test_other_names_are_somebody_s_own(name):
    assert not LEFTOVER.fullmatch(name)


def test_a_held_file_is_found_through_the_mount_and_behind_it_and_counted_once(tmp_path):
    with fuse_mount(tmp_path) as mount, hidden(mount) as (process, left):
        behind = mount.far / left.relative_to(mount.near)
        for roots, place in (([mount.near], left), ([mount.far], behind), ([mount.far, mount.near], left)):
            found = scan(*roots, min_age_s=0.0)
            (item,) = found.leftovers
            assert (item.path, item.size_bytes, item.state) == (place, 5000, LeftoverState.HELD)
            assert {holder.pid: holder.is_fuse_daemon for holder in item.holders} == {
                process.pid: False,
                mount.pid: True,
            }
            assert item.mount.is_fuse == (place == left)
            assert item.said == "held"
            assert item.age_s >= 0
        report = found.as_dict()
        assert report["totals"]["bytes"] == report["totals"]["bytes_held"] == 5000
        assert found.troubles == ()


def test_who_cannot_be_seen_holds_it_through_the_program_of_the_mount(tmp_path):
    """On a machine where the mount is not known (another container), only its program is seen to hold the file."""
    with fuse_mount(tmp_path) as mount, hidden(mount) as (_, left):
        found = scan(mount.far)
        only_program = [holder for holder in found.leftovers[0].holders if holder.is_fuse_daemon]
        item = leftovers.replace(found.leftovers[0], holders=tuple(only_program))
        assert "somebody who has it open through that" in item.said
        assert item.as_dict()["holders"][0]["pid"] == mount.pid
        assert left.exists()


def test_nobody_holds_it(tmp_path):
    with fuse_mount(tmp_path) as mount:
        (mount.near / ORPHAN).write_bytes(b"x" * 7)
        (mount.near / ".fuse_hidden_notes").write_text("mine")
        (mount.near / ".fuse_hidden0000000100000001").symlink_to("elsewhere")
        (mount.near / ".fuse_hidden0000000200000002").mkdir()
        (young,) = scan(mount.near).leftovers
        (old,) = scan(mount.near, min_age_s=0.0).leftovers
        assert (young.state, old.state) == (LeftoverState.YOUNG, LeftoverState.ORPHAN)
        assert "young" in young.said
        assert "orphan" in old.said
        assert count_leftovers(mount.near) == (1, 7)
    assert count_leftovers(tmp_path / "gone") == (0, 0)


def test_when_the_program_of_the_mount_dies_its_leftovers_are_orphans_behind_it(tmp_path):
    with fuse_mount(tmp_path) as mount, hidden(mount) as (_, left):
        mount.kill()
        found = scan(mount.far, mount.near, min_age_s=0.0)
        (item,) = found.leftovers
        assert item.path == mount.far / left.relative_to(mount.near)
        assert item.state is LeftoverState.ORPHAN
        (trouble,) = found.troubles
        assert trouble.path == mount.near
        assert f"fusermount -u {mount.near}" in trouble.reason
        assert f"look in {mount.far}" in trouble.reason
        # And so it is said where the dead mount is below a root.
        assert [item.path for item in scan(tmp_path).troubles] == [mount.near]


def test_a_mount_that_hangs_is_said_and_the_rest_is_scanned(tmp_path, monkeypatch):
    monkeypatch.setattr(leftovers, "ANSWER_S", 1.0)
    (tmp_path / ORPHAN).write_text("x")
    with fuse_mount(tmp_path) as mount:
        mount.hang()
        found = scan(tmp_path)
        assert [item.path for item in found.leftovers] == [tmp_path / ORPHAN]
        assert [item.path for item in found.troubles] == [mount.near]
        assert "no answer within 1 s" in found.troubles[0].reason
        mount.go_on()


def test_roots_that_are_links_or_below_others_or_missing(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "a")
    (tmp_path / "a" / "b" / ORPHAN).write_text("x")
    found = scan(tmp_path / "link", tmp_path / "a" / "b", tmp_path / "a")
    assert found.roots == ((tmp_path / "a").resolve(),)
    assert len(found.leftovers) == 1
    assert scan(tmp_path / "none", all_exist=False).roots == ()
    with pytest.raises(UsageError, match="no directory"):
        scan(tmp_path / "none")


def test_a_link_below_a_root_is_not_followed(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / ORPHAN).write_text("x")
    (tmp_path / "a" / "link").symlink_to(tmp_path / "b")
    assert scan(tmp_path / "a").leftovers == ()


def test_looking_again_leaves_out_what_is_gone_or_another_file(tmp_path):
    for number in range(3):
        (tmp_path / f".fuse_hidden000000070000000{number}").write_text("x")
    found = scan(tmp_path, min_age_s=0.0)
    found.leftovers[0].path.unlink()
    other = tmp_path / "other"
    other.write_text("y")
    os.replace(other, found.leftovers[1].path)
    time.sleep(0.01)
    assert [item.path for item in look_again(found, min_age_s=0.0).leftovers] == [found.leftovers[2].path]
