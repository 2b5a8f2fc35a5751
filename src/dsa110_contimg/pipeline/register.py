"""From sightings to the ledger."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from dsa110_contimg.errors import DuplicateSubbandError, NamingError, UnknownGroupError
from dsa110_contimg.ledger.records import GOOD, LATE, FileSeen, GroupSeen
from dsa110_contimg.naming import parse_subband_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dsa110_contimg.ledger.ledger import Ledger
    from dsa110_contimg.pipeline.sightings import FileSighted, GroupSighted, Sightings

_ASSEMBLED = {GOOD, LATE, DuplicateSubbandError.outcome}
"""Outcomes that follow from a file's neighbours, and may change with them; others are the file's own."""


def register(ledger: Ledger, seen: Iterable[Sightings], deadline_s: float, min_subbands: int) -> set[str]:
    """Register what was sighted, in one transaction; give the ids of the groups.

    Parameters
    ----------
    ledger : Ledger
    seen : iterable of Sightings
        In the order in which they came: of one group the last counts.
    deadline_s : float
        How long a group that is new waits for missing subbands [s].
    min_subbands : int
        Fewest subbands of a group that is new.
    """
    groups: dict[str, GroupSighted] = {}
    strays: dict[str, FileSighted] = {}
    for sightings in seen:
        groups |= {group.id: group for group in sightings.groups}
        strays |= {file.path: file for file in sightings.strays}
    now = datetime.now(UTC)
    deadline = now + timedelta(seconds=deadline_s)
    new_groups = [GroupSeen(group.id, group.start_mjd, now, deadline, min_subbands) for group in groups.values()]
    files = [file for group in groups.values() for file in _changed(ledger, group, now)]
    files += [_seen(file, now, None, None) for file in strays.values() if _has_subband(file)]
    if new_groups or files:
        ledger.register(new_groups, files)
    return set(groups)


def _changed(ledger: Ledger, group: GroupSighted, now: datetime) -> Iterator[FileSeen]:
    """Yield the files of a group that the ledger does not know like that.

    What a job found out about a file stands for as long as the file stays as it is.
    """
    try:
        known = {file.path: file for file in ledger.group(group.id).files}
    except UnknownGroupError:
        known = {}
    for file in group.files:
        before = known.get(Path(file.path))
        same = before is not None and (before.size_bytes, before.mtime_ns) == (file.size_bytes, file.mtime_ns)
        if before is None or not same or _decided_anew(before.outcome, file.outcome):
            yield _seen(file, now, group.id, group.start_mjd)


def _decided_anew(before: str, outcome: str) -> bool:
    if {before, outcome} <= {GOOD, LATE}:
        return False
    return before != outcome and (before in _ASSEMBLED or outcome not in _ASSEMBLED)


def _seen(file: FileSighted, now: datetime, group_id: str | None, start_mjd: float | None) -> FileSeen:
    path = Path(file.path)
    subband = parse_subband_name(path.name).subband
    return FileSeen(path, subband, file.size_bytes, file.mtime_ns, now, group_id, start_mjd, file.outcome, file.reason)


def _has_subband(file: FileSighted) -> bool:
    try:
        parse_subband_name(Path(file.path).name)
    except NamingError:
        return False
    return True
