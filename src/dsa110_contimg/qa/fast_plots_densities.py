"""How many samples have which amplitude or phase, drawn against time, frequency and uv distance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.colors import LogNorm

from dsa110_contimg.naming import PlotKind
from dsa110_contimg.qa.fast_plots_kernels import AMPLITUDE_BINS, BINS_A_DECADE, LOWEST_DEX, PHASE_BINS
from dsa110_contimg.qa.fast_plots_style import (
    OUTLINED,
    blank,
    colour_bar,
    count_norm,
    draw_cells,
    frequency_ends_mhz,
    label,
    log_axis,
    mark_subbands,
    name_panel,
    new_figure,
    plain,
    say_nothing_there,
    stacked,
    time_axis,
    time_edges_days,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from dsa110_contimg.qa.fast_plots_axes import PlotAxes
    from dsa110_contimg.qa.fast_plots_kernels import Counts

#: Amplitudes are drawn from this quantile: the smallest of many are very small.
_LOWEST_QUANTILE = 5e-3
_PERCENTILES = (5.0, 50.0, 95.0)
#: The mean of visibilities has a phase where it is so many times its noise.
_SIGNIFICANT = 5.0


class Shown(NamedTuple):
    """What is drawn: of which visibilities, and their unit."""

    name: str
    unit: str


class _Across(NamedTuple):
    """A horizontal axis: its name in titles, its label, its ends, and the middles of its bins."""

    title: str
    label: str
    ends: tuple[float, float]
    middles: NDArray[np.float64]


def draw_amplitude(axes: PlotAxes, counts: Counts, shown: Shown, kind: PlotKind) -> Figure:
    """Draw amplitude against time, frequency or uv distance: densities, their median, and 5 to 95% of them."""
    across = _across(axes, kind)
    cells = {
        PlotKind.AMPLITUDE_TIME: counts.amplitude_time,
        PlotKind.AMPLITUDE_FREQUENCY: counts.amplitude_frequency,
        PlotKind.AMPLITUDE_UV: counts.amplitude_uv,
    }[kind]
    low, high = amplitude_range(cells.sum(axis=(0, 1)))
    below = cells[..., :low].sum() / max(int(cells.sum()), 1)
    figure = new_figure(
        f"Amplitude against {across.title}: {shown.name}",
        axes,
        "Cross-correlations, every unflagged sample. Lines: median, 5% and 95%."
        + (f" {plain(100 * below, 2)}% of the samples lie below the axis." if below else "")
        + (" Metres: at mid-band." if kind is PlotKind.AMPLITUDE_UV else ""),
    )
    panels = stacked(figure, len(axes.polarizations))
    norm = count_norm([cells])
    image = None
    for panel, name, some in zip(panels, axes.polarizations, cells, strict=True):
        ends = (LOWEST_DEX + low / BINS_A_DECADE, LOWEST_DEX + high / BINS_A_DECADE)
        image = draw_cells(panel, some[:, low:high], across.ends, ends, norm, blank())
        for percent, line in zip(_PERCENTILES, percentiles(some, _PERCENTILES), strict=True):
            _draw_line(panel, across, line, "-" if percent == 50.0 else "--")
        panel.set_ylim(ends)
        log_axis(panel.yaxis)
        label(panel, y=f"amplitude [{shown.unit}]")
        name_panel(panel, name)
        if not some[:, 1:].any():
            say_nothing_there(panel, "all are 0" if some.any() else _why_empty(axes, kind))
    colour_bar(figure, image, "samples in a cell")
    _finish(panels, axes, across)
    return figure


def draw_phase(axes: PlotAxes, counts: Counts, shown: Shown, kind: PlotKind) -> Figure:
    """Draw phase against time or frequency: densities, and the phase of the mean of all visibilities."""
    across = _across(axes, kind)
    by_time = kind is PlotKind.PHASE_TIME
    cells = counts.phase_time if by_time else counts.phase_frequency
    along = 2 if by_time else 1
    means = [part.sum(axis=along) for part in (counts.vector_sum, counts.amplitude_sum, counts.good)]
    figure = new_figure(
        f"Phase against {across.title}: {shown.name}",
        axes,
        "Cross-correlations, every unflagged sample that is not 0. Dots: phase of the mean of all baselines"
        f"{'' if by_time else ' and times'}, where it is more than {_SIGNIFICANT:.0f} times its noise.",
    )
    panels = stacked(figure, len(axes.polarizations))
    usual = cells.sum(axis=2, keepdims=True) / PHASE_BINS
    cells = np.divide(cells, usual, out=np.zeros(cells.shape), where=usual > 0)
    norm = _phase_norm(cells)
    image = None
    for p, panel in enumerate(panels):
        image = draw_cells(panel, cells[p], across.ends, (-180.0, 180.0), norm, blank())
        phase_deg = mean_phase_deg(*(part[p] for part in means))
        panel.plot(across.middles, phase_deg, "o", ms=3.2 if by_time else 1.8, mfc="white", mec="#111418", mew=0.5)
        panel.set(ylim=(-180, 180), yticks=np.arange(-180, 181, 60), xlim=across.ends)
        label(panel, y="phase [°]")
        name_panel(panel, axes.polarizations[p])
        if not cells[p].any():
            say_nothing_there(panel, "all are 0" if counts.good[p].any() else _why_empty(axes, kind))
    colour_bar(figure, image, "samples in a cell, over those of random phases")
    _finish(panels, axes, across)
    return figure


def amplitude_range(counts: NDArray[Any]) -> tuple[int, int]:
    """First bin, and one after the last, that are drawn of the counts of all amplitudes, (AMPLITUDE_BINS,)."""
    there = counts[1:]
    total = int(there.sum())
    if not total:
        return -LOWEST_DEX * BINS_A_DECADE - BINS_A_DECADE, -LOWEST_DEX * BINS_A_DECADE + BINS_A_DECADE
    low = int(np.searchsorted(np.cumsum(there), _LOWEST_QUANTILE * total)) + 1
    high = int(np.flatnonzero(there)[-1]) + 2
    margin = max(2, (high - low) // 25)
    low, high = low - margin, high + margin
    if high - low < BINS_A_DECADE // 2:
        low, high = low - BINS_A_DECADE // 4, high + BINS_A_DECADE // 4
    return max(low, 1), min(high, AMPLITUDE_BINS)


def percentiles(counts: NDArray[Any], percents: tuple[float, ...]) -> NDArray[np.float64]:
    """Decimal logarithm of the amplitudes below which so many percent lie, (n, X); NaN where there is nothing.

    Parameters
    ----------
    counts : (X, AMPLITUDE_BINS) ndarray
        Counts.
    percents : tuple of float
        How many.
    """
    running = np.cumsum(counts, axis=1, dtype=np.float64)
    total = running[:, -1]
    lines = np.full((len(percents), counts.shape[0]), np.nan)
    for k, percent in enumerate(percents):
        wanted = np.maximum(percent / 100.0 * total, 0.5)
        place = np.argmax(running >= wanted[:, None], axis=1)
        rows = np.arange(place.size)
        before = np.where(place > 0, running[rows, place - 1], 0.0)
        inside = (wanted - before) / np.maximum(counts[rows, place], 1)
        lines[k] = np.where(total > 0, LOWEST_DEX + (place + inside) / BINS_A_DECADE, np.nan)
    return lines


def mean_phase_deg(
    vector_sum: NDArray[np.complex128], amplitude_sum: NDArray[np.float64], good: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Phase of the mean of visibilities, (X,) [deg]; NaN where the mean is not significant.

    The noise of the mean is that of samples whose amplitudes are as Rayleigh's: their mean square is 4/pi times the
    square of their mean.
    """
    n = np.maximum(good, 1)
    noise = np.sqrt(4.0 / np.pi / n) * amplitude_sum / n
    significant = (good > 0) & (np.abs(vector_sum) / n > _SIGNIFICANT * noise)
    # One sample alone is its own mean.
    significant |= (good == 1) & (amplitude_sum > 0)
    return np.where(significant, np.degrees(np.angle(vector_sum)), np.nan)


def _phase_norm(cells: NDArray[Any]) -> LogNorm:
    """Scale of densities over those of random phases: nearly all of what is there, and no finer than 20% either way."""
    there = cells[cells > 0]
    if not there.size:
        return LogNorm(0.8, 1.25)
    low, high = np.percentile(there, [0.5, 99.5])
    return LogNorm(float(min(low, 0.8)), float(max(high, 1.25)))


def _across(axes: PlotAxes, kind: PlotKind) -> _Across:
    if kind in {PlotKind.AMPLITUDE_TIME, PlotKind.PHASE_TIME}:
        ends, n, title, text = time_edges_days(axes), axes.time_edges_mjd.size - 1, "time", "time [UTC]"
    elif kind in {PlotKind.AMPLITUDE_FREQUENCY, PlotKind.PHASE_FREQUENCY}:
        ends, n, title, text = frequency_ends_mhz(axes), axes.freq_edges_hz.size - 1, "frequency", "frequency [MHz]"
    else:
        low, high = np.log10(axes.uv_edges[[0, -1]])
        ends, n, title, text = (float(low), float(high)), axes.uv_edges.size - 1, "uv distance", "uv distance [λ]"
    edges = np.linspace(*ends, n + 1)
    return _Across(title, text, ends, (edges[1:] + edges[:-1]) / 2)


def _draw_line(panel: Axes, across: _Across, line: NDArray[np.float64], style: str) -> None:
    """Draw a value for each bin; where there are few bins as steps."""
    width = 1.5 if style == "-" else 0.9
    effects: dict[str, Any] = {"color": "white", "lw": width, "path_effects": OUTLINED, "ls": style}
    if line.size <= 64:
        edges = np.linspace(*across.ends, line.size + 1)
        panel.plot(np.repeat(edges, 2)[1:-1], np.repeat(line, 2), **effects)
    else:
        panel.plot(across.middles, line, **effects)


def _finish(panels: list[Axes], axes: PlotAxes, across: _Across) -> None:
    for panel in panels:
        panel.set_xlim(across.ends)
    label(panels[-1], x=across.label)
    if across.title == "time":
        time_axis(panels[-1].xaxis)
    elif across.title == "frequency":
        mark_subbands(panels, axes, panels[0])
    elif axes.has_uv:
        log_axis(panels[-1].xaxis)
        shift = float(np.log10(axes.channels.per_m.mean()))

        def to_metres(dex: Any) -> Any:
            return dex - shift

        def from_metres(dex: Any) -> Any:
            return dex + shift

        metres = panels[0].secondary_xaxis("top", functions=(to_metres, from_metres))
        metres.set_xlim(across.ends[0] - shift, across.ends[1] - shift)
        log_axis(metres.xaxis, " m")
        metres.tick_params(labelsize=8.5)


def _why_empty(axes: PlotAxes, kind: PlotKind) -> str:
    if not axes.has_crosses:
        return "no cross-correlations"
    if kind is PlotKind.AMPLITUDE_UV and not axes.has_uv:
        return "no UVW"
    return "nothing unflagged"
