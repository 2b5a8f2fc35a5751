"""Names of Measurement Sets, calibration sets, flags, and of products that are not whole yet."""

import re

from dsa110_contimg.errors import NamingError
from dsa110_contimg.naming.epochs import parse_epoch_id
from dsa110_contimg.naming.groups import compact, expand

PROVENANCE_NAME = "contimg.json"
"""The file in a Measurement Set's directory that says how it was made."""
CALIBRATION_NAME = "set.json"
"""The file in the directory of a calibration set that says what it is."""
FLAGS_NAME = "flags.json"
"""The file in a Measurement Set that says what was flagged by what."""
_MS = re.compile(r"(?P<compact>[0-9T]{15}[b-z]?)(?:_(?P<source>[^_/]+))?\.ms")
_STRIP = r"[+-][0-9]{2}\.[0-9]"
_PARTIAL = re.compile(
    rf"\.partial-(?P<compact>[0-9T]{{15}}[b-z]?)(?P<strip>{_STRIP}(?=-))?-(?P<attempt>[A-Za-z0-9_.-]+)"
)
_CALIBRATION = re.compile(r"(?P<compact>[0-9T]{15}[b-z]?)_(?P<source>[^_/]+)_(?P<version>[A-Za-z0-9.-]+)\.cal")
_VERSION = re.compile(r"[A-Za-z0-9.-]+")
_ATTEMPT = re.compile(r"(?![0-9]{2}\.[0-9]-)[A-Za-z0-9_.-]+")  # nor may it look like a strip in the south
_MAX_NAME_BYTES = 255
_PLAIN_SOURCE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-.")


def escape(source: str) -> str:
    """Keep letters, digits, ``+``, ``-`` and ``.``; every other byte of UTF-8 becomes ``=`` and two hex digits."""
    return "".join(chr(b) if b in _PLAIN_SOURCE else f"={b:02X}" for b in source.encode())


def unescape(escaped: str) -> str:
    """Undo `escape`."""
    source = re.sub(r"=([0-9A-F]{2})", lambda match: chr(int(match[1], 16)), escaped)
    return source.encode("latin-1").decode()


def ms_name(gid: str, source: str | None = None) -> str:
    """Name a group's Measurement Set, or the one of a calibrator in it: ``20251005T123000_3C286.ms``."""
    if source is None:
        return f"{compact(gid)}.ms"
    if not source:
        raise NamingError("a source without a name")
    name = f"{compact(gid)}_{escape(source)}.ms"
    if len(name) > _MAX_NAME_BYTES:
        raise NamingError(f"the name of source {source!r} is too long for a file name")
    return name


def parse_ms_name(name: str) -> tuple[str, str | None]:
    """Undo `ms_name`: the group id, and the source or None."""
    match = _MS.fullmatch(name)
    if match is None:
        raise NamingError(f"{name!r} is not the name of a Measurement Set of ours")
    gid, source = expand(match["compact"]), match["source"]
    if source is None:
        return gid, None
    try:
        source = unescape(source)
    except UnicodeError:
        source = ""
    if not source or ms_name(gid, source) != name:
        raise NamingError(f"{name!r} is not the name of a Measurement Set of ours: its source is misspelt")
    return gid, source


def calibration_name(gid: str, source: str, version: str | int = 1) -> str:
    """Name the directory of a calibration set: ``20251005T123000_3C286_7.cal``; each solution has its own version."""
    if not source or _VERSION.fullmatch(str(version)) is None:
        raise NamingError(f"{source!r}, {version!r} cannot name a calibration set")
    name = f"{compact(gid)}_{escape(source)}_{version}.cal"
    if len(name) > _MAX_NAME_BYTES:
        raise NamingError(f"the name of source {source!r} is too long for a file name")
    return name


def parse_calibration_name(name: str) -> tuple[str, str, str]:
    """Undo `calibration_name`: the group id, the source, the version."""
    match = _CALIBRATION.fullmatch(name)
    if match is None:
        raise NamingError(f"{name!r} does not name a calibration set")
    gid = expand(match["compact"])
    try:
        source = unescape(match["source"])
    except UnicodeError:
        source = ""
    if not source or calibration_name(gid, source, match["version"]) != name:
        raise NamingError(f"{name!r} does not name a calibration set: its source is misspelt")
    return gid, source, match["version"]


def flag_record_name(ms: str, suffix: str = "json") -> str:
    """Name what flagging a Measurement Set leaves: ``20251005T123000.flags.json``, or ``.csv``, ``.png``."""
    return f"{ms.removesuffix('.ms')}.flags.{suffix}"


def is_flag_record_name(name: str) -> bool:
    """Whether this names the record of a flagging."""
    return name.endswith(".flags.json") and not name.startswith(".")


def in_paths(unit: str) -> str:
    """Write what products are of as paths do: a group's id compact, an epoch's as it is."""
    if unit[-5:-4] in {"+", "-"}:
        parse_epoch_id(unit)
        return unit
    return compact(unit)


def partial_name(unit: str, attempt: str | int) -> str:
    """Name the directory in which one attempt builds the products of a group or an epoch, until they are published."""
    if _ATTEMPT.fullmatch(str(attempt)) is None:
        raise NamingError(f"{attempt!r} cannot name an attempt", remedy="Use letters, digits, '_', '.' and '-'.")
    return f".partial-{in_paths(unit)}-{attempt}"


def parse_partial_name(name: str) -> tuple[str, str]:
    """Undo `partial_name`: the id of the group or epoch, and the attempt."""
    match = _PARTIAL.fullmatch(name)
    if match is None:
        raise NamingError(f"{name!r} does not name a partial product")
    if match["strip"] is None:
        return expand(match["compact"]), match["attempt"]
    epoch = match["compact"] + match["strip"]
    parse_epoch_id(epoch)
    return epoch, match["attempt"]
