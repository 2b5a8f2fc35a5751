"""Joining the epochs of a month to one file, sorted by source, in which a source is found at once.

On the way the month's fluxes are put on the scale of the strip's steady sources as they are known by then: the epochs
of a survey's first days are added before there is an ensemble, and are given their scales here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import compute, parquet

from dsa110_contimg.errors import LightcurveError
from dsa110_contimg.lightcurves.ensemble import find_ensemble, read_ensemble, write_ensemble
from dsa110_contimg.lightcurves.files import Month, epochs_of, locked, months, strips
from dsa110_contimg.lightcurves.rows import as_rows, sort_rows, write_rows
from dsa110_contimg.lightcurves.scaling import scale_to
from dsa110_contimg.naming import month_rows_name
from dsa110_contimg.storage.files import output_errors, sync_directory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dsa110_contimg.config.settings import LightcurveSettings

ROWS_AT_ONCE = 4_000_000
"""Rows that are sorted in memory together [about 100 bytes each, three times over]."""


class Joined(NamedTuple):
    """A month whose epochs were joined.

    Attributes
    ----------
    strip, month : str
        As ``+54.6`` and ``2025-10``.
    n_epochs, n_rows : int
        What it has now.
    n_joined : int
        Files of single epochs that went into it.
    """

    strip: str
    month: str
    n_epochs: int
    n_rows: int
    n_joined: int


def due(root: Path, settings: LightcurveSettings, *, least: int | None = None) -> list[tuple[str, str]]:
    """List the months, with their strips, of which so many epochs stand in files of their own that it is time to join.

    Parameters
    ----------
    root : Path
        The store.
    settings : LightcurveSettings
        `join_epochs` says how many.
    least : int, optional
        In its place.
    """
    enough = settings.join_epochs if least is None else least
    return [
        (strip, month.month)
        for strip in strips(root)
        for month in months(root, strip)
        if len(month.epochs) >= enough or month.old
    ]


def compact(root: Path, strip: str, month: str, settings: LightcurveSettings) -> Joined | None:
    """Join the epochs of a month, and put them on the scale of the strip's steady sources; None if there are none.

    Raises
    ------
    LightcurveError
        A file of the store cannot be read.
    OutputError
        The store cannot be written.
    """
    with locked(root, strip):
        listed = [one for one in months(root, strip) if one.month == month]
        if not listed:
            return None
        files = listed[0]
        ensemble = find_ensemble(root, strip, settings)
        if ensemble.num_rows:
            write_ensemble(root, strip, ensemble)
        else:
            ensemble = read_ensemble(root, strip)
        epochs = {epoch: checksum for epoch, checksum in sorted(epochs_of(files).items()) if checksum}
        rows = (sort_rows(scale_to(ensemble, part, settings).table) for part in _parts(files))
        path = root / strip / month_rows_name(month, files.version + 1)
        n_rows = write_rows(path, rows, epochs)
        _clear(files)
    return Joined(strip, month, len(epochs), n_rows, len(files.epochs))


def _clear(files: Month) -> None:
    """Remove what was joined: the new version first counts beside the epochs' own files, which say the same."""
    gone = [*files.epochs.values(), *([files.joined] if files.joined else []), *files.old]
    for path in gone:
        with output_errors(path):
            path.unlink(missing_ok=True)
    for directory in {path.parent for path in files.epochs.values()}:
        with output_errors(directory):
            sync_directory(directory)
            if not any(directory.iterdir()):
                directory.rmdir()


def _parts(files: Month) -> Iterator[pa.Table]:
    """Give a month's rows, unsorted, some sources at a time."""
    sources = [_read(path, ["source_id"], None) for path in _all(files)]
    numbers = np.concatenate([table["source_id"].to_numpy() for table in sources]) if sources else np.zeros(0, np.int64)
    n_parts = max(1, -(-numbers.size // ROWS_AT_ONCE))
    if numbers.size == 0:
        return
    numbers.sort()
    edges = [int(numbers[i * numbers.size // n_parts]) for i in range(1, n_parts)]
    del sources
    for low, high in zip([None, *edges], [*edges, None], strict=True):
        within = [("source_id", ">=", low)] if low is not None else []
        within += [("source_id", "<", high)] if high is not None else []
        tables = [_read(path, None, within or None) for path in files.epochs.values()]
        if files.joined is not None:
            joined = _read(files.joined, None, within or None)
            replaced = compute.is_in(joined["epoch"].cast(pa.string()), pa.array(list(files.epochs), pa.string()))
            tables.append(joined.filter(compute.invert(replaced)))
        if table := [table for table in tables if table.num_rows]:
            yield pa.concat_tables([as_rows(one) for one in table]).unify_dictionaries().combine_chunks()


def _all(files: Month) -> list[Path]:
    return [*files.epochs.values(), *([files.joined] if files.joined else [])]


def _read(path: Path, columns: list[str] | None, within: list[tuple[str, str, int]] | None) -> pa.Table:
    try:
        return parquet.read_table(path, columns=columns, filters=within)
    except (OSError, pa.ArrowException, ValueError) as error:
        raise LightcurveError(
            f"cannot be read ({str(error).splitlines()[0]})",
            path=path,
            remedy="make the store again: dsa110-contimg photometry collect --rebuild",
        ) from error
