"""The figure of a fitted beam: measured against modelled power, across it to the east and north, and as a map."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from dsa110_contimg.storage.files import output_errors
from dsa110_contimg.telescope.beams import beam_model
from dsa110_contimg.telescope.fitted_beams import Shape, shaped_power
from dsa110_contimg.telescope.spread import robust_sigma

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from dsa110_contimg.photometry.beam_crossings import BeamData, Crossings
    from dsa110_contimg.photometry.beam_fit import BandFit, BeamFit

# Sources no farther than this from a line through the axis are drawn against the place along it [deg].
_NEAR_DEG = 0.35
_REACH_DEG = 2.2
_BIN_DEG, _CELL_DEG = 0.2, 0.25
_MOST_PERCENT = 30.0
_POINT, _FITTED, _ASSUMED = "0.75", "#d62728", "#1f77b4"
# Fainter measurements than this say too little to be seen.
_CLEAR = 0.1
# Points that a median is worth drawing of.
_FEWEST = 3


def draw_beam(path: Path, data: BeamData, fit: BeamFit, title: str) -> None:
    """Draw what was measured of a beam, what was fitted, and what the images were made with.

    Parameters
    ----------
    path : Path
        A PNG file.
    data : BeamData
        What was measured.
    fit : BeamFit
        What was fitted to it.
    title : str
        Over all.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    n = len(fit.bands)
    figure = Figure(figsize=(12.5, 0.6 + 3.6 * n), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(n, 3, squeeze=False, width_ratios=(1.0, 1.0, 0.95))
    for row, crossings, one in zip(panels, data.bands, fit.bands, strict=True):
        places = np.degrees(np.arcsin(np.clip(np.array(crossings.way.middle), -1.0, 1.0)))
        _across(row[0], 0, places, one, (data.model, fit.base))
        _across(row[1], 1, places, one, (data.model, fit.base))
        image = _map(row[2], places, crossings, one, data.model)
        figure.colorbar(image, ax=row[2], label="measured over assumed, less 1 [%]")
        row[0].set_ylabel(f"{one.band}, {one.freq_hz / 1e6:.0f} MHz\npower")
    panels[0, 0].legend(fontsize=8, loc="lower center")
    figure.suptitle(title, fontsize=10)
    with output_errors(path):
        figure.savefig(path, dpi=110)


def _across(
    panel: Axes,
    along: int,
    places: NDArray[np.float64],
    one: BandFit,
    models: tuple[str, str],
) -> None:
    """Draw powers against the place along the east (0) or the north (1)."""
    shape = Shape(*one.shape.tolist())
    axis = np.array([shape.east_deg, shape.north_deg])
    clear = one.e_power < _CLEAR
    near = clear & (abs(places[1 - along] - axis[1 - along]) < _NEAR_DEG)
    panel.plot(places[along][near], one.power[near], ".", ms=3, color=_POINT, label="measured", rasterized=True)
    at = np.linspace(-_REACH_DEG, _REACH_DEG, 221)
    line = [np.full(at.shape, axis[0]), np.full(at.shape, axis[1])]
    line[along] = at
    x, y = (np.sin(np.radians(values)) for values in line)
    assumed = beam_model(models[0]).power(x, y, one.freq_hz)
    fitted = shaped_power(beam_model(models[1]), one.shape, x, y, one.freq_hz)
    panel.plot(at, assumed, "--", lw=1.2, color=_ASSUMED, label="assumed")
    panel.plot(at, fitted, lw=1.5, color=_FITTED, label="fitted")
    edges = np.arange(-_REACH_DEG, _REACH_DEG + _BIN_DEG / 2, _BIN_DEG)
    which = np.digitize(places[along], edges)
    means = []
    for k in range(1, len(edges)):
        here = near & (which == k)
        if np.count_nonzero(here) >= _FEWEST:
            # Of the ratio to the fit: within a bin the power itself changes more than it scatters.
            ratio = one.power[here] / one.fitted_power[here]
            middle = (edges[k - 1] + edges[k]) / 2.0
            scatter = robust_sigma(ratio)
            height = np.interp(middle, at, fitted)
            means.append((middle, height * np.median(ratio), height * 1.2533 * scatter / np.sqrt(here.sum())))
    if means:
        middles, heights, errors = np.array(means).T
        panel.errorbar(middles, heights, errors, fmt="o", ms=4, color="black", capsize=2, label="their medians")
    name = ("east", "north")[along]
    panel.axvline(0.0, lw=0.6, color="0.5", ls=":")
    panel.axvline(axis[along], lw=0.6, color=_FITTED, ls=":")
    error = np.sqrt(one.covariance[3 + along, 3 + along])
    panel.set_title(f"axis {axis[along]:+.3f} ± {error:.3f}° {name}", fontsize=9)
    panel.set(xlabel=f"{name} of the pointing [deg]", xlim=(-_REACH_DEG, _REACH_DEG), ylim=(-0.05, 1.2))
    panel.grid(alpha=0.25)


def _map(panel: Axes, places: NDArray[np.float64], crossings: Crossings, one: BandFit, model: str):  # type: ignore[no-untyped-def] # noqa: ANN202 - matplotlib's own type is not public
    """Draw how much more than assumed came through the beam, over its face."""
    thought = beam_model(model)
    assumed = crossings.way.mean_power(thought.power)
    good = (one.e_power < _CLEAR) & (assumed > _CLEAR)
    off = one.power[good] / assumed[good] - 1.0
    edges = np.arange(-_REACH_DEG + 0.075, _REACH_DEG, _CELL_DEG)
    cells = np.full((len(edges) - 1, len(edges) - 1), np.nan)
    column, row = (np.digitize(values[good], edges) - 1 for values in places)
    inside = (column >= 0) & (column < len(cells)) & (row >= 0) & (row < len(cells))
    for i, j in set(zip(row[inside].tolist(), column[inside].tolist(), strict=True)):
        cells[i, j] = 100.0 * np.median(off[inside & (row == i) & (column == j)])
    image = panel.pcolormesh(edges, edges, cells, cmap="RdBu_r", vmin=-_MOST_PERCENT, vmax=_MOST_PERCENT)
    shape = Shape(*one.shape.tolist())
    panel.plot(0.0, 0.0, "+", ms=9, color="black")
    panel.plot(shape.east_deg, shape.north_deg, "x", ms=8, mew=2, color=_FITTED)
    panel.invert_xaxis()
    panel.set_aspect("equal")
    percent = 100.0 * np.expm1(shape.width)
    error = 100.0 * np.sqrt(one.covariance[0, 0])
    panel.set_title(f"width {percent:+.1f} ± {error:.1f} %, ellipticity {100.0 * shape.ellipticity:.1f} %", fontsize=9)
    panel.set(xlabel="east [deg]", ylabel="north [deg]")
    return image
