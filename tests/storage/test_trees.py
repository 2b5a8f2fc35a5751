"""What is in a tree, and removing one."""

import socket

import pytest

from dsa110_contimg.errors import StagingError, UsageError
from dsa110_contimg.storage.trees import (
    Kind,
    files_of,
    finish_directories,
    is_lock,
    is_within,
    make_directories,
    remove_tree,
    scan,
    size_of,
)
from scratch_trees import build, facts, names


def test_scan(tmp_path):
    build(tmp_path / "run", {"a": (b"xyz", 0o640), "d": {"e f": (b"", 0o400)}, "l": "a"})
    tree = scan(tmp_path / "run", [tmp_path])
    assert {name: entry.kind.value for name, entry in tree.items()} == {
        "": "directory",
        "a": "file",
        "d": "directory",
        "d/e f": "file",
        "l": "link",
    }
    assert (tree["a"].size, tree["a"].mode, tree["l"].leads_to) == (3, 0o640, "a")
    assert files_of(tree) == ["a", "d/e f"]
    assert size_of(tree) == 3
    assert scan(tmp_path / "run" / "a", [tmp_path])[""].kind is Kind.FILE


@pytest.mark.parametrize("target", ["/etc/passwd", "../../outside", "loop"])
def test_links(tmp_path, target):
    """One that leads out is refused; one to nothing inside, or to itself, is only a link."""
    root = tmp_path / "root"
    build(root, {"d": {"loop": target}})
    if target == "loop":
        assert scan(root, [root])["d/loop"].leads_to == "loop"
    else:
        with pytest.raises(UsageError, match="leads out of the root"):
            scan(root, [root])


def test_what_is_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the names of sockets are short
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("socket")
        with pytest.raises(StagingError, match="neither a file, a directory nor a link"):
            scan(tmp_path, [tmp_path])
    with pytest.raises(StagingError, match="cannot be read"):
        scan(tmp_path / "none", [tmp_path])


def test_locks_are_those_of_tables():
    tree = dict.fromkeys(["table.lock", "a/table.dat", "a/table.lock", "b/table.lock"])
    assert [is_lock(name, tree) for name in tree] == [False, False, True, False]
    assert is_lock("table.lock", {"table.dat": None})


def test_within():
    assert is_within("/a/b", "/a") and is_within("/a", "/a") and is_within("/a", "/")  # noqa: PT018
    assert not is_within("/ab", "/a")


def test_read_only_trees_are_removed_too(tmp_path):
    build(tmp_path / "run", {"d": {"e": {"f": (b"x", 0o400)}}})
    for name in ("run/d/e", "run/d", "run"):
        (tmp_path / name).chmod(0o500)
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    build(tmp_path / "kept", {})
    for name in ("run", "link", "none"):
        remove_tree(tmp_path / name)
    assert names(tmp_path) == ["kept"]


def test_directories_get_their_modes_and_times_last(tmp_path):
    build(tmp_path / "one", {"d": {"e": {}}, "l": "d"})
    tree = scan(tmp_path / "one", [tmp_path])
    make_directories(tree, tmp_path / "two")
    finish_directories(tree, tmp_path / "two")
    assert facts(tmp_path / "two") == facts(tmp_path / "one")
