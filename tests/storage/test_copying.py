"""Copies are checked, in pieces, and know what was copied before."""

import os

import pytest
import xxhash

from dsa110_contimg.errors import DiskFullError, OutputError, StagingError
from dsa110_contimg.storage import copying
from dsa110_contimg.storage.copying import Journal, Piece, copy_files, copy_tree, pieces_of, sum_files, sync_file_system
from dsa110_contimg.storage.trees import files_of, scan
from scratch_trees import build, facts
from small_disk import mounted


@pytest.fixture
def source(tmp_path):
    return build(tmp_path / "one", {"a": (os.urandom(3_000_000), 0o640), "b": (b"small", 0o444), "c": (b"", 0o600)})


def entries(root):
    tree = scan(root, [root])
    return {name: tree[name] for name in files_of(tree)}


def test_pieces(monkeypatch):
    monkeypatch.setattr(copying, "PIECE_BYTES", 10)
    assert pieces_of("x", 25) == [Piece("x", 0, 10), Piece("x", 10, 10), Piece("x", 20, 5)]
    assert pieces_of("x", 0) == [Piece("x", 0, 0)]


@pytest.mark.parametrize("piece_bytes", [1 << 20, 64 << 20])
@pytest.mark.parametrize("from_disk", [True, False])
def test_a_tree_and_its_sums(source, tmp_path, monkeypatch, piece_bytes, from_disk):
    monkeypatch.setattr(copying, "PIECE_BYTES", piece_bytes)
    (tmp_path / "two").mkdir()
    sums = copy_files(source, tmp_path / "two", entries(source), workers=2)
    assert sums == sum_files(tmp_path / "two", entries(source), workers=2, from_disk=from_disk)
    assert sums["b"] == xxhash.xxh3_128_hexdigest(b"small")
    whole = xxhash.xxh3_128_hexdigest((source / "a").read_bytes())
    assert (sums["a"] == whole) == (piece_bytes > 3_000_000)


def test_copy_tree(source, tmp_path):
    (source / "out").symlink_to("/etc/passwd")
    copy_tree(source, tmp_path / "two")
    assert facts(tmp_path / "two") == facts(source)
    copy_tree(source / "a", tmp_path / "file")
    assert facts(tmp_path / "file") == facts(source / "a")


def test_the_journal(source, tmp_path):
    entry, piece = entries(source)["b"], Piece("b", 0, 5)
    journal = Journal(tmp_path / "journal")
    assert journal.sum_of(piece, entry) is None
    journal.add([(piece, entry, "abc")])
    journal.close()
    with (tmp_path / "journal").open("a") as file:
        file.write('["torn')
    journal = Journal(tmp_path / "journal")
    journal.add([(Piece("c", 0, 0), entries(source)["c"], "def")])
    journal.close()
    journal = Journal(tmp_path / "journal")
    assert journal.names() == {"b", "c"}
    assert journal.sum_of(piece, entry) == "abc"
    assert journal.sum_of(piece, entry._replace(mtime_ns=1)) is None
    journal.close()
    journal.remove()
    assert not (tmp_path / "journal").exists()


def test_a_disk_that_forgets(source, tmp_path, monkeypatch):
    """What is read back is not what was written."""
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, block, at: real(fd, bytes(len(block)), at))
    (tmp_path / "two").mkdir()
    for name in ("a", "b"):
        with pytest.raises(OutputError, match="does not hold what was written"):
            copy_files(source, tmp_path / "two", {name: entries(source)[name]}, workers=1)


@pytest.mark.parametrize("contents", [b"sm", b"smaller, no: longer"])
def test_a_file_that_is_not_as_it_was_listed(source, tmp_path, contents):
    listed = entries(source)
    (source / "b").chmod(0o600)
    (source / "b").write_bytes(contents)
    (tmp_path / "two").mkdir()
    with pytest.raises(StagingError, match="changed while it was copied"):
        copy_files(source, tmp_path / "two", listed, workers=2)


def test_a_file_that_is_gone(source, tmp_path):
    listed = entries(source)
    (source / "b").unlink()
    (tmp_path / "two").mkdir()
    with pytest.raises(StagingError, match=r"cannot be read.*one/b"):
        copy_files(source, tmp_path / "two", listed, workers=2)
    with pytest.raises(StagingError, match=r"cannot be read.*one/b"):
        sum_files(source, listed, workers=2)


def test_a_full_disk(source, tmp_path, monkeypatch):
    with mounted(tmp_path / "disk", "1m") as disk, pytest.raises(DiskFullError):
        copy_tree(source, disk / "two")
    monkeypatch.setattr(copying, "PIECE_BYTES", 1 << 20)
    with mounted(tmp_path / "disk", "1m") as disk, pytest.raises(DiskFullError):
        copy_tree(source, disk / "two")  # found when room is set aside


def test_flushing(tmp_path):
    sync_file_system(tmp_path)
    with pytest.raises(OSError, match="No such file"):
        sync_file_system(tmp_path / "none")
