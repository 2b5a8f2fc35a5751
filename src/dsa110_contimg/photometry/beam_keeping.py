"""Versions of the fitted beam: ``beam-0001.json`` and so on in one directory, none of which is ever changed."""

from __future__ import annotations

import json
import os
from threading import get_ident
from typing import TYPE_CHECKING

from dsa110_contimg.errors import NamingError, UsageError
from dsa110_contimg.naming.beams import (
    beam_file_name,
    beam_version_name,
    parse_beam_file_name,
    parse_beam_version_name,
)
from dsa110_contimg.storage.files import output_errors, sync_directory, sync_tree
from dsa110_contimg.telescope.fitted_beams import beam_document, read_fitted_beam

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dsa110_contimg.telescope.fitted_beams import FittedBeam


def beam_versions(directory: Path) -> dict[int, Path]:
    """List the files of a directory, which need not exist, by their numbers."""
    found = {}
    for path in sorted(directory.glob("beam-*.json")):
        try:
            found[parse_beam_file_name(path.name)] = path
        except NamingError:
            continue
    return dict(sorted(found.items()))


def find_beam(directory: Path, name: str) -> Path:
    """Find a fitted beam by its version (``beam-0003`` or ``3``), or ``latest``.

    Raises
    ------
    UsageError
        There is none.
    """
    there = beam_versions(directory)
    try:
        number = max(there, default=0) if name == "latest" else _number(name)
    except NamingError as error:
        raise UsageError(error.message, remedy=error.remedy) from None
    if number not in there:
        raise UsageError(
            f"there is no beam {name}", path=directory, remedy="dsa110-contimg beam list shows those that there are."
        )
    return there[number]


def keep_beam(directory: Path, make: Callable[[str], FittedBeam]) -> Path:
    """Write a beam as the next version, whole or not at all.

    Parameters
    ----------
    directory : Path
        Made if need be.
    make : callable
        Gives the beam when it is told its version.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    with output_errors(directory):
        directory.mkdir(parents=True, exist_ok=True)
        number = max(beam_versions(directory), default=0) + 1
        while True:
            final = directory / beam_file_name(number)
            partial = directory / f".{final.name}.{os.getpid()}-{get_ident()}.partial"
            try:
                partial.write_text(json.dumps(beam_document(make(beam_version_name(number))), indent=1) + "\n")
                sync_tree(partial)
                os.link(partial, final)  # never over a version that someone else has just written
            except FileExistsError:
                number += 1
                continue
            finally:
                partial.unlink(missing_ok=True)
            sync_directory(directory)
            return final


def read_beams(directory: Path) -> list[tuple[Path, FittedBeam]]:
    """Read all versions of a directory, the first one first.

    Raises
    ------
    UsageError
        One cannot be read.
    """
    return [(path, read_fitted_beam(path)) for path in beam_versions(directory).values()]


def _number(name: str) -> int:
    return int(name) if name.isdecimal() else parse_beam_version_name(name)
