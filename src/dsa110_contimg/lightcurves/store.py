"""The store of light curves: epochs' measurements, kept so that those of one source stand together.

All of it is derived from the epochs' own ``measurements.parquet`` and can be made again from them (`collect`). What is
in it at any moment, that of a kill included, is told in `files`; questions are put to it through `query`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dsa110_contimg.errors import LightcurveError, NamingError
from dsa110_contimg.lightcurves.ensemble import read_ensemble
from dsa110_contimg.lightcurves.files import Month, epochs_of, locked, months, strips
from dsa110_contimg.lightcurves.rows import check_rows, read_facts, read_rows, sort_rows, write_rows
from dsa110_contimg.lightcurves.scaling import ImageScale, scale_measurements
from dsa110_contimg.naming import (
    ENSEMBLE_NAME,
    MEASUREMENTS_NAME,
    epoch_month,
    epoch_rows_name,
    parse_epoch_directory_name,
    parse_epoch_id,
)
from dsa110_contimg.photometry.measurements import SCHEMA
from dsa110_contimg.storage.checksums import tree_checksum
from dsa110_contimg.storage.files import output_errors

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from dsa110_contimg.config.settings import LightcurveSettings

_LOOKS = 5  # a file that is listed may be joined with others before it is read
WITHDRAWN = ""
"""In place of a checksum: the epoch was taken out of the store."""


class Added(NamedTuple):
    """What became of an epoch that was given to the store.

    Attributes
    ----------
    epoch, strip : str
        Which it is.
    n_rows : int
        Measurements that were written; 0 if nothing was.
    changed : bool
        Whether anything was: not, if the store had these very measurements.
    scales : tuple of ImageScale
        The relative scales that were written with them.
    """

    epoch: str
    strip: str
    n_rows: int
    changed: bool
    scales: tuple[ImageScale, ...] = ()


def add_epoch(root: Path, epoch_directory: Path, settings: LightcurveSettings) -> Added:
    """Take an epoch's measurements into the store, in place of those that it has of that epoch.

    Parameters
    ----------
    root : Path
        `Settings.lightcurves_directory`; made if need be.
    epoch_directory : Path
        The epoch's published directory, ``<id>-epoch``.
    settings : LightcurveSettings
        How many steady sources a relative scale needs.

    Raises
    ------
    NamingError
        The directory is not named as an epoch's is.
    LightcurveError
        There are no measurements, they cannot be read, or are another epoch's.
    OutputError
        The store cannot be written.
    """
    epoch = parse_epoch_directory_name(epoch_directory.name)
    strip = parse_epoch_id(epoch).strip
    source = epoch_directory / MEASUREMENTS_NAME
    checksum = _checksum(source)
    with locked(root, strip):
        if _stored(root, strip, epoch) == checksum:
            return Added(epoch, strip, 0, changed=False)
        table = read_rows(source)
        if others := set(table["epoch"].unique().to_pylist()) - {epoch}:
            raise LightcurveError(
                f"has measurements of another epoch, {min(map(str, others))}",
                path=source,
                remedy="measure the epoch again: dsa110-contimg photometry epoch",
            )
        scaled = scale_measurements(root, strip, table, settings)
        n_rows = write_rows(root / strip / epoch_rows_name(epoch), [sort_rows(scaled.table)], {epoch: checksum})
    return Added(epoch, strip, n_rows, changed=True, scales=scaled.scales)


def remove_epoch(root: Path, epoch: str) -> bool:
    """Take an epoch out of the store; say whether it was there.

    Raises
    ------
    OutputError
        The store cannot be written.
    """
    strip = parse_epoch_id(epoch).strip
    if strip not in strips(root):
        return False
    with locked(root, strip):
        if _stored(root, strip, epoch) in (None, WITHDRAWN):
            return False
        write_rows(root / strip / epoch_rows_name(epoch), [SCHEMA.empty_table()], {epoch: WITHDRAWN})
    return True


def stored_epochs(root: Path, strip: str | None = None) -> dict[str, str]:
    """List the epochs that the store has: ids, and the checksums of the measurements that were taken in.

    Raises
    ------
    LightcurveError
        A file of the store cannot be read.
    """
    known: dict[str, str] = {}
    for name in strips(root) if strip is None else [strip]:
        known.update(_epochs_of_strip(root, name))
    return {epoch: checksum for epoch, checksum in sorted(known.items()) if checksum != WITHDRAWN}


def _epochs_of_strip(root: Path, strip: str) -> dict[str, str]:
    """Read what epochs the files of a strip have; what is joined meanwhile is looked for again."""
    left = _LOOKS
    while True:
        left -= 1
        try:
            return {epoch: checksum for month in months(root, strip) for epoch, checksum in epochs_of(month).items()}
        except FileNotFoundError:
            if not left:
                raise


def find_epochs(directories: Iterable[Path]) -> dict[str, Path]:
    """Find epochs' directories that have measurements: those given, and those in the directories given.

    Returns
    -------
    dict
        Directories by epoch id, in order.

    Raises
    ------
    LightcurveError
        A directory cannot be listed.
    """
    found: dict[str, Path] = {}
    for directory in directories:
        for place in (directory.absolute(), *_listed(directory)):
            try:
                epoch = parse_epoch_directory_name(place.name)
            except NamingError:
                continue
            if (place / MEASUREMENTS_NAME).is_file():
                found[epoch] = place
    return dict(sorted(found.items()))


def outdated(root: Path, epochs: dict[str, Path]) -> list[str]:
    """Say which of some epochs the store lacks, or has other measurements of.

    Raises
    ------
    LightcurveError
        A file of the store, or an epoch's measurements, cannot be read.
    """
    known = stored_epochs(root)
    return [epoch for epoch, place in epochs.items() if known.get(epoch) != _checksum(place / MEASUREMENTS_NAME)]


def collect(root: Path, directories: Iterable[Path], settings: LightcurveSettings) -> Iterator[Added]:
    """Take all epochs of some directories into the store that it lacks or has other measurements of.

    Raises
    ------
    LightcurveError, OutputError
        As `add_epoch`, and `outdated`.
    """
    epochs = find_epochs(directories)
    for epoch in outdated(root, epochs):
        yield add_epoch(root, epochs[epoch], settings)


def set_aside_damaged(root: Path) -> list[Path]:
    """Give the files of a store that cannot be read, or that another version wrote, a name under which none is read.

    What was in them is taken in again by `collect`, from the epochs.

    Returns
    -------
    list of Path
        Where they are now.

    Raises
    ------
    OutputError
        A file cannot be renamed.
    """
    aside = []
    for strip in strips(root):
        with locked(root, strip):
            paths = [root / strip / ENSEMBLE_NAME]
            for month in months(root, strip):
                paths += [*month.old, *([month.joined] if month.joined else []), *month.epochs.values()]
            for path in paths:
                if not path.exists() or _is_sound(root, strip, path):
                    continue
                with output_errors(path):
                    aside.append(path.replace(path.with_name(f"{path.name}.damaged")))
    return aside


def _is_sound(root: Path, strip: str, path: Path) -> bool:
    """Read all of a file; say whether that went well."""
    try:
        if path.name == ENSEMBLE_NAME:
            read_ensemble(root, strip)
        else:
            read_facts(path)
            check_rows(path)
    except LightcurveError:
        return False
    return True


def _listed(directory: Path) -> list[Path]:
    try:
        return sorted(directory.iterdir()) if directory.is_dir() else []
    except OSError as error:
        raise LightcurveError(
            f"cannot be listed ({error.strerror})", path=directory, remedy="check that it is mounted and may be read"
        ) from error


def _stored(root: Path, strip: str, epoch: str) -> str | None:
    path = root / strip / epoch_rows_name(epoch)
    if path.is_file():
        return read_facts(path).epochs.get(epoch)
    wanted = epoch_month(epoch)
    joined = [month for month in months(root, strip) if month.month == wanted and month.joined is not None]
    return _joined_epochs(joined[0]).get(epoch) if joined else None


def _joined_epochs(month: Month) -> dict[str, str]:
    return {} if month.joined is None else read_facts(month.joined).epochs


def _checksum(path: Path) -> str:
    try:
        return tree_checksum(path).checksum
    except OSError as error:
        raise LightcurveError(
            f"cannot be read ({error.strerror})",
            path=path,
            remedy="measure the epoch again: dsa110-contimg photometry epoch",
        ) from error
