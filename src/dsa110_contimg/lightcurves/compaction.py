"""Joining the epochs of a month to one file, sorted by source, in which a source is found at once.

On the way the month's fluxes are put on the scale of the strip's steady sources as they are known by then: the epochs
of a survey's first days are added before there is an ensemble, and are given their scales here.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import compute, parquet

from dsa110_contimg.errors import LightcurveError
from dsa110_contimg.lightcurves.ensemble import find_ensemble, read_ensemble, write_ensemble
from dsa110_contimg.lightcurves.files import Month, epochs_of, locked, months, strips
from dsa110_contimg.lightcurves.rows import as_rows, sort_rows, word_codes, write_rows
from dsa110_contimg.lightcurves.scaling import FITTED, fit_scales, with_scales
from dsa110_contimg.naming import month_rows_name
from dsa110_contimg.storage.files import output_errors, sync_directory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dsa110_contimg.config.settings import LightcurveSettings

ROWS_AT_ONCE = 500_000
"""Rows that are sorted in memory together."""


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


def due(root: Path, settings: LightcurveSettings) -> list[tuple[str, str]]:
    """List the months, with their strips, that it is time to join.

    Of a strip's last month `join_epochs` must stand in files of their own; of those before, any.
    """
    found = []
    for strip in strips(root):
        listed = months(root, strip)
        for month in listed:
            enough = settings.join_epochs if month is listed[-1] else 1
            if len(month.epochs) >= enough or month.old:
                found.append((strip, month.month))
    return found


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
        scales = fit_scales(ensemble, _steady_rows(files, ensemble), settings)
        rows = (with_scales(sort_rows(part), scales) for part in _parts(files))
        path = root / strip / month_rows_name(month, files.version + 1)
        n_rows = write_rows(path, rows, epochs)
        _clear(files)
    pa.default_memory_pool().release_unused()  # of use to a daemon
    return Joined(strip, month, len(epochs), n_rows, len(files.epochs))


def _clear(files: Month) -> None:
    """Remove what was joined; an epoch's own file counts until it is gone, and has the same fluxes."""
    for path in [*files.epochs.values(), *([files.joined] if files.joined else []), *files.old]:
        with output_errors(path):
            path.unlink(missing_ok=True)
    for directory in {path.parent for path in files.epochs.values()}:
        with output_errors(directory):
            sync_directory(directory)
            if not any(directory.iterdir()):
                directory.rmdir()


def _steady_rows(files: Month, ensemble: pa.Table) -> pa.Table:
    """Give what is needed to fit the scales of a month's images."""
    return _gathered(files, list(FITTED), compute.field("source_id").isin(compute.unique(ensemble["source_id"])))


def _parts(files: Month) -> Iterator[pa.Table]:
    """Give a month's rows, unsorted, some sources at a time."""
    numbers = _gathered(files, ["source_id", "epoch"])["source_id"].to_numpy().copy()
    numbers.sort()
    n_parts = max(1, -(-numbers.size // ROWS_AT_ONCE))
    edges = sorted({int(numbers[i * numbers.size // n_parts]) for i in range(1, n_parts)})
    source = compute.field("source_id")
    if not edges:
        yield as_rows(_gathered(files))
        return
    yield as_rows(_gathered(files, None, source < edges[0]))
    for low, high in pairwise(edges):
        yield as_rows(_gathered(files, None, (source >= low) & (source < high)))
    yield as_rows(_gathered(files, None, source >= edges[-1]))


def _gathered(files: Month, columns: list[str] | None = None, chosen: compute.Expression | None = None) -> pa.Table:
    """Read what counts of a month: the epochs' own files, and of the joined one the other epochs."""
    tables = [_read(path, columns, chosen) for path in files.epochs.values()]
    if files.joined is not None:
        joined = _read(files.joined, columns, chosen)
        codes, epochs = word_codes(joined["epoch"])
        tables.append(joined.filter(pa.array(~np.isin(epochs, list(files.epochs))[codes])))
    return pa.concat_tables(tables).unify_dictionaries()


def _read(path: Path, columns: list[str] | None, chosen: compute.Expression | None) -> pa.Table:
    try:
        return parquet.read_table(path, columns=columns, filters=chosen)
    except (OSError, pa.ArrowException, ValueError) as error:
        raise LightcurveError(
            f"cannot be read ({(str(error).splitlines() or [''])[0]})",
            path=path,
            remedy="make the store again: dsa110-contimg photometry collect --rebuild",
        ) from error
