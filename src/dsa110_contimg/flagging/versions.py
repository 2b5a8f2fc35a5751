"""Keeping flags as they were, in the way of CASA's flagmanager: each of us reads what the other keeps.

Beside ``a.ms`` there is ``a.ms.flagversions`` with a table ``flags.NAME`` of FLAG and FLAG_ROW for each version, and
``FLAG_VERSION_LIST``, whose lines are ``NAME : comment``.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from typing import TYPE_CHECKING, NamedTuple

import casacore.tables as ct
import numpy as np

from dsa110_contimg.errors import FlagVersionError
from dsa110_contimg.ms.writing import table_errors
from dsa110_contimg.storage.files import output_errors, sync_directory

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from dsa110_contimg.ms.columns import OpenMs

_LIST = "FLAG_VERSION_LIST"
_NAME = re.compile(r"[A-Za-z0-9_.+-]+")
_TILE_BYTES = 1 << 20


class FlagVersion(NamedTuple):
    """A version of the flags.

    Attributes
    ----------
    name : str
        Its name.
    comment : str
        What it is.
    """

    name: str
    comment: str


def versions_directory(ms: Path) -> Path:
    """Where the versions of a Measurement Set's flags are."""
    return ms.with_name(f"{ms.name}.flagversions")


def list_versions(ms: Path) -> list[FlagVersion]:
    """List the versions there are, the oldest first."""
    file = versions_directory(ms) / _LIST
    if not file.exists():
        return []
    lines = file.read_text().splitlines()
    versions = [FlagVersion(*(part.strip() for part in line.partition(":")[::2])) for line in lines if ":" in line]
    return [version for version in versions if _table(ms, version.name).is_dir()]


def new_name(ms: Path, prefix: str) -> str:
    """Return the first of ``prefix_1``, ``prefix_2``, ... that no version has."""
    taken: Collection[str] = {version.name for version in list_versions(ms)}
    number = 1
    while f"{prefix}_{number}" in taken or _table(ms, f"{prefix}_{number}").exists():
        number += 1
    return f"{prefix}_{number}"


def save_version(ms: OpenMs, name: str, comment: str) -> None:
    """Keep the present flags under a name.

    Parameters
    ----------
    ms : OpenMs
        The Measurement Set.
    name : str
        Letters, digits, and ``_.+-``; not yet taken.
    comment : str
        What they are.

    Raises
    ------
    FlagVersionError
        The name is taken, or cannot be one.
    OutputError
        They cannot be written.
    """
    if not _NAME.fullmatch(name):
        raise FlagVersionError(f"{name!r} cannot name flags", remedy="Use letters, digits, and _ . + -")
    final = _table(ms.path, name)
    if final.exists():
        raise FlagVersionError(f"there are flags named {name}", path=ms.path, remedy="Choose another name.")
    directory = versions_directory(ms.path)
    with output_errors(directory), table_errors(ms.path):
        directory.mkdir(exist_ok=True)
        _clear_remains(directory)
        partial = directory / f".partial-{name}-{secrets.token_hex(4)}"
        try:
            _write_table(ms, partial)
            partial.rename(final)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        versions = [version for version in list_versions(ms.path) if version.name != name]
        _write_list(directory, [*versions, FlagVersion(name, " ".join(comment.split()))])


def restore_version(ms: OpenMs, name: str) -> None:
    """Make the flags what they were when a version was kept.

    Parameters
    ----------
    ms : OpenMs
        The Measurement Set, writable. Interrupted, it has some of either: run it again.
    name : str
        Of the version.

    Raises
    ------
    FlagVersionError
        There is no such version, or it is of other data.
    OutputError
        The flags cannot be written.
    """
    names = [version.name for version in list_versions(ms.path)]
    if name not in names:
        known = f"There are {', '.join(names)}." if names else "None are kept."
        raise FlagVersionError(f"no flags named {name} are kept", path=ms.path, remedy=known)
    info = ms.info
    with ct.table(str(_table(ms.path, name)), ack=False) as table:
        if table.nrows() != info.n_times * info.n_baselines:
            raise FlagVersionError(
                f"flags {name} are of {table.nrows()} rows, the data of {info.n_times * info.n_baselines}",
                path=ms.path,
                remedy="restore another version",
            )
        for time in range(info.n_times):
            rows = (time * info.n_baselines, info.n_baselines)
            ms.write("FLAG", time, table.getcol("FLAG", *rows)[None])
            ms.write("FLAG_ROW", time, table.getcol("FLAG_ROW", *rows)[None])
    ms.sync()


def _table(ms: Path, name: str) -> Path:
    return versions_directory(ms) / f"flags.{name}"


def _clear_remains(directory: Path) -> None:
    """Remove what a process left that was killed while it kept flags."""
    for path in directory.glob(".partial-*"):
        shutil.rmtree(path, ignore_errors=True)


def _write_table(ms: OpenMs, path: Path) -> None:
    """Write a table of FLAG and FLAG_ROW as CASA does: tiled by shape, and standard."""
    info = ms.info
    n_corr = len(info.correlations)
    row_bytes = -(-n_corr * info.n_channels // 8)
    tile = np.array([n_corr, info.n_channels, max(1, _TILE_BYTES // row_bytes)], dtype=np.int32)
    columns = ct.maketabdesc([ct.makearrcoldesc("FLAG", False, ndim=2), ct.makescacoldesc("FLAG_ROW", False)])
    managers = {
        "*1": {
            "TYPE": "TiledShapeStMan",
            "NAME": "TiledFlag",
            "SPEC": {"DEFAULTTILESHAPE": tile},
            "COLUMNS": ["FLAG"],
        },
        "*2": {"TYPE": "StandardStMan", "NAME": "StandardStMan", "COLUMNS": ["FLAG_ROW"]},
    }
    n_rows = info.n_times * info.n_baselines
    with ct.table(str(path), columns, nrow=n_rows, readonly=False, ack=False, dminfo=managers) as table:
        for time in range(info.n_times):
            rows = (time * info.n_baselines, info.n_baselines)
            table.putcol("FLAG", ms.read("FLAG", time)[0], *rows)
            table.putcol("FLAG_ROW", ms.read("FLAG_ROW", time)[0], *rows)


def _write_list(directory: Path, versions: list[FlagVersion]) -> None:
    """Replace the list in one step."""
    partial = directory / f".{_LIST}-{secrets.token_hex(4)}"
    with partial.open("w") as file:
        file.writelines(f"{version.name} : {version.comment}\n" for version in versions)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(directory / _LIST)
    sync_directory(directory)
