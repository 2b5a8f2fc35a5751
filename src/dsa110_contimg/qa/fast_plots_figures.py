"""All fast plots of what was counted, in the order in which they are best looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dsa110_contimg.naming import PlotKind, Plotted
from dsa110_contimg.qa.fast_plots_densities import Shown, draw_amplitude, draw_phase
from dsa110_contimg.qa.fast_plots_maps import draw_autos, draw_flags, draw_uv_coverage, draw_waterfall

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from matplotlib.figure import Figure

    from dsa110_contimg.qa.fast_plots_axes import PlotAxes
    from dsa110_contimg.qa.fast_plots_kernels import Counts

_PLOTTED = {"DATA": Plotted.DATA, "CORRECTED_DATA": Plotted.CORRECTED, "MODEL_DATA": Plotted.MODEL}
#: What is the same for all columns.
COMMON = (PlotKind.UV_COVERAGE, PlotKind.FLAGS)


def figures(
    axes: PlotAxes, counts: Counts, column: str, model: str | None, kinds: Container[PlotKind]
) -> Iterator[tuple[PlotKind, Plotted | None, Figure]]:
    """Draw what was counted of one column.

    Parameters
    ----------
    axes, counts
        What was counted.
    column, model : str
        Of which column, and what was subtracted from it.
    kinds : container of PlotKind
        What is drawn.

    Yields
    ------
    PlotKind, Plotted or None, Figure
        What a figure shows, of which visibilities, and the figure.
    """
    of = _PLOTTED[column] if model is None else Plotted.RESIDUAL
    # What the correlator counts becomes janskys when it is calibrated.
    unit = "correlator units" if column == "DATA" else "Jy"
    shown = Shown(column if model is None else f"residual, {column} − {model}", unit)
    for kind in PlotKind:
        if kind in kinds:
            yield kind, None if kind in COMMON else of, _figure(axes, counts, shown, kind)


def _figure(axes: PlotAxes, counts: Counts, shown: Shown, kind: PlotKind) -> Figure:
    match kind:
        case PlotKind.PHASE_TIME | PlotKind.PHASE_FREQUENCY:
            return draw_phase(axes, counts, shown, kind)
        case PlotKind.WATERFALL:
            return draw_waterfall(axes, counts, shown)
        case PlotKind.AUTOS:
            return draw_autos(axes, counts, shown)
        case PlotKind.UV_COVERAGE:
            return draw_uv_coverage(axes, counts)
        case PlotKind.FLAGS:
            return draw_flags(axes, counts)
        case _:
            return draw_amplitude(axes, counts, shown, kind)
