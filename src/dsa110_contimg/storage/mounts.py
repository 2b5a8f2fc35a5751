"""Saying where Measurement Sets should rather not be written."""

import logging
from pathlib import Path

from dsa110_contimg.config.mounts import mount_of

log = logging.getLogger(__name__)


def warn_of_fuse(directory: Path) -> None:
    """Say in the log, and why, if Measurement Sets should rather not be written in a directory."""
    mount = mount_of(directory)
    if mount.is_fuse:
        log.warning(
            "%s is on a FUSE file system (%s, %s): a table that is deleted or replaced there while anybody has it open "
            "stays on the disk as .fuse_hidden*, writing is slow, and locks may not hold. Work on a local disk "
            "(paths.scratch, convert --scratch) and archive from there; `housekeeping fuse scan` shows what is left",
            directory,
            mount.fstype,
            mount.source,
        )
