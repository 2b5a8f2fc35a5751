"""What lies on the disks: products, with what they say of themselves, and subband files as registered."""

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from dsa110_contimg.conversion.listing import GroupListing
from dsa110_contimg.errors import NamingError
from dsa110_contimg.ledger.records import GOOD, FileSeen, GroupSeen, Product, Stage
from dsa110_contimg.naming import N_SUBBANDS, PROVENANCE_NAME, parse_ms_name, parse_subband_name
from dsa110_contimg.pipeline.commit import MANIFESTS
from dsa110_contimg.pipeline.description import Manifest
from dsa110_contimg.pipeline.stages import EPOCH
from dsa110_contimg.storage.checksums import tree_bytes

log = logging.getLogger(__name__)


class Found(NamedTuple):
    """Products of a group that are on the disk, and what is known of their making.

    Attributes
    ----------
    group_id : str
    products : tuple of Product
        A checksum is empty where nobody took one: a Measurement Set that was made by hand.
    subbands : tuple of int
        Whose data are in them.
    set_aside : dict of Path to (str, str)
        Files that were found bad: outcome and reason.
    stages : tuple of Stage
    made_utc : datetime
    """

    group_id: str
    products: tuple[Product, ...]
    subbands: tuple[int, ...]
    set_aside: dict[Path, tuple[str, str]]
    stages: tuple[Stage, ...]
    made_utc: datetime


def find_products(directory: Path) -> Iterator[Found]:
    """List the products in a directory: those that manifests vouch for, then the other Measurement Sets, by name."""
    if not directory.is_dir():
        return
    vouched: set[Path] = set()
    for path in sorted((directory / MANIFESTS).glob("*.json")):
        try:
            manifest = Manifest.read(path)
        except (OSError, KeyError, TypeError, ValueError) as error:
            log.warning("%s: cannot be read (%s)", path, error)
            continue
        if is_of_epoch(manifest):
            continue
        found = _of_manifest(manifest, directory.absolute())
        vouched |= {product.path for product in found.products}
        if found.products:
            yield found
    for path in sorted(directory.absolute().iterdir()):
        if path not in vouched and (group_id := _group_of(path)) is not None:
            yield _made_by_hand(path, group_id)


def is_of_epoch(manifest: Manifest) -> bool:
    """Whether a manifest is of an epoch, not of a group."""
    return any(made.kind == EPOCH for made in manifest.products)


def find_epochs(directory: Path) -> Iterator[Manifest]:
    """List the epochs that manifests in a directory vouch for; of some the directory may be gone."""
    for path in sorted((directory / MANIFESTS).glob("*.json")):
        try:
            manifest = Manifest.read(path)
        except (OSError, KeyError, TypeError, ValueError):
            continue  # `find_products` says so
        if is_of_epoch(manifest):
            yield manifest


def _of_manifest(manifest: Manifest, directory: Path) -> Found:
    products = [Product(directory / made.name, made.kind, made.checksum, made.size_bytes) for made in manifest.products]
    return Found(
        manifest.group,
        tuple(product for product in products if product.path.exists()),
        manifest.subbands,
        {Path(item.path): (item.outcome, item.reason) for item in manifest.set_aside},
        tuple(Stage(*stage) for stage in manifest.stages),
        datetime.fromisoformat(manifest.made_utc),
    )


def _group_of(path: Path) -> str | None:
    try:
        return parse_ms_name(path.name)[0]
    except NamingError:
        return None


def _made_by_hand(path: Path, group_id: str) -> Found:
    facts: dict[str, Any] = {}
    record = path / PROVENANCE_NAME
    try:
        facts = json.loads(record.read_text())
        made = record.stat().st_mtime
    except (OSError, ValueError) as error:
        log.warning("%s: how it was made cannot be read (%s)", path, error)
        made = path.stat().st_mtime
    bad = {Path(item["path"]): (item["outcome"], item["reason"]) for item in facts.get("set_aside", ())}
    subbands = tuple(subband for subband in range(N_SUBBANDS) if subband not in facts.get("missing", ()))
    product = Product(path, "ms", "", tree_bytes(path))
    return Found(facts.get("group", group_id), (product,), subbands, bad, (), datetime.fromtimestamp(made, UTC))


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
