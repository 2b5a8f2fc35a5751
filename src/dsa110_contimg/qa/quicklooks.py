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
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import casacore.tables as ct

from dsa110_contimg.config.plain import plain
from dsa110_contimg.errors import ContimgError, MeasurementSetError, SettingsError, ToolError, UsageError
from dsa110_contimg.ms.information import MsInfo, read_info
from dsa110_contimg.naming import GALLERY_NAME, Plotted, group_id_from_mjd, parse_fast_plot_name
from dsa110_contimg.qa.gallery import Figure, Problem, write_gallery
from dsa110_contimg.qa.quicklook_plan import Run, plan_quicklooks, runs_of
from dsa110_contimg.qa.tool_runs import program_version, run_program
from dsa110_contimg.qa.tools import TOOLS, find_program, is_installed, tools_directory
from dsa110_contimg.storage.files import output_errors
from dsa110_contimg.storage.publish import partial_directory, publish

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

log = logging.getLogger("dsa110_contimg.qa.quicklooks")  # by name: as a command this module is __main__

_LOGS = "logs"
_LOG_BYTES = 200_000
_PNG_BEGINS, _PNG_ENDS = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"
_ENDS_OF_PAGES = (b"</html>", b"</HTML>")
_DAY_S = 86400.0


class Drawing(NamedTuple):
    """What is wanted.

    Attributes
    ----------
    shadems, ragavi, fast_plots : bool
        Who draws.
    max_plots : int or None
        At most so many plots of shadeMS and ragavi.
    timeout_s : float
        Time that one run of such a tool is given [s].
    n_threads : int
        Threads for those that can be told.
    """

    shadems: bool = True
    ragavi: bool = False
    fast_plots: bool = False
    max_plots: int | None = None
    timeout_s: float = 900.0
    n_threads: int = 1


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
    final = quicklooks_directory(ms, state.absolute())
    group = group_id_from_mjd(info.times_mjd[0] - info.interval_s / 2 / _DAY_S)
    with partial_directory(final.parent, group) as partial:
        page = partial / final.name
        with output_errors(page):
            (page / _LOGS).mkdir(parents=True)
        work = _Work(ms, page, tools, drawing, set(columns), progress)
        figures, problems = work.draw()
        for problem in problems:
            log.warning("%s: %s", ms.name, problem)
        if not figures:
            raise ToolError("nothing could be drawn of it", path=ms, remedy=problems[0].remedy if problems else None)
        with output_errors(page):
            if not any((page / _LOGS).iterdir()):
                (page / _LOGS).rmdir()
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


class _Work:
    """The making of one page."""

    def __init__(
        self, ms: Path, page: Path, tools: Path, drawing: Drawing, columns: set[str], progress: Callable[[float], None]
    ) -> None:
        self._ms, self._page, self._tools, self._drawing = ms, page, tools, drawing
        self._columns, self._progress = columns, progress
        self.figures: list[Figure] = []
        self.problems: list[Problem] = []

    def draw(self) -> tuple[list[Figure], list[Problem]]:
        """Have everybody draw who is wanted."""
        drawing = self._drawing
        if drawing.fast_plots:
            self._fast_plots()
        found = {}
        for name in [name for name in TOOLS if getattr(drawing, name)]:
            tool = TOOLS[name]
            program = find_program(tool.programs[0], self._tools)
            if program is None:
                self.problems.append(Problem(f"{tool.title} is not installed", tool.remedy))
            else:
                installed = is_installed(tool, self._tools)
                found[name] = (program, tool.version if installed else program_version(program))
        runs = runs_of(plan_quicklooks(self._columns, tuple(found), drawing.max_plots), self._ms, drawing.n_threads)
        for k, run in enumerate(runs):
            self._progress(k / len(runs))
            self._run(run, *found[run.tool])
        return self.figures, self.problems

    def _fast_plots(self) -> None:
        # Imported here: it takes numba along.
        from dsa110_contimg import __version__
        from dsa110_contimg.qa.fast_plots import make_fast_plots

        try:
            made = make_fast_plots(
                self._ms,
                self._page,
                include_residual="MODEL_DATA" in self._columns,
                workers=self._drawing.n_threads,
            )
        except ContimgError as error:
            self.problems.append(Problem(f"fast plots failed: {error.message}", error.remedy or "see the log"))
            return
        for path in made:
            name = parse_fast_plot_name(path.name)
            of = "" if name.visibilities is None else f" of the {name.visibilities} visibilities"
            caption = f"{name.kind.replace('-', ' ').capitalize()}{of}; every sample counts"
            self.figures.append(Figure(path.name, "Fast plots", caption, f"dsa110-contimg {__version__}"))

    def _run(self, run: Run, program: Path, version: str) -> None:
        """Run a tool, take what it drew, and note what it did not."""
        tool = TOOLS[run.tool]
        words = self._page / _LOGS / f"{run.name}.log"
        command = [str(program.with_name(run.program)), *run.arguments]
        log.debug("%s", " ".join(command))
        # Beside the page: it is renamed into it, and is removed with it if all else fails.
        with tempfile.TemporaryDirectory(
            prefix=f".{run.name}-", dir=self._page.parent, ignore_cleanup_errors=True
        ) as room:
            why = run_program(command, Path(room), words, self._drawing.timeout_s)
            missing = [
                q
                for q, drawn in zip(run.quicklooks, run.drawn, strict=True)
                if not self._take(Path(room), drawn, q.name)
            ]
        _keep_end(words)
        title = f"{tool.title} {version}"
        self.figures += [
            Figure(q.name, _section(run.tool, q.visibilities), q.caption, title)
            for q in run.quicklooks
            if q not in missing
        ]
        if missing:
            why = why or "it ended without having drawn"
            lacks = ", ".join(f"{q.y} against {q.x}" for q in missing)
            self.problems.append(
                Problem(
                    f"{title} did not draw {lacks} of {missing[0].column}: {why}",
                    self._remedy(run, why),
                    f"{_LOGS}/{words.name}",
                    _last_words(words),
                )
            )

    def _remedy(self, run: Run, why: str) -> str:
        if why.startswith("it was ended after"):
            return f"give it more time (--timeout, now {self._drawing.timeout_s:g} s), or have less drawn (--max)"
        tool = TOOLS[run.tool]
        if not is_installed(tool, self._tools):
            return f"that on PATH may not fit its libraries: {tool.remedy}"
        return f"see {_LOGS}/{run.name}.log in {quicklooks_directory(self._ms, Path('<state>'))}"

    def _take(self, room: Path, pattern: str, name: str) -> bool:
        """Move what a tool drew to the page, if it is whole."""
        for path in sorted(room.glob(pattern)):
            if is_whole(path):
                os.replace(path, self._page / name)
                return True
        return False


def is_whole(path: Path) -> bool:
    """Whether a picture or a page was written to its end."""
    data = path.read_bytes()
    if path.suffix == ".png":
        return data.startswith(_PNG_BEGINS) and data.endswith(_PNG_ENDS)
    return data.rstrip().endswith(_ENDS_OF_PAGES)


def _section(tool: str, visibilities: Plotted) -> str:
    what = {Plotted.DATA: "data", Plotted.CORRECTED: "calibrated data", Plotted.RESIDUAL: "residual"}[visibilities]
    return f"{TOOLS[tool].title}: {what}"


def _keep_end(words: Path) -> None:
    """Keep the end of a log that is long."""
    if words.stat().st_size > _LOG_BYTES:
        with words.open("rb") as file:
            file.seek(-_LOG_BYTES, os.SEEK_END)
            end = file.read()
        words.write_bytes(b"[...]\n" + end)


def _last_words(words: Path) -> str:
    """Say how a log ends, in a line."""
    lines = [line.strip() for line in words.read_text(errors="replace").splitlines() if line.strip()]
    printable = "".join(letter for letter in (lines[-1] if lines else "") if letter.isprintable())
    return printable[:300]


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw a Measurement Set, from the command line; exit status 0, 1 nothing drawn, 2 wrong usage."""
    parser = argparse.ArgumentParser(
        prog="python -m dsa110_contimg.qa.quicklooks",
        description="Draw a Measurement Set with shadeMS, ragavi and fast plots; make a page of it.",
    )
    parser.add_argument("--ms", type=Path, required=True, metavar="MS", help="Measurement Set; it is only read")
    parser.add_argument("--ragavi", action="store_true", help="interactive pages of ragavi-vis, too")
    parser.add_argument("--fast-plots", action="store_true", help="fast plots, too")
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
