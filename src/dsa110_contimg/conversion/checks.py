"""The files of one group against each other: what the strict majority says holds, and who differs is set aside.

Subbands whose (time, ant_1, ant_2) axes differ are never combined; neither are those that point elsewhere, or had other
delays applied, or come from another site or antenna table.
"""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dsa110_contimg.errors import AxesMismatchError, IncompleteGroupError, InputError, ShortFileError, UsageError
from dsa110_contimg.uvh5.header import SubbandHeader, read_header

LEAVE_OUT = "The group goes on without it."
"""What is done about a file that was set aside."""

_DAY_S = 86400.0


class SetAside(NamedTuple):
    """A file that was not used.

    Attributes
    ----------
    path : Path
    outcome : str
        Short slug, the `InputError.outcome` of the kind of fault.
    reason : str
        What is wrong with it.
    remedy : str
        What to do about it.
    """

    path: Path
    outcome: str
    reason: str
    remedy: str

    @classmethod
    def from_error(cls, error: InputError) -> "SetAside":
        """Keep what an error says; it must name its file."""
        return cls(Path(error.path or ""), error.outcome, error.message, error.remedy or "")

    def as_dict(self) -> dict[str, str]:
        """Return the same for JSON."""
        return {"path": str(self.path), "outcome": self.outcome, "reason": self.reason, "remedy": self.remedy}


@dataclass(frozen=True)
class CheckedGroup:
    """The files of a group that may be combined.

    Attributes
    ----------
    headers : dict of int to SubbandHeader
        By subband, ascending; all with the same axes, pointing, delays, site and antennas.
    set_aside : tuple of SetAside
        The files that may not, in the order of their subbands.
    """

    headers: dict[int, SubbandHeader]
    set_aside: tuple[SetAside, ...]

    @property
    def files(self) -> dict[int, Path]:
        """Paths of the good files, by subband."""
        return {subband: header.path for subband, header in self.headers.items()}

    def as_dict(self) -> dict[str, object]:
        """Return the same for JSON."""
        return {
            "files": {f"{subband:02d}": str(path) for subband, path in self.files.items()},
            "set_aside": [item.as_dict() for item in self.set_aside],
        }


def read_group(files: Mapping[int, Path]) -> CheckedGroup:
    """Read the headers of a group's files and check them against each other.

    Parameters
    ----------
    files : mapping of int to Path
        By subband.

    Returns
    -------
    CheckedGroup
        A file with a fault of its own is set aside, as one is that differs from the strict majority.

    Raises
    ------
    IncompleteGroupError
        No file is left, or there is no strict majority.
    UsageError
        A file stands under another subband than the one in its name.
    """
    headers: dict[int, SubbandHeader] = {}
    unreadable: dict[int, SetAside] = {}
    for subband, path in sorted(files.items()):
        try:
            header = read_header(path)
        except InputError as error:
            unreadable[subband] = SetAside.from_error(error)
            continue
        if header.subband != subband:
            raise UsageError(f"given as subband {subband}", path=path, remedy="Its name says which one it is.")
        headers[subband] = header
    if not headers and unreadable:
        reasons = sorted({item.reason for item in unreadable.values()})
        raise IncompleteGroupError(
            f"none of the {len(unreadable)} files can be used ({'; '.join(reasons)})",
            path=_directory(files.values()),
            remedy="Copy the group again from where it was written.",
        )
    checked = check_group(headers)
    set_aside = unreadable | {_subband_of(item, headers): item for item in checked.set_aside}
    return CheckedGroup(checked.headers, tuple(set_aside[subband] for subband in sorted(set_aside)))


def check_group(headers: Mapping[int, SubbandHeader]) -> CheckedGroup:
    """Keep the headers that agree with the strict majority (more than half) in everything that must agree.

    That is: the times to the bit, the order of the baselines, the length of an integration, the declination, the
    applied delays, the site, and the antenna table. Files that share all of it form a camp; the majority is a camp.

    Raises
    ------
    IncompleteGroupError
        There are no headers, or no camp has more than half of them; the message lists the camps.
    """
    if not headers:
        raise IncompleteGroupError("there is no file to check", remedy="See why the group is empty.")
    camps: dict[Hashable, list[int]] = {}
    for subband in sorted(headers):
        camps.setdefault(signature(headers[subband]), []).append(subband)
    ranked = sorted(camps.values(), key=lambda camp: (-len(camp), camp))
    majority = ranked[0]
    if 2 * len(majority) <= len(headers):
        raise IncompleteGroupError(
            f"no strict majority among {len(headers)} files: {_describe_camps(ranked, headers)}",
            path=_directory(header.path for header in headers.values()),
            remedy="See which of them are right, and move the others away.",
        )
    usual = headers[majority[0]]
    kept = {subband: headers[subband] for subband in majority}
    odd = sorted(set(headers) - set(kept))
    return CheckedGroup(
        kept, tuple(SetAside.from_error(_deviation(headers[subband], usual, len(majority))) for subband in odd)
    )


def signature(header: SubbandHeader) -> tuple[Hashable, ...]:
    """Everything that must be the same in all files of a group, as one hashable value."""
    return tuple(_axes(header).values())


def differences(odd: SubbandHeader, usual: SubbandHeader, n_usual: int) -> list[str]:
    """Say in what a file differs from `n_usual` others, of which `usual` is one."""
    theirs = _axes(usual)
    differing = [axis for axis, value in _axes(odd).items() if value != theirs[axis]]
    if odd.n_times != usual.n_times:
        differing.remove("times")  # they cannot be the same
    others = f"the other {n_usual} files" if n_usual != 1 else "the other file"
    return [_DIFFERENCE[axis](odd, usual, others) for axis in differing]


def _axes(header: SubbandHeader) -> dict[str, Hashable]:
    return {
        "number of integrations": header.n_times,
        "times": header.times_mjd.tobytes(),
        "integration time": round(header.integration_s, 6),
        "baselines": (header.ant_1.tobytes(), header.ant_2.tobytes()),
        "declination": round(header.dec_rad, 9),
        "applied delays": tuple(header.applied_delays_ns.split()),
        "site": (
            round(header.site.latitude_deg, 9),
            round(header.site.longitude_deg, 9),
            round(header.site.height_m, 4),
        ),
        "antennas": (
            header.antenna_numbers.tobytes(),
            header.antenna_names,
            np.round(header.antenna_itrf_m, 4).tobytes(),
        ),
    }


def _deviation(odd: SubbandHeader, usual: SubbandHeader, n_usual: int) -> InputError:
    kind = ShortFileError if odd.n_times < usual.n_times else AxesMismatchError
    return kind("; ".join(differences(odd, usual, n_usual)), path=odd.path, remedy=LEAVE_OUT)


def _apart(one: float, other: float, digits: int) -> tuple[str, str]:
    """Write two different numbers so that they look different."""
    while round(one, digits) == round(other, digits) and digits < 12:
        digits += 1
    return f"{one:.{digits}f}", f"{other:.{digits}f}"


def _times(odd: SubbandHeader, usual: SubbandHeader, others: str) -> str:
    apart_s = np.abs(odd.times_mjd - usual.times_mjd).max() * _DAY_S
    return f"its times are up to {apart_s:.6g} s from those of {others}"


def _integration(odd: SubbandHeader, usual: SubbandHeader, others: str) -> str:
    one, other = _apart(odd.integration_s, usual.integration_s, 3)
    return f"integrations of {one} s, {others} have {other} s"


def _baselines(odd: SubbandHeader, usual: SubbandHeader, others: str) -> str:
    if odd.n_baselines != usual.n_baselines:
        return f"{odd.n_baselines} baselines, {others} have {usual.n_baselines}"
    n_odd = np.count_nonzero((odd.ant_1 != usual.ant_1) | (odd.ant_2 != usual.ant_2))
    return f"{n_odd} of its {odd.n_baselines} baselines are not in the order of {others}"


def _declination(odd: SubbandHeader, usual: SubbandHeader, others: str) -> str:
    one, other = _apart(float(np.degrees(odd.dec_rad)), float(np.degrees(usual.dec_rad)), 2)
    return f"declination {one} deg, {others} say {other} deg"


def _delays(odd: SubbandHeader, usual: SubbandHeader, others: str) -> str:
    ours, theirs = odd.applied_delays_ns.split(), usual.applied_delays_ns.split()
    if len(ours) != len(theirs):
        return f"{len(ours)} applied delays, {others} have {len(theirs)}"
    n_odd = sum(one != other for one, other in zip(ours, theirs, strict=True))
    return f"{n_odd} of its {len(ours)} applied delays differ from those of {others}"


def _site(odd: SubbandHeader, usual: SubbandHeader, others: str) -> str:
    moved_m = float(np.linalg.norm(odd.site.itrf_m - usual.site.itrf_m))
    return f"its site is {moved_m:.4g} m from that of {others}"


def _antennas(odd: SubbandHeader, usual: SubbandHeader, others: str) -> str:
    if odd.antenna_names != usual.antenna_names or not np.array_equal(odd.antenna_numbers, usual.antenna_numbers):
        return f"its antenna names or numbers are not those of {others}"
    moved_m = np.linalg.norm(odd.antenna_itrf_m - usual.antenna_itrf_m, axis=1).max()
    return f"its antennas are up to {moved_m:.4g} m from those of {others}"


_DIFFERENCE = {
    "number of integrations": lambda odd, usual, others: f"{odd.n_times} integrations, {others} have {usual.n_times}",
    "times": _times,
    "integration time": _integration,
    "baselines": _baselines,
    "declination": _declination,
    "applied delays": _delays,
    "site": _site,
    "antennas": _antennas,
}


def _describe_camps(camps: list[list[int]], headers: Mapping[int, SubbandHeader]) -> str:
    first = camps[0]
    told = [f"{_labels(first)} agree"]
    for camp in camps[1:]:
        differing = differences(headers[camp[0]], headers[first[0]], len(first))
        told.append(f"{_labels(camp)}: {', '.join(differing)}")
    return "; ".join(told)


def _labels(subbands: Iterable[int]) -> str:
    return ", ".join(f"sb{subband:02d}" for subband in subbands)


def _subband_of(item: SetAside, headers: Mapping[int, SubbandHeader]) -> int:
    return next(subband for subband, header in headers.items() if header.path == item.path)


def _directory(paths: Iterable[Path]) -> Path:
    return next(iter(paths)).parent
