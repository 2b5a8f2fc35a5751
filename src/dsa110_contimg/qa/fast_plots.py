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
from dsa110_contimg.naming import PlotKind, fast_plot_name
from dsa110_contimg.storage.files import output_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.figure import Figure

#: The columns that can be drawn.
COLUMNS = ("DATA", "CORRECTED_DATA", "MODEL_DATA")
_MODEL = "MODEL_DATA"
# What the drawing takes of the time, about.
_DRAWING = 0.4


def make_fast_plots(
    ms: Path,
    output_dir: Path,
    *,
    columns: Sequence[str] | None = None,
    include_residual: bool = False,
    kinds: Sequence[PlotKind | str] | None = None,
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
    kinds : sequence of PlotKind, optional
        What is drawn; everything.
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
        There is no such column, or no such plot.
    MeasurementSetError
        It cannot be read, or has no such column.
    OutputError
        A picture cannot be written.
    """
    unknown = [name for name in columns or () if name not in COLUMNS]
    if unknown:
        raise UsageError(f"{unknown[0]!r} cannot be drawn", remedy=f"It is one of {', '.join(COLUMNS)}.")
    unknown = [kind for kind in kinds or () if kind not in set(PlotKind)]
    if unknown:
        raise UsageError(f"there is no plot {unknown[0]!r}", remedy=f"It is one of {', '.join(PlotKind)}.")
    # Imported here: who only asks what there is, or what went wrong, needs none of it.
    from dsa110_contimg.qa.fast_plots_axes import read_axes
    from dsa110_contimg.qa.fast_plots_figures import COMMON, figures
    from dsa110_contimg.qa.fast_plots_reading import count_samples

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
        drawn = {PlotKind(kind) for kind in kinds or PlotKind}.difference(COMMON if k else ())
        for kind, of, figure in figures(axes, counts, column, model, drawn):
            path = output_dir / fast_plot_name(ms.resolve().name, kind, of)
            _write(figure, path)
            made.append(path)
        tell((k + 1) / len(wanted))
    return tuple(made)


def plots_directory(ms: Path, qa: Path) -> Path:
    """Where the pictures go if nobody says: ``<paths.qa>/<MS without .ms>``."""
    return qa / ms.resolve().name.removesuffix(".ms")


def _tell_part(tell: Callable[[float], None], begun: float, share: float, done: float) -> None:
    tell(begun + share * done)


def _write(figure: Figure, path: Path) -> None:
    """Write a picture so that it appears whole."""
    from dsa110_contimg.qa.fast_plots_style import palette
    from dsa110_contimg.qa.pictures import save_png

    beside = path.with_name(f".partial-{path.name}")
    try:
        save_png(figure, beside, palette=palette())
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
    parser.add_argument("--output-dir", type=Path, metavar="DIR", help="where the pictures go; <paths.qa>/<MS>")
    parser.add_argument(
        "--column",
        action="append",
        choices=COLUMNS,
        help="what is drawn; may be given again (CORRECTED_DATA where there is one, else DATA)",
    )
    parser.add_argument("--include-residual", action="store_true", help="CORRECTED_DATA or DATA minus MODEL_DATA, too")
    parser.add_argument(
        "--plot", action="append", choices=[kind.value for kind in PlotKind], help="draw this; may be given again (all)"
    )
    parser.add_argument("--threads", type=int, metavar="N", help="one per core")
    parser.add_argument("--json", action="store_true", help="print the list of pictures as JSON")
    given = parser.parse_args(arguments)
    from dsa110_contimg.config.sources import load_settings

    try:
        if given.threads is not None and given.threads < 1:
            raise UsageError("--threads is less than 1")
        paths = load_settings().paths
        if paths.cache is not None:
            # Read by numba when it is first imported.
            os.environ.setdefault("NUMBA_CACHE_DIR", str(paths.cache.absolute()))
        made = make_fast_plots(
            given.ms,
            given.output_dir or plots_directory(given.ms, paths.qa),
            columns=given.column,
            include_residual=given.include_residual,
            kinds=given.plot,
            workers=given.threads,
        )
    except ContimgError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2 if isinstance(error, SettingsError | UsageError) else 1
    sys.stdout.write(json.dumps([str(path) for path in made], indent=2) if given.json else "\n".join(map(str, made)))
    sys.stdout.write("\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
