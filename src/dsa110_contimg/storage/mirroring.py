"""Making one tree what another is: copied beside its place, flushed, and given its name when it is whole.

A copy that was killed is found by the next one, which goes on with it. What had the name keeps it until that instant,
and whatever of it is the same is linked into the new tree and not written again.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dsa110_contimg.config.mounts import mount_of
from dsa110_contimg.errors import CopiesDifferError, DiskFullError
from dsa110_contimg.naming import StagingStep
from dsa110_contimg.storage.copying import Journal, copy_files, sum_files, sync_file_system
from dsa110_contimg.storage.files import output_errors, sync_tree
from dsa110_contimg.storage.renaming import swap_in
from dsa110_contimg.storage.room import require_free
from dsa110_contimg.storage.scratch_records import (
    Item,
    Record,
    announce,
    has_its_name,
    journal_path,
    settle,
    write_record,
)
from dsa110_contimg.storage.trees import (
    Entry,
    Kind,
    Tree,
    below,
    files_of,
    finish_directories,
    is_lock,
    make_directories,
    open_directories,
    remove_tree,
    scan,
    size_of,
)

if TYPE_CHECKING:
    from dsa110_contimg.storage.scratch_roots import Place

log = logging.getLogger(__name__)

# Directory entries and inodes take room too: so much a file, generously [bytes].
_FILE_BYTES = 4096
# So many are flushed one after the other; more of them with all that the file system has to write.
_FEW = 64


class Watch(NamedTuple):
    """What a progress bar is told: how many bytes there will be to read or write, and when some are done."""

    total: Callable[[int], object] = lambda nbytes: None
    advance: Callable[[int], object] = lambda nbytes: None


class Limits(NamedTuple):
    """Threads that copy, and what has to stay free on the root file system [bytes]."""

    workers: int
    reserve_bytes: int


class Plan(NamedTuple):
    """What there is to do to make one tree what another is.

    Attributes
    ----------
    source, target : Path
        The trees.
    wanted : dict
        The entries of the source.
    there : dict
        Those of the target; none if it is not there.
    same : list of str
        Files that look the same in both: they are compared, and kept if they are.
    copied : list of str
        Other files, which are copied.
    kept : list of str
        What the target alone has, and keeps.
    removed : list of str
        What the target alone has, and loses.
    """

    source: Path
    target: Path
    wanted: Tree
    there: Tree
    same: list[str]
    copied: list[str]
    kept: list[str]
    removed: list[str]

    @property
    def is_done(self) -> bool:
        """Whether, by the looks of it, there is nothing to do."""
        others = (name for name, entry in self.wanted.items() if entry.kind is not Kind.FILE)
        return not (self.copied or self.removed) and all(
            name in self.there and _shape(self.wanted[name]) == _shape(self.there[name]) for name in others
        )

    @property
    def replaced(self) -> list[str]:
        """What the target loses for something else of the same name."""
        copied = set(self.copied)
        return [
            name
            for name, entry in self.wanted.items()
            if name in self.there and (name in copied or entry.kind is not self.there[name].kind)
        ]

    @property
    def copied_bytes(self) -> int:
        """How much is to be copied [bytes]."""
        return sum(self.wanted[name].size for name in self.copied)


def plan_mirror(source: Path, target: Path, place: Place, *, delete: bool) -> Plan:
    """Compare two trees without reading their files.

    Raises
    ------
    UsageError, StagingError
        As `trees.scan`.
    """
    wanted = scan(source, place.roots)
    there = scan(target, place.roots) if os.path.lexists(target) else {}
    same: list[str] = []
    copied: list[str] = []
    for name in files_of(wanted):
        one, other = wanted[name], there.get(name)
        alike = other is not None and one[:4] == other[:4]  # kind, size, mode, mtime
        (same if alike else copied).append(name)
    kept: list[str] = []
    removed: list[str] = []
    for name in there:
        if name not in wanted:
            (removed if delete or not _has_room(name, wanted) else kept).append(name)
    return Plan(source, target, wanted, there, same, copied, kept, removed)


def _shape(entry: Entry) -> tuple[Kind, int, str]:
    return (entry.kind, entry.mode, entry.leads_to)


def _has_room(name: str, wanted: Tree) -> bool:
    """Whether the directories that an entry is in are not about to become something else."""
    parts = name.split("/")
    above = ("/".join(parts[:n]) for n in range(len(parts)))
    return all(directory not in wanted or wanted[directory].kind is Kind.DIRECTORY for directory in above)


def require_room(plan: Plan, limits: Limits, there_bytes: int = 0) -> None:
    """Ask for the room that a copy takes, of which an unfinished one has `there_bytes` already.

    Raises
    ------
    DiskFullError
        There is less, or the root file system would be left with less than is to stay free.
    OutputError
        The disk does not answer.
    """
    needed = plan.copied_bytes + _FILE_BYTES * (len(plan.wanted) + len(plan.kept)) - there_bytes
    require_free(plan.target.parent, needed, limits.reserve_bytes)


def mirror(plan: Plan, place: Place, verb: str, limits: Limits, record: Record, watch: Watch) -> tuple[Record, int]:
    """Do what was planned, and record it.

    Parameters
    ----------
    plan : Plan
        What.
    place : Place
        The product, on which the caller is `at_work`, after `recover`.
    verb : str
        ``"stage"`` or ``"archive"``.
    limits : Limits
        Threads, and room to be left.
    record : Record
        What to record, but for the items.
    watch : Watch
        Is told how it goes.

    Returns
    -------
    tuple of Record and int
        What was recorded, and the bytes that were written.

    Raises
    ------
    StagingError, OutputError
        The target is as it was. What was copied stays for a further try, except if the disk is full.
    """
    partial = place.hidden(plan.target, StagingStep.COPYING)
    require_room(plan, limits, _taken(partial))
    journal = Journal(journal_path(place, verb), place.path)
    try:
        with output_errors(plan.target):
            plan.target.parent.mkdir(parents=True, exist_ok=True)
            _prepare(plan, partial, journal)
        watch.total(plan.copied_bytes + 2 * sum(plan.wanted[name].size for name in plan.same))
        sums, copied = _link_same(plan, partial, limits, watch)
        if plan.is_done and not copied:
            remove_tree(partial)
            record = record._replace(items=_items(plan, sums))
            write_record(place, record)
            return record, 0
        require_room(plan, limits, _taken(partial))
        wanted = {name: plan.wanted[name] for name in (*plan.copied, *copied)}
        sums |= copy_files(
            plan.source, partial, wanted, workers=limits.workers, journal=journal, progress=watch.advance
        )
        _keep(plan, partial, limits)
        _require_still(plan, place)
        record = record._replace(items=_items(plan, sums))
        with output_errors(plan.target):
            finish_directories(plan.wanted | {name: plan.there[name] for name in plan.kept}, partial)
            _flush(plan, partial)
            announce(place, record, partial, plan.target)
            swap_in(partial, plan.target, place.hidden(plan.target, StagingStep.REPLACED))
    except DiskFullError:
        remove_tree(partial)
        journal.remove()
        raise
    finally:
        journal.close()
    recover(place)
    return record, size_of(wanted)


def recover(place: Place) -> None:
    """Bring a product back into order after a command on it was killed; the caller is `at_work` on it.

    What was being put in place is there, or is not; nothing that had a name is lost; what was to be removed is.

    Raises
    ------
    OutputError
        Something cannot be renamed or removed.
    """
    with output_errors(place.scratch):
        for final in (place.scratch, place.data):
            for step in (StagingStep.REPLACED, StagingStep.CLEANING):
                without_name = place.hidden(final, step)
                if os.path.lexists(without_name) and not os.path.lexists(final):
                    os.rename(without_name, final)
        if has_its_name(place):
            discard(place)
            settle(place)
        for final in (place.scratch, place.data):
            for step in (StagingStep.REPLACED, StagingStep.CLEANED):
                _remove_old(place.hidden(final, step))


def discard(place: Place) -> None:
    """Remove unfinished copies of a product, and trees that were replaced."""
    for final, verb in ((place.scratch, "stage"), (place.data, "archive")):
        _remove_old(place.hidden(final, StagingStep.COPYING))
        journal_path(place, verb).unlink(missing_ok=True)


def _remove_old(path: Path) -> None:
    """Remove what has been replaced; of what others have open, FUSE leaves something behind."""
    try:
        remove_tree(path)
    except OSError as error:
        log.warning("%s cannot be removed (%s): the next command on it tries again", path, error.strerror)


def _items(plan: Plan, sums: dict[str, str]) -> dict[str, Item]:
    return {name: Item.of(entry, sums.get(name, "")) for name, entry in plan.wanted.items()}


def _taken(partial: Path) -> int:
    """Add up the room that an unfinished copy takes, without what it shares with the target [bytes]."""
    if not os.path.lexists(partial):
        return 0
    statuses = (os.lstat(below(partial, name)) for name in files_of(scan(partial, [Path("/")])))
    return sum(min(status.st_size, status.st_blocks * 512) for status in statuses if status.st_nlink == 1)


def _prepare(plan: Plan, partial: Path, journal: Journal) -> None:
    """Make the directories and links of a new tree, and leave of an old one only files that the journal knows.

    A file with a second name is a file of the target: it must not be written to.
    """
    if os.path.lexists(partial):
        _prune(plan, partial, journal.names())
    make_directories(plan.wanted, partial)


def _prune(plan: Plan, partial: Path, journaled: set[str]) -> None:
    if not partial.is_symlink() and partial.is_dir():
        open_directories(partial)
    found = scan(partial, [Path("/")])
    for name in sorted(found, reverse=True):
        wanted, path = plan.wanted.get(name), below(partial, name)
        if wanted is not None and wanted.kind is found[name].kind is Kind.DIRECTORY:
            continue
        if found[name].kind is Kind.DIRECTORY:
            remove_tree(Path(path))
        elif wanted is None or wanted.kind is not Kind.FILE or name not in journaled or os.lstat(path).st_nlink != 1:
            os.unlink(path)


def _link_same(plan: Plan, partial: Path, limits: Limits, watch: Watch) -> tuple[dict[str, str], list[str]]:
    """Link what the target has the same into the new tree; give its sums, and what has to be copied after all."""
    files = {name: plan.wanted[name] for name in plan.same}
    here = sum_files(plan.source, files, workers=limits.workers, progress=watch.advance)
    there = sum_files(plan.target, files, workers=limits.workers, progress=watch.advance)
    copied = []
    for name in plan.same:
        if here[name] != there[name] or not _link(plan.target, partial, name):
            del here[name]
            copied.append(name)
    return here, copied


def _link(target: Path, partial: Path, name: str) -> bool:
    path = below(partial, name)
    if os.path.lexists(path):
        os.unlink(path)
    try:
        os.link(below(target, name), path, follow_symlinks=False)
    except OSError:  # there are file systems, and owners, that do not allow it
        return False
    return True


def _keep(plan: Plan, partial: Path, limits: Limits) -> None:
    """Bring what the target alone has into the new tree."""
    copied: dict[str, Entry] = {}
    make_directories({name: plan.there[name] for name in plan.kept}, partial)
    for name in plan.kept:
        if plan.there[name].kind is Kind.FILE and not _link(plan.target, partial, name):
            copied[name] = plan.there[name]
    copy_files(plan.target, partial, copied, workers=limits.workers)


def _flush(plan: Plan, partial: Path) -> None:
    many = len(plan.wanted) + len(plan.kept) > _FEW
    if many:
        sync_file_system(partial.parent)
    if not many or mount_of(partial.parent).is_fuse:
        sync_tree(partial)  # FUSE tells no program to flush all that it has


def _require_still(plan: Plan, place: Place) -> None:
    """Refuse to publish a copy of what changed while it was copied."""
    now = scan(plan.source, place.roots)
    changed = [
        name
        for name in plan.wanted.keys() | now.keys()
        if _signature(plan.wanted.get(name)) != _signature(now.get(name)) and not is_lock(name, plan.wanted)
    ]
    if changed:
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        error = CopiesDifferError(
            f"changed while it was copied ({min(changed) or '.'}{more})",
            path=plan.source,
            remedy="wait until nobody writes it, then run the command again",
        )
        error.differences = tuple(sorted(changed))
        raise error


def _signature(entry: Entry | None) -> object:
    if entry is None:
        return None
    return (entry.kind, entry.leads_to) if entry.kind is not Kind.FILE else (entry.kind, entry.size, entry.mtime_ns)
