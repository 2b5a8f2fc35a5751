"""Which quicklooks there are of a Measurement Set, and with which command lines they are drawn."""

from __future__ import annotations

from itertools import chain, groupby, zip_longest
from typing import TYPE_CHECKING, NamedTuple

from dsa110_contimg.naming import Plotted, gains_page_name, quicklook_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

_PAIRS = (
    # What against what, the most telling first.
    ("amplitude", "uv"),
    ("amplitude", "frequency"),
    ("phase", "frequency"),
    ("amplitude", "time"),
    ("phase", "time"),
    ("phase", "uv"),
)
_SHADEMS = {"amplitude": "amp", "phase": "phase", "uv": "uv", "frequency": "FREQ", "time": "TIME"}
_RAGAVI = {"amplitude": "amplitude", "phase": "phase", "uv": "uvdistance", "frequency": "frequency", "time": "time"}
_UNITS = {"uv": "uv distance", "frequency": "frequency", "time": "time"}
_TITLES = {
    Plotted.DATA: "data as recorded",
    Plotted.CORRECTED: "calibrated data",
    Plotted.RESIDUAL: "residual: data minus model",
}
# A pixel a channel: more of them leave gaps.
_WIDTH, _HEIGHT = 768, 540
# A group has few integrations, whose columns of one pixel would hardly be seen.
_TIME_SPREAD = 8


class Quicklook(NamedTuple):
    """One picture, or page.

    Attributes
    ----------
    tool : str
        Who draws it: ``shadems`` or ``ragavi``.
    visibilities : Plotted
        Of what.
    column : str
        What the tool calls that: a column, or the difference of two.
    y, x : str
        ``amplitude`` or ``phase``; ``uv``, ``frequency`` or ``time``.
    """

    tool: str
    visibilities: Plotted
    column: str
    y: str
    x: str

    @property
    def name(self) -> str:
        """Name of its file."""
        return quicklook_name(self.tool, self.visibilities, self.y, self.x)

    @property
    def what(self) -> str:
        """What it shows, in a few words."""
        return f"{self.y} against {_UNITS[self.x]}"

    @property
    def caption(self) -> str:
        """What it shows."""
        return f"{self.what.capitalize()}, {_TITLES[self.visibilities]} ({self.column})"

    @property
    def section(self) -> str:
        """Under which heading it stands."""
        return _TITLES[self.visibilities].partition(":")[0]


class GainsPage(NamedTuple):
    """Ragavi's page of a calibration table.

    Attributes
    ----------
    table : Path
        The table; it is only read.
    number : int
        From 1; tables of several sets have the same names.
    is_delays : bool
        Whether it holds delays.
    antennas : tuple of int
        Rows of ANTENNA that have a solution; others take long to draw, and have nothing to show.
    """

    table: Path
    number: int
    is_delays: bool
    antennas: tuple[int, ...]

    @property
    def name(self) -> str:
        """Name of its file."""
        return gains_page_name(self.table.name, self.number)

    @property
    def what(self) -> str:
        """What it shows, in a few words."""
        return f"{'delays' if self.is_delays else 'gains'} of {self.table.name}"

    @property
    def caption(self) -> str:
        """What it shows."""
        quantity = "Delay" if self.is_delays else "Amplitude and phase"
        return f"{quantity} of {len(self.antennas)} antennas, {self.table.parent.name}/{self.table.name}"

    @property
    def section(self) -> str:
        """Under which heading it stands."""
        return "calibration"


class Run(NamedTuple):
    """What one process draws.

    Attributes
    ----------
    tool, program : str
        Whose, and which.
    name : str
        Of its log.
    arguments : tuple of str
        Its command line after the program.
    quicklooks : tuple of Quicklook or GainsPage
        What it draws.
    drawn : tuple of str
        Under which name (a pattern) it leaves each in its working directory.
    """

    tool: str
    program: str
    name: str
    arguments: tuple[str, ...]
    quicklooks: tuple[Quicklook | GainsPage, ...]
    drawn: tuple[str, ...]


def plan_quicklooks(
    columns: Iterable[str], tools: Sequence[str], max_plots: int | None = None
) -> tuple[Quicklook, ...]:
    """Say what is to be drawn of a Measurement Set.

    Parameters
    ----------
    columns : iterable of str
        Those it has: calibrated data are drawn where they are, and the residual where there is a model.
    tools : sequence of str
        Who draws; they take turns, so that a limit leaves something of each.
    max_plots : int, optional
        At most so many, the most telling ones.
    """
    there = set(columns)
    seen, column = (Plotted.CORRECTED, "CORRECTED_DATA") if "CORRECTED_DATA" in there else (Plotted.DATA, "DATA")
    wanted: dict[str, list[Quicklook]] = {}
    for tool in tools:
        wanted[tool] = [Quicklook(tool, seen, column, y, x) for y, x in _PAIRS]
        if tool == "shadems" and "MODEL_DATA" in there:
            wanted[tool] += [Quicklook(tool, Plotted.RESIDUAL, f"{column}-MODEL_DATA", y, x) for y, x in _PAIRS]
    turns = chain.from_iterable(zip_longest(*wanted.values()))
    return tuple([quicklook for quicklook in turns if quicklook is not None][:max_plots])


def runs_of(quicklooks: Sequence[Quicklook], ms: Path, n_threads: int) -> tuple[Run, ...]:
    """Say which processes draw quicklooks.

    shadeMS draws several at once, of the same visibilities with the same options; ragavi one.
    """

    def shared(quicklook: Quicklook) -> tuple[str, ...]:
        own = ("time" if quicklook.x == "time" else "") if quicklook.tool == "shadems" else quicklook.name
        return (quicklook.tool, quicklook.visibilities, own)

    ordered = sorted(quicklooks, key=lambda each: (each.tool != "shadems", *shared(each)[1:]))
    groups = [tuple(group) for _, group in groupby(ordered, key=shared)]
    return tuple(
        _shadems(group, ms) if group[0].tool == "shadems" else _ragavi(group[0], ms, n_threads) for group in groups
    )


def gains_runs(pages: Sequence[GainsPage]) -> tuple[Run, ...]:
    """Say which processes draw pages of calibration tables: one each."""
    runs = []
    for page in pages:
        arguments = (
            *("--table", str(page.table), "--ant", ",".join(map(str, page.antennas)), "--htmlname", "page.html"),
            *(("--xaxis", "antenna") if page.is_delays else ()),
        )
        runs.append(Run("ragavi", "ragavi-gains", page.name.removesuffix(".html"), arguments, (page,), ("page.html",)))
    return tuple(runs)


def _shadems(group: tuple[Quicklook, ...], ms: Path) -> Run:
    first = group[0]
    over_time = first.x == "time"
    spread = ("--spread-pix", str(_TIME_SPREAD), "--spread-thr", "1") if over_time else ()
    arguments = (
        *(str(ms), "--dir", ".", "--png", "{label}.png", "--no-lim-save"),
        *("--xaxis", ",".join(_SHADEMS[each.x] for each in group)),
        *("--yaxis", ",".join(_SHADEMS[each.y] for each in group)),
        *("--col", first.column),
        *("--xcanvas", str(_WIDTH), "--ycanvas", str(_HEIGHT), "--fontsize", "10", *spread),
    )
    name = f"shadems-{first.visibilities}{'-time' if over_time else ''}"
    drawn = tuple(f"*-{_SHADEMS[each.y]}-{_SHADEMS[each.x]}.png" for each in group)
    return Run("shadems", "shadems", name, arguments, group, drawn)


def _ragavi(quicklook: Quicklook, ms: Path, n_threads: int) -> Run:
    arguments = (
        *("--ms", str(ms), "--xaxis", _RAGAVI[quicklook.x], "--yaxis", _RAGAVI[quicklook.y]),
        *("--data-column", quicklook.column, "--canvas-width", str(_WIDTH), "--canvas-height", str(_HEIGHT)),
        # Autocorrelations, hundreds of times as bright, would be all that is seen.
        *("--taql", "ANTENNA1 != ANTENNA2", "--num-cores", str(n_threads), "--htmlname", "page.html"),
    )
    name = quicklook.name.removesuffix(".html")
    return Run("ragavi", "ragavi-vis", name, arguments, (quicklook,), ("page.html",))
