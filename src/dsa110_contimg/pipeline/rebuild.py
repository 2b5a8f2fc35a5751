"""The ledger against the disks: what differs, and a lost ledger made anew from what is there.

Products say in their ``contimg.json`` of which group and files they are; the incoming directory says what waits; and the
operators' decisions lie beside the products.
"""

import json
import logging
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from dsa110_contimg.conversion.grouping import find_groups
from dsa110_contimg.conversion.listing import GroupListing
from dsa110_contimg.errors import NamingError, NoGroupsError
from dsa110_contimg.ledger.adoption import Adopted
from dsa110_contimg.ledger.decisions import read_decisions
from dsa110_contimg.ledger.groups import mjd_of
from dsa110_contimg.ledger.ledger import Ledger
from dsa110_contimg.ledger.lock import lock
from dsa110_contimg.ledger.opening import open_ledger
from dsa110_contimg.ledger.records import GOOD, Decision, FileSeen, GroupSeen, Product
from dsa110_contimg.naming import PROVENANCE_NAME, group_start, parse_ms_name, parse_subband_name

log = logging.getLogger(__name__)

DEADLINE = timedelta(minutes=10)
"""How long the groups of a rebuilt ledger wait for further subbands."""


class Found(NamedTuple):
    """A product on the disk, and what its ``contimg.json`` says (nothing: it has none that can be read)."""

    group_id: str
    product: Product
    facts: dict[str, Any]
    made_utc: datetime


class Rebuilt(NamedTuple):
    """What a rebuilt ledger holds, and where the old one is."""

    n_files: int
    n_groups: int
    n_products: int
    n_decisions: int
    not_understood: list[str]
    former: Path | None


def find_products(directory: Path) -> Iterator[Found]:
    """List the Measurement Sets of a directory, by name."""
    if not directory.is_dir():
        return
    for path in sorted(directory.iterdir()):
        try:
            group_id, _ = parse_ms_name(path.name)
        except NamingError:
            continue
        facts: dict[str, Any] = {}
        made = path.stat().st_mtime
        try:
            record = path / PROVENANCE_NAME
            facts = json.loads(record.read_text())
            made = record.stat().st_mtime
        except (OSError, ValueError) as error:
            log.warning("%s: how it was made cannot be read (%s)", path, error)
        product = Product(path.absolute(), "ms", facts.get("checksum", ""), tree_bytes(path))
        yield Found(facts.get("group", group_id), product, facts, datetime.fromtimestamp(made, UTC))


def tree_bytes(path: Path) -> int:
    """Add up the sizes of a product's files."""
    if path.is_file():
        return path.stat().st_size
    return sum(os.lstat(os.path.join(folder, name)).st_size for folder, _, names in os.walk(path) for name in names)  # noqa: PTH118


def seen_of(
    listing: GroupListing, now: datetime, deadline: timedelta, min_subbands: int
) -> tuple[list[GroupSeen], list[FileSeen]]:
    """Turn a listing of the incoming directory into what the ledger registers."""
    groups = [GroupSeen(group.id, group.start_mjd, now, now + deadline, min_subbands) for group in listing.groups]
    home = {item.path: group.id for group in listing.groups for item in group.set_aside}
    files = [
        _file_seen(path, now, group.id, group.start_mjd)
        for group in listing.groups
        for path in group.files.values()
    ]
    files += [
        _file_seen(item.path, now, home.get(item.path), None, item.outcome, item.reason) for item in listing.set_aside
    ]
    return groups, [file for file in files if file is not None]


def _file_seen(
    path: Path,
    now: datetime,
    group_id: str | None,
    start_mjd: float | None,
    outcome: str = GOOD,
    reason: str = "",
) -> FileSeen | None:
    try:
        status = path.stat()
    except OSError as error:
        log.warning("%s: left out (%s)", path, error.strerror)
        return None
    subband = parse_subband_name(path.name).subband
    return FileSeen(
        path.absolute(), subband, status.st_size, status.st_mtime_ns, now, group_id, start_mjd, outcome, reason
    )


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
    return [subband for subband in range(16) if subband not in missing]


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


def differences(ledger: Ledger, incoming: Path, products: Path) -> list[str]:
    """Say, a line each, where a ledger differs from the disks, or contradicts itself; it is not changed."""
    lines = ledger.inconsistencies()
    on_disk = {item.product.path: item for item in find_products(products)}
    recorded = ledger.live_products()
    for path, (group_id, product) in recorded.items():
        if path in on_disk or path.exists():
            size = tree_bytes(path)
            if size != product.size_bytes:
                lines.append(f"{group_id}: {path} has {size} bytes, and {product.size_bytes} were published")
        else:
            lines.append(f"{group_id}: {path} is gone")
    retired = {gid for gid in {item.group_id for item in on_disk.values()} if gid not in _with_products(ledger)}
    lines += [
        f"{item.group_id}: {path} is not in the ledger"
        for path, item in on_disk.items()
        if path not in recorded and item.group_id in retired
    ]
    return lines + _unseen(ledger, incoming) + _undecided(ledger)


def _with_products(ledger: Ledger) -> set[str]:
    return {group_id for group_id, _ in ledger.live_products().values()}


def _unseen(ledger: Ledger, incoming: Path) -> list[str]:
    paths = []
    if incoming.is_dir():
        for path in sorted(incoming.iterdir()):
            try:
                parse_subband_name(path.name)
            except NamingError:
                continue
            paths.append(path.absolute())
    known = ledger.known_files(paths)
    return [f"{path} is not in the ledger" for path in paths if path not in known]


def _undecided(ledger: Ledger) -> list[str]:
    if ledger.decisions_path is None:
        return []
    kept = {item for item in read_decisions(ledger.decisions_path) if isinstance(item, Decision)}
    here = set(ledger.decisions())
    lines = [f"{item.group_id}: {item.what} by {item.who} is not in the ledger" for item in kept - here]
    return lines + [f"{item.group_id}: {item.what} by {item.who} is not beside the products" for item in here - kept]
