from pathlib import Path

import pytest

from dsa110_contimg.config.mounts import Mount, parse_mounts
from dsa110_contimg.errors import LedgerPlaceError
from dsa110_contimg.ledger.file_system import require_local, why_unsafe
from dsa110_contimg.ledger.opening import open_ledger

MOUNTS = """\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
23 22 0:40 / {tmp}/nas rw - nfs4 server:/export rw,vers=4.2
24 22 0:41 / {tmp}/a\\040b rw - fuse.sshfs me@host:/data rw
25 22 0:42 / {tmp}/nas/ssd rw - xfs /dev/nvme0n1 rw
26 22 0:43 / {tmp}/over rw - ext4 /dev/sda1 rw
27 22 0:44 / {tmp}/over rw - fuse bindfs rw
a line that is not understood
"""


@pytest.fixture
def mounts(tmp_path):
    return parse_mounts(MOUNTS.replace("{tmp}", str(tmp_path)))


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("nas/state", ["nfs4", "server:/export", "network"]),
        ("a b/state", ["fuse.sshfs", "me@host:/data", "FUSE"]),
        ("over/state", ["fuse", "bindfs"]),
    ],
)
def test_a_network_or_fuse_file_system_is_refused_by_name_with_the_reason(tmp_path, mounts, place, words):
    with pytest.raises(LedgerPlaceError) as caught:
        require_local(tmp_path / place / "ledger.sqlite", mounts)
    assert all(word in str(caught.value) for word in [*words, "WAL", "paths.state"])


@pytest.mark.parametrize("place", ["state", "nas/ssd/state", "nasty/state"])
def test_a_local_one_is_not(tmp_path, mounts, place):
    require_local(tmp_path / place / "ledger.sqlite", mounts)


def test_a_link_is_followed(tmp_path, mounts):
    (tmp_path / "nas").mkdir()
    (tmp_path / "state").symlink_to(tmp_path / "nas")
    with pytest.raises(LedgerPlaceError):
        require_local(tmp_path / "state" / "ledger.sqlite", mounts)


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "f2fs"])
def test_local_kinds(kind):
    assert why_unsafe(Mount(Path("/"), kind, "")) is None


def test_opening_refuses_it_before_anything_is_made(tmp_path, mounts, monkeypatch):
    monkeypatch.setattr("dsa110_contimg.ledger.file_system.read_mounts", lambda: mounts)
    with pytest.raises(LedgerPlaceError, match="nfs4"):
        open_ledger(tmp_path / "nas" / "ledger.sqlite")
    assert not (tmp_path / "nas").exists()
