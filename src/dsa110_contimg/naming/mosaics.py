"""Names of mosaics and their files."""

import re
from enum import StrEnum

from dsa110_contimg.errors import NamingError
from dsa110_contimg.naming.groups import compact, expand

_MOSAIC = re.compile(r"(?P<first>[0-9T]{15}[b-z]?)-(?P<last>[0-9T]{15}[b-z]?)-mosaic")


class MosaicKind(StrEnum):
    """What a file of a mosaic holds."""

    IMAGE = "mosaic"
    RMS = "rms"
    WEIGHT = "weight"


def mosaic_name(first: str, last: str) -> str:
    """Name the directory of a mosaic by its first and last group: ``20251005T123000-20251005T132509-mosaic``."""
    return f"{compact(first)}-{compact(last)}-mosaic"


def parse_mosaic_name(name: str) -> tuple[str, str]:
    """Undo `mosaic_name`: the ids of the first and the last group."""
    match = _MOSAIC.fullmatch(name)
    if match is None:
        raise NamingError(f"{name!r} does not name a mosaic")
    return expand(match["first"]), expand(match["last"])


def mosaic_file_name(first: str, last: str, kind: MosaicKind | str) -> str:
    """Name a file of a mosaic: ``20251005T123000-20251005T132509-rms.fits``."""
    return f"{compact(first)}-{compact(last)}-{MosaicKind(kind)}.fits"


def mosaic_record_name(first: str, last: str) -> str:
    """Name the record of a mosaic, beside its images: ``...-mosaic.json``."""
    return f"{mosaic_name(first, last)}.json"
