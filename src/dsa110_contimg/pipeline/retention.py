"""What may go by the rules of the settings, and its removal.

Nothing is removed that was not in a plan which somebody could read first. A product is renamed out of its place, then
counted as gone by the ledger, then removed; killed in between, the rest is found by the next plan, or cleared with
other partial directories. A subband file goes alone, after it was compared with two copies.
"""

from __future__ import annotations

import json
import logging
import os
from bisect import bisect_left
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dsa110_contimg.errors import ContimgError, RetentionError
from dsa110_contimg.mosaic.epochs import is_near
from dsa110_contimg.pipeline.hours import GROUP_D, inputs_of, will_be_made
from dsa110_contimg.pipeline.retention_copies import N_COPIES, Copies, find_copies, verify
from dsa110_contimg.pipeline.stages import FLAG_VERSIONS
from dsa110_contimg.storage.files import sync_directory
from dsa110_contimg.storage.publish import partial_directory
from dsa110_contimg.storage.table_locks import find_locks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dsa110_contimg.config.settings import KeepSettings, RetentionSettings
    from dsa110_contimg.ledger.ledger import Ledger
    from dsa110_contimg.ledger.retention import Held

log = logging.getLogger(__name__)

KINDS = ("raw", "ms", "images", "epochs")
PLAN_NAME = "retention-plan.json"
"""What the last plan was, in the state directory."""
PLAN_LASTS = timedelta(hours=24)
"""A plan that is older has to be made anew."""
_WITH = {FLAG_VERSIONS: "ms"}
_WHO = "retention"
_ALWAYS_MJD = (0.0, 1e6)


class Item(NamedTuple):
    """What may go of one group, or epoch.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    group_id : str
        Of the group, or of the epoch.
    start_utc : datetime
    paths : tuple of Path
        Files or directories.
    size_bytes : int
    """

    kind: str
    group_id: str
    start_utc: datetime
    paths: tuple[Path, ...]
    size_bytes: int


class KindPlan(NamedTuple):
    """What is to become of one kind.

    Attributes
    ----------
    kind : str
    n_groups : int
        Finished groups that have it.
    size_bytes : int
        Its size in all [bytes].
    items : tuple of Item
        What may go, the oldest first.
    kept : str
        Why no more goes.
    """

    kind: str
    n_groups: int
    size_bytes: int
    items: tuple[Item, ...]
    kept: str

    @property
    def freed_bytes(self) -> int:
        """What goes [bytes]."""
        return sum(item.size_bytes for item in self.items)


class Removal(NamedTuple):
    """What became of an item: `problem` is empty if it is gone."""

    item: Item
    freed_bytes: int
    problem: str


def make_plan(
    ledger: Ledger, incoming: Path, output: Path, settings: RetentionSettings, now: datetime | None = None
) -> list[KindPlan]:
    """Say what may go.

    Parameters
    ----------
    ledger : Ledger
        What is known of the groups.
    incoming, output : Path
        Directories of the subband files and of the products: nothing goes that is not in them.
    settings : RetentionSettings
        The rules.
    now : datetime, optional
        The time; today's by default.
    """
    when = now or datetime.now(UTC)
    places = {kind: (incoming if kind == "raw" else output).absolute() for kind in KINDS}
    wanted = _wanted_by_epochs(ledger)
    held = [item for item in ledger.held() if _WITH.get(item.kind, item.kind) in KINDS and item.path not in wanted]
    held += ledger.held_epochs()
    return [
        _plan_kind(kind, _grouped(held, kind, places[kind]), getattr(settings, kind), places[kind], settings, when)
        for kind in KINDS
    ]


def _wanted_by_epochs(ledger: Ledger) -> set[Path]:
    """Name the images of hours that are to be made yet, or again."""
    groups = [group for group in ledger.epoch_groups(*_ALWAYS_MJD) if group.images is not None]
    starts = [group.start_mjd for group in groups]
    wanted: set[Path] = set()
    for epoch in ledger.epochs():
        first, end = bisect_left(starts, epoch.start_mjd - GROUP_D), bisect_left(starts, epoch.end_mjd)
        hour = groups[first:end]
        its = [group for group in hour if group.dec_deg is not None and is_near(epoch.strip, group.dec_deg)]
        if will_be_made(epoch, inputs_of(its)):
            unknown = [group for group in hour if group.dec_deg is None]
            wanted |= {group.images for group in (*its, *unknown) if group.images is not None}
    return wanted


def _plan_kind(
    kind: str, found: list[Item], rule: KeepSettings, place: Path, settings: RetentionSettings, now: datetime
) -> KindPlan:
    total = sum(item.size_bytes for item in found)

    def plan(items: Iterable[Item], kept: str) -> KindPlan:
        return KindPlan(kind, len(found), total, tuple(items), kept)

    if rule.days is None:
        return plan((), f"retention.{kind}.days is not set: kept for ever")
    rest = found[: max(0, len(found) - rule.newest)]
    old = [item for item in rest if now - item.start_utc > timedelta(days=rule.days)]
    kept = f"kept: what is younger than {rule.days:g} days"
    if rule.newest:
        kept += f", and the newest {rule.newest} groups"
    if kind == "raw" and old:
        try:
            copies = find_copies(settings.raw_copies, place)
        except RetentionError as error:
            return plan((), str(error))
        copied = [item for item in old if _seems_copied(item, copies)]
        if len(copied) < len(old):
            kept += f", and {len(old) - len(copied)} older groups without {N_COPIES} copies elsewhere"
        old = copied
    if rule.below_free_gb is not None and old:
        lacking = rule.below_free_gb * 1e9 - _free_bytes(place)
        n_needed, freed = 0, 0
        while n_needed < len(old) and freed < lacking:
            freed += old[n_needed].size_bytes
            n_needed += 1
        if n_needed < len(old):
            kept += f", and {len(old) - n_needed} older groups: then {rule.below_free_gb:g} GB are free"
        old = old[:n_needed]
    return plan(old, kept)


def _grouped(held: list[Held], kind: str, place: Path) -> list[Item]:
    """Put together what each group has of a kind, the oldest first."""
    parts: dict[str, list[Held]] = {}
    for item in held:
        if _WITH.get(item.kind, item.kind) == kind and item.path.is_relative_to(place):
            parts.setdefault(item.group_id, []).append(item)
    return [
        Item(kind, gid, some[0].start_utc, tuple(one.path for one in some), sum(one.size_bytes for one in some))
        for gid, some in parts.items()
    ]


def _seems_copied(item: Item, copies: Copies) -> bool:
    try:
        return all(len(copies.of(path)) >= N_COPIES for path in item.paths if path.exists())
    except OSError:
        return False


def _free_bytes(place: Path) -> int:
    while not place.exists():
        place = place.parent
    status = os.statvfs(place)
    return status.f_bavail * status.f_frsize


def save_plan(plans: list[KindPlan], state: Path, now: datetime | None = None) -> Path:
    """Keep a plan, so that it can be carried out."""
    path = state / PLAN_NAME
    written = path.with_suffix(".tmp")
    items = [[item.kind, item.group_id, [str(path) for path in item.paths]] for plan in plans for item in plan.items]
    written.write_text(json.dumps({"made_utc": (now or datetime.now(UTC)).isoformat(), "items": items}, indent=1))
    written.rename(path)
    return path


def read_plan(state: Path, now: datetime | None = None) -> set[Path]:
    """Give the paths of the plan that was kept.

    Raises
    ------
    RetentionError
        There is none, or it is old.
    """
    path, remedy = state / PLAN_NAME, "Make one and read it: dsa110-contimg retention plan."
    try:
        kept = json.loads(path.read_text())
        made = datetime.fromisoformat(kept["made_utc"])
        paths = {Path(one) for _, _, some in kept["items"] for one in some}
    except FileNotFoundError:
        raise RetentionError("there is no plan", path=path, remedy=remedy) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RetentionError(f"the plan cannot be read ({error})", path=path, remedy=remedy) from error
    if (now or datetime.now(UTC)) - made > PLAN_LASTS:
        raise RetentionError(f"the plan is of {made:%Y-%m-%d %H:%M} UTC", path=path, remedy=remedy)
    return paths


def carry_out(
    ledger: Ledger,
    plans: list[KindPlan],
    planned: set[Path],
    incoming: Path,
    output: Path,
    settings: RetentionSettings,
    progress: Callable[[Item], object] = lambda item: None,
) -> list[Removal]:
    """Remove what may go now and was in the plan that somebody read.

    Parameters
    ----------
    ledger : Ledger
        Is told what is gone.
    plans : list of KindPlan
        What may go now.
    planned : set of Path
        What was in the plan.
    incoming, output : Path
        Directories of the subband files and of the products.
    settings : RetentionSettings
        The rules.
    progress : callable
        Is told of each item that is done with.
    """
    items = [item for plan in plans for item in plan.items if planned.issuperset(item.paths)]
    # Comparing subband files takes hours, in which what the plan says of products may become untrue.
    items.sort(key=lambda item: item.kind == "raw")
    copies = find_copies(settings.raw_copies, incoming) if any(item.kind == "raw" for item in items) else None
    done = []
    for item in items:
        try:
            if item.kind == "raw":
                assert copies is not None
                freed = _remove_files(ledger, item, copies)
            else:
                freed = _remove_products(ledger, item, output)
        except (ContimgError, OSError) as error:
            log.warning("%s: %s stays: %s", item.group_id, item.kind, error)
            done.append(Removal(item, 0, str(error)))
        else:
            log.info("%s: %s is removed, %.2f GB", item.group_id, item.kind, freed / 1e9)
            done.append(Removal(item, freed, ""))
        progress(item)
    return done


def _remove_files(ledger: Ledger, item: Item, copies: Copies) -> int:
    """Compare each subband file with its copies and remove it then; all of a group, or none."""
    there = [path for path in item.paths if path.exists()]
    # All are compared before the first goes; and each is again looked at, so that what changed since stays.
    sums = {}
    for path in there:
        verify(path, copies.of(path))
        sums[path] = _identity(path)
    freed = 0
    for path in there:
        if _identity(path) != sums[path]:
            raise RetentionError("changed since it was compared", path=path, remedy="Try again.")
        size_bytes = path.stat().st_size
        path.unlink()
        freed += size_bytes
    for folder in {path.parent for path in there}:
        sync_directory(folder)
    ledger.forget_files(item.group_id, item.paths, f"removed, {N_COPIES} copies compared")
    return freed


def _identity(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


def _remove_products(ledger: Ledger, item: Item, output: Path) -> int:
    """Take products out of their places, count them as gone, and remove them."""
    there = [path for path in item.paths if path.exists()]
    for path in there:
        locks = find_locks(path) if path.is_dir() else []
        if locks:
            raise RetentionError(f"is in use by {locks[0].holder}", path=path, remedy="Try again when that has ended.")
    if item.kind == "epochs" and item.group_id not in {one.group_id for one in ledger.held_epochs()}:
        raise RetentionError("is being made again", path=item.paths[0], remedy="Plan again when that has ended.")
    with partial_directory(output, item.group_id) as away:
        for path in there:
            path.rename(away / path.name)
        sync_directory(output)
        if item.kind == "epochs":
            ledger.retire_epoch(item.group_id, f"removed: {item.paths[0].name}")
        else:
            ledger.retire_products(item.group_id, item.paths, _WHO)
    return item.size_bytes
