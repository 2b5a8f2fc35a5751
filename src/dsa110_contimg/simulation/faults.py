"""What goes wrong with files, on request.

A list of faults is written ``KIND:SUBBAND[@GROUP]``, with commas between: ``missing:3,truncated:5@1`` leaves out sb03
of every group and cuts sb05 of the second one (groups count from 0).
"""

from __future__ import annotations

import re
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dsa110_contimg.errors import UsageError
from dsa110_contimg.naming import incomplete_name
from dsa110_contimg.telescope.band import N_SUBBANDS

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from dsa110_contimg.simulation.writer import SubbandData

_FAULT = re.compile(r"(?P<kind>[a-z0-9-]+):(?P<subband>\d{1,2})(?:@(?P<group>\d+))?")
_BOGUS_JD = 2400000.5 + 55000.0
# A host that is not of the array: its first channel [Hz].
_OFF_GRID_HZ = 1426.1e6
_KEPT_OF_TRUNCATED = 0.6


class FaultKind(StrEnum):
    """What can be wrong with a subband."""

    #: There is no file.
    MISSING = "missing"
    #: The run ended: half of the integrations.
    SHORT = "short"
    #: The file ends before its data do.
    TRUNCATED = "truncated"
    #: Every visibility is 0: no packet arrived.
    ZEROED = "zeroed"
    #: The middle third of the integrations is 0: packets were lost.
    LOST_PACKETS = "lost-packets"
    #: The same data again under a name one second later.
    DUPLICATE = "duplicate"
    #: Other data under a name one second later.
    CONFLICT = "conflict"
    #: The time server failed: times begin at MJD 55000.
    BOGUS_TIME = "bogus-mjd55000"
    #: The writer started anew with the times of the group before.
    RESTARTED = "restarted"
    #: Rows of an integration in another order.
    MISMATCHED_ORDER = "mismatched-order"
    #: A further file of this subband from a host whose channels are not on the array's grid.
    OFF_GRID = "off-grid"
    #: The header's declination is half a degree off.
    DECLINATION = "declination"
    #: The header's applied delays are not the others'.
    DELAYS = "delays"
    #: The name is a minute later than the others'.
    LATE_NAME = "late-name"
    #: The writer died before it renamed the file.
    INCOMPLETE = "incomplete"
    #: rsync has not finished: a hidden partial file.
    HIDDEN = "hidden"


class Fault(NamedTuple):
    """One fault: in every group, or in the one with this number."""

    kind: FaultKind
    subband: int
    group: int | None = None

    def __str__(self) -> str:
        where = "" if self.group is None else f"@{self.group}"
        return f"{self.kind}:{self.subband}{where}"


class FileToWrite(NamedTuple):
    """A name's time and what goes under it."""

    name_time: datetime
    data: SubbandData


def parse_faults(text: str) -> tuple[Fault, ...]:
    """Read a list of faults.

    Raises
    ------
    UsageError
        One of them is not a fault, or its subband does not exist.
    """
    return tuple(_parse_fault(part.strip()) for part in text.split(",") if part.strip())


def faulty_files(
    name_time: datetime, data: SubbandData, kinds: set[FaultKind], previous_jd: float
) -> list[FileToWrite]:
    """Apply the faults that are made before writing.

    Parameters
    ----------
    name_time : datetime
        The time in the name of the good file.
    data : SubbandData
        What the good file holds.
    kinds : set of FaultKind
        What is wrong with this subband.
    previous_jd : float
        First time of the group before [JD].

    Returns
    -------
    list of FileToWrite
        None if the subband is missing, two if it comes twice.
    """
    if FaultKind.MISSING in kinds:
        return []
    first = data.jd[0]
    if FaultKind.BOGUS_TIME in kinds:
        data = data._replace(jd=data.jd - first + _BOGUS_JD)
    if FaultKind.RESTARTED in kinds:
        data = data._replace(jd=data.jd - first + previous_jd)
    if FaultKind.SHORT in kinds:
        data = _shortened(data)
    if FaultKind.MISMATCHED_ORDER in kinds:
        data = _reordered(data)
    if FaultKind.DECLINATION in kinds:
        data = data._replace(dec_rad=data.dec_rad - float(np.radians(0.5)))
    if FaultKind.DELAYS in kinds:
        data = data._replace(applied_delays_ns="7" + data.applied_delays_ns[1:])
    _blank(data, kinds)
    if FaultKind.LATE_NAME in kinds:
        name_time += timedelta(seconds=60)
    files = [FileToWrite(name_time, data)]
    again = name_time + timedelta(seconds=1)
    if FaultKind.DUPLICATE in kinds:
        files.append(FileToWrite(again, data))
    if FaultKind.CONFLICT in kinds:
        files.append(FileToWrite(again, data._replace(visibilities=np.conj(data.visibilities[:, :, ::-1]))))
    if FaultKind.OFF_GRID in kinds:
        grid = data.freq_hz - data.freq_hz[0] + _OFF_GRID_HZ
        files.append(FileToWrite(again + timedelta(seconds=1), data._replace(freq_hz=grid)))
    return files


def spoil_file(path: Path, kinds: set[FaultKind]) -> Path:
    """Apply the faults that happen to a file once it is written; return where it is then."""
    if FaultKind.TRUNCATED in kinds:
        with path.open("r+b") as file:
            file.truncate(int(path.stat().st_size * _KEPT_OF_TRUNCATED))
    if FaultKind.INCOMPLETE in kinds:
        return path.rename(path.with_name(incomplete_name(path.name)))
    if FaultKind.HIDDEN in kinds:
        return path.rename(path.with_name(f".{path.name}.dSa110"))
    return path


def _parse_fault(text: str) -> Fault:
    match = _FAULT.fullmatch(text)
    known = ", ".join(FaultKind)
    if match is None or match["kind"] not in set(FaultKind):
        raise UsageError(f"{text!r} is not a fault", remedy=f"Write KIND:SUBBAND[@GROUP] with one of {known}.")
    subband = int(match["subband"])
    if subband >= N_SUBBANDS:
        raise UsageError(f"{text!r}: there is no subband {subband}", remedy="There are 0 to 15.")
    return Fault(FaultKind(match["kind"]), subband, None if match["group"] is None else int(match["group"]))


def _shortened(data: SubbandData) -> SubbandData:
    kept = max(1, data.jd.size // 2)
    return data._replace(jd=data.jd[:kept], visibilities=data.visibilities[:, : kept * data.ant_1.size])


def _reordered(data: SubbandData) -> SubbandData:
    """Rows and everything on them in another order."""
    n_baselines = data.ant_1.size
    order = np.roll(np.arange(n_baselines), 1)
    n_channels = data.freq_hz.size
    by_time = data.visibilities.reshape(2, data.jd.size, n_baselines, n_channels)
    return data._replace(
        ant_1=data.ant_1[order],
        ant_2=data.ant_2[order],
        uvw_m=data.uvw_m[order],
        visibilities=by_time[:, :, order].reshape(2, -1, n_channels),
    )


def _blank(data: SubbandData, kinds: set[FaultKind]) -> None:
    n_rows = data.jd.size * data.ant_1.size
    if FaultKind.ZEROED in kinds:
        data.visibilities[:] = 0.0
    if FaultKind.LOST_PACKETS in kinds:
        third = max(1, data.jd.size // 3) * data.ant_1.size
        begin = min(third, n_rows - third)
        data.visibilities[:, begin : begin + third] = 0.0
