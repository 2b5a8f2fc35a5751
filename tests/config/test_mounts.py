import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsa110_contimg.config.mounts import mount_of, parse_mounts, read_mounts
from fuse_mount import fuse_mount

MOUNTS = """\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
23 22 0:40 / {tmp}/nas rw - nfs4 server:/export rw,vers=4.2
24 22 0:41 / {tmp}/a\\040b rw - fuse.sshfs me@host:/data rw
25 22 0:42 / {tmp}/nas/ssd rw master:3 - xfs /dev/nvme0n1 rw
26 22 0:43 / {tmp}/over rw - ext4 /dev/sda1 rw
27 22 0:44 / {tmp}/over rw - fuse /the\\040far rw
28 22 0:45 / {tmp}/win rw - fuseblk /dev/sdb1 rw
29 22 0:46 / {tmp}/ctl rw - fusectl fusectl rw
30 22 0:47 / {tmp}/anonymous rw -  rw
a line that is not understood
"""


@pytest.fixture
def mounts(tmp_path):
    return parse_mounts(MOUNTS.replace("{tmp}", str(tmp_path)))


@pytest.mark.parametrize(
    ("place", "fstype", "source", "kind"),
    [
        ("here", "ext4", "/dev/vda", "local"),
        ("nasty", "ext4", "/dev/vda", "local"),
        ("nas/x/y", "nfs4", "server:/export", "network"),
        ("nas/ssd/x", "xfs", "/dev/nvme0n1", "local"),
        ("a b", "fuse.sshfs", "me@host:/data", "network through FUSE"),
        ("over/x", "fuse", "/the far", "FUSE"),
        ("win/x", "fuseblk", "/dev/sdb1", "FUSE"),
        ("ctl/x", "fusectl", "fusectl", "local"),
    ],
)
def test_the_deepest_and_uppermost_mount_counts(tmp_path, mounts, place, fstype, source, kind):
    found = mount_of(tmp_path / place, mounts)
    assert (found.fstype, found.source, found.kind) == (fstype, source, kind)


def test_links_are_followed(tmp_path, mounts):
    (tmp_path / "nas").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "nas")
    assert mount_of(tmp_path / "link" / "x", mounts).is_network


def test_a_path_is_relative_to_the_working_directory(in_tmp, mounts):
    (in_tmp / "nas").mkdir()
    os.chdir(in_tmp / "nas")
    assert mount_of("x", mounts).fstype == "nfs4"


def test_without_mounts_nothing_is_known():
    assert mount_of("/x", []) == (Path("/"), "unknown", "unknown", False, False, "", "")


@given(st.text("ab \t\\/", min_size=1))
def test_a_name_with_blanks_comes_through(name):
    escaped = "".join(f"\\{ord(c):03o}" if c in " \t\\" else c for c in name)
    (found,) = parse_mounts(f"1 0 0:1 / /{escaped} rw - tmpfs {escaped} rw")
    assert found.point == Path(f"/{name}")
    assert found.source == name


def test_a_mount_has_the_numbers_of_the_kernel(mounts):
    assert [(mount.number, mount.device) for mount in mounts[:2]] == [("22", "254:0"), ("23", "0:40")]


def test_a_process_that_has_ended_sees_no_mounts():
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it stays a zombie
        with pytest.raises(ProcessLookupError):
            read_mounts(Path("/proc", str(process.pid)))
    with pytest.raises(FileNotFoundError):
        read_mounts(Path("/proc/none"))


def test_this_machine_has_a_root_and_proc():
    assert any(mount.point == Path("/") for mount in read_mounts())
    assert mount_of("/proc/self").fstype == "proc"


def test_a_real_fuse_mount_is_seen_and_still_when_its_program_is_dead(tmp_path):
    with fuse_mount(tmp_path) as mount:
        assert mount_of(mount.near / "not" / "yet").is_fuse
        assert mount_of(mount.near / "not" / "yet").point == mount.near
        assert not mount_of(mount.far).is_fuse
        mount.kill()
        assert mount_of(mount.near / "x").is_fuse
