import os
import subprocess
import sys

import pytest

from dsa110_contimg.config.mounts import mount_of
from dsa110_contimg.storage.open_files import (
    FileKey,
    find_holders,
    is_fuse_daemon,
    open_files,
    process_of,
    users_of_trees,
)
from fuse_holders import as_nobody, holder, mapped_only
from fuse_mount import fuse_mount


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "data"
    path.write_bytes(b"x" * 5000)
    return path


def key_of(path):
    return FileKey(mount_of(path).device, path.stat().st_ino)


def test_what_a_process_has_open_and_how(file):
    key = key_of(file)
    with file.open("r+b"), file.open("rb"):
        ours = [item for item in open_files(os.getpid()) if item.key == key]
        assert sorted(item.writable for item in ours) == [False, True]
        file.unlink()
        ours = [item for item in open_files(os.getpid()) if item.key == key]
        assert [(item.name, item.deleted) for item in ours] == [(str(file), True)] * 2
    assert key not in {item.key for item in open_files(os.getpid())}


def test_a_file_that_is_only_mapped_is_held_too(file):
    with mapped_only(file):
        (found,) = [item for item in open_files(os.getpid()) if item.key == key_of(file)]
        assert (found.descriptor, found.writable, found.deleted) == (None, True, False)
        assert [process.pid for process in find_holders({key_of(file)}).by_key[key_of(file)]] == [os.getpid()]
    assert find_holders({key_of(file)}).by_key == {}


def test_holders_are_named(file):
    with holder(file) as process:
        (found,) = find_holders({key_of(file)}).by_key[key_of(file)]
        assert (found.pid, found.uid) == (process.pid, os.getuid())
        assert str(file) in found.command
        assert not found.is_fuse_daemon
        said = str(found)
        assert said.startswith(f"process {process.pid} of {found.user} since {found.since_utc:%Y-%m-%dT}")
    assert find_holders({key_of(file)}).by_key == {}
    assert find_holders(set()) == ({}, 0)


def test_kernels_that_do_not_say_the_inode_have_the_file_asked(file, tmp_path):
    proc = tmp_path / "proc"
    ours = proc / str(os.getpid())
    for name in ("fd", "fdinfo", "ns"):
        (ours / name).mkdir(parents=True)
    (ours / "fd" / "3").symlink_to(file)
    (ours / "fd" / "4").symlink_to("socket:[1]")
    (ours / "fd" / "5").symlink_to("/gone")
    for number in "345":
        (ours / "fdinfo" / number).write_text("pos:\t0\nflags:\t0100002\nmnt_id:\t7\n")
    (ours / "ns" / "mnt").symlink_to("mnt:[1]")
    (ours / "mountinfo").write_text(f"7 1 {mount_of(file).device} / / rw - ext4 /dev/vda rw\n")
    (ours / "maps").write_text("")
    assert list(find_holders({key_of(file)}, proc).by_key) == [key_of(file)]
    assert find_holders({FileKey("9:9", 3)}, proc).by_key == {}
    assert {item.key.inode for item in open_files(os.getpid(), proc)} == {file.stat().st_ino, 0}


def test_a_process_that_has_ended():
    process = subprocess.Popen([sys.executable, "-I", "-S", "-c", ""])
    process.wait()
    with pytest.raises(ProcessLookupError):
        open_files(process.pid)
    assert not is_fuse_daemon(process.pid)


def test_who_uses_a_directory(tmp_path):
    one, two, three = (tmp_path / name for name in ("one", "two", "two-b"))
    for place in (one, two, three):
        place.mkdir()
    with holder(one / "x") as opened, holder(tmp_path / "y", cwd=two) as works:
        assert users_of_trees([one, two, three]) == {one: [opened.pid], two: [works.pid]}


def test_others_are_counted_by_who_may_not_look_into_them(file):
    imports = """
import sys
from pathlib import Path
from dsa110_contimg.storage.open_files import FileKey, find_holders, is_fuse_daemon, users_of_trees
"""
    code = """
found = find_holders({FileKey("0:1", 1)})
print(found.n_unseen > 0, found.by_key, users_of_trees([Path(sys.argv[1])]), is_fuse_daemon(int(sys.argv[2])))
"""
    with holder(file) as process:
        assert as_nobody(imports, code, file.parent, process.pid).split() == ["True", "{}", "{}", "False"]


def test_the_program_of_a_fuse_mount_is_known(tmp_path):
    with fuse_mount(tmp_path) as mount:
        assert is_fuse_daemon(mount.pid)
        assert process_of(mount.pid).is_fuse_daemon
    assert not is_fuse_daemon(os.getpid())
