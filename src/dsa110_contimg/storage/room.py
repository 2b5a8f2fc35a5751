"""Asking for room before it is taken, and leaving some on the root file system."""

from __future__ import annotations

from pathlib import Path

from dsa110_contimg.config.logs import human_bytes
from dsa110_contimg.errors import DiskFullError, OutputError
from dsa110_contimg.storage.free_space import FreeSpace

_TIMEOUT_S = 10.0


def require_free(directory: Path, needed_bytes: int, reserve_bytes: int = 0) -> None:
    """Refuse to begin what does not fit.

    Parameters
    ----------
    directory : Path
        Where it is to be written; it need not exist.
    needed_bytes : int
        How much [bytes].
    reserve_bytes : int
        What has to stay free if that is the root file system, on which more than our products stands [bytes].

    Raises
    ------
    DiskFullError
        There is less room.
    OutputError
        The disk does not answer.
    """
    (space,) = FreeSpace().ask([directory], _TIMEOUT_S)
    if space.free_bytes is None:
        raise OutputError(space.problem, path=directory, remedy="check that the disk is mounted and answers")
    reserve = reserve_bytes if _existing(directory).stat().st_dev == Path("/").stat().st_dev else 0
    if space.free_bytes < needed_bytes + reserve:
        stay = f", and {human_bytes(reserve)} have to stay free on the root file system" if reserve else ""
        raise DiskFullError(
            f"no room: {human_bytes(max(needed_bytes, 0))} are needed where {human_bytes(space.free_bytes)} are "
            f"free{stay}",
            path=directory,
            remedy="clean what is archived (scratch status), or lower the floor (scratch.reserve_gb)",
        )


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path
