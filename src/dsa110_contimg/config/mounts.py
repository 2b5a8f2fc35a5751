"""Which file system a path is on, and whether that is FUSE or a network's.

It is read from ``/proc/self/mountinfo`` (proc(5)): that asks no file system anything, and answers for a dead one too.
"""

import errno
import os
import re
from pathlib import Path
from typing import NamedTuple

# fmt: off
_NETWORK = frozenset({
    "nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "ncpfs", "afs", "coda", "ceph", "lustre", "gpfs",
    "beegfs", "glusterfs", "pvfs2", "orangefs", "ocfs2", "gfs2", "9p", "davfs", "sshfs", "virtiofs", "panfs",
    "wekafs",
})
_NETWORK_BEHIND_FUSE = frozenset({
    "sshfs", "glusterfs", "ceph", "ceph-fuse", "s3fs", "rclone", "gcsfuse", "davfs", "curlftpfs", "mfs", "goofys",
    "juicefs", "seaweedfs", "cvmfs2", "xrootdfs",
})
# fmt: on
_SELF = Path("/proc/self")
_ESCAPE = re.compile(r"\\([0-7]{3})")


class Mount(NamedTuple):
    """A mounted file system.

    Attributes
    ----------
    point : Path
        Where it is seen.
    fstype : str
        Its type as the kernel says it: ``ext4``, ``nfs4``, ``fuse.sshfs``, or plain ``fuse``.
    source : str
        What of: a device, ``server:/export``, or whatever its program says.
    is_fuse : bool
        Whether a program in user space answers for it, so that what is deleted while it is open stays as
        ``.fuse_hidden*``.
    is_network : bool
        Whether the bytes are known to be on another machine.
    device : str
        The kernel's number of what is mounted, ``major:minor``.
    number : str
        The kernel's number of the mount, which ``/proc/PID/fdinfo`` names.
    """

    point: Path
    fstype: str
    source: str
    is_fuse: bool = False
    is_network: bool = False
    device: str = ""
    number: str = ""

    @property
    def kind(self) -> str:
        """What it is in words: ``local``, ``FUSE``, ``network`` or ``network through FUSE``."""
        if self.is_fuse:
            return "network through FUSE" if self.is_network else "FUSE"
        return "network" if self.is_network else "local"


def parse_mounts(mountinfo: str) -> list[Mount]:
    """Read the lines of ``/proc/self/mountinfo``, in the order in which they were mounted; others are left out."""
    mounts = []
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        fields, rest = before.split(" "), after.split(" ")
        if len(fields) > 4 and len(rest) > 1:
            fstype = rest[0]
            is_fuse = fstype in {"fuse", "fuseblk"} or fstype.startswith("fuse.")
            network = fstype in _NETWORK or (is_fuse and fstype.partition(".")[2] in _NETWORK_BEHIND_FUSE)
            point, source = Path(_unescape(fields[4])), _unescape(rest[1])
            mounts.append(Mount(point, fstype, source, is_fuse, network, fields[2], fields[0]))
    return mounts


def read_mounts(process: Path = _SELF) -> list[Mount]:
    """Read the mounts that a process sees: this one, or that of a directory of ``/proc``.

    Raises
    ------
    ProcessLookupError
        It has ended, and waits to be asked how (a zombie): it sees none.
    OSError
        There is no such process, or no ``/proc``, or it is another user's.
    """
    try:
        return parse_mounts((process / "mountinfo").read_text(encoding="utf-8", errors="surrogateescape"))
    except OSError as error:
        if error.errno == errno.EINVAL:
            raise ProcessLookupError(f"{process} has ended") from error
        raise


def mount_of(path: str | os.PathLike[str], mounts: list[Mount] | None = None) -> Mount:
    """Say which file system a path is on, or would be on if it were made.

    Links are followed, and to see whether there are any the directories on the way are looked at: on a mount that
    hangs this hangs, so ask in a thread where that matters. One whose program died is answered for.

    Parameters
    ----------
    path : path
        It need not exist.
    mounts : list of Mount, optional
        What `read_mounts` gave; read now if not given.

    Returns
    -------
    Mount
        The deepest above the path, and of several on one point the one mounted last.

    Raises
    ------
    OSError
        There is no ``/proc``.
    """
    place = Path(os.path.realpath(path))
    best = Mount(Path("/"), "unknown", "unknown")
    for mount in read_mounts() if mounts is None else mounts:
        if place.is_relative_to(mount.point) and len(mount.point.parts) >= len(best.point.parts):
            best = mount
    return best


def _unescape(text: str) -> str:
    """Undo the octal escapes of blanks, tabs, line ends and backslashes, which are of the bytes."""
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), text)
