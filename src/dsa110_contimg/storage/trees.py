"""What is in a directory tree, and how two of them differ."""

from __future__ import annotations

import os
import shutil
import stat
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dsa110_contimg.errors import ContimgError, StagingError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_TABLE, _LOCK = "table.dat", "table.lock"


class Kind(StrEnum):
    """What an entry is."""

    FILE = "file"
    DIRECTORY = "directory"
    LINK = "link"


class Entry(NamedTuple):
    """A file, directory or symbolic link of a tree.

    Attributes
    ----------
    kind : Kind
        Which of them.
    size : int
        Length of a file [bytes]; 0 of others.
    mode : int
        Permissions.
    mtime_ns, ctime_ns : int
        When it was last written, and last changed in any way [ns since 1970].
    uid, gid : int
        Whose it is.
    sparse : bool
        Whether a file takes less room than its length.
    leads_to : str
        What a link says.
    """

    kind: Kind
    size: int
    mode: int
    mtime_ns: int
    ctime_ns: int = 0
    uid: int = -1
    gid: int = -1
    sparse: bool = False
    leads_to: str = ""


Tree = dict[str, Entry]
"""The entries of a tree by their names below it, ``/`` between the parts; the tree itself is ``""``."""


def below(root: str | os.PathLike[str], name: str) -> str:
    """Give the path of an entry."""
    return f"{os.fspath(root)}/{name}" if name else os.fspath(root)


class reading_errors:  # noqa: N801 - a context, as `output_errors`; written out, for it is entered for every file
    """Turn the system's errors while something is read into ours."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError) and not isinstance(error, ContimgError):
            raise StagingError(
                f"cannot be read ({error.strerror or error})",
                path=error.filename or self._path,
                remedy="check that it is there, its permissions and its disk",
            ) from error


def scan(root: Path, within: Iterable[Path]) -> Tree:
    """List a tree, or a single file, without following links.

    Parameters
    ----------
    root : Path
        The tree.
    within : iterable of Path
        Directories that a link in the tree may lead to.

    Raises
    ------
    StagingError
        Something cannot be read, or is neither file, directory nor link.
    UsageError
        A link leads elsewhere.
    """
    allowed = [os.path.realpath(place) for place in within]
    with reading_errors(root):
        tree = {"": _entry(os.fspath(root), os.lstat(root), allowed)}
        if tree[""].kind is Kind.DIRECTORY:
            tree.update(_walk(os.fspath(root), "", allowed))
    return tree


def _walk(root: str, directory: str, allowed: list[str]) -> Iterator[tuple[str, Entry]]:
    with os.scandir(below(root, directory)) as listing:
        items = sorted(listing, key=lambda item: item.name)
    for item in items:
        name = f"{directory}/{item.name}" if directory else item.name
        entry = _entry(item.path, item.stat(follow_symlinks=False), allowed)
        yield name, entry
        if entry.kind is Kind.DIRECTORY:
            yield from _walk(root, name, allowed)


def _entry(path: str, status: os.stat_result, allowed: list[str]) -> Entry:
    mode = stat.S_IMODE(status.st_mode)
    rest = (mode, status.st_mtime_ns, status.st_ctime_ns, status.st_uid, status.st_gid)
    if stat.S_ISREG(status.st_mode):
        return Entry(Kind.FILE, status.st_size, *rest, sparse=status.st_blocks * 512 < status.st_size)
    if stat.S_ISDIR(status.st_mode):
        return Entry(Kind.DIRECTORY, 0, *rest)
    if stat.S_ISLNK(status.st_mode):
        target = os.path.realpath(path)
        if not any(is_within(target, place) for place in allowed):
            raise UsageError(
                f"is a symbolic link that leads out of the root, to {Path(path).readlink()}",
                path=path,
                remedy="remove the link, or stage what it leads to",
            )
        return Entry(Kind.LINK, 0, *rest, leads_to=os.fspath(Path(path).readlink()))
    raise StagingError(
        "is neither a file, a directory nor a link", path=path, remedy="sockets, pipes and devices cannot be copied"
    )


def is_within(path: str, place: str) -> bool:
    """Whether a path is a directory or something below it; both without links."""
    return path == place or path.startswith(place.rstrip("/") + "/")


def is_lock(name: str, tree: Mapping[str, object]) -> bool:
    """Whether an entry is where casacore's readers leave their marks, and so no part of the data."""
    directory, _, last = name.rpartition("/")
    return last == _LOCK and (f"{directory}/{_TABLE}" if directory else _TABLE) in tree


def files_of(tree: Tree) -> list[str]:
    """List the files."""
    return [name for name, entry in tree.items() if entry.kind is Kind.FILE]


def size_of(tree: Tree) -> int:
    """Add up the lengths of all files [bytes]."""
    return sum(entry.size for entry in tree.values())


def remove_tree(path: Path) -> None:
    """Remove a file or a tree, be its directories writable or not; what is not there is no error.

    Raises
    ------
    OSError
        Something stays.
    """
    if not os.path.lexists(path):
        return
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    open_directories(path)
    shutil.rmtree(path)


def open_directories(path: Path) -> None:
    """Make the directories of a tree such that their owner may change what is in them."""
    for folder, names, _ in os.walk(path):
        for name in [folder, *(os.path.join(folder, name) for name in names)]:  # noqa: PTH118
            status = os.lstat(name)
            if stat.S_ISDIR(status.st_mode) and status.st_mode & 0o700 != 0o700:
                Path(name).chmod(stat.S_IMODE(status.st_mode) | 0o700)


def make_directories(tree: Tree, target: Path) -> None:
    """Make the directories and links of a tree, as far as they are not there; directories may be written for now."""
    for name, entry in tree.items():
        path = Path(below(target, name))
        if entry.kind is Kind.DIRECTORY and not path.is_dir():
            path.mkdir(0o700)
        elif entry.kind is Kind.LINK:
            path.symlink_to(entry.leads_to)
            _own(path, entry)
            os.utime(path, ns=(entry.mtime_ns, entry.mtime_ns), follow_symlinks=False)


def finish_directories(tree: Tree, target: Path) -> None:
    """Give directories their owners, modes and times: the innermost first, for each changes the one that it is in."""
    for name in sorted(tree, key=lambda name: name.count("/") if name else -1, reverse=True):
        if tree[name].kind is Kind.DIRECTORY:
            path = Path(below(target, name))
            _own(path, tree[name])
            path.chmod(tree[name].mode)
            os.utime(path, ns=(tree[name].mtime_ns, tree[name].mtime_ns))


def _own(path: Path, entry: Entry) -> None:
    if os.geteuid() == 0:
        os.chown(path, entry.uid, entry.gid, follow_symlinks=False)
