"""All fast plots of what was counted, in the order in which they are best looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dsa110_contimg.naming import PlotKind, Plotted
from dsa110_contimg.qa.fast_plots_densities import Shown, draw_amplitude, draw_phase
from dsa110_contimg.qa.fast_plots_maps import draw_autos, draw_flags, draw_uv_coverage, draw_waterfall

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.figure import Figure

    from dsa110_contimg.qa.fast_plots_axes import PlotAxes
    from dsa110_contimg.qa.fast_plots_kernels import Counts

_AMPLITUDES = (PlotKind.AMPLITUDE_TIME, PlotKind.AMPLITUDE_FREQUENCY, PlotKind.AMPLITUDE_UV)
_PHASES = (PlotKind.PHASE_TIME, PlotKind.PHASE_FREQUENCY)
_PLOTTED = {"DATA": Plotted.DATA, "CORRECTED_DATA": Plotted.CORRECTED, "MODEL_DATA": Plotted.MODEL}


def figures(
    axes: PlotAxes, counts: Counts, column: str, model: str | None, *, first: bool
) -> Iterator[tuple[PlotKind, Plotted | None, Figure]]:
    """Draw what was counted of one column.

    Parameters
    ----------
    axes, counts
        What was counted.
    column, model : str
        Of which column, and what was subtracted from it.
    first : bool
        Whether what is the same for all columns is drawn, too.

    Yields
    ------
    PlotKind, Plotted or None, Figure
        What a figure shows, of which visibilities, and the figure.
    """
    of = _PLOTTED[column] if model is None else Plotted.RESIDUAL
    # What the correlator counts becomes janskys when it is calibrated.
    unit = "correlator units" if column == "DATA" else "Jy"
    shown = Shown(column if model is None else f"residual, {column} − {model}", unit)
    for kind in _AMPLITUDES:
        yield kind, of, draw_amplitude(axes, counts, shown, kind)
    for kind in _PHASES:
        yield kind, of, draw_phase(axes, counts, shown, kind)
    yield PlotKind.WATERFALL, of, draw_waterfall(axes, counts, shown)
    yield PlotKind.AUTOS, of, draw_autos(axes, counts, shown)
    if first:
        yield PlotKind.UV_COVERAGE, None, draw_uv_coverage(axes, counts)
        yield PlotKind.FLAGS, None, draw_flags(axes, counts)
