import os

from dsa110_contimg.storage.leases import is_open_elsewhere
from fuse_holders import NOBODY, as_nobody, holder, let_in, mapped_only


def test_a_file_that_nobody_has_open(tmp_path):
    (tmp_path / "x").write_bytes(b"x")
    if is_open_elsewhere(tmp_path / "x") is None:
        return  # this file system gives no leases, and says so
    with holder(tmp_path / "x"):
        assert is_open_elsewhere(tmp_path / "x") is True
    assert is_open_elsewhere(tmp_path / "x") is False


def test_one_that_is_only_mapped(tmp_path):
    (tmp_path / "x").write_bytes(b"x")
    with mapped_only(tmp_path / "x"):
        assert is_open_elsewhere(tmp_path / "x") in {True, None}


def test_what_cannot_be_asked(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "x")
    assert is_open_elsewhere(tmp_path / "gone") is None
    assert is_open_elsewhere(tmp_path / "link") is None


def test_the_files_of_others_cannot_be_asked_but_one_s_own_can_whoever_holds_them(tmp_path):
    imports = """
import sys
from pathlib import Path
from dsa110_contimg.storage.leases import is_open_elsewhere
"""
    code = """
print([is_open_elsewhere(Path(name)) for name in sys.argv[1:]])
"""
    place = tmp_path / "place"
    place.mkdir()
    ours, theirs = place / "ours", place / "theirs"
    for path in (ours, theirs):
        path.write_bytes(b"x")
    if os.geteuid() == 0:
        os.chown(theirs, NOBODY, NOBODY)
        let_in(place)
    with holder(theirs):
        assert as_nobody(imports, code, ours, theirs) in {"[None, True]\n", "[None, None]\n"}
