"""What a directory of subband files holds: groups, files set aside, files still being written."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from dsa110_contimg.conversion.checks import SetAside
from dsa110_contimg.errors import NoGroupsError
from dsa110_contimg.naming import N_SUBBANDS, parse_subband_name

Verdict = Literal["complete", "partial", "too-few", "quarantined"]

_DAY_S = 86400.0


@dataclass(frozen=True)
class SubbandGroup:
    """Files whose data start together.

    Attributes
    ----------
    id : str
        Start of the first integration, from the data, to the second.
    files : dict of int to Path
        One for each subband that is present, ascending.
    start_mjd : float
        Start of the first integration [MJD, UTC].
    integration_s : float
        Length of an integration [s].
    n_times : int
        Integrations of most of the files.
    size_bytes : int
        All files together.
    set_aside : tuple of SetAside
        Files with a name or a start of this group that are not used, and why.
    warnings : tuple of str
        What is odd about the group, though it does not prevent anything.
    verdict : {"complete", "partial", "too-few", "quarantined"}
        All 16 subbands; at least the minimum; fewer, and no more came; fewer, because too many were set aside.
    """

    id: str
    files: dict[int, Path]
    start_mjd: float
    integration_s: float
    n_times: int
    size_bytes: int
    set_aside: tuple[SetAside, ...]
    warnings: tuple[str, ...]
    verdict: Verdict

    @property
    def end_mjd(self) -> float:
        """End of the last integration [MJD, UTC]."""
        return self.start_mjd + self.n_times * self.integration_s / _DAY_S

    @property
    def present(self) -> tuple[int, ...]:
        """Subbands that have a file."""
        return tuple(self.files)

    @property
    def missing(self) -> tuple[int, ...]:
        """Subbands that have none."""
        return tuple(subband for subband in range(N_SUBBANDS) if subband not in self.files)

    @property
    def duplicates(self) -> dict[int, tuple[Path, ...]]:
        """Further files of a subband: copies, and those that contradict each other."""
        found: dict[int, tuple[Path, ...]] = {}
        for item in self.set_aside:
            if item.outcome == "duplicate":
                subband = parse_subband_name(item.path.name).subband
                found[subband] = (*found.get(subband, ()), item.path)
        return dict(sorted(found.items()))

    def as_dict(self) -> dict[str, object]:
        """Return the same for JSON."""
        return {
            "group": self.id,
            "verdict": self.verdict,
            "start_mjd": self.start_mjd,
            "n_times": self.n_times,
            "integration_s": self.integration_s,
            "size_bytes": self.size_bytes,
            "files": {f"{subband:02d}": str(path) for subband, path in self.files.items()},
            "present": list(self.present),
            "missing": list(self.missing),
            "duplicates": {f"{sb:02d}": [str(path) for path in paths] for sb, paths in self.duplicates.items()},
            "set_aside": [item.as_dict() for item in self.set_aside],
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True)
class IncompleteFile:
    """A file that a writer has not finished, or left when it died.

    Attributes
    ----------
    path : Path
    name_time : datetime
        From the name (UTC).
    subband : int
    age_s : float
        Since it was last written to [s].
    size_bytes : int
    """

    path: Path
    name_time: datetime
    subband: int
    age_s: float
    size_bytes: int

    def as_dict(self) -> dict[str, object]:
        """Return the same for JSON."""
        return {
            "path": str(self.path),
            "subband": self.subband,
            "age_s": round(self.age_s, 1),
            "size_bytes": self.size_bytes,
        }


@dataclass(frozen=True)
class GroupListing:
    """What a directory holds.

    Attributes
    ----------
    directory : Path
    groups : tuple of SubbandGroup
        In the order of their ids.
    set_aside : tuple of SetAside
        All files that are not used, those of the groups among them, by name.
    incomplete : tuple of IncompleteFile
        By name.
    """

    directory: Path
    groups: tuple[SubbandGroup, ...]
    set_aside: tuple[SetAside, ...]
    incomplete: tuple[IncompleteFile, ...]

    def require_groups(self) -> None:
        """Raise a `NoGroupsError` that says what there is instead, if there is no group."""
        if self.groups:
            return
        found = [f"{len(self.set_aside)} files set aside"] if self.set_aside else []
        found += [f"{len(self.incomplete)} still being written"] if self.incomplete else []
        raise NoGroupsError(
            f"no group of subband files ({', '.join(found) or 'and no subband file'})",
            path=self.directory,
            remedy="Give the directory with the files 2025-10-05T12:30:00_sb00.hdf5 and so on, and a time range that "
            "has some.",
        )

    def as_dict(self) -> dict[str, object]:
        """Return the same for JSON."""
        return {
            "directory": str(self.directory),
            "groups": [group.as_dict() for group in self.groups],
            "set_aside": [item.as_dict() for item in self.set_aside],
            "incomplete": [item.as_dict() for item in self.incomplete],
        }
