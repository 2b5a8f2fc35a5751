"""A picture of an image, to be understood at a glance: coordinates, sources, beam, scale.

``python -m dsa110_contimg.qa.preview DIRECTORY [STEM]`` draws it again.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from astropy.visualization.wcsaxes import WCSAxes
from matplotlib import colormaps
from matplotlib.colors import AsinhNorm
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse, Rectangle

from dsa110_contimg.images.fits import celestial_wcs, read_image
from dsa110_contimg.naming import MosaicKind, group_id_from_mjd, image_file_name, preview_name
from dsa110_contimg.photometry.sources import values
from dsa110_contimg.qa.directories import read_if_there, stem_of
from dsa110_contimg.qa.pictures import INK, NO_DATA, POWER, SOFT, SOURCE, VERDICTS, flux_text, save_png

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dsa110_contimg.images.fits import ImageHeader
    from dsa110_contimg.photometry.sources import Sources
    from dsa110_contimg.qa.quality import Quality

# Inches of a figure, and the least height of what is drawn in it, of its width.
_WIDE, _LEAST_TALL = 10.2, 0.25
# About the pixels of the picture; more of the image's are averaged.
_PIXELS = 900
# From this many times the noise below zero to this many above it.
_LOW, _HIGH = -4.0, 80.0
# Brightness up to which the scale is about linear, in times the noise.
_SOFT = 5.0
_SCALE_BARS_ARCMIN = (1, 2, 5, 10, 20, 30, 60, 120, 300)
_BEAM_PIXELS = 40.0
_LABELLED = 5
# Every so many pixels are enough for what is smooth.
_STEP = 4


class Seen(NamedTuple):
    """What is drawn: image and noise [Jy/beam], and the primary beam, (N, N) float32; None where there is none."""

    image: NDArray[np.float32]
    rms: NDArray[np.float32] | None
    pb: NDArray[np.float32] | None


def draw_preview(
    directory: Path,
    stem: str,
    *,
    sources: Sources | None = None,
    quality: Quality | None = None,
) -> Path:
    """Draw the image in a directory, as a PNG beside it.

    Parameters
    ----------
    directory, stem
        Where `imaging.products.write_images` wrote it.
    sources : Sources, optional
        To be marked.
    quality : Quality, optional
        Its verdict and noise are written above.

    Returns
    -------
    Path
        The PNG.

    Raises
    ------
    UnreadableFileError
        The image is not there.
    OutputError
        The picture cannot be written.
    """
    image = read_image(directory / image_file_name(stem, "image"))
    planes = Seen(image.pixels, *(read_if_there(directory, stem, kind) for kind in ("rms", "pb")))
    figure = preview_figure(planes, image.header, sources=sources, quality=quality)
    path = directory / preview_name(stem)
    save_png(figure, path)
    return path


def draw_mosaic(directory: Path, stem: str) -> Path:
    """Draw a mosaic in a directory, as a PNG beside it; errors as of `draw_preview`."""
    image, rms = (read_image(directory / f"{stem}-{kind}.fits") for kind in (MosaicKind.IMAGE, MosaicKind.RMS))
    path = directory / preview_name(stem)
    save_png(preview_figure(Seen(image.pixels, rms.pixels, None), image.header), path)
    return path


def preview_figure(
    planes: Seen,
    header: ImageHeader,
    *,
    sources: Sources | None = None,
    quality: Quality | None = None,
    verdict: str = "",
) -> Figure:
    """Draw an image: dark is bright; where the primary beam is half, a fifth and a twentieth; a circle a source.

    Of a mosaic, which has no `Quality`, `verdict` is what is written above; the figure is as wide as for a square.
    """
    rows, columns = _shape(planes)
    tall = _WIDE * 0.865 * max(rows / columns, _LEAST_TALL)
    height = tall + _WIDE * (1 - 0.865)
    figure = Figure(figsize=(_WIDE, height), facecolor="white")
    place = (0.085, 0.06 * _WIDE / height, 0.885, tall / height)
    axes = WCSAxes(figure, place, wcs=celestial_wcs(header, (rows, columns)))
    figure.add_axes(axes)
    rms_jy = _usual_noise(planes)
    axes.imshow(
        binned(planes.image, max(1, round(max(planes.image.shape) / _PIXELS))) / rms_jy,
        origin="lower",
        extent=(-0.5, planes.image.shape[1] - 0.5, -0.5, planes.image.shape[0] - 0.5),
        cmap=colormaps["gray_r"].with_extremes(bad=NO_DATA),
        norm=AsinhNorm(linear_width=_SOFT, vmin=_LOW, vmax=_HIGH),
        interpolation="nearest",
    )
    _draw_power(axes, planes.pb)
    if sources is not None and len(sources):
        _draw_sources(axes, header, planes, sources)
    _draw_beam(axes, header, planes)
    _draw_scale(axes, header, planes)
    _draw_coordinates(axes)
    _write_title(
        figure,
        header,
        quality,
        rms_jy if quality is None else quality.noise.rms_jy,
        None if sources is None else len(sources),
        verdict,
    )
    return figure


def binned(image: NDArray[np.float32], step: int) -> NDArray[np.float32]:
    """Means over squares of so many pixels; what is left over at the ends is left out."""
    rows, columns = (size // step for size in image.shape)
    squares = image[: rows * step, : columns * step].reshape(rows, step, columns, step)
    return np.asarray(squares.mean(axis=(1, 3)), dtype=np.float32)


def _shape(planes: Seen) -> tuple[int, int]:
    return planes.image.shape[0], planes.image.shape[1]


def _usual_noise(planes: Seen) -> float:
    """Noise that tells the scale of brightness [Jy/beam]: never zero."""
    if planes.rms is None:
        return 1.0
    some = planes.rms[::_STEP, ::_STEP]
    good = some[np.isfinite(some) & (some > 0.0)]
    return float(np.median(good)) if good.size else 1.0


def _draw_power(axes: WCSAxes, pb: NDArray[np.float32] | None) -> None:
    if pb is None or not np.nanmax(pb) > 0.0:
        return
    step = max(1, max(pb.shape) // 300)
    rows, columns = (np.arange(0, size, step) for size in pb.shape)
    coarse = pb[::step, ::step] / np.nanmax(pb)
    levels = [level for level in (0.05, 0.2, 0.5) if coarse.min() < level < coarse.max()]
    if levels:
        drawn = axes.contour(columns, rows, coarse, levels=levels, colors=POWER, linewidths=0.9, linestyles="dashed")
        axes.clabel(drawn, fmt=lambda level: f"{level:.0%}", fontsize=8)


def _draw_sources(axes: WCSAxes, header: ImageHeader, planes: Seen, sources: Sources) -> None:
    wcs = celestial_wcs(header, _shape(planes))
    x, y = wcs.all_world2pix(values(sources, "ra"), values(sources, "dec"), 0)
    apparent, flux = values(sources, "apparent_peak"), values(sources, "flux")
    axes.plot(x, y, "o", ms=9, mfc="none", mec=SOURCE, mew=0.8, alpha=0.85)
    size = max(planes.image.shape)
    for k in np.argsort(apparent)[::-1][:_LABELLED]:
        leftwards = x[k] > 0.8 * size
        axes.annotate(
            flux_text(float(flux[k])),
            (x[k], y[k]),
            xytext=(-9 if leftwards else 9, 5),
            textcoords="offset points",
            ha="right" if leftwards else "left",
            fontsize=9,
            color=SOURCE,
            weight="bold",
            bbox={"boxstyle": "round,pad=0.15", "fc": "white", "ec": "none", "alpha": 0.8},
        )
    axes.set_xlim(-0.5, planes.image.shape[1] - 0.5)
    axes.set_ylim(-0.5, planes.image.shape[0] - 0.5)


def _draw_beam(axes: WCSAxes, header: ImageHeader, planes: Seen) -> None:
    """Draw the restoring beam in the lower left corner, larger than it is where it would be a dot."""
    beam, size = header.beam, max(planes.image.shape)
    major, minor = (axis / header.cell_deg for axis in (beam.major_deg, beam.minor_deg))
    times = max(1, round(_BEAM_PIXELS / 900 * size / major))
    box = 0.075 * size
    axes.add_patch(Rectangle((0.015 * size, 0.015 * size), box, box, fc="white", ec=INK, lw=0.8, alpha=0.92))
    middle = 0.015 * size + box / 2
    # A position angle is from north to east, which is to the left; an ellipse's is from right to up.
    axes.add_patch(
        Ellipse((middle, middle), times * minor, times * major, angle=beam.pa_deg, fc="#5b6570", ec=INK, lw=0.8)
    )
    text = f"beam {3600 * beam.major_deg:.0f}″ × {3600 * beam.minor_deg:.0f}″, PA {beam.pa_deg:.0f}°"
    _write(axes, 0.025 * size + box, 0.02 * size, text + (f"\ndrawn {times} times larger" if times > 1 else ""))


def _draw_scale(axes: WCSAxes, header: ImageHeader, planes: Seen) -> None:
    """Draw a bar that is about a fifth of the width."""
    rows, columns = planes.image.shape
    fitting = [arcmin for arcmin in _SCALE_BARS_ARCMIN if arcmin / 60 / header.cell_deg < 0.22 * columns]
    arcmin = fitting[-1] if fitting else _SCALE_BARS_ARCMIN[0]
    length = arcmin / 60 / header.cell_deg
    right, height = 0.97 * columns, 0.03 * rows
    axes.plot([right - length, right], [height, height], color="white", lw=6, solid_capstyle="butt")
    axes.plot([right - length, right], [height, height], color=INK, lw=2.5, solid_capstyle="butt")
    text = f"{arcmin // 60}°" if arcmin >= 60 else f"{arcmin}′"
    _write(axes, right - length / 2, height + 0.01 * rows, text, align="center")


def _write(axes: WCSAxes, x: float, y: float, text: str, align: str = "left") -> None:
    box = {"boxstyle": "round,pad=0.2", "fc": "white", "ec": "none", "alpha": 0.85}
    axes.text(x, y, text, fontsize=9, color=INK, ha=align, va="bottom", bbox=box)


def _draw_coordinates(axes: WCSAxes) -> None:
    axes.coords.grid(color="#5b6570", alpha=0.35, lw=0.5)
    for coordinate, label in ((axes.coords[0], "right ascension (ICRS)"), (axes.coords[1], "declination (ICRS)")):
        coordinate.set_axislabel(label, fontsize=9, minpad=0.5)
        coordinate.set_ticklabel(size=8.5)
    axes.coords[1].set_ticklabel(rotation=90, rotation_mode="anchor", ha="center", va="bottom")
    axes.coords[0].set_major_formatter("hh:mm")
    axes.coords[1].set_major_formatter("dd:mm")


def _write_title(
    figure: Figure, header: ImageHeader, quality: Quality | None, rms_jy: float, n_sources: int | None, verdict: str
) -> None:
    when = group_id_from_mjd(header.start_mjd).replace("T", " ")
    # Inches of a square figure, from the top.
    inch = _WIDE / figure.get_size_inches()[1]
    figure.text(0.085, 1 - 0.038 * inch, f"DSA-110  {when} UTC", fontsize=14, weight="bold", color=INK)
    parts = [
        f"{header.freq_hz / 1e6:.0f} MHz, {header.bandwidth_hz / 1e6:.0f} MHz wide",
        f"noise {1e3 * rms_jy:.2g} mJy/beam",
        *([] if n_sources is None else [f"{n_sources} sources"]),
        f"shades from {_LOW:.0f} to {_HIGH:.0f} times the noise",
    ]
    figure.text(0.085, 1 - 0.062 * inch, "   ".join(parts), fontsize=9.5, color=SOFT)
    verdict = verdict if quality is None else quality.verdict.value
    if verdict:
        box = {"boxstyle": "round,pad=0.35", "fc": VERDICTS[verdict], "ec": "none"}
        figure.text(
            0.97, 1 - 0.044 * inch, verdict.upper(), fontsize=13, weight="bold", color="white", ha="right", bbox=box
        )


def main(arguments: list[str]) -> int:
    """Draw the picture of a directory of images again."""
    directory = Path(arguments[0])
    stem = arguments[1] if len(arguments) > 1 else stem_of(directory)
    sys.stdout.write(f"{draw_preview(directory, stem)}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
