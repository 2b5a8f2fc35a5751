"""A lost ledger made anew from what is there.

Products say in their ``contimg.json`` of which group and files they are; the incoming directory says what waits; and
the operators' decisions lie beside the products.
"""

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from dsa110_contimg.conversion.grouping import find_groups
from dsa110_contimg.conversion.listing import GroupListing
from dsa110_contimg.errors import NoGroupsError
from dsa110_contimg.ledger.adoption import Adopted
from dsa110_contimg.ledger.decisions import read_decisions
from dsa110_contimg.ledger.groups import mjd_of
from dsa110_contimg.ledger.ledger import Ledger
from dsa110_contimg.ledger.lock import lock
from dsa110_contimg.ledger.opening import open_ledger
from dsa110_contimg.ledger.records import Decision, GroupSeen
from dsa110_contimg.naming import N_SUBBANDS, group_start
from dsa110_contimg.pipeline.inventory import Found, find_products, seen_of

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
    found = list(find_products(products))
    known = {group.id for group in groups}
    gone = [item for item in found if item.group_id not in known]
    ledger.add_groups(
        GroupSeen(item.group_id, mjd_of(group_start(item.group_id)), item.made_utc, item.made_utc, min_subbands)
        for item in gone
    )
    by_group: dict[str, list[Found]] = {}
    for item in found:
        by_group.setdefault(item.group_id, []).append(item)
    made = {gid: max(item.made_utc for item in items) for gid, items in by_group.items()}
    taken = list(read_decisions(decisions))
    understood = [item for item in taken if isinstance(item, Decision)]
    # A product that was made after a group was told to be tried again is the answer to that.
    earlier = [item for item in understood if item.group_id in made and item.when_utc <= made[item.group_id]]
    n_decisions = ledger.restore_decisions(earlier)
    ledger.adopt_products(
        Adopted(gid, [item.product for item in items], _subbands(items), made[gid]) for gid, items in by_group.items()
    )
    n_decisions += ledger.restore_decisions([item for item in understood if item not in earlier])
    n_groups = len(known | set(by_group))
    return n_files, n_groups, len(found), n_decisions, [item for item in taken if isinstance(item, str)]


def _subbands(items: list[Found]) -> list[int]:
    missing = {subband for item in items for subband in item.facts.get("missing", ())}
    return [subband for subband in range(N_SUBBANDS) if subband not in missing]


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
