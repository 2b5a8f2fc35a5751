"""Names of subband files."""

import re
from datetime import datetime
from typing import NamedTuple

from dsa110_contimg.errors import NamingError
from dsa110_contimg.naming.groups import parse_utc, require_utc

N_SUBBANDS = 16
_SUBBAND = re.compile(
    r"(?P<time>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?)"
    r"_sb(?P<subband>[0-9]{2})(?P<incomplete>_incomplete)?(?P<suffix>\.hdf5|\.uvh5)"
)


class SubbandName(NamedTuple):
    """What the name of a subband file says.

    `time` is one host's clock when it opened the file: seconds from the data's own, and unlike its neighbours'.
    """

    time: datetime
    subband: int
    suffix: str


def parse_subband_name(name: str) -> SubbandName:
    """Read the name of a whole subband file: ``2025-10-05T12:30:00_sb03.hdf5`` (or ``.uvh5``).

    Raises
    ------
    NamingError
        For anything else: incomplete files, hidden partials of rsync, other suffixes, subbands above 15.
    """
    match = _SUBBAND.fullmatch(name)
    if match is None:
        raise NamingError(f"{name!r} is not the name of a subband file")
    if match["incomplete"]:
        raise NamingError(f"{name!r} is still being written")
    subband = int(match["subband"])
    if subband >= N_SUBBANDS:
        raise NamingError(f"{name!r} names subband {subband}, and there are 0 to {N_SUBBANDS - 1}")
    return SubbandName(parse_utc(match["time"]), subband, match["suffix"])


def subband_name(time: datetime, subband: int, suffix: str = ".hdf5") -> str:
    """Name a subband file: the aware `time` with its fraction of a second, if any, to the microsecond."""
    if not 0 <= subband < N_SUBBANDS:
        raise NamingError(f"no subband {subband}: there are 0 to {N_SUBBANDS - 1}")
    if suffix not in {".hdf5", ".uvh5"}:
        raise NamingError(f"{suffix!r} is not the suffix of a subband file", remedy="It is .hdf5 or .uvh5.")
    return f"{require_utc(time).replace(tzinfo=None).isoformat()}_sb{subband:02d}{suffix}"


def incomplete_name(name: str) -> str:
    """Name a subband file has while the correlator writes it: ``2025-10-05T12:30:00_sb03_incomplete.hdf5``."""
    suffix = parse_subband_name(name).suffix
    return f"{name.removesuffix(suffix)}_incomplete{suffix}"


def complete_name(name: str) -> str:
    """Undo `incomplete_name`."""
    if not is_incomplete(name):
        raise NamingError(f"{name!r} is not the name of an incomplete subband file")
    return name.replace("_incomplete", "")


def is_incomplete(name: str) -> bool:
    """Whether this names a subband file that the correlator is still writing (or left when it died)."""
    match = _SUBBAND.fullmatch(name)
    return match is not None and match["incomplete"] is not None
