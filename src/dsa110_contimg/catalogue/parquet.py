"""Tables as Parquet with units: for DuckDB, Polars and pandas the columns, for astropy all that it knows of them.

The unit of a column is in the metadata of its field (``unit``), beside its ``description``; what
holds for the whole table is JSON in the metadata of the schema (``meta``). astropy's own description is there too.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np
from astropy.table import QTable
from astropy.table import meta as astropy_meta

if TYPE_CHECKING:
    from pathlib import Path

# Where astropy looks for its own description.
_ASTROPY = b"table_meta_yaml"


def write_parquet(path: Path, table: QTable) -> None:
    """Write a table; its ``meta`` must be plain enough for JSON.

    Raises
    ------
    OSError
        The file cannot be written.
    """
    import pyarrow as pa
    from pyarrow import parquet

    fields, arrays = [], []
    for name in table.colnames:
        column = table[name]
        facts = {"unit": _unit_text(column), "description": column.info.description or ""}
        array = pa.array(np.asarray(column.value if isinstance(column, u.Quantity) else column))
        fields.append(pa.field(name, array.type, metadata={key: text for key, text in facts.items() if text}))
        arrays.append(array)
    plain = QTable({name: np.asarray(table[name]) for name in table.colnames}, meta=table.meta)
    for name in table.colnames:
        plain[name].info.unit = getattr(table[name], "unit", None)
        plain[name].info.description = table[name].info.description
    yaml = "\n".join(astropy_meta.get_yaml_from_table(plain))
    schema = pa.schema(fields, metadata={b"meta": json.dumps(dict(table.meta)).encode(), _ASTROPY: yaml.encode()})
    parquet.write_table(pa.Table.from_arrays(arrays, schema=schema), path)


def read_parquet(path: Path) -> QTable:
    """Read a table with its units, be they ours, astropy's or none.

    Raises
    ------
    OSError, ValueError
        It cannot be read, or is not Parquet (pyarrow's errors are of these).
    """
    from pyarrow import parquet

    read = parquet.read_table(path)
    about = read.schema.metadata or {}
    described = _astropy_columns(about)
    table = QTable(meta=json.loads(about[b"meta"]) if b"meta" in about else {})
    for field in read.schema:
        facts = {key.decode(): text.decode() for key, text in (field.metadata or {}).items()}
        known = described.get(field.name, {})
        values = read.column(field.name).to_numpy(zero_copy_only=False)
        unit = facts.get("unit") or known.get("unit")
        if values.dtype == object:
            values = np.array(["" if value is None else value for value in values.tolist()], dtype=str)
        table[field.name] = u.Quantity(values, str(unit)) if unit else values
        table[field.name].info.description = facts.get("description") or known.get("description")
    return table


def _unit_text(column: Any) -> str:
    unit = getattr(column, "unit", None)
    return unit.to_string() if unit is not None else ""


def _astropy_columns(about: dict[bytes, bytes]) -> dict[str, dict[str, Any]]:
    if _ASTROPY not in about:
        return {}
    header = astropy_meta.get_header_from_yaml(about[_ASTROPY].decode().split("\n"))
    return {column["name"]: column for column in header["datatype"]}
