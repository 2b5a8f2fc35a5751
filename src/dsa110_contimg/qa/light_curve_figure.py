"""A picture of a light curve: the full band, its halves beside each other, and the sky on a few of its days."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.colors import AsinhNorm
from matplotlib.figure import Figure

from dsa110_contimg.errors import InputError, UsageError
from dsa110_contimg.images.fits import read_cutout
from dsa110_contimg.naming import epoch_directory_name, epoch_file_name
from dsa110_contimg.photometry.measurements import Flag
from dsa110_contimg.qa.pictures import INK, NO_DATA, POWER, SOFT, SOURCE, save_png
from dsa110_contimg.telescope.spread import robust_sigma

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pyarrow as pa
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from dsa110_contimg.lightcurves.events import Event

CUTOUTS = 6
"""Days whose sky is shown, at most."""
_UNUSABLE = Flag.EDGE | Flag.HIGH_RMS | Flag.BAD_IMAGE | Flag.BAD_EPOCH
_BANDS = {"full": (INK, "full band"), "lower": ("#b3261e", "lower half"), "upper": (SOURCE, "upper half")}
_WIDTH_BEAMS = 14.0


class Snapshot(NamedTuple):
    """The sky around the source on a day: (n, n) float32 [Jy/beam], over the noise of that day."""

    mjd: float
    pixels: NDArray[np.float32]


def draw_light_curve(
    path: Path, rows: pa.Table, title: str, *, event: Event | None = None, snapshots: Sequence[Snapshot] = ()
) -> None:
    """Draw a source's measurements as a PNG.

    Parameters
    ----------
    path : Path
        Where to; one that is there is replaced.
    rows : Table
        Measurements of the source, with the columns of `photometry.measurements.SCHEMA`.
    title : str
        Written above.
    event : Event, optional
        What stands out in it: its time is shaded.
    snapshots : sequence of Snapshot
        The sky on some days.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    save_png(light_curve_figure(rows, title, event=event, snapshots=snapshots), path)


def light_curve_figure(
    rows: pa.Table, title: str, *, event: Event | None = None, snapshots: Sequence[Snapshot] = ()
) -> Figure:
    """Draw it: flux density above, the halves of the band over their own means below, and the sky at the bottom."""
    bands = [band for band in _BANDS if band in set(rows["band"].to_pylist())]
    halves = [band for band in bands if band != "full"]
    shown = list(snapshots[:CUTOUTS])
    heights = [2.4, *([1.5] if halves else []), *([1.7] if shown else [])]
    figure = Figure(figsize=(10.0, sum(heights) + 1.3), facecolor="white")
    grid = figure.add_gridspec(
        len(heights),
        CUTOUTS,
        height_ratios=heights,
        left=0.085,
        right=0.985,
        hspace=0.42 if shown else 0.3,
        wspace=0.06,
    )
    figure.subplots_adjust(
        top=1 - 0.55 / figure.get_figheight(), bottom=(0.15 if shown else 0.5) / figure.get_figheight()
    )
    figure.suptitle(title, fontsize=11, color=INK, y=1 - 0.14 / figure.get_figheight(), va="top")
    above = figure.add_subplot(grid[0, :])
    main = "full" if "full" in bands else (bands[0] if bands else "full")
    mean = _curve(above, rows, main, 1.0)
    if np.isfinite(mean):
        above.axhline(mean, color=SOFT, lw=0.8, ls="--", zorder=1)
    above.set_ylabel("flux density (Jy)", color=SOFT)
    axes = [above]
    if halves:
        below = figure.add_subplot(grid[1, :], sharex=above)
        for band in halves:
            _curve(below, rows, band, np.nan)
        below.axhline(1.0, color=SOFT, lw=0.8, ls="--", zorder=1)
        below.set_ylabel("over its mean", color=SOFT)
        if below.get_legend_handles_labels()[0]:
            below.legend(loc="lower left", ncols=2, fontsize=8, frameon=False, labelcolor=SOFT)
        above.tick_params(labelbottom=False)
        axes.append(below)
    for each in axes:
        each.grid(color=NO_DATA, lw=0.6)
        each.tick_params(labelsize=8.5, colors=SOFT)
        if event is not None:
            half = event.width_d / 2
            each.axvspan(event.mjd - half, event.mjd + half, color=POWER, alpha=0.15, lw=0, zorder=0)
        for snapshot in shown:
            each.axvline(snapshot.mjd, color=NO_DATA, lw=3.0, zorder=0)
    axes[-1].set_xlabel("MJD (UTC)", color=SOFT, fontsize=9)
    axes[-1].ticklabel_format(axis="x", useOffset=False)
    for column, snapshot in enumerate(shown):
        _show(figure.add_subplot(grid[-1, column]), snapshot, f"{snapshot.mjd:.1f}")
    return figure


def take_snapshots(
    rows: pa.Table, directory: Path, ra_deg: float, dec_deg: float, event: Event | None = None
) -> list[Snapshot]:
    """Cut the source out of mosaics of some days, where they are still there: about the event, else evenly spaced.

    Parameters
    ----------
    rows : Table
        Measurements of the source.
    directory : Path
        Where epochs are published.
    ra_deg, dec_deg : float
        The source, ICRS [deg].
    event : Event, optional
        What stands out.
    """
    kinds, epochs = (np.array(rows[name].to_pylist(), dtype=object) for name in ("kind", "epoch"))
    mosaics = np.flatnonzero(kinds == "mosaic")
    names, first = np.unique(epochs[mosaics].astype(str), return_index=True)
    mjd = rows["mjd"].to_numpy()[mosaics[first]]
    paths = [directory / epoch_directory_name(name) / epoch_file_name(name, "mosaic") for name in names]
    there = np.array([path.exists() for path in paths], bool)
    index = np.flatnonzero(there)[np.argsort(mjd[there], kind="stable")]
    taken = []
    for k in index[_spaced(mjd[index], event)]:
        try:
            beam_deg = read_cutout(paths[k], ra_deg, dec_deg, 0.0).header.beam.major_deg
            taken.append(
                Snapshot(float(mjd[k]), read_cutout(paths[k], ra_deg, dec_deg, _WIDTH_BEAMS * beam_deg).pixels)
            )
        except (InputError, UsageError):  # a picture without it is better than none
            continue
    return taken


def _spaced(mjd: NDArray[np.float64], event: Event | None) -> NDArray[np.int64]:
    """Choose days: before, in and after an event, else from the first to the last."""
    if not mjd.size:
        return np.zeros(0, np.int64)
    if event is None:
        wanted = np.linspace(mjd[0], mjd[-1], CUTOUTS)
    else:
        wanted = event.mjd + event.width_d * np.array([-1.5, -0.9, -0.2, 0.2, 0.9, 1.5])
    return np.unique(np.abs(mjd[:, None] - wanted).argmin(axis=0))


def _curve(axes: Axes, rows: pa.Table, band: str, over: float) -> float:
    """Draw a band's points over a flux density, or over their mean if that is NaN; give the mean."""
    colour, label = _BANDS.get(band, (INK, band))
    one = np.array(rows["band"].to_pylist(), dtype=object) == band
    mjd, flux, error, limit = (
        rows[name].to_numpy()[one] for name in ("mjd", "corrected", "e_corrected", "upper_limit")
    )
    flags, limit = rows["flags"].to_numpy()[one], limit * rows["scale"].to_numpy()[one]
    use = (flags & int(_UNUSABLE)) == 0
    good = use & np.isfinite(flux) & (error > 0.0)
    weight = 1.0 / error[good].astype(np.float64) ** 2
    mean = float((weight * flux[good]).sum() / weight.sum()) if good.any() else np.nan
    unit = over if np.isfinite(over) else mean
    if not unit > 0.0:  # there is none, or what is not detected has no mean to be compared with
        return mean
    style: dict[str, Any] = {"fmt": "o", "ms": 3.2, "lw": 0.0, "elinewidth": 0.8, "color": colour}
    axes.errorbar(mjd[use], flux[use] / unit, error[use] / unit, label=label, zorder=3, **style)
    if not use.all():
        axes.errorbar(mjd[~use], flux[~use] / unit, error[~use] / unit, mfc="white", alpha=0.4, zorder=2, **style)
    limited = np.isfinite(limit) & use
    axes.plot(mjd[limited], limit[limited] / unit, "v", ms=4.0, mfc="none", mec=colour, alpha=0.6, zorder=2)
    return mean


def _show(axes: Axes, snapshot: Snapshot, label: str) -> None:
    pixels = snapshot.pixels
    finite = pixels[np.isfinite(pixels)]
    noise = robust_sigma(finite) if finite.size else 1.0
    noise = noise if noise > 0.0 else 1.0
    shown = axes.imshow(
        pixels / noise, origin="lower", cmap="gray_r", norm=AsinhNorm(linear_width=6.0, vmin=-6.0, vmax=80.0)
    )
    shown.set_interpolation("nearest")
    axes.set(xticks=[], yticks=[], facecolor=NO_DATA)
    axes.set_title(label, fontsize=8.5, color=SOFT)
