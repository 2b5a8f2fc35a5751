"""Pictures of a Measurement Set in which every sample counts, in seconds, without CASA.

``python -m dsa110_contimg.qa.fast_plots --ms MS [--output-dir DIR]`` draws them.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from dsa110_contimg.errors import ContimgError, MeasurementSetError, SettingsError, UsageError
from dsa110_contimg.naming import PlotKind, Plotted, fast_plot_name
from dsa110_contimg.qa.fast_plots_axes import read_axes
from dsa110_contimg.qa.fast_plots_densities import Shown, draw_amplitude, draw_phase
from dsa110_contimg.qa.fast_plots_maps import draw_autos, draw_flags, draw_uv_coverage, draw_waterfall
from dsa110_contimg.qa.fast_plots_reading import count_samples
from dsa110_contimg.qa.pictures import save_png
from dsa110_contimg.storage.files import output_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from matplotlib.figure import Figure

    from dsa110_contimg.qa.fast_plots_axes import PlotAxes
    from dsa110_contimg.qa.fast_plots_kernels import Counts

#: The columns that can be drawn.
COLUMNS = {"DATA": Plotted.DATA, "CORRECTED_DATA": Plotted.CORRECTED, "MODEL_DATA": Plotted.MODEL}
_MODEL = "MODEL_DATA"
# What the drawing takes of the time, about.
_DRAWING = 0.4
_AMPLITUDES = (PlotKind.AMPLITUDE_TIME, PlotKind.AMPLITUDE_FREQUENCY, PlotKind.AMPLITUDE_UV)
_PHASES = (PlotKind.PHASE_TIME, PlotKind.PHASE_FREQUENCY)


def make_fast_plots(
    ms: Path,
    output_dir: Path,
    *,
    columns: Sequence[str] | None = None,
    include_residual: bool = False,
    workers: int | None = None,
    progress: Callable[[float], None] | None = None,
) -> tuple[Path, ...]:
    """Draw a Measurement Set: amplitudes, phases, waterfall, autocorrelations, uv coverage, flags.

    Parameters
    ----------
    ms : Path
        The Measurement Set; it is only read.
    output_dir : Path
        Where the pictures are written; made if it is not there. Those of the same name are replaced.
    columns : sequence of str, optional
        Some of ``DATA``, ``CORRECTED_DATA`` and ``MODEL_DATA``; CORRECTED_DATA where there is one, else DATA.
    include_residual : bool
        Whether CORRECTED_DATA, or without it DATA, minus MODEL_DATA is drawn, too.
    workers : int, optional
        Threads; one per core.
    progress : callable, optional
        Told what part is done, up to 1.

    Returns
    -------
    tuple of Path
        The pictures, PNG, in the order in which they are best looked at.

    Raises
    ------
    UsageError
        No such column can be drawn.
    MeasurementSetError
        It cannot be read, or has no such column.
    OutputError
        A picture cannot be written.
    """
    for name in columns or ():
        if name not in COLUMNS:
            raise UsageError(f"{name!r} cannot be drawn", remedy=f"It is one of {', '.join(COLUMNS)}.")
    axes = read_axes(ms)
    best = "CORRECTED_DATA" if "CORRECTED_DATA" in axes.columns else "DATA"
    wanted: list[tuple[str, str | None]] = [(name, None) for name in dict.fromkeys(columns or (best,))]
    if include_residual:
        if _MODEL not in axes.columns:
            raise MeasurementSetError("has no MODEL_DATA, which a residual needs", path=ms)
        wanted.append((best, _MODEL))
    with output_errors(output_dir):
        output_dir.mkdir(parents=True, exist_ok=True)
    made: list[Path] = []
    tell = progress or (lambda done: None)
    for k, (column, model) in enumerate(wanted):
        begun, share = k / len(wanted), (1 - _DRAWING) / len(wanted)
        counts = count_samples(axes, column, model, workers, partial(_tell_part, tell, begun, share))
        for kind, of, figure in _figures(axes, counts, column, model, first=k == 0):
            path = output_dir / fast_plot_name(ms.resolve().name, kind, of)
            _write(figure, path)
            made.append(path)
        tell((k + 1) / len(wanted))
    return tuple(made)


def _figures(
    axes: PlotAxes, counts: Counts, column: str, model: str | None, *, first: bool
) -> Iterator[tuple[PlotKind, Plotted | None, Figure]]:
    """Draw what was counted of one column; of the first one also what is the same for all."""
    of = COLUMNS[column] if model is None else Plotted.RESIDUAL
    # What the correlator counts becomes janskys when it is calibrated.
    unit = "Jy" if of in {Plotted.CORRECTED, Plotted.MODEL} or column == "CORRECTED_DATA" else "correlator units"
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


def _tell_part(tell: Callable[[float], None], begun: float, share: float, done: float) -> None:
    tell(begun + share * done)


def _write(figure: Figure, path: Path) -> None:
    """Write a picture so that it appears whole."""
    beside = path.with_name(f".partial-{path.name}")
    try:
        save_png(figure, beside)
        with output_errors(path):
            os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw a Measurement Set, from the command line; exit status 0, 1 failed, 2 wrong usage."""
    parser = argparse.ArgumentParser(
        prog="python -m dsa110_contimg.qa.fast_plots", description="Draw a Measurement Set; every sample counts."
    )
    parser.add_argument("--ms", type=Path, required=True, metavar="MS", help="Measurement Set; it is only read")
    parser.add_argument("--output-dir", type=Path, metavar="DIR", help="where the pictures go; <MS>-plots beside MS")
    parser.add_argument(
        "--column",
        action="append",
        choices=list(COLUMNS),
        help="what is drawn; may be given again (CORRECTED_DATA, or DATA)",
    )
    parser.add_argument("--include-residual", action="store_true", help="CORRECTED_DATA or DATA minus MODEL_DATA, too")
    parser.add_argument("--threads", type=int, metavar="N", help="one per core")
    parser.add_argument("--json", action="store_true", help="print the list of pictures as JSON")
    given = parser.parse_args(arguments)
    try:
        made = make_fast_plots(
            given.ms,
            given.output_dir or default_directory(given.ms),
            columns=given.column,
            include_residual=given.include_residual,
            workers=given.threads,
        )
    except ContimgError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2 if isinstance(error, SettingsError | UsageError) else 1
    sys.stdout.write(json.dumps([str(path) for path in made], indent=2) if given.json else "\n".join(map(str, made)))
    sys.stdout.write("\n")
    return 0


def default_directory(ms: Path) -> Path:
    """Where the pictures go if nobody says: ``<MS without .ms>-plots``, beside it."""
    resolved = ms.resolve()
    return resolved.with_name(f"{resolved.name.removesuffix('.ms')}-plots")


if __name__ == "__main__":
    raise SystemExit(main())
