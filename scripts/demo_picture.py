"""The picture that the demo leaves."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from mpl_toolkits.axes_grid1.anchored_artists import AnchoredSizeBar
from PIL import Image

from dsa110_contimg.images.fits import celestial_wcs

if TYPE_CHECKING:
    from pathlib import Path

    from demo import Comparison
    from matplotlib.axes import Axes
    from matplotlib.figure import SubFigure
    from numpy.typing import NDArray

    from dsa110_contimg.imaging.dirty import DirtyImage

# Half the side of a close-up of a source [pixels].
CLOSE_UP = 30


def draw(dirty: DirtyImage, residual: NDArray[np.float32], comparisons: list[Comparison], what: str) -> Figure:
    """Draw the dirty image beside a close-up of each source and of what is left without them."""
    figure = Figure(figsize=(13.4, 6.6), layout="constrained")
    figure.suptitle(f"A simulated group of the DSA-110, {what}, 1.31–1.50 GHz, real noise")
    left, right = figure.subfigures(1, 2, width_ratios=[1.13, 1], wspace=0.02)
    draw_field(left, dirty, comparisons)
    right.suptitle("without the others: + true, o measured place; measured flux (/ true), offset", fontsize=10)
    panels = right.subplots(3, 3).ravel()
    for panel, source in zip(panels, comparisons, strict=False):
        draw_source(panel, dirty, source)
    draw_noise(panels[-1], dirty, residual)
    return figure


def draw_field(figure: SubFigure, dirty: DirtyImage, comparisons: list[Comparison]) -> None:
    """Draw the whole dirty image on its celestial grid, the true places circled."""
    wcs = celestial_wcs(dirty.header, dirty.image.shape)
    panel = figure.add_subplot(projection=wcs)
    # Stretched towards the sidelobes: the brightest sources saturate a little.
    top = 0.6 * float(dirty.image.max()) * 1e3
    shown = panel.imshow(dirty.image * 1e3, cmap="inferno", vmin=-0.35 * top, vmax=top, origin="lower")
    figure.colorbar(shown, ax=panel, label="mJy/beam", shrink=0.85, pad=0.01, extend="max")
    panel.set_title("dirty image, natural weighting: true places circled", fontsize=10)
    for axis, label, ticks in zip(panel.coords, ("right ascension", "declination"), ("hh:mm", "dd:mm"), strict=True):
        axis.set_axislabel(f"{label} (ICRS)")
        axis.set_major_formatter(ticks)
    panel.coords.grid(color="white", alpha=0.15, linewidth=0.5)
    x, y = wcs.all_world2pix(*np.transpose([source.true_sky for source in comparisons]), 0)
    panel.scatter(x, y, s=150, facecolors="none", edgecolors="white", linewidths=1.2)
    for source, px, py in zip(comparisons, x, y, strict=True):
        panel.annotate(source.name, (px, py), (9, 7), textcoords="offset points", color="white", weight="bold")
    # At this scale the beam is a dot: it is drawn true to scale in the close-ups.
    add_scale(panel, 30, dirty.header.cell_deg * 60)


def draw_source(panel: Axes, dirty: DirtyImage, source: Comparison) -> None:
    """Draw a close-up, with the beam in its corner."""
    show(panel, source.close_up / source.close_up.max(), (-0.35, 1.0))
    for (x, y), marker, colour in ((source.true_place, "+", "white"), (source.measured_place, "o", "cyan")):
        panel.plot(CLOSE_UP + x, CLOSE_UP + y, marker, color=colour, markersize=13, markerfacecolor="none")
    panel.set_title(
        f'{source.name}  {source.peak.value:.3f} Jy  ({source.ratio:.3f})  {source.offset_arcsec:.2f}"', fontsize=9
    )
    # Position angles run from north (up) to east (left), as angles in the figure do.
    beam, cell_deg = dirty.beam, dirty.header.cell_deg
    size, place = (beam.minor_deg / cell_deg, beam.major_deg / cell_deg), (0.25 * CLOSE_UP, 0.25 * CLOSE_UP)
    panel.add_patch(Ellipse(place, *size, angle=beam.pa_deg, fill=False, color="white", linewidth=1.2, hatch="////"))
    add_scale(panel, 1, cell_deg * 60)


def draw_noise(panel: Axes, dirty: DirtyImage, residual: NDArray[np.float32]) -> None:
    """Draw the middle of the field without its sources."""
    middle, half = residual.shape[0] // 2, 4 * CLOSE_UP
    pixels = residual[middle - half : middle + half + 1, middle - half : middle + half + 1]
    show(panel, pixels, (-4 * float(pixels.std()), 4 * float(pixels.std())))
    panel.set_title(f"without all: rms {residual.std() * 1e3:.2f} mJy/beam", fontsize=9)
    add_scale(panel, 10, dirty.header.cell_deg * 60)


def show(panel: Axes, pixels: NDArray[np.floating], limits: tuple[float, float]) -> None:
    """Show pixels on axes that are not labelled."""
    panel.imshow(pixels, cmap="inferno", vmin=limits[0], vmax=limits[1], origin="lower")
    panel.set_xticks([])
    panel.set_yticks([])


def add_scale(panel: Axes, arcmin: float, cell_arcmin: float) -> None:
    """Draw a bar that is so many arcminutes long."""
    length, thick = arcmin / cell_arcmin, panel.get_ylim()[1] / 250
    where = {
        "loc": "lower right",
        "color": "white",
        "frameon": False,
        "size_vertical": thick,
        "label_top": True,
        "borderpad": 0.8,
    }
    panel.add_artist(AnchoredSizeBar(panel.transData, length, f"{arcmin:g}′", **where))


def save_small(figure: Figure, path: Path) -> None:
    """Save a picture of few colours, for a web page."""
    buffer = BytesIO()
    figure.savefig(buffer, dpi=80, format="png")
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.open(buffer).convert("RGB").quantize(256, kmeans=2).save(path, optimize=True)
