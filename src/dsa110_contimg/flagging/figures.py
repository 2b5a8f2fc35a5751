"""What was flagged by what, drawn; and how the band was occupied, group after group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from dsa110_contimg.flagging.reasons import Reason

if TYPE_CHECKING:
    from typing import BinaryIO

    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from numpy.typing import NDArray

    from dsa110_contimg.flagging.flags import Found
    from dsa110_contimg.flagging.history import History
    from dsa110_contimg.flagging.tables import FlagTable

_COLOURS = {
    Reason.ZERO: "0.45",
    Reason.NOT_FINITE: "0.1",
    Reason.BEFORE: "0.75",
    Reason.ANTENNA: "#1f77b4",
    Reason.ARRAY: "#d62728",
    Reason.BASELINE: "#ff9f4a",
    Reason.UV_RANGE: "#9467bd",
    Reason.SHADOW: "#2ca02c",
}
_NO_DATA = "0.7"
# More antennas than this have only every second (third ...) of their names written.
_MOST_NAMES = 48


def draw_flags(found: Found, table: FlagTable, out: BinaryIO) -> None:
    """Draw what was flagged: in time and frequency, by channel, by antenna.

    Parameters
    ----------
    found : Found
        What was found.
    table : FlagTable
        Counts of it.
    out : file
        Open for writing; becomes a PNG.
    """
    figure = Figure(figsize=(12, 11), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(f"{found.ms.name}: {1 - table.total[Reason.GOOD]:.1%} flagged")
    top, middle, bottom = figure.subplots(3, 1, height_ratios=[1, 1, 1.2])
    _draw_occupied(top, found, table)
    _draw_channels(middle, found.info.freq_hz / 1e6, table.by_channel)
    _draw_antennas(bottom, found, table)
    figure.savefig(out, dpi=110, format="png")


def draw_history(history: History, out: BinaryIO) -> None:
    """Draw which channels had interference in which group, and how often each had."""
    figure = Figure(figsize=(12, 8), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(f"interference in {len(history.groups)} groups, {history.groups[0]} to {history.groups[-1]}")
    top, bottom = figure.subplots(2, 1, height_ratios=[2, 1], sharex=True)
    megahertz = history.freq_hz / 1e6
    extent = (megahertz[0], megahertz[-1], len(history.groups), 0)
    shown = top.imshow(
        history.occupancy, aspect="auto", extent=extent, vmin=0, vmax=1, cmap=_map(), interpolation="nearest"
    )
    figure.colorbar(shown, ax=top, label="fraction of samples with interference")
    top.set_ylabel("group")
    bottom.plot(megahertz, history.mean, color=_COLOURS[Reason.ARRAY], linewidth=0.8)
    bottom.set(xlabel="frequency [MHz]", ylabel="mean", ylim=(0, 1))
    figure.savefig(out, dpi=110, format="png")


def _map() -> Colormap:
    from matplotlib import colormaps

    return ListedColormap(colormaps["magma_r"](np.linspace(0, 0.9, 256))).with_extremes(bad=_NO_DATA)


def _draw_occupied(axes: Axes, found: Found, table: FlagTable) -> None:
    megahertz = found.info.freq_hz / 1e6
    extent = (megahertz[0], megahertz[-1], table.occupied.shape[0], 0)
    shown = axes.imshow(
        table.occupied, aspect="auto", extent=extent, vmin=0, vmax=1, cmap=_map(), interpolation="nearest"
    )
    axes.figure.colorbar(shown, ax=axes, label="baselines with interference")
    axes.set(ylabel="integration", xlabel="frequency [MHz]")


def _draw_channels(axes: Axes, megahertz: NDArray[np.float64], by_channel: NDArray[np.float64]) -> None:
    shown = [reason for reason in _COLOURS if by_channel[:, reason].any()]
    if shown:
        axes.stackplot(
            megahertz,
            [by_channel[:, reason] for reason in shown],
            colors=[_COLOURS[reason] for reason in shown],
            labels=[reason.title for reason in shown],
            step="mid",
        )
        axes.legend(loc="upper left", fontsize=8, ncols=len(shown))
    axes.set(xlabel="frequency [MHz]", ylabel="flagged", ylim=(0, 1), xlim=(megahertz[0], megahertz[-1]))


def _draw_antennas(axes: Axes, found: Found, table: FlagTable) -> None:
    places = np.arange(len(table.antennas))
    base = np.zeros(places.size)
    for reason, colour in _COLOURS.items():
        height = table.by_antenna[:, reason]
        axes.bar(places, height, 0.9, base, color=colour)
        base += height
    ails: dict[str, list[str]] = {}
    for ailment in found.ailments:
        ails.setdefault(ailment.name, []).append(f"{ailment.kind} {ailment.polarization}")
    for name, texts in ails.items():
        place = table.antennas.index(name)
        axes.annotate(
            ", ".join(texts),
            (place, base[place]),
            (0, 4),
            textcoords="offset points",
            rotation=90,
            ha="center",
            fontsize=8,
        )
    step = -(-places.size // _MOST_NAMES)
    axes.set_xticks(places[::step], table.antennas[::step], fontsize=8, rotation=90)
    axes.set(xlabel="station", ylabel="flagged", ylim=(0, 1.6), xlim=(-1, places.size))
