"""Questions to the store of light curves, answered by DuckDB from its Parquet files.

The files are sorted by source, so that of one source little more than its own rows is read; and sums are made as the
rows go by, so that the memory of a question does not grow with the store.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from dsa110_contimg.errors import LightcurveError, UsageError
from dsa110_contimg.lightcurves.files import months, strips
from dsa110_contimg.lightcurves.rows import as_rows
from dsa110_contimg.photometry.measurements import COLUMNS, SCHEMA, Flag

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

UNUSABLE = Flag.EDGE | Flag.HIGH_RMS | Flag.BAD_IMAGE | Flag.BAD_EPOCH
"""Measurements with any of these flags are left out of what is said of a source's variability."""

_TRIES = 5  # a file that is listed may be joined with others before it is read
_WRONG_QUESTION = (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException)


class Store:
    """A store of light curves, open for questions; `open_store` makes it.

    Attributes
    ----------
    connection : duckdb.DuckDBPyConnection
        Its view ``measurements`` has the columns of `photometry.measurements.SCHEMA`.
    """

    def __init__(self, root: Path, strip: str | None, connection: duckdb.DuckDBPyConnection) -> None:
        self.root = root
        self.strip = strip
        self.connection = connection
        self.refresh()

    def refresh(self) -> None:
        """Look again which files there are.

        Raises
        ------
        LightcurveError
            A file of the store cannot be read.
        """
        for left in reversed(range(_TRIES)):
            try:
                self.connection.execute(f"CREATE OR REPLACE TEMP VIEW measurements AS {self._selection()}")
            except duckdb.Error as error:
                if left == 0:
                    raise self._unreadable(error) from error
            else:
                return

    def sql(self, text: str, parameters: Sequence[object] = ()) -> pa.Table:
        """Ask a question about the view ``measurements``; give the whole answer.

        Raises
        ------
        LightcurveError
            A file of the store cannot be read.
        """
        for left in reversed(range(_TRIES)):
            try:
                return self.connection.sql(text, params=list(parameters)).to_arrow_table()
            except _WRONG_QUESTION:
                raise
            except duckdb.OutOfMemoryException as error:
                raise LightcurveError(
                    "a question to the store of light curves needs more memory than it may use",
                    path=self.root,
                    remedy="raise lightcurves.memory_gb in the settings",
                ) from error
            except duckdb.Error as error:
                if left == 0:
                    raise self._unreadable(error) from error
                self.refresh()
        raise AssertionError("the last try returns or raises")

    def _selection(self) -> str:
        loose: list[Path] = []
        whole: list[Path] = []
        parts: list[str] = []
        for strip in [self.strip] if self.strip is not None else strips(self.root):
            for month in months(self.root, strip):
                loose += month.epochs.values()
                if month.joined is None:
                    continue
                if month.epochs:
                    replaced = ", ".join(f"'{epoch}'" for epoch in month.epochs)
                    parts.append(f"SELECT * FROM {_files([month.joined])} WHERE epoch NOT IN ({replaced})")  # noqa: S608
                else:
                    whole.append(month.joined)
        parts += [f"SELECT * FROM {_files(some)}" for some in (whole, loose) if some]  # noqa: S608
        return " UNION ALL ".join(parts) or _nothing()

    def _unreadable(self, error: Exception) -> LightcurveError:
        return LightcurveError(
            f"the store of light curves cannot be read ({str(error).splitlines()[0]})",
            path=self.root,
            remedy="make it again from the epochs: dsa110-contimg photometry collect --rebuild",
        )


@contextmanager
def open_store(
    root: Path, strip: str | None = None, *, threads: int | None = None, memory_gb: float = 1.0
) -> Iterator[Store]:
    """Open a store for questions; one that is not there is empty.

    Parameters
    ----------
    root : Path
        `Settings.lightcurves_directory`.
    strip : str, optional
        Ask about one strip only.
    threads : int, optional
        One per core, if not given.
    memory_gb : float
        Memory that a question may use before it goes on in files in the system's temporary directory [GB].

    Raises
    ------
    LightcurveError
        A file of the store cannot be read.
    """
    spill = Path(tempfile.gettempdir()) / f".contimg-query-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        with duckdb.connect(
            config={
                "threads": threads or len(os.sched_getaffinity(0)),
                "memory_limit": f"{round(memory_gb * 1000)}MB",
                "temp_directory": str(spill),
                "autoinstall_known_extensions": False,  # never ask a network
                "autoload_known_extensions": False,
            }
        ) as connection:
            connection.execute("SET parquet_metadata_cache = true; SET enable_progress_bar = false")  # it is on stdout
            yield Store(root, strip, connection)
    finally:
        shutil.rmtree(spill, ignore_errors=True)


def light_curve(
    store: Store, source: int | Sequence[int], *, kind: str | None = None, band: str | None = None
) -> pa.Table:
    """Give the measurements of a source in order of time, with the columns of `photometry.measurements.SCHEMA`.

    Parameters
    ----------
    store : Store
        Where to look.
    source : int or sequence of int
        Its number, or with those of the sources that were merged into it.
    kind, band : str, optional
        Only these: ``group`` or ``mosaic``; ``full``, ``lower`` or ``upper``.
    """
    numbers = sorted({int(source)} if isinstance(source, int) else {int(one) for one in source})
    if not numbers:
        return SCHEMA.empty_table()
    among = f"source_id = {numbers[0]}" if len(numbers) == 1 else f"source_id IN ({', '.join(map(str, numbers))})"
    given = {"kind": kind, "band": band}
    wanted = [among, *(f"{name} = ?" for name, value in given.items() if value is not None)]
    return as_rows(
        store.sql(
            f"SELECT * FROM measurements WHERE {' AND '.join(wanted)} ORDER BY mjd, kind, band, image",  # noqa: S608
            [value for value in given.values() if value is not None],
        )
    )


def variability_sums(store: Store, *, kind: str = "mosaic", band: str = "full", without: int = UNUSABLE) -> pa.Table:
    """Sum up every source: what its variability is told from.

    Parameters
    ----------
    store : Store
        Where to look.
    kind, band : str
        Which measurements: ``group`` or ``mosaic``; ``full``, ``lower`` or ``upper``.
    without : int
        Sum of the `Flag` that a measurement must not have.

    Returns
    -------
    Table
        A row a source, in order of ``source_id``; f is ``corrected`` [Jy], w is 1/``e_corrected``^2 [Jy^-2]: ``n``;
        ``n_limits`` (how many are upper limits); ``first_mjd``, ``last_mjd`` [d]; ``lowest``, ``highest`` [Jy];
        ``noise`` (root mean square of ``e_flux``) [Jy]; the sums ``sum_w``, ``sum_wf``, ``sum_wff``, ``sum_f``,
        ``sum_ff``; the weighted ``mean`` and its error ``e_mean`` [Jy]; ``eta``, the reduced chi-square about it, and
        ``v``, the standard deviation over the plain mean (Swinbank et al. 2015, Astronomy and Computing 11, 25); both
        NaN for one measurement.
    """
    return store.sql(f"{_SUMS.format(keys='source_id')} ORDER BY source_id", [without, kind, band])


def sums_of_all_bands(store: Store, *, without: int) -> pa.Table:
    """Sum up every source as `variability_sums` does, for each ``kind`` and ``band``, in order of these three."""
    keys = "source_id, kind, band"
    text = _SUMS.format(keys=keys).replace(_ONE_BAND, "")
    return store.sql(f"{text} ORDER BY kind, band, source_id", [without])


def binned_sums(
    store: Store, bin_days: float, *, kind: str = "mosaic", band: str = "full", without: int = UNUSABLE
) -> pa.Table:
    """Sum up every source in bins of time: ``floor(mjd / bin_days)``.

    Returns
    -------
    Table
        A row a source and bin that is not empty, in order of ``source_id``, ``bin``: ``n``, the weighted mean of the
        times ``mjd`` [d], and the sums ``w``, ``wf``, ``wff``, ``f``, ``ff``; see `variability_sums`.

    Raises
    ------
    UsageError
        The bins have no length.
    """
    if not bin_days > 0.0:
        raise UsageError(f"bins of {bin_days} days", remedy="give a length above 0")
    return store.sql(
        "SELECT source_id, CAST(floor(mjd / ?) AS INTEGER) AS bin, CAST(count(*) AS INTEGER) AS n, "  # noqa: S608
        "sum(w * mjd) / sum(w) AS mjd, sum(w) AS w, sum(w * f) AS wf, sum(w * f * f) AS wff, sum(f) AS f, "
        f"sum(f * f) AS ff FROM ({_USABLE}{_ONE_BAND}) GROUP BY source_id, bin ORDER BY source_id, bin",
        [float(bin_days), without, kind, band],
    )


def blocks(
    store: Store,
    columns: Sequence[str],
    *,
    kind: str = "mosaic",
    band: str = "full",
    without: int = UNUSABLE,
    rows: int = 2_000_000,
) -> Iterator[pa.Table]:
    """Give the measurements of all sources, some whole sources at a time, in order of ``source_id`` and ``mjd``.

    Parameters
    ----------
    store : Store
        Where to look.
    columns : sequence of str
        What to give, of the columns of `photometry.measurements.SCHEMA`.
    kind, band, without
        Which measurements; see `variability_sums`.
    rows : int
        Rows of a block at most, unless one source has more.

    Raises
    ------
    UsageError
        There is no such column.
    """
    if unknown := [name for name in columns if name not in COLUMNS]:
        raise UsageError(f"no column {unknown[0]!r}", remedy=f"the columns are {', '.join(COLUMNS)}")
    counts = store.sql(
        "SELECT source_id, count(*) AS n FROM measurements WHERE (flags & ?) = 0 AND kind = ? AND band = ? "
        "GROUP BY source_id ORDER BY source_id",
        [without, kind, band],
    )
    for first, last in _ranges(counts["source_id"].to_pylist(), counts["n"].to_pylist(), rows):
        yield store.sql(
            f"SELECT {', '.join(columns)} FROM measurements WHERE source_id BETWEEN {first} AND {last} "  # noqa: S608
            "AND (flags & ?) = 0 AND kind = ? AND band = ? ORDER BY source_id, mjd",
            [without, kind, band],
        )


_USABLE = (
    "SELECT source_id, kind, band, mjd, flags, CAST(e_flux AS DOUBLE) AS e, CAST(corrected AS DOUBLE) AS f, "
    "1.0 / (CAST(e_corrected AS DOUBLE) * e_corrected) AS w "
    "FROM measurements WHERE (flags & ?) = 0 AND e_corrected > 0 AND isfinite(e_corrected) AND isfinite(corrected)"
)
_ONE_BAND = " AND kind = ? AND band = ?"
_SUMS = (
    "SELECT *, sum_wf / sum_w AS mean, 1.0 / sqrt(sum_w) AS e_mean, "  # noqa: S608
    "CASE WHEN n > 1 THEN greatest(sum_wff - sum_wf * sum_wf / sum_w, 0) / (n - 1) ELSE 'nan' END AS eta, "
    "CASE WHEN n > 1 THEN sqrt(greatest(sum_ff - sum_f * sum_f / n, 0) / (n - 1)) / (sum_f / n) ELSE 'nan' END AS v "
    "FROM (SELECT {keys}, CAST(count(*) AS INTEGER) AS n, "
    f"CAST(count_if((flags & {Flag.UPPER_LIMIT.value}) != 0) AS INTEGER) AS n_limits, "
    "min(mjd) AS first_mjd, max(mjd) AS last_mjd, min(f) AS lowest, max(f) AS highest, sqrt(avg(e * e)) AS noise, "
    "sum(w) AS sum_w, sum(w * f) AS sum_wf, sum(w * f * f) AS sum_wff, sum(f) AS sum_f, sum(f * f) AS sum_ff "
    f"FROM ({_USABLE}{_ONE_BAND}) GROUP BY {{keys}})"
)


def _ranges(sources: list[int], counts: list[int], rows: int) -> Iterator[tuple[int, int]]:
    first, total = 0, 0
    for i, n in enumerate(counts):
        if i > first and total + n > rows:
            yield sources[first], sources[i - 1]
            first, total = i, 0
        total += n
    if sources:
        yield sources[first], sources[-1]


def _files(paths: Sequence[Path]) -> str:
    quoted = ", ".join("'" + str(path).replace("'", "''") + "'" for path in paths)
    return f"read_parquet([{quoted}])"


def _nothing() -> str:
    types = {pa.int64(): "BIGINT", pa.int32(): "INTEGER", pa.int16(): "SMALLINT", pa.float64(): "DOUBLE"}
    types[pa.float32()] = "FLOAT"
    columns = ", ".join(f"CAST(NULL AS {types.get(field.type, 'VARCHAR')}) AS {field.name}" for field in SCHEMA)
    return f"SELECT {columns} WHERE false"
