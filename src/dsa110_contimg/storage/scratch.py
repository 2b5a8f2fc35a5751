"""Staging on a fast disk: copies of products there, archived back, and removed when that is safe.

A product has the same path below the data root and below the scratch root. Each function here works on one product, has
it for itself while it does (`scratch_records.at_work`), and first brings into order what a killed command left.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, nullcontext
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dsa110_contimg.errors import CopiesDifferError, NotStagedError, StagingError
from dsa110_contimg.naming import StagingStep
from dsa110_contimg.storage.copying import sum_files
from dsa110_contimg.storage.files import output_errors, sync_directory
from dsa110_contimg.storage.mirroring import Limits, Plan, Watch, discard, mirror, plan_mirror, recover, require_room
from dsa110_contimg.storage.scratch_records import (
    Item,
    Record,
    at_work,
    journal_path,
    now_utc,
    read_record,
    read_records,
    record_path,
    write_record,
)
from dsa110_contimg.storage.scratch_roots import require_roots
from dsa110_contimg.storage.table_locks import refuse_users, refuse_writers
from dsa110_contimg.storage.trees import Kind, Tree, files_of, is_lock, is_within, remove_tree, scan, size_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dsa110_contimg.storage.scratch_roots import Place
    from dsa110_contimg.storage.trees import Entry


class Outcome(StrEnum):
    """What became of a product."""

    STAGED = "staged"
    ARCHIVED = "archived"
    CLEANED = "cleaned"
    NOTHING_TO_DO = "nothing to do"


class Done(NamedTuple):
    """What was done, or with ``--dry-run`` would be.

    Attributes
    ----------
    path : str
        The product.
    outcome : Outcome
        What became of it.
    copied_bytes, n_copied : int
        What was copied, in bytes and in files.
    removed : tuple of str
        What the archive alone had, and lost.
    size_bytes, n_files : int
        The whole product.
    """

    path: str
    outcome: Outcome
    copied_bytes: int = 0
    n_copied: int = 0
    removed: tuple[str, ...] = ()
    size_bytes: int = 0
    n_files: int = 0


def stage(place: Place, limits: Limits, watch: Watch | None = None, *, dry_run: bool = False) -> Done:
    """Copy a product from the data root to the scratch root.

    Raises
    ------
    NotStagedError
        It is not there.
    CopiesDifferError
        Something is on the scratch disk that is not, or no longer, what was staged.
    TableLockedError
        Another process is writing a table of it.
    UsageError
        A link in it leads out of the roots.
    OutputError
        There is no room for it, or it cannot be written.
    """
    with _having(place, dry_run=dry_run):
        _require(place.data, "stage")
        refuse_writers(place.data)
        record = read_record(record_path(place))
        plan = plan_mirror(place.data, place.scratch, place, delete=True)
        if plan.there and record is not None and not changes(record, plan.there) and not changes(record, plan.wanted):
            if not dry_run:
                discard(place)
            return _report(place, Outcome.NOTHING_TO_DO, plan, nothing=True)
        if plan.there:
            refuse_users(place.scratch)
            _refuse_changed(place, record, plan, limits)
        require_room(plan, limits) if dry_run else None
        if not dry_run:
            before = record or Record(place.path, "", "", {})
            mirror(plan, place, "stage", limits, before._replace(staged_utc=now_utc()), watch or Watch())
        return _report(place, Outcome.STAGED, plan)


def archive(
    place: Place,
    limits: Limits,
    watch: Watch | None = None,
    *,
    delete: bool = False,
    force: bool = False,
    dry_run: bool = False,
) -> Done:
    """Copy a product from the scratch root back to the data root.

    Parameters
    ----------
    delete : bool
        Whether the archive loses what is no longer in the staged copy; it keeps it otherwise.
    force : bool
        Whether what came to the archive since staging is replaced, too.

    Raises
    ------
    NotStagedError
        It is not on the scratch disk.
    CopiesDifferError
        The archived copy is newer than what was staged.
    TableLockedError
        Another process is writing a table of the staged copy, or has one of the archived copy open.
    UsageError
        A link in it leads out of the roots.
    OutputError
        There is no room for it, or it cannot be written.
    """
    with _having(place, dry_run=dry_run):
        _require(place.scratch, "archive")
        refuse_writers(place.scratch)
        record = read_record(record_path(place))
        plan = plan_mirror(place.scratch, place.data, place, delete=delete)
        if plan.is_done and record is not None and not changes(record, plan.wanted):
            if not dry_run:
                discard(place)
                if not record.archived_utc:
                    write_record(place, record._replace(archived_utc=now_utc()))
            return _report(place, Outcome.NOTHING_TO_DO, plan, nothing=True)
        if plan.there:
            refuse_users(place.data)
            if not force:
                _refuse_newer(place, plan, record)
        require_room(plan, limits) if dry_run else None
        if not dry_run:
            before = record or Record(place.path, "", "", {})
            mirror(plan, place, "archive", limits, before._replace(archived_utc=now_utc()), watch or Watch())
        return _report(place, Outcome.ARCHIVED, plan)


def clean(
    place: Place, limits: Limits, watch: Watch | None = None, *, force: bool = False, dry_run: bool = False
) -> Done:
    """Remove the staged copy of a product, if the archived one is the same.

    Both are read again, from their disks, and compared by checksum.

    Parameters
    ----------
    force : bool
        Whether it is removed whatever the archive has.

    Raises
    ------
    NotStagedError
        There is no staged copy.
    CopiesDifferError
        The archived copy is not the same.
    TableLockedError
        Another process has a table of it open.
    OutputError
        It cannot be removed.
    """
    with _having(place, dry_run=dry_run):
        if not os.path.lexists(place.scratch) and _is_known(place):
            if not dry_run:
                discard(place)
                record_path(place).unlink(missing_ok=True)
                _remove_empty(place)
            return Done(place.path, Outcome.CLEANED)
        _require(place.scratch, "clean")
        refuse_users(place.scratch)
        tree = scan(place.scratch, [Path("/")])
        if not force:
            different = compare(place, tree, limits, watch or Watch())
            if different:
                raise _differ(
                    "its archived copy is not the same, so the staged one stays",
                    place,
                    different,
                    "archive it (with --delete what is gone from it goes), or insist with --force",
                )
        if not dry_run:
            _remove(place, None if force else tree)
        return Done(place.path, Outcome.CLEANED, size_bytes=size_of(tree), n_files=len(files_of(tree)))


def compare(place: Place, staged: Tree, limits: Limits, watch: Watch) -> list[str]:
    """Say in what the archived copy differs from the staged one: a line each, sorted; times and modes do not count."""
    if not os.path.lexists(place.data):
        return [f"{place.path}: is not archived"]
    archived = scan(place.data, [Path("/")])
    different = []
    files = []
    for name in sorted(staged.keys() | archived.keys()):
        one, other = staged.get(name), archived.get(name)
        if is_lock(name, staged) and is_lock(name, archived):
            continue
        if one is None or other is None:
            different.append(f"{name}: only {'archived' if one is None else 'staged'}")
        elif one.kind is not other.kind or one.leads_to != other.leads_to:
            different.append(f"{name or '.'}: is another kind of entry, or another link")
        elif one.size != other.size:
            different.append(f"{name or '.'}: {one.size} bytes staged, {other.size} archived")
        elif one.kind is Kind.FILE:
            files.append(name)
    watch.total(2 * sum(staged[name].size for name in files))
    sums = [
        sum_files(
            root,
            {name: tree[name] for name in files},
            workers=limits.workers,
            from_disk=True,
            progress=watch.advance,
        )
        for root, tree in ((place.scratch, staged), (place.data, archived))
    ]
    different += [f"{name or '.'}: contents differ" for name in files if sums[0][name] != sums[1][name]]
    return sorted(different)


def changes(record: Record, tree: Tree) -> list[str]:
    """List what of a tree is not as it was recorded, by its looks: kinds, sizes, times, links."""
    names = record.items.keys() | tree.keys()
    return sorted(
        name
        for name in names
        if not is_lock(name, record.items) and not _looks_as(record.items.get(name), tree.get(name))
    )


def _looks_as(item: Item | None, entry: Entry | None) -> bool:
    if item is None or entry is None:
        return False
    if (item.kind, item.size, item.leads_to) != (entry.kind, entry.size, entry.leads_to):
        return False
    return item.kind is not Kind.FILE or item.mtime_ns == entry.mtime_ns


def _is_as(item: Item | None, entry: Entry | None, checksum: str) -> bool:
    if item is None or entry is None:
        return False
    return (item.kind, item.leads_to, item.checksum) == (entry.kind, entry.leads_to, checksum)


def _is_newer(there: Entry, item: Item | None, wanted: Entry | None) -> bool:
    """Whether an archived entry is not the one that was recorded, or not older than what would replace it."""
    if item is not None:
        return not _looks_as(item, there)
    return wanted is not None and there.mtime_ns > wanted.mtime_ns


def _require(path: Path, verb: str) -> None:
    if not os.path.lexists(path):
        raise NotStagedError(f"there is nothing to {verb}", path=path, remedy="see what there is with 'scratch list'")


@contextmanager
def _having(place: Place, *, dry_run: bool) -> Iterator[None]:
    """Have a product for oneself, and in order; for a dry run, only look whether it can be had."""
    require_roots(place.roots)
    with nullcontext() if dry_run else at_work(place):
        if not dry_run:
            recover(place)
        _refuse_overlap(place)
        yield


def _refuse_overlap(place: Place) -> None:
    """Refuse a part of a product, and what has products for its parts."""
    for record in read_records(place.roots):
        if record.path in place.ancestors:
            raise StagingError(f"is a part of {record.path}, which is staged", path=place.path, remedy="name that")
        if is_within(record.path, place.path) and record.path != place.path:
            raise StagingError(f"its part {record.path} is staged by itself", path=place.path, remedy="clean that")


def _refuse_changed(place: Place, record: Record | None, plan: Plan, limits: Limits) -> None:
    """Refuse to replace what is on the scratch disk, unless it is what was staged; that is found out by checksum."""
    if record is None:
        different = compare(place, plan.there, limits, Watch())
        if different:
            raise _differ(
                "something else is on the scratch disk",
                place,
                different,
                "archive it, or remove it with 'scratch clean --force'",
            )
        return
    sums = sum_files(place.scratch, {name: plan.there[name] for name in files_of(plan.there)}, workers=limits.workers)
    changed = [
        name
        for name in sorted(record.items.keys() | plan.there.keys())
        if not is_lock(name, record.items)
        and not _is_as(record.items.get(name), plan.there.get(name), sums.get(name, ""))
    ]
    if changed:
        raise _differ(
            "the staged copy has changed since it was staged",
            place,
            changed,
            "archive it, or remove it with 'scratch clean --force'",
        )


def _refuse_newer(place: Place, plan: Plan, record: Record | None) -> None:
    """Refuse to replace in the archive what is not what was staged from it or archived there before."""
    known = record.items if record else {}
    if plan.removed and record is None:
        raise _differ(
            "was never staged as a whole, and the archive has more",
            place,
            plan.removed,
            "leave out --delete, or insist with --force",
        )
    newer = [
        name
        for name in (*plan.replaced, *plan.removed)
        if not is_lock(name, plan.there) and _is_newer(plan.there[name], known.get(name), plan.wanted.get(name))
    ]
    if newer:
        raise _differ(
            "the archived copy has changed since, and would be lost", place, newer, "look at both; insist with --force"
        )


def _is_known(place: Place) -> bool:
    """Whether there is a record of a copy that somebody else removed, or an unfinished one."""
    return record_path(place).exists() or any(journal_path(place, verb).exists() for verb in ("stage", "archive"))


def _remove(place: Place, verified: Tree | None) -> None:
    """Take the name from the staged copy, look a last time whether it is what was verified, and remove it."""
    looked_at = place.hidden(place.scratch, StagingStep.CLEANING)
    going = place.hidden(place.scratch, StagingStep.CLEANED)
    with output_errors(place.scratch):
        os.rename(place.scratch, looked_at)
        if verified is not None and _moved(scan(looked_at, [Path("/")])) != _moved(verified):
            os.rename(looked_at, place.scratch)
            raise CopiesDifferError("changed while it was verified, and stays", path=place.scratch)
        os.rename(looked_at, going)
        sync_directory(place.scratch.parent)
        record_path(place).unlink(missing_ok=True)
        discard(place)
        remove_tree(going)
        _remove_empty(place)


def _moved(tree: Tree) -> dict[str, tuple[object, ...]]:
    """Give what a change of a tree would show in; the tree's own last change is that it was renamed."""
    return {
        name: (entry.kind, entry.size, entry.mtime_ns, entry.leads_to, entry.ctime_ns if name else 0)
        for name, entry in tree.items()
    }


def _remove_empty(place: Place) -> None:
    for path in reversed(place.ancestors):
        try:
            (place.roots.scratch / path).rmdir()
        except OSError:
            return


def _differ(what: str, place: Place, names: list[str], remedy: str) -> CopiesDifferError:
    shown = ", ".join(name or "." for name in names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    error = CopiesDifferError(f"{what} ({shown})", path=place.path, remedy=remedy)
    error.differences = tuple(name or "." for name in names)
    return error


def _report(place: Place, outcome: Outcome, plan: Plan, *, nothing: bool = False) -> Done:
    return Done(
        place.path,
        outcome,
        0 if nothing else plan.copied_bytes,
        0 if nothing else len(plan.copied),
        () if nothing else tuple(plan.removed),
        size_of(plan.wanted),
        len(files_of(plan.wanted)),
    )
