"""Plans of mirroring, and file systems that can neither link nor exchange. The rest is with `test_scratch`."""

import errno
import os

import pytest

from dsa110_contimg.storage import mirroring, renaming
from dsa110_contimg.storage.mirroring import plan_mirror
from dsa110_contimg.storage.scratch import archive, clean, stage
from fuse_mount import fuse_mount
from scratch_trees import LIMITS, build, facts, left_over, make_roots

TREE = {"same": (b"same", 0o644), "changed": (b"old", 0o644), "gone": {"x": (b"x", 0o644)}}


@pytest.fixture
def place(tmp_path):
    place = make_roots(tmp_path).place("run")
    build(place.data, TREE)
    stage(place, LIMITS)
    (place.scratch / "changed").write_text("new!")
    (place.scratch / "gone" / "x").unlink()
    (place.scratch / "gone").rmdir()
    return place


@pytest.mark.parametrize("delete", [True, False])
def test_a_plan(place, delete):
    plan = plan_mirror(place.scratch, place.data, place, delete=delete)
    assert (plan.same, plan.copied, plan.copied_bytes, plan.is_done) == (["same"], ["changed"], 4, False)
    assert (plan.removed, plan.kept) == ((["gone", "gone/x"], []) if delete else ([], ["gone", "gone/x"]))
    assert plan.replaced == ["changed"]


@pytest.mark.parametrize("delete", [True, False])
def test_where_nothing_can_be_linked_or_exchanged(place, monkeypatch, delete):
    def refuse(*_, **__):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(renaming, "renameat2", lambda *_: errno.EINVAL)
    gone = facts(place.data / "gone")
    archive(place, LIMITS, delete=delete)
    assert (place.data / "changed").read_text() == "new!"
    assert (place.data / "gone").exists() != delete
    if not delete:
        assert facts(place.data / "gone") == gone
    assert left_over(place.roots) == []


def test_a_tree_that_is_many(tmp_path, monkeypatch):
    """More than a few are flushed together with their file system."""
    monkeypatch.setattr(mirroring, "_FEW", 1)
    place = make_roots(tmp_path).place("run")
    build(place.data, TREE)
    stage(place, LIMITS)
    assert facts(place.scratch) == facts(place.data)


def test_an_archive_on_fuse(tmp_path):
    """There and back through a program; what is replaced leaves no remains."""
    with fuse_mount(tmp_path) as mount:
        (tmp_path / "scratch").mkdir()
        roots = make_roots_at(mount.near / "data", tmp_path / "scratch")
        place = roots.place("run")
        build(place.data, TREE)
        stage(place, LIMITS)
        (place.scratch / "changed").write_text("new!")
        archive(place, LIMITS)
        assert facts(place.data) == facts(place.scratch)
        clean(place, LIMITS)
        assert left_over(roots) == []
        assert [path.name for path in mount.far.rglob(".fuse_hidden*")] == []


def make_roots_at(data, scratch):
    from dsa110_contimg.storage.scratch_roots import Roots

    data.mkdir()
    return Roots(data, scratch)
