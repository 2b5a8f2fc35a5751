"""Room is asked for, and the root file system keeps some."""

from pathlib import Path

import pytest

from dsa110_contimg.errors import DiskFullError, OutputError
from dsa110_contimg.storage import room
from dsa110_contimg.storage.free_space import Space
from dsa110_contimg.storage.room import require_free
from small_disk import another_disk, mounted


def test_room(tmp_path):
    with mounted(tmp_path / "disk", "1m") as disk:
        require_free(disk / "not" / "yet", 500_000)
        with pytest.raises(DiskFullError, match=r"2 MB are needed where 1\.05 MB are free: "):
            require_free(disk, 2_000_000)


def test_only_the_root_file_system_has_a_floor(tmp_path):
    require_free(another_disk(Path("/")), 1, 10**18)
    if tmp_path.stat().st_dev == Path("/").stat().st_dev:
        require_free(tmp_path, 1, 1)
        with pytest.raises(DiskFullError, match="have to stay free on the root file system"):
            require_free(tmp_path, 1, 10**18)


def test_a_disk_that_does_not_answer(tmp_path, monkeypatch):
    monkeypatch.setattr(room.FreeSpace, "ask", lambda *_: [Space(tmp_path, None, None, "no answer")])
    with pytest.raises(OutputError, match="no answer"):
        require_free(tmp_path, 1)
