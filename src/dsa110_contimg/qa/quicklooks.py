"""A gallery of a Measurement Set: what shadeMS and ragavi draw of it, and fast plots.

``python -m dsa110_contimg.qa.quicklooks --ms M`` leaves ``<state>/qa/<MS without .ms>/index.html``. The tools are
external programs (`dsa110_contimg.qa.tools`): one that is missing, fails or is too slow costs a warning, which the
page repeats, and not what the others draw. The Measurement Set is only read.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import casacore.tables as ct
import numpy as np

from dsa110_contimg.config.plain import plain
from dsa110_contimg.errors import (
    CalibrationError,
    ContimgError,
    MeasurementSetError,
    SettingsError,
    ToolError,
    UsageError,
)
from dsa110_contimg.ms.information import MsInfo, read_info
from dsa110_contimg.naming import GALLERY_NAME, group_id_from_mjd
from dsa110_contimg.qa.gallery import Figure, Problem, write_gallery
from dsa110_contimg.qa.quicklook_drawing import Drawing, draw
from dsa110_contimg.qa.quicklook_plan import GainsPage
from dsa110_contimg.qa.tools import tools_directory
from dsa110_contimg.storage.publish import clear_dead_partials, partial_directory, publish

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dsa110_contimg.config.settings import Settings

log = logging.getLogger("dsa110_contimg.qa.quicklooks")  # by name: as a command this module is __main__

_DAY_S = 86400.0


class Quicklooks(NamedTuple):
    """What was made.

    Attributes
    ----------
    page : Path
        The page.
    figures : tuple of Figure
        What is on it.
    problems : tuple of Problem
        What is not, and why.
    """

    page: Path
    figures: tuple[Figure, ...]
    problems: tuple[Problem, ...]


def quicklooks_directory(ms: Path, state: Path) -> Path:
    """Where the gallery of a Measurement Set is: ``<state>/qa/<MS without .ms>``."""
    return state / "qa" / ms.resolve().name.removesuffix(".ms")


def make_quicklooks(
    ms: Path,
    state: Path,
    tools: Path,
    drawing: Drawing = Drawing(),
    progress: Callable[[float], None] = lambda _: None,
) -> Quicklooks:
    """Draw a Measurement Set, and make a page of it; one that was there is replaced, whole.

    Parameters
    ----------
    ms : Path
        The Measurement Set; it is only read.
    state : Path
        The state directory.
    tools : Path
        Where the environments of tools are.
    drawing : Drawing
        What is wanted.
    progress : callable
        Told what part is done, up to 1.

    Raises
    ------
    MeasurementSetError
        It cannot be read.
    ToolError
        Nothing at all could be drawn; the page that was there stays.
    OutputError
        The page cannot be written.
    """
    ms = ms.absolute()
    info, columns = _look_at(ms)
    pages = _look_at_tables(drawing.tables)
    final = quicklooks_directory(ms, state.absolute())
    group = group_id_from_mjd(info.times_mjd[0] - info.interval_s / 2 / _DAY_S)
    clear_dead_partials(final.parent)
    with partial_directory(final.parent, group) as partial:
        page = partial / final.name
        figures, problems = draw(ms, page, tools, drawing, set(columns), pages, progress)
        for problem in problems:
            log.warning("%s: %s", ms.name, problem)
        if not figures:
            raise ToolError("nothing could be drawn of it", path=ms, remedy=problems[0].remedy if problems else None)
        write_gallery(page, info, columns, figures, problems)
        publish(page, final, replace=True)
    progress(1.0)
    log.info("%d figures of %s: %s", len(figures), ms.name, final / GALLERY_NAME)
    return Quicklooks(final / GALLERY_NAME, tuple(figures), tuple(problems))


def _look_at(ms: Path) -> tuple[MsInfo, list[str]]:
    try:
        with ct.table(str(ms), ack=False) as table:
            columns = list(table.colnames())
    except RuntimeError as error:
        raise MeasurementSetError(f"cannot be read ({error})", path=ms) from error
    return read_info(ms), columns


def _look_at_tables(places: Sequence[Path]) -> list[GainsPage]:
    """Find calibration tables, and which antennas they have solutions of."""
    tables = [table.absolute() for place in places for table in (sorted(place.glob("*.tab")) or [place])]
    pages = []
    for number, path in enumerate(tables, 1):
        try:
            with ct.table(str(path), ack=False) as table:
                antennas, flags = table.getcol("ANTENNA1"), table.getcol("FLAG")
                is_delays = str(table.getkeyword("VisCal")).startswith("K")
        except RuntimeError as error:
            raise CalibrationError(f"is not a calibration table ({error})", path=path) from error
        solved = np.unique(antennas[~flags.all(axis=(1, 2))])
        pages.append(GainsPage(path, number, is_delays, tuple(int(antenna) for antenna in solved)))
    return pages


def drawing_of(what: str, settings: Settings) -> Drawing:
    """Say who draws after a conversion: ``fast``, ``shadems`` or ``all``."""
    return Drawing(
        shadems=what in {"shadems", "all"},
        ragavi=what == "all",
        fast_plots=what in {"fast", "all"},
        max_plots=settings.quicklooks.max_plots,
        timeout_s=settings.quicklooks.timeout_s,
        n_threads=len(os.sched_getaffinity(0)),
    )


def draw_converted(ms: Path, what: str, settings: Settings) -> Path | None:
    """Draw a Measurement Set that was just written; give its page. Whatever fails costs a warning alone."""
    try:
        return make_quicklooks(ms, settings.paths.state, tools_directory(settings), drawing_of(what, settings)).page
    except ContimgError as error:
        log.warning("no quicklooks: %s", error)
    except Exception as error:
        log.warning("no quicklooks of %s: %s", ms, error, exc_info=True)
    return None


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw a Measurement Set, from the command line; exit status 0, 1 nothing drawn, 2 wrong usage."""
    parser = argparse.ArgumentParser(
        prog="python -m dsa110_contimg.qa.quicklooks",
        description="Draw a Measurement Set with shadeMS, ragavi and fast plots; make a page of it.",
    )
    parser.add_argument("--ms", type=Path, required=True, metavar="MS", help="Measurement Set; it is only read")
    parser.add_argument("--ragavi", action="store_true", help="interactive pages of ragavi-vis, too")
    parser.add_argument("--fast-plots", action="store_true", help="fast plots, too")
    parser.add_argument(
        "--table",
        type=Path,
        action="append",
        default=[],
        metavar="TABLE",
        help="a page of ragavi-gains, too; may be given again",
    )
    parser.add_argument("--no-shadems", action="store_true", help="nothing of shadeMS")
    parser.add_argument("--state-dir", type=Path, metavar="DIR", help="the page goes to DIR/qa/<MS>; paths.state")
    parser.add_argument("--max", type=int, metavar="N", help="at most N plots of shadeMS and ragavi")
    parser.add_argument("--timeout", type=float, metavar="S", help="seconds that one run of them is given")
    parser.add_argument("--json", action="store_true", help="print what was made as JSON")
    given = parser.parse_args(arguments)
    from dsa110_contimg.config.logs import configure_logging
    from dsa110_contimg.config.sources import load_settings

    configure_logging()
    try:
        settings = load_settings()
        if settings.paths.cache is not None:
            # Read by numba when it is first imported.
            os.environ.setdefault("NUMBA_CACHE_DIR", str(settings.paths.cache.absolute()))
        drawing = Drawing(
            shadems=not given.no_shadems,
            ragavi=given.ragavi,
            fast_plots=given.fast_plots,
            max_plots=settings.quicklooks.max_plots if given.max is None else given.max,
            timeout_s=settings.quicklooks.timeout_s if given.timeout is None else given.timeout,
            n_threads=len(os.sched_getaffinity(0)),
            tables=tuple(given.table),
        )
        if (drawing.max_plots is not None and drawing.max_plots < 1) or not drawing.timeout_s > 0:
            raise UsageError("--max and --timeout are more than 0")
        made = make_quicklooks(given.ms, given.state_dir or settings.paths.state, tools_directory(settings), drawing)
    except ContimgError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2 if isinstance(error, SettingsError | UsageError) else 1
    sys.stdout.write((json.dumps(plain(made), indent=2) if given.json else str(made.page)) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
