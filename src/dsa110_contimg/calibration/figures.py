"""Figures of a set of solutions: against frequency, against antenna, delays, and where in the array things are odd."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from dsa110_contimg.calibration.grading import Grade
    from dsa110_contimg.calibration.solutions import Solutions

_POLARIZATIONS = ("X", "Y")
_PLAIN = "0.6"
_COLOURS = ("#d62728", "#1f77b4", "#2ca02c", "#9467bd", "#ff7f0e", "#8c564b", "#e377c2", "#17becf")
_MOST_LABELS = 12
_CORE_M = 300.0


class Drawn(NamedTuple):
    """What the figures are drawn of."""

    delays: Solutions
    bandpass: Solutions
    gains: Solutions
    grade: Grade

    def colour(self, antenna: int) -> str | None:
        """Give an odd antenna its colour; None for the others."""
        name = self.bandpass.antenna_names[antenna]
        odd = list(self.grade.judged.antennas)
        return _COLOURS[odd.index(name) % len(_COLOURS)] if name in odd else None


def draw_set(drawn: Drawn, itrf_m: NDArray[np.float64], directory: Path) -> list[Path]:
    """Draw all figures of a set into a directory.

    Parameters
    ----------
    drawn : Drawn
        The set and its grade.
    itrf_m : (A, 3) float64
        Positions of the antennas, rows of ANTENNA [m].
    directory : Path
        It is made if need be.

    Returns
    -------
    list of Path
        PNG files: amplitudes and phases against frequency, both against antenna, delays, gains in time, the array.
    """
    directory.mkdir(parents=True, exist_ok=True)
    figures = {
        "bandpass_amplitude": _against_frequency(drawn, np.abs, "amplitude"),
        "bandpass_phase": _against_frequency(drawn, _phase_deg, "phase [deg]"),
        "antennas": _against_antenna(drawn),
        "delays": _delays(drawn),
        "gains": _gains(drawn),
        "health": _health(drawn, itrf_m),
    }
    made = []
    for name, figure in figures.items():
        source = drawn.bandpass.field_name
        figure.suptitle(f"{source}: {drawn.grade.verdict.value}", fontsize="medium")
        made.append(directory / f"{name}.png")
        FigureCanvasAgg(figure)
        figure.savefig(made[-1])
    return made


def _phase_deg(values: NDArray[np.complex128]) -> NDArray[np.float64]:
    return np.asarray(np.degrees(np.angle(values)))


def _panels(n: int) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(10, 3.2 * n))
    figure.subplots_adjust(left=0.08, right=0.98, top=1 - 0.13 * 2 / (n + 1), bottom=0.16 / n + 0.02, hspace=0.06)
    return figure, list(np.atleast_1d(figure.subplots(n, 1, sharex=True)))


def _plain_and_odd(
    drawn: Drawn, axes: Axes, x: NDArray[np.float64], curves: dict[int, NDArray[np.float64]], *, labelled: bool = True
) -> None:
    """Plot one curve an antenna: those of the odd ones each in its colour, all others as one grey line with gaps."""
    gap = np.array([np.nan])
    plain = [antenna for antenna in curves if drawn.colour(antenna) is None]
    if plain:
        across = np.concatenate([part for _ in plain for part in (x, gap)])
        axes.plot(across, np.concatenate([part for k in plain for part in (curves[k], gap)]), lw=0.6, c=_PLAIN)
    for antenna in sorted(set(curves) - set(plain)):
        label = f"antenna {drawn.bandpass.antenna_names[antenna]}" if labelled else None
        axes.plot(x, curves[antenna], lw=1.2, c=drawn.colour(antenna), label=label, zorder=3)


def _against_frequency(
    drawn: Drawn, part: Callable[[NDArray[np.complex128]], NDArray[np.float64]], label: str
) -> Figure:
    table = drawn.bandpass
    figure, panels = _panels(table.values.shape[3])
    for pol, axes in enumerate(panels):
        shown = np.where(table.flags[0, ..., pol], np.nan, part(np.asarray(table.values[0, ..., pol], np.complex128)))
        _plain_and_odd(
            drawn, axes, table.freq_hz / 1e6, {antenna: shown[antenna] for antenna in map(int, table.working)}
        )
        axes.set_ylabel(f"{_POLARIZATIONS[pol]}: {label}")
        _legend(axes)
    panels[-1].set_xlabel("frequency [MHz]")
    return figure


def _against_antenna(drawn: Drawn) -> Figure:
    table = drawn.bandpass
    figure, panels = _panels(2)
    for pol in range(table.values.shape[3]):
        known = [
            (antenna + 1, np.asarray(table.values[0, antenna, fine, pol], np.complex128))
            for antenna in map(int, table.working)
            if (fine := ~table.flags[0, antenna, :, pol]).any()
        ]
        numbers = [number for number, _ in known]
        panels[0].plot(numbers, [np.median(abs(values)) for _, values in known], ".", label=_POLARIZATIONS[pol])
        panels[1].plot(numbers, [_phase_deg(values.mean(keepdims=True))[0] for _, values in known], ".")
    _label_odd(drawn, panels[0])
    panels[0].legend(fontsize="small")
    panels[0].set_ylabel("median amplitude")
    panels[1].set_ylabel("mean phase [deg]")
    panels[1].set_xlabel("antenna")
    return figure


def _delays(drawn: Drawn) -> Figure:
    table = drawn.delays
    figure, (axes,) = _panels(1)
    for pol in range(table.values.shape[3]):
        where = np.flatnonzero(~table.flags[0, :, 0, pol])
        delay_ns, error_ns = (1e9 * np.real(values[0, where, 0, pol]) for values in (table.values, table.error))
        axes.errorbar(where + 1, delay_ns, error_ns, fmt=".", label=_POLARIZATIONS[pol])
    _label_odd(drawn, axes)
    axes.legend(fontsize="small")
    axes.set_xlabel("antenna")
    axes.set_ylabel("delay [ns]")
    return figure


def _gains(drawn: Drawn) -> Figure:
    table = drawn.gains
    figure, panels = _panels(2)
    minutes = 1440 * (table.times_mjd - table.times_mjd[0])
    for pol in range(table.values.shape[3]):
        gain = np.where(table.flags[:, :, 0, pol], np.nan, table.values[:, :, 0, pol])
        for axes, part in zip(panels, (np.asarray(abs(gain), np.float64), _phase_deg(gain)), strict=True):
            curves = {antenna: part[:, antenna] for antenna in map(int, table.working)}
            _plain_and_odd(drawn, axes, minutes, curves, labelled=pol == 0)
    _legend(panels[0])
    panels[0].set_ylabel("gain amplitude")
    panels[1].set_ylabel("gain phase [deg]")
    panels[1].set_xlabel("minutes")
    return figure


def _health(drawn: Drawn, itrf_m: NDArray[np.float64]) -> Figure:
    """Draw the array twice, the core alone and with outriggers: grey without data, green healthy, red odd."""
    table = drawn.bandpass
    figure = Figure(figsize=(11, 5.5), layout="constrained")
    east, north = _east_north_m(itrf_m)
    working = np.isin(np.arange(len(table.antenna_names)), table.working)
    odd = np.array([name in drawn.grade.judged.antennas for name in table.antenna_names])
    for core, axes in zip((True, False), figure.subplots(1, 2), strict=True):
        near = np.hypot(east, north) < _CORE_M if core else np.ones(east.size, bool)
        for which, colour, size in (
            (~working & ~odd, "0.8", 12),
            (working & ~odd, "#2ca02c", 18),
            (odd, "#d62728", 36),
        ):
            axes.scatter(east[which & near], north[which & near], s=size, c=colour)
        for antenna in np.flatnonzero(odd & near):
            axes.annotate(
                table.antenna_names[antenna], (east[antenna], north[antenna]), xytext=(4, 4), textcoords="offset points"
            )
        axes.set_aspect("equal")
        axes.set_xlabel("east [m]")
        axes.set_ylabel("north [m]")
    said = [f"{name}: {why[0]}" for name, why in list(drawn.grade.judged.antennas.items())[:_MOST_LABELS]]
    figure.supxlabel("\n".join(said), fontsize="small")
    return figure


def _east_north_m(itrf_m: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Offsets from the array's median place, on the horizon there [m]; the vertical is taken as geocentric."""
    centre = np.median(itrf_m, axis=0)
    up = centre / np.linalg.norm(centre)
    east = np.cross([0.0, 0.0, 1.0], up)
    east /= np.linalg.norm(east)
    away = itrf_m - centre
    return away @ east, away @ np.cross(up, east)


def _label_odd(drawn: Drawn, axes: Axes) -> None:
    names = drawn.bandpass.antenna_names
    for antenna in range(len(names)):
        colour = drawn.colour(antenna)
        if colour is not None:
            axes.axvline(antenna + 1, c=colour, lw=0.8, ls=":")
            axes.annotate(
                names[antenna], (antenna + 1, 1.0), xycoords=("data", "axes fraction"), ha="center", color=colour
            )


def _legend(axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        axes.legend(handles[:_MOST_LABELS], labels[:_MOST_LABELS], fontsize="x-small", ncols=4)
