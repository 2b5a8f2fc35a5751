"""Where the ledger may be: SQLite's WAL needs shared memory and locks that work, which file systems of others lack."""

from pathlib import Path

from dsa110_contimg.config.mounts import Mount, mount_of, read_mounts
from dsa110_contimg.errors import LedgerPlaceError


def why_unsafe(mount: Mount) -> str | None:
    """Say why a ledger cannot be on a file system; None: it can."""
    if mount.is_fuse:
        return "a FUSE file system: shared memory and locks do not hold behind it, and SQLite's WAL needs both"
    if mount.is_network:
        return (
            "a network file system: its locks and shared memory do not reach other hosts, and SQLite's WAL needs both"
        )
    return None


def require_local(path: Path, mounts: list[Mount] | None = None) -> None:
    """Refuse a place for a ledger where SQLite is not safe.

    Parameters
    ----------
    path : Path
        The ledger's file, or what will be.
    mounts : list of Mount, optional
        What `config.mounts.read_mounts` gave; read now if not given.

    Raises
    ------
    LedgerPlaceError
        The path is on a network or FUSE file system.
    """
    mount = mount_of(path, read_mounts() if mounts is None else mounts)
    reason = why_unsafe(mount)
    if reason:
        raise LedgerPlaceError(
            f"the ledger would be on {mount.point} ({mount.fstype}, {mount.source}), {reason}",
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
