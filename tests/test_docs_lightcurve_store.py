"""The handbook's table of columns is that of the measurements."""

import re
from pathlib import Path

import pyarrow as pa

from dsa110_contimg.photometry.measurements import COLUMNS, SCHEMA_VERSION

PAGE = Path(__file__).parents[1] / "docs" / "lightcurve_store.md"


def test_every_column_is_described_as_in_the_files():
    section = PAGE.read_text().split("## Columns\n")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if "| `" in line]
    assert rows == [
        [
            f"`{name}`",
            column.unit,
            "text" if pa.types.is_dictionary(column.dtype) else str(column.dtype),
            column.description,
        ]
        for name, column in COLUMNS.items()
    ]
    assert re.search(r"Version (\d+) of the schema", section)[1] == str(SCHEMA_VERSION)
