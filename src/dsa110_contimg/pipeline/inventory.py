"""What lies on the disks: products, with what they say of themselves, and subband files as registered."""

import json
import logging
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from dsa110_contimg.conversion.listing import GroupListing
from dsa110_contimg.errors import NamingError
from dsa110_contimg.ledger.records import GOOD, FileSeen, GroupSeen, Product
from dsa110_contimg.naming import PROVENANCE_NAME, parse_ms_name, parse_subband_name

log = logging.getLogger(__name__)


class Found(NamedTuple):
    """A product on the disk, and what its ``contimg.json`` says (nothing: it has none that can be read)."""

    group_id: str
    product: Product
    facts: dict[str, Any]
    made_utc: datetime


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
        _file_seen(path, now, group.id, group.start_mjd) for group in listing.groups for path in group.files.values()
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
