"""Files of rows in the store of light curves: how they are read, and written so that each is whole or is not there.

The columns are those of `photometry.measurements.SCHEMA`. A file says in the metadata of its schema of which epochs it
has the rows, and the checksum of the measurements from which each was taken (``epochs``, JSON).
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from dsa110_contimg.errors import LightcurveError
from dsa110_contimg.photometry.measurements import COLUMNS, SCHEMA, SCHEMA_VERSION
from dsa110_contimg.storage.files import output_errors, sync_directory, sync_tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

ROWS_PER_GROUP = 32_768
"""Rows that are read together: those of a source in a month are in one such group, or two."""
ORDER = ("source_id", "kind", "band", "mjd")
"""How rows are sorted in every file, so that those of a source stand together."""

_EPOCHS = b"epochs"
_VERSION = b"schema_version"
_WORDS = [name for name, column in COLUMNS.items() if pa.types.is_dictionary(column.dtype)]
_FLOATS = [name for name, column in COLUMNS.items() if pa.types.is_floating(column.dtype) and name != "freq_hz"]
_REBUILD = "make the store again: dsa110-contimg photometry collect --rebuild"


class Facts(NamedTuple):
    """What a file of rows says of itself: the checksum of each epoch's measurements ("" if it was withdrawn)."""

    epochs: dict[str, str]
    n_rows: int


def read_facts(path: Path) -> Facts:
    """Read what a file of the store says of itself.

    Raises
    ------
    LightcurveError
        It cannot be read, or another version wrote it.
    """
    try:
        about = parquet.read_metadata(path)
        facts = about.metadata or {}
        epochs = json.loads(facts.get(_EPOCHS, b"null"))
    except FileNotFoundError:
        raise
    except (OSError, ValueError, pa.ArrowException) as error:
        raise LightcurveError(f"cannot be read ({_first_line(error)})", path=path, remedy=_REBUILD) from error
    if not isinstance(epochs, dict) or facts.get(_VERSION) != str(SCHEMA_VERSION).encode():
        raise LightcurveError("was written by another version", path=path, remedy=_REBUILD)
    return Facts(epochs, about.num_rows)


def read_rows(path: Path) -> pa.Table:
    """Read a file with the columns of `SCHEMA`, be it one of the store or an epoch's measurements.

    Raises
    ------
    LightcurveError
        It cannot be read, or its columns are others.
    """
    try:
        return as_rows(parquet.read_table(path))
    except (OSError, pa.ArrowException, KeyError, ValueError) as error:
        raise LightcurveError(
            f"has no measurements of version {SCHEMA_VERSION} ({_first_line(error)})",
            path=path,
            remedy="measure the epoch again: dsa110-contimg photometry measure",
        ) from error


def check_rows(path: Path) -> None:
    """Read all of a file of the store, a group of rows at a time.

    Raises
    ------
    LightcurveError
        It cannot be read, or its columns are others.
    """
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(ROWS_PER_GROUP):
                as_rows(pa.Table.from_batches([batch]))
    except (OSError, pa.ArrowException, KeyError, ValueError) as error:
        raise LightcurveError(f"cannot be read ({_first_line(error)})", path=path, remedy=_REBUILD) from error


def as_rows(table: pa.Table) -> pa.Table:
    """Give a table the columns of `SCHEMA`, in its order and with its types, units and descriptions.

    Raises
    ------
    KeyError, ValueError
        A column is missing, or is of a type that does not fit (pyarrow's errors are of these).
    """
    columns = []
    for field in SCHEMA:
        column = table.column(field.name)
        if field.name in _WORDS and not pa.types.is_dictionary(column.type):
            column = column.cast(pa.string()).dictionary_encode()
        columns.append(column.cast(field.type))
    return pa.table(columns, schema=SCHEMA).unify_dictionaries()


def write_rows(path: Path, tables: Iterable[pa.Table], epochs: Mapping[str, str]) -> int:
    """Write rows that are sorted by `ORDER`, whole or not at all; say how many.

    Parameters
    ----------
    path : Path
        The file; its directory is made if need be, and what is there under this name is replaced.
    tables : iterable of Table
        With the columns of `SCHEMA`.
    epochs : mapping
        Whose rows they are: ids, and the checksums of the measurements.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    facts = {**(SCHEMA.metadata or {}), _EPOCHS: json.dumps(dict(epochs), sort_keys=True).encode()}
    schema, n_rows = SCHEMA.with_metadata(facts), 0
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with output_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with parquet.ParquetWriter(
                partial,
                schema,
                compression="zstd",
                compression_level=1,
                use_dictionary=[*_WORDS, "freq_hz", "flags", "neighbours"],
                use_byte_stream_split=_FLOATS,
                write_statistics=["source_id", "mjd"],
            ) as writer:
                for table in tables:
                    writer.write_table(table.replace_schema_metadata(facts), row_group_size=ROWS_PER_GROUP)
                    n_rows += table.num_rows
            sync_tree(partial)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        sync_directory(path.parent)
    return n_rows


def sort_rows(table: pa.Table) -> pa.Table:
    """Sort rows by `ORDER`."""
    keys = [word_codes(table[name])[0] if name in _WORDS else table[name].to_numpy() for name in reversed(ORDER)]
    return table.take(pa.array(np.lexsort(keys)))


def word_codes(column: pa.ChunkedArray) -> tuple[NDArray[np.int64], list[str]]:
    """Give a column of words as numbers, in the order of the words, and the words."""
    chunk = pa.concat_arrays(column.unify_dictionaries().chunks) if column.num_chunks else pa.array([], column.type)
    words = chunk.dictionary.to_pylist()
    order = sorted(range(len(words)), key=words.__getitem__)
    rank = np.empty(len(words), np.int64)
    rank[order] = np.arange(len(words))
    return rank[chunk.indices.to_numpy(zero_copy_only=False)], [words[i] for i in order]


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
