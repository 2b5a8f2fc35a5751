"""The parts that the page about a group is put together of."""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """A figure: what it is, its value, and a word about it."""

    label: str
    value: str
    note: str = ""


class Table(NamedTuple):
    """Columns and rows of text; columns of numbers are aligned to the right; `tones` colours rows."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: frozenset[int] = frozenset()
    tones: tuple[str, ...] = ()
    note: str = ""


class Section(NamedTuple):
    """A part of the page; `missing` says why there is nothing in it."""

    title: str
    rows: tuple[Row, ...] = ()
    tables: tuple[Table, ...] = ()
    drawings: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    missing: str = ""


class Span(NamedTuple):
    """A piece of a bar: what it is, what to say, how wide it is [% of the bar], and its colour."""

    label: str
    value: str
    width: float
    colour: str


class Bar(NamedTuple):
    """A bar of pieces, and perhaps a mark on it [% of its width]."""

    spans: tuple[Span, ...]
    mark: float | None = None
    mark_text: str = ""


class Line(NamedTuple):
    """A line of a log and how it is to be shown: ``""``, ``warning`` or ``error``."""

    text: str
    tone: str = ""
