"""What is on the scratch disk, and how it stands to the archive; looking changes nothing, and reads no file."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dsa110_contimg.errors import NotStagedError, StagingError
from dsa110_contimg.naming import StagingStep
from dsa110_contimg.storage.copying import journal_of
from dsa110_contimg.storage.free_space import FreeSpace, Space
from dsa110_contimg.storage.scratch import changes
from dsa110_contimg.storage.scratch_records import is_at_work, read_records
from dsa110_contimg.storage.scratch_roots import Place
from dsa110_contimg.storage.trees import Tree, files_of, is_within, scan, size_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsa110_contimg.storage.scratch_records import Record
    from dsa110_contimg.storage.scratch_roots import Roots


class State(StrEnum):
    """How a staged copy stands."""

    STAGED = "staged"  # as it was when it was copied from the archive
    CHANGED = "changed"  # not so, and not archived since
    ARCHIVED = "archived"  # the same in the archive
    NEW = "new"  # made on the scratch disk, and never archived
    GONE = "gone"  # removed by somebody else
    UNFINISHED = "unfinished"  # a copy, in or back, that was stopped or is under way


class Staged(NamedTuple):
    """A product on the scratch disk.

    Attributes
    ----------
    path : str
        Below the roots.
    state : State
        How it stands.
    size_bytes, n_files : int
        What there is of it.
    staged_utc, archived_utc : str
        When it was copied here, and there; empty where it never was.
    changed : tuple of str
        Entries that are not as they were then.
    behind : bool
        Whether the archived copy has changed since, or is gone.
    at_work : bool
        Whether a command is at work on it.
    """

    path: str
    state: State
    size_bytes: int = 0
    n_files: int = 0
    staged_utc: str = ""
    archived_utc: str = ""
    changed: tuple[str, ...] = ()
    behind: bool = False
    at_work: bool = False


class ScratchStatus(NamedTuple):
    """Both roots and what is staged.

    Attributes
    ----------
    data, scratch, root : Space
        Room below the data root, below the scratch root and on the root file system [bytes].
    reserve_bytes : int
        What has to stay free on the root file system.
    products : tuple of Staged
        What is on the scratch disk.
    """

    data: Space
    scratch: Space
    root: Space
    reserve_bytes: int
    products: tuple[Staged, ...]


class Listed(NamedTuple):
    """An entry of a directory that is below both roots; its kind is None where it is not."""

    path: str
    data: str | None
    scratch: str | None


def status(roots: Roots, reserve_bytes: int, places: list[Place] | None = None) -> ScratchStatus:
    """Say how the roots and the products on the scratch disk stand; of all products, or of some and their parts.

    Raises
    ------
    StagingError
        A record is damaged.
    """
    data, scratch, root = FreeSpace().ask([*roots, Path("/")], 2.0)
    products: list[Staged] = []
    if scratch.free_bytes is not None and roots.scratch.is_dir():
        records = read_records(roots)
        products = [_of_record(roots, record) for record in records]
        products += _strangers(roots, {record.path for record in records})
        products += _unfinished(roots)
    if places:
        products = [item for item in products if any(is_within(item.path, place.path) for place in places)]
    return ScratchStatus(
        data, scratch, root, reserve_bytes, tuple(sorted(products, key=lambda item: (item.path, item.state)))
    )


def products_below(place: Place) -> list[Place]:
    """List the products that are below a directory on the scratch disk, if there are any but itself."""
    records = {record.path for record in read_records(place.roots)}
    if not any(is_within(path, place.path) and path != place.path for path in records):
        return [place]
    new = {item.path for item in _strangers(place.roots, records) if item.state is State.NEW}
    return [Place(place.roots, path) for path in sorted(records | new) if is_within(path, place.path)]


def listing(roots: Roots, place: Place | None = None) -> list[Listed]:
    """List a directory that is below either root, or both; without one, the roots.

    Raises
    ------
    NotStagedError
        It is below neither.
    """
    kinds: list[dict[str, str]] = []
    start = place.path + "/" if place else ""
    for path in (place.data, place.scratch) if place else roots:
        if path.is_dir():
            kinds.append({entry.name: _kind(entry) for entry in os.scandir(path) if not _is_hidden(entry.name)})
        else:
            kinds.append({"": "file"} if path.exists() else {})
    if place and not (os.path.lexists(place.data) or os.path.lexists(place.scratch)):
        raise NotStagedError("is below neither root", path=place.path, remedy="see 'scratch list' without a path")
    names = sorted(kinds[0].keys() | kinds[1].keys())
    return [Listed((start + name).rstrip("/"), kinds[0].get(name), kinds[1].get(name)) for name in names]


def _kind(entry: os.DirEntry[str]) -> str:
    if entry.is_symlink():
        return "link"
    return "directory" if entry.is_dir(follow_symlinks=False) else "file"


def _is_hidden(name: str) -> bool:
    return name.startswith((".scratch-", ".partial-"))


def _of_record(roots: Roots, record: Record) -> Staged:
    path, busy = roots.scratch / record.path, is_at_work(roots, record.path)
    since = (record.staged_utc, record.archived_utc)
    if not os.path.lexists(path):
        return Staged(record.path, State.GONE, 0, 0, *since, at_work=busy)
    tree = _look(path)
    changed = tuple(name or "." for name in changes(record, tree))
    state = State.CHANGED if changed else State.ARCHIVED if record.archived_utc else State.STAGED
    return Staged(
        record.path, state, size_of(tree), len(files_of(tree)), *since, changed, _is_behind(roots, record), busy
    )


def _is_behind(roots: Roots, record: Record) -> bool:
    path = roots.data / record.path
    if not os.path.lexists(path):
        return True
    there = _look(path)
    return bool(changes(record, {name: entry for name, entry in there.items() if name in record.items}))


def _strangers(roots: Roots, known: set[str]) -> Iterator[Staged]:
    """Find what is on the scratch disk, but for what is recorded: products made there, and unfinished copies."""
    above = {"/".join(path.split("/")[:n]) for path in known for n in range(1, path.count("/") + 1)}
    for folder in ["", *sorted(above)]:
        for entry in sorted(os.scandir(roots.scratch / folder), key=lambda entry: entry.name):
            path = f"{folder}/{entry.name}" if folder else entry.name
            if path not in known and path not in above and not _is_hidden(entry.name):
                tree = _look(Path(entry.path))
                yield Staged(path, State.NEW, size_of(tree), len(files_of(tree)), at_work=is_at_work(roots, path))


def _look(path: Path) -> Tree:
    """List a tree; what vanishes meanwhile, for a command is at work on it, is as if it were not there."""
    try:
        return scan(path, [Path("/")])
    except StagingError:
        return {}


def _unfinished(roots: Roots) -> Iterator[Staged]:
    """Find copies, in or back, that were stopped or are under way."""
    for verb in ("stage", "archive"):
        for journal in roots.records.glob(f"*.{verb}"):
            if path := journal_of(journal):
                place = Place(roots, path)
                partial = place.hidden(place.scratch if verb == "stage" else place.data, StagingStep.COPYING)
                tree = _look(partial)
                busy = is_at_work(roots, path)
                yield Staged(path, State.UNFINISHED, size_of(tree), len(files_of(tree)), at_work=busy)
