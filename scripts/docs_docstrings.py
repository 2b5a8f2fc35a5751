"""An extension of Griffe: docstrings of this package as Markdown, where they are written for terminals.

Two things differ: a literal block is announced by ``::``, and a table is drawn with rows of ``=``.
"""

import re
from typing import Any

from griffe import Extension, Object

TABLE = re.compile(r"^(=+(?: +=+)+)\n(?:.*\n)+?\1$", re.MULTILINE)
LITERAL = re.compile(r"(?<=\S)::$", re.MULTILINE)


class Docstrings(Extension):
    """Turn literal blocks and tables into blocks of code, as which they read well."""

    def on_instance(self, *, obj: Object, **_unused: Any) -> None:
        """Look at one object's docstring when it has been read."""
        if obj.docstring is not None:
            obj.docstring.value = as_markdown(obj.docstring.value)


def as_markdown(text: str) -> str:
    """Write a docstring as Markdown."""
    text = TABLE.sub(lambda table: f"```text\n{table[0]}\n```", text)
    return LITERAL.sub(":", text)
