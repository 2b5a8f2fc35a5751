"""A lost ledger made anew from what is there.

The manifests beside the products say of which group and files they are (a Measurement Set that was made by hand says
so in its ``contimg.json``); the incoming directory says what waits; the operators' decisions lie beside the products.
"""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from dsa110_contimg.conversion.grouping import find_groups
from dsa110_contimg.conversion.listing import GroupListing
from dsa110_contimg.errors import NoGroupsError
from dsa110_contimg.ledger.adoption import Adopted
from dsa110_contimg.ledger.calibration_decisions import retirements_file
from dsa110_contimg.ledger.decisions import epochs_file, read_decisions
from dsa110_contimg.ledger.epochs import EpochSeen
from dsa110_contimg.ledger.ledger import Ledger
from dsa110_contimg.ledger.lock import lock
from dsa110_contimg.ledger.opening import open_ledger
from dsa110_contimg.ledger.records import Decision, GroupSeen, mjd_of
from dsa110_contimg.naming import group_start, parse_epoch_id
from dsa110_contimg.pipeline.calibration_rebuild import restore_sets
from dsa110_contimg.pipeline.epoch_commit import made_of
from dsa110_contimg.pipeline.hours import HOUR_D
from dsa110_contimg.pipeline.inventory import Found, find_epochs, find_products, seen_of

log = logging.getLogger(__name__)

DEADLINE = timedelta(minutes=10)
"""How long the groups of a rebuilt ledger wait for further subbands."""


class Rebuilt(NamedTuple):
    """What a rebuilt ledger holds, and where the old one is."""

    n_files: int
    n_groups: int
    n_products: int
    n_decisions: int
    not_understood: list[str]
    former: Path | None


def rebuild_ledger(path: Path, incoming: Path, products: Path, decisions: Path, *, min_subbands: int = 12) -> Rebuilt:
    """Make a ledger anew, and put it in the place of the old one, which is kept beside it.

    Parameters
    ----------
    path : Path
        The ledger.
    incoming, products : Path
        Directories of subband files and of Measurement Sets; neither is changed.
    decisions : Path
        The operators' decisions.
    min_subbands : int
        Fewest subbands of a group.

    Raises
    ------
    LedgerLockedError
        A daemon is running on it.
    """
    path = path.absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(path.name + ".rebuilding")
    with lock(path, "ledger rebuild"):
        for old in _files_of(new):
            old.unlink(missing_ok=True)
        with open_ledger(new) as ledger:
            counts = _fill(ledger, incoming, products, decisions, min_subbands)
        former = _set_aside(path)
        new.rename(path)
    return Rebuilt(*counts, former)


def _fill(
    ledger: Ledger, incoming: Path, products: Path, decisions: Path, min_subbands: int
) -> tuple[int, int, int, int, list[str]]:
    now = datetime.now(UTC)
    try:
        listing = find_groups(incoming, min_subbands=min_subbands)
    except NoGroupsError as error:
        log.warning("%s", error)
        listing = GroupListing(incoming, (), (), ())
    groups, files = seen_of(listing, now, DEADLINE, min_subbands)
    n_files = ledger.register(groups, files)
    known = {group.id for group in groups}
    by_group: dict[str, list[Found]] = {}
    for item in find_products(products):
        by_group.setdefault(item.group_id, []).append(item)
    adopted = {gid: _adopted(gid, items) for gid, items in by_group.items()}
    made = {gid: item.made_utc for gid, item in adopted.items()}
    ledger.add_groups(
        GroupSeen(gid, mjd_of(group_start(gid)), when, when, min_subbands)
        for gid, when in made.items()
        if gid not in known
    )
    for items in by_group.values():
        for item in items:
            ledger.set_outcomes(item.set_aside)
    taken = list(read_decisions(decisions))
    understood = [item for item in taken if isinstance(item, Decision)]
    # A product that was made after a group was told to be tried again is the answer to that.
    earlier = [item for item in understood if item.group_id in made and item.when_utc <= made[item.group_id]]
    n_decisions = ledger.restore_decisions(earlier)
    ledger.adopt_products(adopted.values())
    n_decisions += ledger.restore_decisions([item for item in understood if item not in earlier])
    n_decisions += restore_sets(ledger, products, retirements_file(decisions))
    made_epochs = _adopt_epochs(ledger, products.absolute())
    n_decisions += _restore_retries(ledger, epochs_file(decisions), made_epochs)
    n_groups = len(known | set(by_group))
    n_products = len(made_epochs) + sum(len(item.products) for item in adopted.values())
    return n_files, n_groups, n_products, n_decisions, [item for item in taken if isinstance(item, str)]


def _adopt_epochs(ledger: Ledger, products: Path) -> dict[str, datetime]:
    """Take the epochs that were made, and say when each was.

    The stream makes them part of the light curves again, which changes nothing.
    """
    adopted = {}
    for manifest in find_epochs(products):
        start, strip = parse_epoch_id(manifest.group)
        try:
            made = made_of(manifest, products)
        except (KeyError, ValueError) as error:
            log.warning("%s: its manifest is not understood (%r)", manifest.group, error)
            continue
        end_mjd = mjd_of(start) + HOUR_D
        when = datetime.fromisoformat(manifest.made_utc)
        ledger.adopt_epoch(manifest.group, strip, (manifest.start_mjd, end_mjd), made, when)
        if not made.product.path.exists():
            ledger.retire_epoch(manifest.group, "its directory is gone")
        adopted[manifest.group] = when
    return adopted


def _restore_retries(ledger: Ledger, retries: Path, made: Mapping[str, datetime]) -> int:
    """Have the epochs made again of which operators wanted that and which were not since; give their number."""
    wanted = {}
    for item in read_decisions(retries):
        if isinstance(item, str):
            log.warning("%s: not understood: %s", retries, item)
        elif item.group_id not in made or item.when_utc > made[item.group_id]:
            wanted[item.group_id] = item
    for name, item in wanted.items():
        start, strip = parse_epoch_id(name)  # as the ledger wrote it
        ledger.note_epochs([EpochSeen(name, strip, mjd_of(start), mjd_of(start) + HOUR_D)])
        ledger.retry_epoch(name, item.who, item.why, now=item.when_utc)
    return len(wanted)


def _adopted(group_id: str, items: list[Found]) -> Adopted:
    """Put the products of a group together; subbands are those that are in all of them."""
    return Adopted(
        group_id,
        [product for item in items for product in item.products],
        sorted(set.intersection(*(set(item.subbands) for item in items))),
        [stage for item in items for stage in item.stages],
        max(item.made_utc for item in items),
    )


def _files_of(path: Path) -> list[Path]:
    return [path.with_name(path.name + suffix) for suffix in ("", "-wal", "-shm")]


def _set_aside(path: Path) -> Path | None:
    if not path.exists():
        return None
    former = path.with_name(f"{path.name}.before-{datetime.now(UTC):%Y%m%dT%H%M%S%f}")
    for old, aside in zip(_files_of(path), _files_of(former), strict=True):
        if old.exists():
            old.rename(aside)
    return former
