"""Which subband files of a directory belong together: the listing that every conversion begins with.

The time in a file's name is one host's clock, seconds from its neighbours'; the time in the data is the same to the bit
in all files of a group. So names find the candidates, and the data decide.
"""

import logging
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dsa110_contimg.conversion.checks import SetAside
from dsa110_contimg.conversion.listing import GroupListing, IncompleteFile, SubbandGroup, Verdict
from dsa110_contimg.conversion.repeats import settle_rivals, split_repeats
from dsa110_contimg.errors import InputError, NamingError, NoGroupsError
from dsa110_contimg.naming import (
    N_SUBBANDS,
    SubbandName,
    complete_name,
    group_id_from_mjd,
    group_start,
    is_incomplete,
    next_group_id,
    parse_subband_name,
)
from dsa110_contimg.uvh5.start import MAX_NAME_OFFSET_S, StartInfo, check_start
from dsa110_contimg.uvh5.start_cache import StartCache, read_starts

__all__ = ["GroupListing", "IncompleteFile", "SubbandGroup", "find_groups", "group_starts"]

log = logging.getLogger(__name__)

_DAY_S = 86400.0
_SAME_START = 0.25
"""Part of an integration within which starts are the same."""


def find_groups(
    directory: str | os.PathLike[str],
    start: datetime | None = None,
    end: datetime | None = None,
    tolerance_s: float = 30.0,
    *,
    min_subbands: int = 12,
    cache: StartCache | None = None,
) -> GroupListing:
    """List the groups of subband files in a directory (not in those below it).

    Parameters
    ----------
    directory
        Where the files are. Only headers are read, and of those only with names near the range.
    start, end
        Groups whose id lies from `start` to `end`, both included; a time without a zone is UTC.
    tolerance_s
        Names of one group further apart than this get a warning; with a repeated start, such names tell the data sets
        apart [s].
    min_subbands
        Fewest subbands of a group that can be converted.
    cache
        Starts known from before; `StartCache.save` is the caller's to call.

    Returns
    -------
    GroupListing
        The same whatever the order in which the directory gives its names.

    Raises
    ------
    NoGroupsError
        The directory cannot be listed. An empty one is no error here; see `GroupListing.require_groups`.
    """
    directory = Path(directory)
    within = _Range.of(start, end)
    names, incomplete = _scan(directory, within)
    read = read_starts([directory / name for name in sorted(names)], cache)
    good, bad = _judge(read.values())
    groups, strays = group_starts(good, bad, tolerance_s, min_subbands)
    groups = [group for group in groups if group_start(group.id) in within]
    strays = [item for item in strays if _name_of(item).time in within]
    set_aside = sorted({*strays, *(item for group in groups for item in group.set_aside)})
    log.debug("%s: %d groups, %d files set aside", directory, len(groups), len(set_aside))
    return GroupListing(directory, tuple(groups), tuple(set_aside), tuple(incomplete))


def group_starts(
    starts: Iterable[StartInfo], bad: Iterable[SetAside] = (), tolerance_s: float = 30.0, min_subbands: int = 12
) -> tuple[list[SubbandGroup], list[SetAside]]:
    """Put files together whose data start together.

    Parameters
    ----------
    starts
        The good files; those of one subband and start that occur twice are read and compared.
    bad
        Files that were set aside already. One whose name falls among those of a group is reported with it, and so
        is one that repeats the start of an earlier group (or else with that group).
    tolerance_s, min_subbands
        As of `find_groups`.

    Returns
    -------
    groups : list of SubbandGroup
        In the order of their ids.
    strays : list of SetAside
        The bad files that belong to no group.
    """
    drafts: list[_Draft] = []
    homeless: list[tuple[SetAside, _Draft | None]] = [(item, None) for item in bad]
    taken: set[str] = set()
    for together in _same_start(starts):
        start_mjd = _most_common(start.start_mjd for start in together)
        sets, repeated = split_repeats(together, tolerance_s, min_subbands)
        first = len(drafts)
        for one in sets:
            gid = group_id_from_mjd(start_mjd)
            while gid in taken:
                gid = next_group_id(gid)
            taken.add(gid)
            drafts.append(_Draft(gid, start_mjd, one, *settle_rivals(one)))
        homeless += [(item, drafts[first]) for item in repeated]
    strays = []
    for item, otherwise in homeless:
        home = _nearest(drafts, _name_of(item).time, tolerance_s) or otherwise
        if home is None:
            strays.append(item)
        else:
            home.set_aside.append(item)
    return sorted((draft.finish(tolerance_s, min_subbands) for draft in drafts), key=lambda g: g.id), sorted(strays)


@dataclass
class _Draft:
    """A group in the making: every file with its start, and which of them are used."""

    id: str
    start_mjd: float
    starts: Sequence[StartInfo]
    files: dict[int, Path]
    set_aside: list[SetAside]
    first: datetime = field(init=False)
    last: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.first = min(start.name_time for start in self.starts)
        self.last = max(start.name_time for start in self.starts)

    def spans(self, time: datetime, tolerance_s: float) -> bool:
        tolerance = timedelta(seconds=tolerance_s)
        return self.first - tolerance <= time <= self.last + tolerance

    def away_s(self, time: datetime) -> float:
        return max((self.first - time).total_seconds(), (time - self.last).total_seconds(), 0.0)

    def finish(self, tolerance_s: float, min_subbands: int) -> SubbandGroup:
        used = [start for start in self.starts if self.files.get(start.subband) == start.path]
        spread_s = (self.last - self.first).total_seconds()
        warnings: tuple[str, ...] = ()
        if spread_s > tolerance_s:
            warnings = (f"the names are {spread_s:.0f} s apart, from {self.first:%H:%M:%S} to {self.last:%H:%M:%S}",)
        lost = {_name_of(item).subband for item in self.set_aside} - set(self.files)
        return SubbandGroup(
            id=self.id,
            files=self.files,
            start_mjd=self.start_mjd,
            integration_s=_most_common(start.integration_s for start in self.starts),
            n_times=int(_most_common(start.n_times for start in self.starts)),
            size_bytes=sum(start.size_bytes for start in used),
            set_aside=tuple(sorted(self.set_aside)),
            warnings=warnings,
            verdict=_verdict(len(self.files), len(lost), min_subbands),
        )


@dataclass(frozen=True)
class _Range:
    """Times from `start` to `end`, both included; None is no bound."""

    start: datetime | None
    end: datetime | None

    @classmethod
    def of(cls, start: datetime | None, end: datetime | None) -> "_Range":
        return cls(*(t.replace(tzinfo=UTC) if t is not None and t.tzinfo is None else t for t in (start, end)))

    def __contains__(self, time: datetime) -> bool:
        return (self.start is None or self.start <= time) and (self.end is None or time <= self.end)

    def widened(self) -> "_Range":
        # A good name is within two minutes of its start, and an id within half a second.
        margin = timedelta(seconds=MAX_NAME_OFFSET_S + 1)
        return replace(self, start=self.start and self.start - margin, end=self.end and self.end + margin)


def _scan(directory: Path, within: _Range) -> tuple[list[str], list[IncompleteFile]]:
    """Names of subband files near the range, and the unfinished ones in it."""
    near = within.widened()
    now_s = datetime.now(UTC).timestamp()
    names: list[str] = []
    incomplete: list[IncompleteFile] = []
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if is_incomplete(entry.name):
                    incomplete += _unfinished(entry, within, now_s)
                elif (name := _parsed(entry.name)) is not None and name.time in near:
                    names.append(entry.name)
    except OSError as error:
        raise NoGroupsError(
            f"cannot be listed ({error.strerror or error})",
            path=directory,
            remedy="Give a directory of subband files that can be read, or look after its mount.",
        ) from error
    return names, sorted(incomplete, key=lambda file: file.path.name)


def _parsed(name: str) -> SubbandName | None:
    try:
        return parse_subband_name(name)
    except NamingError:
        return None


def _unfinished(entry: "os.DirEntry[str]", within: _Range, now_s: float) -> list[IncompleteFile]:
    name = _parsed(complete_name(entry.name))
    if name is None or name.time not in within:
        return []
    try:
        status = entry.stat()
    except OSError as error:
        log.debug("%s: %s", entry.path, error)  # mostly: finished and renamed since the directory was listed
        return []
    return [IncompleteFile(Path(entry.path), name.time, name.subband, now_s - status.st_mtime, status.st_size)]


def _judge(read: Iterable[StartInfo | InputError]) -> tuple[list[StartInfo], list[SetAside]]:
    good: list[StartInfo] = []
    bad: list[SetAside] = []
    for start in read:
        try:
            if isinstance(start, InputError):
                raise start
            check_start(start)
        except InputError as error:
            bad.append(SetAside.from_error(error))
        else:
            good.append(start)
    return good, bad


def _same_start(starts: Iterable[StartInfo]) -> list[list[StartInfo]]:
    """Cut the files, in the order of their starts, where one starts well after the first of its group."""
    clusters: list[list[StartInfo]] = []
    for start in sorted(starts, key=lambda start: (start.start_mjd, start.path)):
        first = clusters[-1][0] if clusters else None
        if first is None or (start.start_mjd - first.start_mjd) * _DAY_S > _SAME_START * first.integration_s:
            clusters.append([])
        clusters[-1].append(start)
    return clusters


def _most_common(values: Iterable[float]) -> float:
    """Return the value that most have; of equally common ones the smallest."""
    return min(Counter(values).items(), key=lambda item: (-item[1], item[0]))[0]


def _nearest(drafts: Iterable[_Draft], name_time: datetime, tolerance_s: float) -> _Draft | None:
    """Find the group among whose names a time falls."""
    near = (draft for draft in drafts if draft.spans(name_time, tolerance_s))
    return min(near, key=lambda draft: (draft.away_s(name_time), draft.id), default=None)


def _verdict(n_good: int, n_lost: int, min_subbands: int) -> Verdict:
    if n_good == N_SUBBANDS:
        return "complete"
    if n_good >= min_subbands:
        return "partial"
    return "quarantined" if n_good + n_lost >= min_subbands else "too-few"


def _name_of(item: SetAside) -> SubbandName:
    return parse_subband_name(item.path.name)
