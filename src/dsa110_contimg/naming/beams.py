"""Names of primary beams that were fitted, and of what is kept beside them."""

import re

from dsa110_contimg.errors import NamingError

_BEAM = re.compile(r"beam-(?P<number>[0-9]{4,})")


def beam_version_name(number: int) -> str:
    """Name a version of the fitted beam: ``beam-0003``."""
    if number < 1:
        raise NamingError(f"{number} is not the number of a beam; they begin at 1")
    return f"beam-{number:04d}"


def parse_beam_version_name(name: str) -> int:
    """Undo `beam_version_name`."""
    match = _BEAM.fullmatch(name)
    if match is None or int(match["number"]) < 1:
        raise NamingError(f"{name!r} does not name a fitted beam", remedy="It is like beam-0003.")
    return int(match["number"])


def beam_file_name(number: int) -> str:
    """Name the file of a fitted beam: ``beam-0003.json``."""
    return f"{beam_version_name(number)}.json"


def parse_beam_file_name(name: str) -> int:
    """Undo `beam_file_name`."""
    stem = name.removesuffix(".json")
    if stem == name:
        raise NamingError(f"{name!r} does not name the file of a fitted beam")
    return parse_beam_version_name(stem)


def beam_figure_name(number: int) -> str:
    """Name the figure of a fitted beam: ``beam-0003.png``."""
    return f"{beam_version_name(number)}.png"
