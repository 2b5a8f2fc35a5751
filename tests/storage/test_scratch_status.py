"""What is on the scratch disk, and how it stands."""

import shutil

import pytest

from dsa110_contimg.storage.copying import Journal
from dsa110_contimg.storage.scratch import archive, stage
from dsa110_contimg.storage.scratch_records import at_work, journal_path
from dsa110_contimg.storage.scratch_status import Listed, State, listing, products_below, status
from scratch_trees import LIMITS, build, facts, make_roots

TREE = {"file": (b"x" * 10, 0o644), "d": {"e": (b"", 0o600)}}


@pytest.fixture
def roots(tmp_path):
    roots = make_roots(tmp_path)
    (roots.data / "ms").mkdir()
    for name in ("one", "two", "three"):
        build(roots.data / "ms" / name, TREE)
        stage(roots.place(f"ms/{name}"), LIMITS)
    return roots


def states(roots):
    return {item.path: item.state for item in status(roots, 0).products}


def test_states(roots):
    (roots.scratch / "ms" / "one" / "file").write_text("changed")
    archive(roots.place("ms/two"), LIMITS)
    shutil.rmtree(roots.scratch / "ms" / "three")
    build(roots.scratch / "ms" / "made here", TREE)
    build(roots.scratch / "here too", TREE)
    stopped = roots.place("ms/stopped")
    build(stopped.hidden(stopped.data, "copying"), TREE)
    Journal(journal_path(stopped, "archive"), stopped.path).close()
    before = facts(roots.data.parent)
    assert states(roots) == {
        "here too": State.NEW,
        "ms/made here": State.NEW,
        "ms/stopped": State.UNFINISHED,
        "ms/one": State.CHANGED,
        "ms/two": State.ARCHIVED,
        "ms/three": State.GONE,
    }
    assert facts(roots.data.parent) == before
    (item,) = status(roots, 0, [roots.place("ms/one")]).products
    assert (item.changed, item.n_files, item.size_bytes, item.behind) == (("file",), 2, 7, False)
    below = [place.path for place in products_below(roots.place("ms"))]
    assert below == ["ms/made here", "ms/one", "ms/three", "ms/two"]
    assert [place.path for place in products_below(roots.place("ms/one"))] == ["ms/one"]


def test_the_archive_has_moved_on(roots):
    (roots.data / "ms" / "one" / "file").write_text("newer")
    shutil.rmtree(roots.data / "ms" / "two")
    (roots.data / "ms" / "three" / "more").write_text("more")
    assert {item.path: item.behind for item in status(roots, 0).products} == {
        "ms/one": True,
        "ms/two": True,
        "ms/three": False,
    }


def test_a_command_at_work_is_seen(roots):
    with at_work(roots.place("ms/one")):
        assert [item.path for item in status(roots, 0).products if item.at_work] == ["ms/one"]


def test_space_and_no_scratch_disk(roots):
    said = status(roots._replace(scratch=roots.scratch / "none"), 7)
    assert said.products == ()
    assert said.reserve_bytes == 7
    assert 0 < said.data.free_bytes <= said.data.total_bytes


def test_listing(roots):
    (roots.data / "link").symlink_to("ms")
    assert listing(roots) == [Listed("link", "link", None), Listed("ms", "directory", "directory")]
    assert listing(roots, roots.place("ms/one")) == [
        Listed("ms/one/d", "directory", "directory"),
        Listed("ms/one/file", "file", "file"),
    ]
    assert listing(roots, roots.place("ms/one/file")) == [Listed("ms/one/file", "file", "file")]
