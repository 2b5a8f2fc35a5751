"""Names of declination strips and of epochs: a strip during one hour."""

import re
from datetime import datetime
from typing import NamedTuple

from dsa110_contimg.errors import NamingError
from dsa110_contimg.naming.groups import parse_utc, require_utc
from dsa110_contimg.naming.images import Band
from dsa110_contimg.naming.mosaics import MosaicKind

MEASUREMENTS_NAME = "measurements.parquet"
"""The forced measurements of an epoch, in its directory."""
FOUND_NAME = "found.parquet"
"""The sources that were found on an epoch's mosaic, and what of the reference list they are, in its directory."""

REFERENCE_NAME = "reference.parquet"
"""The list of sources that an epoch was measured with, in its directory."""

_STRIP = re.compile(r"[+-][0-9]{2}\.[0-9]")
_EPOCH = re.compile(r"(?P<start>[0-9]{8}T[0-9]{6})(?P<strip>[+-][0-9]{2}\.[0-9])")
_FILE = re.compile(r"(?P<epoch>[0-9T]{15}[+-][0-9]{2}\.[0-9])(?:-(?P<band>lower|upper))?-(?P<kind>[a-z]+)\.fits")
_REFERENCE = re.compile(r"reference-(?P<version>[0-9]{4,})\.parquet")


class EpochName(NamedTuple):
    """What names an epoch: when its hour begins (UTC, to the second), and its strip, as ``+54.6``."""

    start: datetime
    strip: str


class EpochFileName(NamedTuple):
    """What the name of a file of an epoch's mosaic says: the epoch, what it holds, of which half of the band."""

    epoch: str
    kind: MosaicKind
    band: Band | None


def strip_name(dec_deg: float) -> str:
    """Name a strip by its declination to a tenth of a degree: ``+54.6``."""
    if not -90.0 <= dec_deg <= 90.0:
        raise NamingError(f"{dec_deg} is not a declination in degrees")
    return f"{round(dec_deg, 1) + 0.0:+05.1f}"


def strip_dec(strip: str) -> float:
    """Undo `strip_name`: the declination [deg]."""
    if _STRIP.fullmatch(strip) is None or abs(float(strip)) > 90.0:
        raise NamingError(f"{strip!r} does not name a strip", remedy="It is a declination with its sign: +54.6.")
    return float(strip)


def epoch_id(start: datetime, strip: str) -> str:
    """Name an epoch, in text and in paths: ``20251005T123456+54.6``."""
    strip_dec(strip)
    return f"{require_utc(start):%Y%m%dT%H%M%S}{strip}"


def parse_epoch_id(text: str) -> EpochName:
    """Undo `epoch_id`."""
    match = _EPOCH.fullmatch(text)
    if match is None:
        raise NamingError(f"{text!r} does not name an epoch", remedy="It is like 20251005T123456+54.6.")
    strip_dec(match["strip"])
    day, clock = match["start"].split("T")
    moment = f"{day[:4]}-{day[4:6]}-{day[6:]}T{clock[:2]}:{clock[2:4]}:{clock[4:]}"
    return EpochName(parse_utc(moment), match["strip"])


def epoch_directory_name(epoch: str) -> str:
    """Name the directory of an epoch's mosaic and measurements: ``20251005T123456+54.6-epoch``."""
    parse_epoch_id(epoch)
    return f"{epoch}-epoch"


def parse_epoch_directory_name(name: str) -> str:
    """Undo `epoch_directory_name`: the epoch's id."""
    epoch = name.removesuffix("-epoch")
    if epoch == name:
        raise NamingError(f"{name!r} does not name the directory of an epoch")
    parse_epoch_id(epoch)
    return epoch


def epoch_file_name(epoch: str, kind: MosaicKind | str, band: Band | str | None = None) -> str:
    """Name a file of an epoch's mosaic: ``20251005T123456+54.6-rms.fits``, ``...-lower-rms.fits`` for half a band."""
    half = "" if band is None else f"-{Band(band)}"
    return f"{epoch}{half}-{MosaicKind(kind)}.fits"


def parse_epoch_file_name(name: str) -> EpochFileName:
    """Undo `epoch_file_name`."""
    match = _FILE.fullmatch(name)
    if match is None or match["kind"] not in set(MosaicKind):
        raise NamingError(f"{name!r} does not name a file of an epoch's mosaic")
    parse_epoch_id(match["epoch"])
    return EpochFileName(
        match["epoch"], MosaicKind(match["kind"]), None if match["band"] is None else Band(match["band"])
    )


def epoch_record_name(epoch: str) -> str:
    """Name the record of an epoch: ``20251005T123456+54.6-epoch.json``."""
    return f"{epoch_directory_name(epoch)}.json"


def reference_name(version: int) -> str:
    """Name a version of a strip's reference list, in the strip's directory: ``reference-0001.parquet``."""
    if version < 1:
        raise NamingError(f"{version} is not a version of a reference list", remedy="They begin with 1.")
    return f"reference-{version:04d}.parquet"


def parse_reference_name(name: str) -> int:
    """Undo `reference_name`: the version."""
    match = _REFERENCE.fullmatch(name)
    if match is None or reference_name(int(match["version"])) != name:
        raise NamingError(f"{name!r} does not name a reference list")
    return int(match["version"])
