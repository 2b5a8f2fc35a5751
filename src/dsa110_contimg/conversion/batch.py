"""Converting every group of a directory, one after another, none of them able to stop the others."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from dsa110_contimg.config.logs import stage_line
from dsa110_contimg.conversion.group import ConversionOptions, ConvertedMs, convert_group
from dsa110_contimg.conversion.grouping import find_groups
from dsa110_contimg.errors import ContimgError
from dsa110_contimg.storage.mounts import warn_of_fuse
from dsa110_contimg.storage.publish import clear_dead_partials, require_writable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from dsa110_contimg.conversion.grouping import SubbandGroup

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FailedGroup:
    """A group that could not be converted, and why."""

    group: str
    error: ContimgError

    @property
    def outcome(self) -> str:
        """The word for it in reports."""
        return "failed"

    def as_dict(self) -> dict[str, object]:
        """Return the same for JSON."""
        return {
            "group": self.group,
            "outcome": self.outcome,
            "kind": type(self.error).__name__,
            "error": str(self.error),
        }


class Watcher(Protocol):
    """Is told how a batch goes: for a progress bar."""

    def begin(self, group: SubbandGroup) -> None:
        """Say that a group is begun."""

    def advance(self, nbytes: int) -> None:
        """Say that so many bytes of its input have been dealt with."""

    def end(self, outcome: ConvertedMs | FailedGroup) -> None:
        """Say how it ended."""


def convert_subband_groups_to_ms(
    input_dir: Path | str,
    output_dir: Path | str,
    start: datetime | None = None,
    end: datetime | None = None,
    *,
    options: ConversionOptions | None = None,
    tolerance_s: float = 30.0,
) -> list[ConvertedMs | FailedGroup]:
    """Convert all groups of a directory that start within a range.

    Parameters
    ----------
    input_dir, output_dir : Path
        Subband files; Measurement Sets.
    start, end : datetime, optional
        Range of the groups' starts; see `find_groups`.
    options : ConversionOptions, optional
        How.
    tolerance_s : float
        How far apart the names of one group may be [s].

    Returns
    -------
    list of ConvertedMs or FailedGroup
        One for each group found, in order of time.

    Raises
    ------
    NoGroupsError
        There is no group in that range.
    OutputError
        The output directory cannot be written at all.
    """
    options = options or ConversionOptions()
    listing = find_groups(Path(input_dir), start, end, tolerance_s=tolerance_s, min_subbands=options.min_subbands)
    listing.require_groups()
    return list(convert_groups(listing.groups, Path(output_dir), options))


def convert_groups(
    groups: Iterable[SubbandGroup], output_dir: Path, options: ConversionOptions, watcher: Watcher | None = None
) -> Iterator[ConvertedMs | FailedGroup]:
    """Convert groups in turn, and yield the outcome of each.

    Raises
    ------
    OutputError
        The output or scratch directory cannot be written at all.
    """
    for directory in {output_dir, options.scratch or output_dir}:
        require_writable(directory)
        clear_dead_partials(directory)
        warn_of_fuse(directory)
    for group in groups:
        if watcher:
            watcher.begin(group)
        try:
            converted = convert_group(group, output_dir, options, watcher.advance if watcher else _ignore)
        except ContimgError as error:
            log.error("convert %s: %s", group.id, error, extra={"stage": "convert", "group": group.id})  # noqa: TRY400
            outcome: ConvertedMs | FailedGroup = FailedGroup(group.id, error)
        else:
            _report(converted)
            outcome = converted
        if watcher:
            watcher.end(outcome)
        yield outcome


def _ignore(nbytes: int) -> None:
    """Take no notice of progress."""


def _report(outcome: ConvertedMs) -> None:
    if outcome.outcome == "exists":
        log.info("convert %s: %s is there already", outcome.group, outcome.ms)
    else:
        stage_line(log, "convert", outcome.group, outcome.bytes_in, outcome.seconds, outcome=outcome.outcome)
