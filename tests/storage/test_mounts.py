"""A directory on FUSE is warned of, by name and with the reason."""

import logging

from dsa110_contimg.storage.mounts import warn_of_fuse
from fuse_mount import fuse_mount


def test_a_fuse_file_system_is_named_and_a_local_one_is_not(tmp_path, caplog):
    with caplog.at_level(logging.WARNING), fuse_mount(tmp_path) as mount:
        warn_of_fuse(mount.far)
        assert caplog.text == ""
        warn_of_fuse(mount.near)
    assert f"{mount.near} is on a FUSE file system" in caplog.text
