"""The brightest sources of an image, closer: what is around them in the image, and what is left in the residual.

Rings and spokes around them, of either sign, tell of calibration; a hole or a crest in the residual of a model that is
wrong there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from matplotlib.colors import AsinhNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse

from dsa110_contimg.images.fits import celestial_wcs, read_image
from dsa110_contimg.naming import closeups_name, image_file_name
from dsa110_contimg.photometry.sources import values
from dsa110_contimg.qa.pictures import INK, NO_DATA, SOFT, flux_text, save_png

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from dsa110_contimg.images.fits import ImageHeader
    from dsa110_contimg.photometry.sources import Sources

#: How many sources are shown.
SHOWN = 6
# Width of a cutout [beams].
_BEAMS = 24.0
# Residuals are shown up to so many times the noise.
_RESIDUAL = 8.0
# ... and images up to so many: what is around a bright source has to be seen.
_BRIGHT = 300.0


class Pair(NamedTuple):
    """What is drawn, (N, N) float32 [Jy/beam]."""

    image: NDArray[np.float32]
    residual: NDArray[np.float32]


def draw_closeups(directory: Path, stem: str, sources: Sources) -> Path | None:
    """Draw the brightest sources of the image in a directory, as a PNG beside it.

    Parameters
    ----------
    directory, stem
        Where `imaging.products.write_images` wrote it.
    sources : Sources
        What was found in it.

    Returns
    -------
    Path or None
        None if there are no sources.

    Raises
    ------
    UnreadableFileError
        The image is not there.
    OutputError
        The picture cannot be written.
    """
    if not len(sources):
        return None
    image, residual = (read_image(directory / image_file_name(stem, kind)) for kind in ("image", "residual"))
    path = directory / closeups_name(stem)
    save_png(closeups_figure(Pair(image.pixels, residual.pixels), image.header, sources), path, dpi=100)
    return path


def closeups_figure(planes: Pair, header: ImageHeader, sources: Sources) -> Figure:
    """Draw image above residual, for each of the sources that are brightest in the image."""
    figure = Figure(figsize=(2.05 * SHOWN, 4.7), facecolor="white")
    axes = figure.subplots(2, SHOWN, squeeze=False)
    figure.subplots_adjust(left=0.03, right=0.995, top=0.9, bottom=0.02, wspace=0.05, hspace=0.05)
    wcs = celestial_wcs(header, (planes.image.shape[0], planes.image.shape[1]))
    x, y = wcs.all_world2pix(values(sources, "ra"), values(sources, "dec"), 0)
    order = np.argsort(-values(sources, "apparent_peak"), kind="stable")[:SHOWN]
    half = max(8, round(_BEAMS / 2 * header.beam.major_deg / header.cell_deg))
    flux = values(sources, "flux")
    for above, below, k in zip(axes[0], axes[1], order, strict=False):
        column, row = round(float(x[k])), round(float(y[k]))
        noise = float(values(sources, "rms")[k])
        noise = noise if noise > 0.0 else 1.0
        image, residual = (cut(plane, column, row, half) / noise for plane in (planes.image, planes.residual))
        peak = min(_BRIGHT, max(10.0, float(np.nanmax(image))))
        _show(above, image, "gray_r", AsinhNorm(linear_width=6.0, vmin=-8.0, vmax=peak))
        _show(below, residual, "RdBu_r", Normalize(-_RESIDUAL, _RESIDUAL))
        above.set_title(f"{sources['name'][k]}\n{flux_text(float(flux[k]))}", fontsize=8.5, color=INK)
        _draw_beam(above, header, half)
    for unused in axes[:, order.size :].ravel():
        unused.set_axis_off()
    width_arcmin = 60 * (2 * half + 1) * header.cell_deg
    axes[0, 0].set_ylabel(f"image, {width_arcmin:.0f}′ wide", fontsize=8.5, color=SOFT)
    axes[1, 0].set_ylabel(f"residual, ±{_RESIDUAL:.0f} × noise", fontsize=8.5, color=SOFT)
    return figure


def cut(plane: NDArray[np.float32], column: int, row: int, half: int) -> NDArray[np.float32]:
    """Return a square around a pixel, (2 half + 1) wide; NaN beyond the edges of the image."""
    out = np.full((2 * half + 1, 2 * half + 1), np.nan, np.float32)
    rows, columns = (
        slice(max(0, at - half), min(size, at + half + 1)) for at, size in zip((row, column), plane.shape, strict=True)
    )
    if rows.start < rows.stop and columns.start < columns.stop:
        top, left = row - half, column - half
        out[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = plane[rows, columns]
    return out


def _show(axes: Axes, pixels: NDArray[np.float32], colours: str, norm: Normalize) -> None:
    shown = axes.imshow(pixels, origin="lower", cmap=colours, norm=norm)
    axes.set(xticks=[], yticks=[], facecolor=NO_DATA)
    shown.set_interpolation("nearest")


def _draw_beam(axes: Axes, header: ImageHeader, half: int) -> None:
    beam = header.beam
    at = 0.16 * half
    axes.add_patch(
        Ellipse(
            (at, at),
            beam.minor_deg / header.cell_deg,
            beam.major_deg / header.cell_deg,
            angle=beam.pa_deg,
            fc="none",
            ec=INK,
            lw=1.0,
        )
    )
