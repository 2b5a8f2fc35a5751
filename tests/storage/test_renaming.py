"""A product takes the name of another in one instant, or says that it cannot."""

import errno

import pytest

from dsa110_contimg.storage import renaming
from dsa110_contimg.storage.renaming import swap_in
from scratch_trees import names


@pytest.fixture
def paths(tmp_path):
    new, final = tmp_path / "new", tmp_path / "final"
    new.mkdir()
    (new / "file").write_text("new")
    return new, final, tmp_path / "aside"


def test_a_free_name(paths, tmp_path):
    swap_in(*paths)
    assert names(tmp_path) == ["final"]


@pytest.mark.parametrize("exchange", [True, False])
def test_a_taken_name(paths, tmp_path, monkeypatch, exchange):
    new, final, aside = paths
    final.write_text("old")
    if not exchange:
        monkeypatch.setattr(renaming, "renameat2", lambda *_: errno.EINVAL)
    swap_in(new, final, aside)
    assert (final / "file").read_text() == "new"
    assert (new if exchange else aside).read_text() == "old"
    assert len(names(tmp_path)) == 2


def test_another_answer(paths, monkeypatch):
    monkeypatch.setattr(renaming, "renameat2", lambda *_: errno.EIO)
    with pytest.raises(OSError, match="Input/output error"):
        swap_in(*paths)
    assert paths[0].exists()
