"""The other fast plots: waterfall, autocorrelations, uv coverage, and what is flagged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.colors import LogNorm, Normalize

from dsa110_contimg.qa.fast_plots_style import (
    INK,
    NO_DATA,
    POLARIZATION_COLOURS,
    SOFT,
    blank,
    colour_bar,
    count_norm,
    draw_cells,
    frequency_ends_mhz,
    label,
    mark_subbands,
    name_panel,
    new_figure,
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
    from dsa110_contimg.qa.fast_plots_densities import Shown
    from dsa110_contimg.qa.fast_plots_kernels import Counts

# More antennas than this have only every second (third ...) of their names written.
_MOST_NAMES = 60
# So many of the antennas whose autocorrelations differ most are named.
_MOST_ODD = 8
# An autocorrelation is odd where it is so far from the median antenna [dB].
_ODD_DB = 3.0
# Mean amplitudes that differ by more are drawn on a logarithmic scale.
_MANY_TIMES = 5.0


def draw_waterfall(axes: PlotAxes, counts: Counts, shown: Shown) -> Figure:
    """Draw the mean amplitude of all baselines by time and frequency."""
    means = ratio(counts.amplitude_sum, counts.good)
    figure = new_figure(
        f"Waterfall: {shown.name}",
        axes,
        "Mean amplitude of the unflagged cross-correlations. Grey: no data, or all flagged. Colours: 1 to 99% of the "
        "cells.",
    )
    panels = stacked(figure, len(axes.polarizations))
    norm = _percentile_norm(means)
    image = None
    for panel, name, some in zip(panels, axes.polarizations, means, strict=True):
        image = _draw_by_time(panel, axes, some, norm)
        name_panel(panel, name)
        if not np.isfinite(some).any():
            say_nothing_there(panel, "nothing unflagged" if axes.has_crosses else "no cross-correlations")
    colour_bar(figure, image, f"mean amplitude [{shown.unit}]")
    label(panels[-1], x="frequency [MHz]")
    mark_subbands(panels, axes, panels[0])
    return figure


def draw_autos(axes: PlotAxes, counts: Counts, shown: Shown) -> Figure:
    """Draw the spectra of the autocorrelations: all in one panel, and each against the median antenna."""
    figure = new_figure(
        f"Autocorrelations: {shown.name}",
        axes,
        "Mean over time. Above: each antenna, and their median (black). Below: each antenna over the median one; "
        "grey: no data, or all flagged.",
    )
    n = len(axes.polarizations)
    panels = figure.subplots(2, n, sharex=True, squeeze=False, height_ratios=[1, 1.5])
    figure.subplots_adjust(left=0.075, right=0.90, bottom=0.105, top=0.875, hspace=0.06, wspace=0.12)
    spectra = ratio(counts.autos, counts.auto_samples)[:, axes.antennas]
    names = [axes.antenna_names[k] for k in axes.antennas]
    with np.errstate(divide="ignore"):
        decibels = [10.0 * np.log10(some / _median(some, 0)) for some in spectra]
    for some in decibels:
        some[~np.isfinite(some) & ~np.isnan(some)] = np.nan
    reach = max(
        1.0, *(float(np.nanpercentile(np.abs(some), 99.0)) for some in decibels if np.isfinite(some).any()), 0.0
    )
    image = None
    low, high = frequency_ends_mhz(axes)
    for p in range(n):
        upper, lower = panels[0, p], panels[1, p]
        _draw_spectra(upper, axes, spectra[p])
        name_panel(upper, axes.polarizations[p])
        image = draw_cells(
            lower,
            decibels[p].T,
            (low, high),
            (-0.5, len(names) - 0.5),
            Normalize(-min(reach, 10.0), min(reach, 10.0)),
            blank("PuOr_r", NO_DATA),
        )
        _name_odd(upper, names, decibels[p])
        step = -(-len(names) // 28)
        lower.set_yticks(range(0, len(names), step), names[::step])
        label(lower, x="frequency [MHz]", y="station" if p == 0 else "")
        label(upper, y=f"amplitude [{shown.unit}]" if p == 0 else "")
        lower.tick_params(axis="y", labelsize=7)
        mark_subbands([upper, lower], axes, upper)
        if not np.isfinite(spectra[p]).any():
            say_nothing_there(upper, "nothing unflagged" if axes.has_autos else "no autocorrelations")
    colour_bar(figure, image, "over the median antenna [dB]", (0.915, 0.105, 0.016, 0.45))
    return figure


def draw_uv_coverage(axes: PlotAxes, counts: Counts) -> Figure:
    """Draw where the unflagged samples are in the uv plane; each counts twice, as its conjugate is one, too."""
    figure = new_figure(
        "uv coverage",
        axes,
        "Unflagged samples of the cross-correlations, all polarizations, channels and times, and their conjugates.",
        (12.4, 6.75),
    )
    panels = figure.subplots(1, 2)
    figure.subplots_adjust(left=0.06, right=0.91, bottom=0.12, top=0.885, wspace=0.13)
    planes = [plane + plane[::-1, ::-1] for plane in counts.plane]
    norm = count_norm(planes)
    image = None
    unit, name = (1e3, "kλ") if axes.plane_limits[0] >= 2e3 else (1.0, "λ")
    for panel, plane, limit, which in zip(
        panels, planes, axes.plane_limits, ("whole array", "shorter baselines"), strict=True
    ):
        ends = (-float(limit) / unit, float(limit) / unit)
        image = panel.imshow(
            plane, origin="lower", extent=(*ends, *ends), norm=norm, cmap=blank(), interpolation="nearest"
        )
        # East is to the left, as on the sky.
        panel.set_xlim(ends[::-1])
        label(panel, x=f"u [{name}]", y=f"v [{name}]")
        name_panel(panel, which)
        if not plane.any():
            say_nothing_there(panel, _why_no_coverage(axes))
    if axes.has_uv:
        middle = float(axes.plane_limits[1]) / unit
        panels[0].plot(
            np.array([-1, 1, 1, -1, -1]) * middle, np.array([-1, -1, 1, 1, -1]) * middle, color=SOFT, lw=0.9, ls="--"
        )
    colour_bar(figure, image, "samples in a cell", (0.92, 0.13, 0.015, 0.745))
    return figure


def draw_flags(axes: PlotAxes, counts: Counts) -> Figure:
    """Draw what part is flagged: of each antenna, of each channel, by time and frequency."""
    n = len(axes.polarizations)
    total = counts.flagged.sum() / max(int(counts.samples.sum()), 1)
    each = ", ".join(
        f"{name} {counts.flagged[p].sum() / max(int(counts.samples[p].sum()), 1):.1%}"
        for p, name in enumerate(axes.polarizations)
    )
    figure = new_figure(
        f"Flagged: {total:.1%} ({each})",
        axes,
        "All rows, autocorrelations among them: FLAG, FLAG_ROW, or not a finite number. Grey: no data.",
        (11.0, 9.4),
    )
    top = figure.add_axes((0.075, 0.695, 0.825, 0.215))
    middle = figure.add_axes((0.075, 0.395, 0.825, 0.205))
    bottom = figure.add_axes((0.075, 0.085, 0.825, 0.295), sharex=middle)
    names = [axes.antenna_names[k] for k in axes.antennas]
    by_antenna = ratio(counts.by_antenna[1], counts.by_antenna[0])[:, axes.antennas]
    by_channel = ratio(counts.flagged.sum(axis=1), counts.samples.sum(axis=1))
    width = 0.86 / n
    places = np.arange(len(names))
    edges_mhz = axes.freq_edges_hz / 1e6
    for p, name in enumerate(axes.polarizations):
        colour = POLARIZATION_COLOURS[p]
        top.bar(places + (p - (n - 1) / 2) * width, np.nan_to_num(by_antenna[p]), width, color=colour, label=name)
        middle.stairs(
            by_channel[p],
            edges_mhz,
            color=colour,
            lw=1.3,
            ls="-" if p == 0 else (0, (3, 1.5)),
            label=name,
            baseline=None,
        )
    step = -(-len(names) // _MOST_NAMES)
    top.set_xticks(places[::step], names[::step], rotation=90)
    top.set(xlim=(-0.8, len(names) - 0.2), ylim=(0, 1.02))
    top.legend(loc="upper right", fontsize=8.5, ncols=n, framealpha=0.9)
    label(top, "station", "flagged of each station")
    top.tick_params(axis="x", labelsize=7)
    middle.set_ylim(-0.02, 1.02)
    middle.tick_params(labelbottom=False)
    label(middle, y="flagged of each channel")
    for panel in (top, middle):
        panel.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        panel.grid(axis="y", color=SOFT, alpha=0.25, lw=0.5)
    cells = ratio(counts.flagged.sum(axis=0), counts.samples.sum(axis=0))
    image = _draw_by_time(bottom, axes, cells, Normalize(0.0, 1.0))
    label(bottom, x="frequency [MHz]")
    mark_subbands([middle, bottom], axes, middle)
    colour_bar(figure, image, "flagged", (0.915, 0.085, 0.016, 0.295))
    return figure


def ratio(numerator: NDArray[Any], denominator: NDArray[Any]) -> NDArray[np.float64]:
    """Divide; NaN where there is nothing to divide by."""
    out = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=out, where=denominator > 0)
    return out


def _draw_by_time(panel: Axes, axes: PlotAxes, values: NDArray[np.float64], norm: Normalize) -> Any:
    """Draw values by time, which goes down, and frequency."""
    first, last = time_edges_days(axes)
    ends = frequency_ends_mhz(axes)
    image = panel.imshow(
        values,
        origin="upper",
        extent=(*ends, last, first),
        aspect="auto",
        interpolation="nearest",
        norm=norm,
        cmap=blank(bad=NO_DATA),
    )
    time_axis(panel.yaxis)
    label(panel, y="time [UTC]")
    return image


def _draw_spectra(panel: Axes, axes: PlotAxes, spectra: NDArray[np.float64]) -> None:
    middles = (axes.freq_edges_hz[1:] + axes.freq_edges_hz[:-1]) / 2e6
    there = spectra[np.isfinite(spectra) & (spectra > 0)]
    lines = [np.column_stack([middles, one]) for one in spectra if np.isfinite(one).any()]
    panel.add_collection(LineCollection(lines, colors=POLARIZATION_COLOURS[0], linewidths=0.5, alpha=0.35))
    panel.plot(middles, _median(spectra, 0), color=INK, lw=1.6)
    panel.set_xlim(frequency_ends_mhz(axes))
    if there.size:
        low, high = float(there.min()), float(there.max())
        if high > 20 * low:
            panel.set_yscale("log")
            panel.set_ylim(low / 1.3, high * 1.3)
        else:
            margin = max(0.08 * (high - low), 0.01 * high)
            panel.set_ylim(low - margin, high + margin)


def _name_odd(panel: Axes, names: list[str], decibels: NDArray[np.float64]) -> None:
    """Name the antennas that are far from the median one."""
    level = _median(decibels, 1)
    odd = [k for k in np.argsort(-np.nan_to_num(np.abs(level))) if np.nan_to_num(abs(level[k])) > _ODD_DB][:_MOST_ODD]
    if odd:
        text = "far from the median: " + ", ".join(f"{names[k]} ({level[k]:+.0f} dB)" for k in odd)
        box = {"boxstyle": "round,pad=0.2", "fc": "white", "ec": "none", "alpha": 0.85}
        place: dict[str, Any] = {"transform": panel.transAxes, "ha": "right", "va": "bottom"}
        panel.text(0.99, 0.03, text, fontsize=7.5, color=INK, bbox=box, **place)


def _median(values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Median of what is finite; NaN where nothing is."""
    ordered = np.sort(np.where(np.isfinite(values), values, np.inf), axis=axis)
    n = np.isfinite(ordered).sum(axis=axis, keepdims=True)
    middles = [np.take_along_axis(ordered, np.maximum(k, 0), axis) for k in ((n - 1) // 2, n // 2)]
    middle = np.where(n > 0, 0.5 * (middles[0] + np.where(n > 0, middles[-1], 0.0)), np.nan)
    return np.asarray(np.squeeze(middle, axis), dtype=np.float64)


def _percentile_norm(values: NDArray[np.float64]) -> Normalize:
    there = values[np.isfinite(values)]
    if not there.size:
        return Normalize(0.0, 1.0)
    low, high = np.percentile(there, [1.0, 99.0])
    if not high > low:
        low, high = low - 0.5 * abs(low) - 1e-12, high + 0.5 * abs(high) + 1e-12
    # Interference is many times what is usual: both are to be seen.
    scale = LogNorm if low > 0.0 and high > _MANY_TIMES * low else Normalize
    return scale(float(low), float(high))


def _why_no_coverage(axes: PlotAxes) -> str:
    if not axes.has_crosses:
        return "no cross-correlations"
    return "nothing unflagged" if axes.has_uv else "no UVW"
