"""Group ids, in text and in paths."""

import math
import re
from datetime import UTC, datetime, timedelta

from dsa110_contimg.errors import NamingError

_MJD_EPOCH = datetime(1858, 11, 17, tzinfo=UTC)
_GROUP = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})([b-z]?)")
_COMPACT = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})([0-9]{2})([b-z]?)")


def parse_utc(text: str) -> datetime:
    """Read an ISO 8601 time; one without an offset is UTC."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise NamingError(f"{text!r} is not a time", remedy="Write it as 2025-10-05T12:30:00 (UTC).") from None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def require_utc(time: datetime) -> datetime:
    """Give an aware time in UTC; one without a time zone is refused."""
    if time.tzinfo is None:
        raise NamingError(f"{time.isoformat()} has no time zone", remedy="Give an aware datetime, in UTC.")
    return time.astimezone(UTC)


def group_id(start: datetime) -> str:
    """Name the group whose first integration starts at `start` (aware; any zone)."""
    try:
        rounded = (require_utc(start) + timedelta(seconds=0.5)).replace(microsecond=0)
    except OverflowError:
        raise NamingError(f"{start.isoformat()} is out of range for a group id") from None
    return rounded.replace(tzinfo=None).isoformat()


def group_id_from_mjd(mjd_start: float) -> str:
    """Name the group whose first integration starts at this MJD (UTC, days)."""
    if not math.isfinite(mjd_start):
        raise NamingError(f"MJD {mjd_start} is not a time")
    day = math.floor(mjd_start)
    # Whole seconds of the day first: adding a float of days to a datetime would round twice.
    second = math.floor((mjd_start - day) * 86400.0 + 0.5)
    try:
        return group_id(_MJD_EPOCH + timedelta(days=day, seconds=second))
    except OverflowError:
        raise NamingError(f"MJD {mjd_start} is out of range for a group id") from None


def _split_group_id(gid: str) -> tuple[datetime, str]:
    match = _GROUP.fullmatch(gid)
    if match is None:
        raise NamingError(f"{gid!r} is not a group id", remedy="It looks like 2025-10-05T12:30:00.")
    try:
        return datetime.fromisoformat(match[1]).replace(tzinfo=UTC), match[2]
    except ValueError:
        raise NamingError(f"{gid!r} is not a group id: no such time") from None


def group_start(gid: str) -> datetime:
    """Start of the group's first integration, to the second (UTC)."""
    return _split_group_id(gid)[0]


def next_group_id(gid: str) -> str:
    """Name a further data set with the same start: no suffix, then ``b``, ``c``, ... ``z``."""
    start, suffix = _split_group_id(gid)
    if suffix == "z":
        raise NamingError(f"{gid!r} has no next group id: 25 groups with the same start")
    return group_id(start) + (chr(ord(suffix) + 1) if suffix else "b")


def compact(gid: str) -> str:
    """Give the form of a group id that goes into paths: ``20251005T123000``, its suffix kept."""
    start, suffix = _split_group_id(gid)
    return group_id(start).replace("-", "").replace(":", "") + suffix


def expand(compact_id: str) -> str:
    """Undo `compact`."""
    match = _COMPACT.fullmatch(compact_id)
    if match is None:
        raise NamingError(f"{compact_id!r} is not a compact group id", remedy="It looks like 20251005T123000.")
    year, month, day, hour, minute, second, suffix = match.groups()
    gid = f"{year}-{month}-{day}T{hour}:{minute}:{second}{suffix}"
    _split_group_id(gid)
    return gid
