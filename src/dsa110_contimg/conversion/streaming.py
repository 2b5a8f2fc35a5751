"""Watching a directory that fills: which files have become whole, and which groups they make.

A file is whole when it has been renamed, or when its size and time stay as they are, and it opens and its shapes agree
with its header. inotify wakes the watch; where that cannot see (FUSE, network mounts) the directory is listed again and
again. Grouping is that of `grouping`, over the files near those that are new.
"""

from __future__ import annotations

import bisect
import logging
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dsa110_contimg.conversion.checks import SetAside
from dsa110_contimg.conversion.grouping import group_starts
from dsa110_contimg.errors import InputError, NamingError, NoGroupsError, UnreadableFileError
from dsa110_contimg.naming import group_start, parse_subband_name
from dsa110_contimg.uvh5.header_checks import require
from dsa110_contimg.uvh5.opening import open_dataset, open_subband, read_numbers
from dsa110_contimg.uvh5.start import StartInfo, check_start
from dsa110_contimg.uvh5.start_cache import StartCache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from dsa110_contimg.conversion.listing import SubbandGroup

log = logging.getLogger(__name__)

_NEAR = timedelta(seconds=300.0)
"""Names of one group are within two minutes of its start, so at most four from each other."""
_AT_ONCE = 512
_AGAIN_S = 30.0
_LINK_S = 5.0
_MAX_HUNG = 4
_HEAD_BYTES = 65536


class Stamp(NamedTuple):
    """Size [bytes] and time [ns] of a file: what changes when it does."""

    size_bytes: int
    mtime_ns: int


class Sighting(NamedTuple):
    """What new files make: the groups that they belong to, whole, and the bad ones that belong to none."""

    groups: list[SubbandGroup]
    strays: list[SetAside]


@dataclass
class Incoming:
    """A directory of subband files, as it was when last looked at.

    Parameters
    ----------
    directory : Path
    settle_s : float
        So long a file that was not renamed has to stay as it is [s].
    since, until : datetime, optional
        Only names near these times count (UTC).
    tolerance_s, min_subbands
        As of `grouping.find_groups`.
    """

    directory: Path
    settle_s: float = 2.0
    since: datetime | None = None
    until: datetime | None = None
    tolerance_s: float = 30.0
    min_subbands: int = 12
    stamps: dict[str, Stamp] = field(default_factory=dict)
    """Files that were judged, or are known from before."""
    _settling: dict[str, tuple[Stamp, float]] = field(default_factory=dict)
    _names: list[str] = field(default_factory=list)
    _bad: dict[str, SetAside] = field(default_factory=dict)
    _again: dict[str, float] = field(default_factory=dict)
    _cache: StartCache = field(default_factory=StartCache)
    _links: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(_MAX_HUNG, "link"))
    _hung: int = 0

    def names(self) -> list[str]:
        """List the names of subband files that are there now, in the order of their times.

        Raises
        ------
        NoGroupsError
            The directory cannot be listed.
        """
        try:
            found = sorted(name for name in os.listdir(self.directory) if self._counts(name))  # noqa: PTH208 - names alone
        except OSError as error:
            raise NoGroupsError(
                f"cannot be listed ({error.strerror or error})",
                path=self.directory,
                remedy="Look after its mount; the stream goes on when it is there.",
            ) from error
        gone = set(self.stamps) - set(found)
        for name in gone:
            self._forget(name)
        self._names = found
        return found

    def know(self, stamps: Mapping[str, Stamp]) -> None:
        """Take files for judged that were judged before, as long as they stay as they were."""
        self.stamps.update(stamps)

    @property
    def settling(self) -> bool:
        """Whether there are files that are to be looked at again soon."""
        return bool(self._settling)

    def whole(self, names: Iterable[str] | None = None) -> list[str]:
        """List the files, of all or of some, that are new or changed and no longer written to."""
        if names is None:
            names = self.names()
        else:
            names = {*(name for name in names if self._counts(name)), *self._settling}
            for name in names:
                at = bisect.bisect_left(self._names, name)
                if self._names[at : at + 1] != [name]:
                    self._names.insert(at, name)
        now = time.monotonic()
        return sorted(name for name in names if self._is_whole(name, now))

    def _is_whole(self, name: str, now: float) -> bool:
        stamp = self._stamp(name)
        if stamp is None:
            self._forget(name)
            return False
        if self.stamps.get(name) == stamp and self._again.get(name, now + 1) > now:
            self._settling.pop(name, None)
            return False
        before, since = self._settling.get(name, (None, now))
        # A renamed file, or one copied with its times, was last written to before it came.
        old = time.time() - stamp.mtime_ns / 1e9 > self.settle_s
        if old or (before == stamp and now - since >= self.settle_s):
            self._settling.pop(name, None)
            return True
        if before != stamp:
            self._settling[name] = (stamp, now)
        return False

    def _stamp(self, name: str) -> Stamp | None:
        path = self.directory / name
        try:
            # A link may lead to a dead mount, which hurts only what lives on it.
            status = self._patiently(path) if path.is_symlink() else path.stat()
        except OSError as error:
            log.debug("%s: %s", path, error)
            return None
        return Stamp(status.st_size, status.st_mtime_ns)

    def _patiently(self, path: Path) -> os.stat_result:
        if self._hung >= _MAX_HUNG:
            raise TimeoutError(f"{path} is not asked: too many links lead nowhere")

        def ask() -> os.stat_result:
            with path.open("rb") as file:
                file.read(_HEAD_BYTES)
                return os.fstat(file.fileno())

        asked = self._links.submit(ask)
        try:
            return asked.result(_LINK_S)
        except TimeoutError:
            self._hung += 1
            asked.add_done_callback(self._answered)
            log.warning("%s does not answer", path)
            raise

    def _answered(self, _: object) -> None:
        self._hung -= 1

    def judge(self, names: Iterable[str], alive: Callable[[], object] = lambda: None) -> Sighting:
        """Read whole files, and put them together with those that are near.

        Parameters
        ----------
        names
            New or changed files.
        alive
            Is called between files.
        """
        new = sorted(names)
        for name in new:
            self._bad.pop(name, None)
            self._read(name, afresh=True)
            alive()
        groups: dict[str, SubbandGroup] = {}
        strays: dict[Path, SetAside] = {}
        for some in _runs(new):
            seen = self._assemble(some)
            groups |= {group.id: group for group in seen.groups}
            strays |= {item.path: item for item in seen.strays}
            alive()
        return Sighting([groups[gid] for gid in sorted(groups)], sorted(strays.values()))

    def _assemble(self, new: list[str]) -> Sighting:
        """Group the files near some new ones, and keep the groups that a new one is in."""
        first, last = (_time_of(name) for name in (new[0], new[-1]))
        low = bisect.bisect_left(self._names, f"{first - _NEAR:%Y-%m-%dT%H:%M:%S}")
        high = bisect.bisect_right(self._names, f"{last + _NEAR:%Y-%m-%dT%H:%M:%S}~")
        near = [name for name in self._names[low:high] if name in self.stamps]
        read = [(name, self._read(name)) for name in near]
        good = [start for _, start in read if start is not None]
        bad = [self._bad[name] for name, start in read if start is None and name in self._bad]
        groups, strays = group_starts(good, bad, self.tolerance_s, self.min_subbands)
        wanted = {self.directory / name for name in new}
        return Sighting(
            [group for group in groups if wanted & set(_paths(group)) and self._in_range(group)],
            [item for item in strays if item.path in wanted],
        )

    def _read(self, name: str, *, afresh: bool = False) -> StartInfo | None:
        """Read the start of a file; None if it is bad, and `_bad` says why."""
        if not afresh and name in self._bad:
            return None
        path = self.directory / name
        try:
            start = self._cache.read(path)
            check_start(start)
            if afresh:
                _check_shapes(path)
                self.stamps[name] = Stamp(start.size_bytes, start.mtime_ns)
        except InputError as error:
            self._bad[name] = SetAside.from_error(error)
            stamp = self._stamp(name)
            if stamp is not None:
                self.stamps[name] = stamp
            if isinstance(error, UnreadableFileError):
                self._again[name] = time.monotonic() + _AGAIN_S  # it may pass without a change of the file
            return None
        self._bad.pop(name, None)
        self._again.pop(name, None)
        return start

    def _in_range(self, group: SubbandGroup) -> bool:
        begun = group_start(group.id)
        return (self.since is None or self.since <= begun) and (self.until is None or begun <= self.until)

    def _counts(self, name: str) -> bool:
        try:
            at = parse_subband_name(name).time
        except NamingError:
            return False
        early = self.since is not None and at < self.since - _NEAR
        return not early and not (self.until is not None and at > self.until + _NEAR)

    def _forget(self, name: str) -> None:
        for known in (self.stamps, self._settling, self._bad, self._again):
            known.pop(name, None)


def _check_shapes(path: Path) -> None:
    """See that the data have the rows that the header counts; all else is checked when the group is converted.

    Raises
    ------
    InputError
        They have not, or the file cannot be read.
    """
    with open_subband(path) as (file, _):
        n_rows = int(read_numbers(open_dataset(file, path, "Header/Nblts")))
        rows = {key: open_dataset(file, path, f"Data/{key}").shape[0] for key in ("visdata", "flags", "nsamples")}
    require(path, set(rows.values()) == {n_rows}, f"Header/Nblts is {n_rows}, and the data have {rows} rows")


def _paths(group: SubbandGroup) -> Iterator[Path]:
    yield from group.files.values()
    yield from (item.path for item in group.set_aside)


def _time_of(name: str) -> datetime:
    return parse_subband_name(name).time


def _runs(names: list[str]) -> Iterator[list[str]]:
    """Cut sorted names where there is a gap in time, or where there are many."""
    run: list[str] = []
    for name in names:
        if run and (len(run) >= _AT_ONCE or _time_of(name) - _time_of(run[-1]) > _NEAR):
            yield run
            run = []
        run.append(name)
    if run:
        yield run
