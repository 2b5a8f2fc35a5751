"""A picture of a strip's variability: eta against V, what steady sources have, and the candidates by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from dsa110_contimg.photometry.measurements import position_of
from dsa110_contimg.photometry.sources import iau_names
from dsa110_contimg.qa.pictures import INK, NO_DATA, POWER, SOFT, SOURCE, VERDICTS, save_png

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from dsa110_contimg.lightcurves.variables import Variables

NAMED = 14
"""Sources that are named, at most."""
# Of a name, as parts of the plane.
_NAME_WIDTH, _NAME_HEIGHT = 0.14, 0.024


def draw_variables(path: Path, found: Variables) -> None:
    """Draw the plane of eta and V as a PNG; one that is there is replaced.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    save_png(variables_figure(found), path)


def variables_figure(found: Variables) -> Figure:
    """Draw it: each source a point, coloured by its flux density; variables ringed, events as squares."""
    statistics = found.statistics
    seen = np.isfinite(statistics.eta) & np.isfinite(statistics.v) & (statistics.eta > 0) & (statistics.v > 0)
    figure = Figure(figsize=(10.0, 7.0), facecolor="white")
    axes = figure.add_axes((0.08, 0.085, 0.8, 0.84))
    axes.set(xscale="log", yscale="log", xlabel="V, modulation index", ylabel="η, reduced chi-square")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_title(_title(found), loc="left", fontsize=11, color=INK)
    axes.grid(color=NO_DATA, lw=0.6, which="major")
    axes.tick_params(colors=SOFT, labelsize=9)
    points = axes.scatter(
        statistics.v[seen],
        statistics.eta[seen],
        c=np.log10(np.maximum(statistics.mean[seen], 1e-6)),
        s=9,
        cmap="viridis",
        lw=0,
        alpha=0.8,
        zorder=2,
    )
    if seen.any():
        _colour_bar(figure, points)
    ring = seen & found.variable
    axes.scatter(statistics.v[ring], statistics.eta[ring], s=55, fc="none", ec=SOURCE, lw=1.1, zorder=3, label="varies")
    marks = {True: (VERDICTS["bad"], "event, as a lens makes it"), False: (POWER, "other event")}
    for lens, (colour, label) in marks.items():
        at = [np.searchsorted(found.days.source_id, event.source_id) for event in found.events if event.is_lens is lens]
        axes.scatter(
            statistics.v[at], statistics.eta[at], s=95, marker="s", fc="none", ec=colour, lw=1.4, zorder=4, label=label
        )
    _name(axes, found, seen)
    axes.legend(loc="upper left", fontsize=9, frameon=False, labelcolor=SOFT)
    return figure


def _title(found: Variables) -> str:
    n_lens = sum(event.is_lens for event in found.events)
    days = np.ptp(found.days.mjd) + found.days.bin_d if found.days.mjd.size else 0.0
    return (
        f"Strip {found.strip}: {found.variable.size} sources, {days:.0f} days; "
        f"{int(found.variable.sum())} vary, {n_lens} with an event as a lens makes it"
    )


def _colour_bar(figure: Figure, points: object) -> None:
    bar = figure.colorbar(points, cax=figure.add_axes((0.9, 0.085, 0.018, 0.84)))  # type: ignore[arg-type]
    low, high = bar.ax.get_ylim()
    ticks = [level for level in (-3, -2.5, -2, -1.5, -1, -0.5, 0, 0.5, 1) if low <= level <= high]
    bar.set_ticks(ticks, labels=[f"{10**tick:.2g}" for tick in ticks])
    bar.ax.tick_params(labelsize=8.5, colors=SOFT)
    bar.set_label("mean flux density (Jy)", color=SOFT, fontsize=9)


def _name(axes: Axes, found: Variables, seen: NDArray[np.bool_]) -> None:
    """Name the candidates beside their points, those that would be written over one another a little apart."""
    events = {int(np.searchsorted(found.days.source_id, event.source_id)) for event in found.events}
    wanted = [int(k) for k in found.order() if seen[k] and (found.variable[k] or int(k) in events)][:NAMED]
    names = iau_names(*position_of(found.days.source_id))
    taken: list[tuple[float, float]] = []
    for k in wanted:
        point = found.statistics.v[k], found.statistics.eta[k]
        x, y = axes.transAxes.inverted().transform(axes.transData.transform(point))
        to_left = x > 1.0 - _NAME_WIDTH
        x, height = x - _NAME_WIDTH if to_left else x, y
        while any(abs(x - other) < _NAME_WIDTH and abs(height - there) < _NAME_HEIGHT for other, there in taken):
            height += _NAME_HEIGHT
        taken.append((x, height))
        axes.annotate(
            names[k],
            point,
            xytext=(x + (_NAME_WIDTH - 0.012 if to_left else 0.012), height),
            textcoords="axes fraction",
            ha="right" if to_left else "left",
            va="center",
            fontsize=7.5,
            color=INK,
            arrowprops={"arrowstyle": "-", "color": SOFT, "lw": 0.4, "alpha": 0.6, "shrinkB": 4, "shrinkA": 0},
            zorder=5,
        )
