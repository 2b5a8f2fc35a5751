"""What the fast plots look like: titles, axes, colours, subband edges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import LogNorm, to_rgba
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.patheffects import Normal, Stroke
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter
from PIL import Image

from dsa110_contimg.qa.pictures import INK, NO_DATA, SOFT
from dsa110_contimg.telescope.band import CHANNEL_WIDTH_HZ, CHANNELS_PER_SUBBAND, N_SUBBANDS, TOP_HZ

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.colors import Colormap, Normalize
    from matplotlib.image import AxesImage
    from numpy.typing import NDArray

    from dsa110_contimg.qa.fast_plots_axes import PlotAxes

#: Colours of the polarizations, told apart by everybody.
POLARIZATION_COLOURS = ("#0b6fb8", "#d9822b", "#5b6570", "#111418")
_SIZE_INCHES = (11.0, 7.4)
_UNIX_MJD = 40587.0
# Of years, months, days, hours, minutes and seconds.
_TIMES = ["%Y", "%Y-%m", "%m-%d", "%H:%M", "%H:%M", "%H:%M:%S"]
#: A light line that is seen on dark and on bright colours.
OUTLINED = (Stroke(linewidth=3.0, foreground=INK), Normal())


def palette() -> Image.Image:
    """Return the colours of all fast plots: two maps, greys for writing, and those of the polarizations."""
    colours = [
        *colormaps["cividis"](np.linspace(0.0, 1.0, 160)),
        *colormaps["PuOr_r"](np.linspace(0.0, 1.0, 48)),
        *(to_rgba(str(grey)) for grey in np.linspace(0.0, 1.0, 32)),
        *(to_rgba(colour) for colour in (INK, SOFT, NO_DATA)),
    ]
    for colour in POLARIZATION_COLOURS[:2]:
        # And on the way to white: edges of lines.
        colours += [(1.0 - k / 6) * np.array(to_rgba(colour)) + k / 6 for k in range(6)]
    image = Image.new("P", (1, 1))
    image.putpalette([round(255 * float(part)) for colour in colours for part in colour[:3]])
    return image


def new_figure(title: str, axes: PlotAxes, note: str = "", size_inches: tuple[float, float] = _SIZE_INCHES) -> Figure:
    """Begin a figure: what it shows, of which data, and how it is to be read."""
    figure = Figure(figsize=size_inches, facecolor="white")
    height = size_inches[1]
    figure.text(0.075, 1 - 0.32 / height, title, fontsize=14, weight="bold", color=INK)
    figure.text(0.075, 1 - 0.56 / height, f"DSA-110  {axes.title}  ·  {axes.path.name}", fontsize=9.5, color=SOFT)
    if note:
        figure.text(0.075, 0.12 / height, note, fontsize=8.5, color=SOFT)
    return figure


def stacked(figure: Figure, n_panels: int, right: float = 0.90) -> list[Axes]:
    """Make panels one above the other that share their horizontal axis, with room for a colour bar."""
    panels = figure.subplots(n_panels, 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    figure.subplots_adjust(left=0.075, right=right, bottom=0.105, top=0.875, hspace=0.07)
    return list(panels)


def blank(name: str = "cividis", bad: str = "white") -> Colormap:
    """Return a colour map for everybody's eyes in which there is nothing where there are no data."""
    return colormaps[name].with_extremes(bad=bad)


def draw_cells(
    axes: Axes,
    values: NDArray[Any],
    x: tuple[float, float],
    y: tuple[float, float],
    norm: Normalize,
    cmap: Colormap,
) -> AxesImage:
    """Draw cells, (X, Y), the first in the lower left corner; `x` and `y` are the ends of the axes."""
    return axes.imshow(
        values.T, origin="lower", extent=(*x, *y), aspect="auto", interpolation="nearest", norm=norm, cmap=cmap
    )


def count_norm(counts: Sequence[NDArray[Any]]) -> LogNorm:
    """Return a scale for counts, from a single sample to the fullest cell."""
    most = max((float(each.max()) for each in counts if each.size), default=1.0)
    return LogNorm(1.0, max(most, 10.0))


def colour_bar(figure: Figure, image: Any, label: str, place: tuple[float, float, float, float] | None = None) -> None:
    """Draw the colour bar at the right of all panels."""
    bar = figure.colorbar(image, cax=figure.add_axes(place or (0.915, 0.105, 0.016, 0.77)))
    bar.set_label(label, fontsize=9.5, color=INK)
    if isinstance(image.norm, LogNorm) and image.norm.vmax is not None and image.norm.vmin is not None:
        _label_log_bar(bar.ax.yaxis, image.norm.vmin, image.norm.vmax)
    bar.ax.tick_params(labelsize=8.5)


def _label_log_bar(axis: Axis, low: float, high: float) -> None:
    """Write round numbers, about six, to a logarithmic colour bar."""
    for steps in ((1.0,), (1.0, 2.0, 5.0), (1.0, 1.25, 1.6, 2.0, 2.5, 3.2, 4.0, 5.0, 6.4, 8.0)):
        decades = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
        ticks = np.outer(decades, steps).ravel()
        ticks = ticks[(ticks >= low * 0.999) & (ticks <= high * 1.001)]
        if ticks.size >= 4:
            break
    axis.set_major_locator(FixedLocator(ticks.tolist()))
    axis.set_major_formatter(FuncFormatter(lambda value, _: plain(float(value))))
    axis.set_minor_formatter(NullFormatter())


def name_panel(axes: Axes, name: str) -> None:
    """Write which polarization it is into the upper left corner."""
    box = {"boxstyle": "round,pad=0.25", "fc": "white", "ec": SOFT, "lw": 0.6, "alpha": 0.9}
    axes.annotate(
        name, (0.0, 1.0), (8, -8), "axes fraction", "offset points", fontsize=10.5, weight="bold", va="top", bbox=box
    )


def say_nothing_there(axes: Axes, text: str) -> None:
    """Say in the middle of an empty panel why it is empty."""
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", fontsize=12, color=SOFT)


def label(axes: Axes, x: str = "", y: str = "") -> None:
    """Label the axes."""
    axes.tick_params(labelsize=8.5)
    if x:
        axes.set_xlabel(x, fontsize=10, color=INK)
    if y:
        axes.set_ylabel(y, fontsize=10, color=INK)


def log_axis(axis: Axis, unit: str = "") -> None:
    """Write powers of ten, and 2 and 5 between them where there is room, to an axis of decimal logarithms."""
    low, high = sorted(axis.get_view_interval())
    decades = np.arange(np.floor(low), np.ceil(high) + 1)
    between = np.log10([2.0, 5.0]) if high - low < 3.5 else np.zeros(0)
    ticks = np.concatenate([decades, *(decades + step for step in between)])
    axis.set_major_locator(FixedLocator(np.sort(ticks[(ticks >= low) & (ticks <= high)]).tolist()))
    fine = (decades[:, None] + np.log10(np.arange(2, 10))).ravel()
    axis.set_minor_locator(FixedLocator(fine[(fine >= low) & (fine <= high)].tolist()))
    axis.set_major_formatter(FuncFormatter(lambda dex, _: plain(10.0 ** float(dex)) + unit))
    axis.set_minor_formatter(NullFormatter())


def plain(value: float, digits: int = 4) -> str:
    """Write a number of few digits as people do: 0.002, 100, 20 000, 3e6."""
    if abs(value) < 1.0 and (value == 0.0 or abs(value) >= 1e-3):
        return f"{value:.{digits}g}"
    if 1.0 <= abs(value) < 99_999.5:
        places = max(digits - 1 - int(np.floor(np.log10(abs(value)))), 0)
        text = f"{value:.{places}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
        return f"{text[:-3]} {text[-3:]}" if abs(value) >= 10_000 else text
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent)}"


def time_edges_days(axes: PlotAxes) -> tuple[float, float]:
    """Ends of an axis of time [matplotlib's days]."""
    return float(axes.time_edges_mjd[0]) - _UNIX_MJD, float(axes.time_edges_mjd[-1]) - _UNIX_MJD


def time_axis(axis: Axis) -> None:
    """Write times of day to an axis of days."""
    locator = AutoDateLocator(minticks=4, maxticks=9)  # type: ignore[no-untyped-call]
    axis.set_major_locator(locator)
    axis.set_major_formatter(ConciseDateFormatter(locator, formats=_TIMES, show_offset=False))  # type: ignore[no-untyped-call]


def frequency_ends_mhz(axes: PlotAxes) -> tuple[float, float]:
    """Ends of an axis of frequency [MHz]."""
    return float(axes.freq_edges_hz[0]) / 1e6, float(axes.freq_edges_hz[-1]) / 1e6


def mark_subbands(panels: Sequence[Axes], axes: PlotAxes, named: Axes | None) -> None:
    """Draw a line between neighbouring subbands, and name them above one of the panels."""
    low, high = frequency_ends_mhz(axes)
    width_mhz = CHANNELS_PER_SUBBAND * CHANNEL_WIDTH_HZ / 1e6
    top_mhz = (TOP_HZ + CHANNEL_WIDTH_HZ / 2) / 1e6
    for subband in range(N_SUBBANDS):
        upper = top_mhz - subband * width_mhz
        lower = upper - width_mhz
        for edge in {lower, upper}:
            if low + 1e-3 < edge < high - 1e-3:
                for panel in panels:
                    panel.axvline(edge, color=INK, lw=0.6, ls=(0, (2, 3)), alpha=0.55)
        inside = min(upper, high) - max(lower, low)
        if named is not None and inside > 0.25 * width_mhz and inside > 0.02 * (high - low):
            middle = (max(lower, low) + min(upper, high)) / 2
            named.text(
                middle,
                1.012,
                f"sb{subband:02d}",
                transform=named.get_xaxis_transform(),
                ha="center",
                va="bottom",
                fontsize=7.5,
                color=SOFT,
            )


__all__ = [
    "INK",
    "NO_DATA",
    "OUTLINED",
    "POLARIZATION_COLOURS",
    "SOFT",
    "blank",
    "colour_bar",
    "count_norm",
    "draw_cells",
    "frequency_ends_mhz",
    "label",
    "log_axis",
    "mark_subbands",
    "name_panel",
    "new_figure",
    "palette",
    "plain",
    "say_nothing_there",
    "stacked",
    "time_axis",
    "time_edges_days",
]
