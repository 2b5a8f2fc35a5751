"""Where the ledger may be: SQLite's WAL needs shared memory and locks that work, which file systems of others lack."""

import os
import re
from pathlib import Path
from typing import NamedTuple

from dsa110_contimg.errors import LedgerPlaceError

# fmt: off
_NETWORK = frozenset({
    "nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "ncpfs", "afs", "coda", "ceph", "lustre", "gpfs",
    "beegfs", "glusterfs", "pvfs2", "orangefs", "ocfs2", "gfs2", "9p", "sshfs", "davfs", "virtiofs", "panfs",
    "wekafs",
})
# fmt: on
_ESCAPE = re.compile(r"\\([0-7]{3})")


class Mount(NamedTuple):
    """A mounted file system: where, its type (``ext4``, ``fuse.sshfs``), and what of."""

    point: Path
    kind: str
    source: str


def parse_mounts(mountinfo: str) -> list[Mount]:
    """Read the lines of ``/proc/self/mountinfo`` (proc(5)), in the order in which they were mounted."""
    mounts = []
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        fields, rest = before.split(), after.split()
        if len(fields) > 4 and len(rest) > 1:
            mounts.append(Mount(Path(_unescape(fields[4])), rest[0], _unescape(rest[1])))
    return mounts


def mount_of(path: Path, mounts: list[Mount]) -> Mount | None:
    """Find the file system on which an absolute path without links is: the deepest, and of those the uppermost."""
    best: Mount | None = None
    for mount in mounts:
        on_it = path.is_relative_to(mount.point)
        if on_it and (best is None or len(mount.point.parts) >= len(best.point.parts)):
            best = mount
    return best


def why_unsafe(kind: str) -> str | None:
    """Say why a ledger cannot be on a file system of this type; None: it can."""
    if kind in _NETWORK:
        return (
            "a network file system: its locks and shared memory do not reach other hosts, and SQLite's WAL needs both"
        )
    if kind in {"fuse", "fuseblk"} or kind.startswith("fuse."):
        return "a FUSE file system: shared memory and locks do not hold behind it, and SQLite's WAL needs both"
    return None


def require_local(path: Path, mountinfo: str | None = None) -> None:
    """Refuse a place for a ledger where SQLite is not safe.

    Parameters
    ----------
    path : Path
        The ledger's file, or what will be.
    mountinfo : str, optional
        What ``/proc/self/mountinfo`` says; read if not given.

    Raises
    ------
    LedgerPlaceError
        The path is on a network or FUSE file system.
    """
    if mountinfo is None:
        mountinfo = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
    mount = mount_of(Path(os.path.realpath(path)), parse_mounts(mountinfo))
    reason = why_unsafe(mount.kind) if mount else None
    if mount and reason:
        raise LedgerPlaceError(
            f"the ledger would be on {mount.point} ({mount.kind}, {mount.source}), {reason}",
            path=path,
            remedy="Set paths.state to a directory on a local disk.",
        )


def require_there(path: Path) -> None:
    """Refuse to go on without a ledger.

    Raises
    ------
    LedgerPlaceError
        There is none.
    """
    if not path.exists():
        raise LedgerPlaceError(
            "there is no ledger", path=path, remedy="The stream makes it when it first starts; or set paths.state."
        )


def _unescape(text: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), text)
