"""Having a Measurement Set drawn: fast plots, shadeMS, ragavi. What one fails at costs nothing of the others."""

from __future__ import annotations

import logging
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dsa110_contimg import __version__
from dsa110_contimg.errors import ContimgError
from dsa110_contimg.naming import PlotKind, parse_fast_plot_name
from dsa110_contimg.qa.gallery import LOGS, Figure, Problem
from dsa110_contimg.qa.quicklook_plan import GainsPage, Run, gains_runs, plan_quicklooks, runs_of
from dsa110_contimg.qa.tool_runs import program_version, run_program
from dsa110_contimg.qa.tools import TOOLS, find_program, is_installed
from dsa110_contimg.storage.files import output_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

log = logging.getLogger(__name__)

_CAPTIONS = {
    PlotKind.AMPLITUDE_TIME: "Amplitude against time",
    PlotKind.AMPLITUDE_FREQUENCY: "Amplitude against frequency",
    PlotKind.AMPLITUDE_UV: "Amplitude against uv distance",
    PlotKind.PHASE_TIME: "Phase against time",
    PlotKind.PHASE_FREQUENCY: "Phase against frequency",
    PlotKind.WATERFALL: "Waterfall",
    PlotKind.AUTOS: "Spectra of the autocorrelations",
    PlotKind.UV_COVERAGE: "Coverage of the uv plane",
    PlotKind.FLAGS: "Flagged fraction of antennas and channels",
}
_LOG_BYTES = 200_000
_PNG_BEGINS, _PNG_ENDS = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"
_ENDS_OF_PAGES = (b"</html>", b"</HTML>")


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
    tables : tuple of Path
        Calibration tables, or directories of them, of which ragavi-gains makes pages.
    """

    shadems: bool = True
    ragavi: bool = False
    fast_plots: bool = False
    max_plots: int | None = None
    timeout_s: float = 900.0
    n_threads: int = 1
    tables: tuple[Path, ...] = ()


def draw(
    ms: Path,
    page: Path,
    tools: Path,
    drawing: Drawing,
    columns: set[str],
    gains: Sequence[GainsPage] = (),
    progress: Callable[[float], None] = lambda _: None,
) -> tuple[list[Figure], list[Problem]]:
    """Have everybody draw who is wanted.

    Parameters
    ----------
    ms : Path
        The Measurement Set; it is only read.
    page : Path
        The directory in which figures are left, and logs.
    tools : Path
        Where the environments of tools are.
    drawing : Drawing
        What is wanted.
    columns : set of str
        Those the Measurement Set has.
    gains : sequence of GainsPage
        Calibration tables to be drawn.
    progress : callable
        Told what part is done, up to 1.
    """
    with output_errors(page):
        (page / LOGS).mkdir(parents=True)
    work = _Work(ms, page, tools, drawing, columns, progress)
    work.draw(gains)
    with output_errors(page):
        if not any((page / LOGS).iterdir()):
            (page / LOGS).rmdir()
    return work.figures, work.problems


class _Work:
    """The making of one page."""

    def __init__(
        self, ms: Path, page: Path, tools: Path, drawing: Drawing, columns: set[str], progress: Callable[[float], None]
    ) -> None:
        self._ms, self._page, self._tools, self._drawing = ms, page, tools, drawing
        self._columns, self._progress = columns, progress
        self.figures: list[Figure] = []
        self.problems: list[Problem] = []

    def draw(self, pages: Sequence[GainsPage]) -> None:
        """Have everybody draw."""
        drawing = self._drawing
        if drawing.fast_plots:
            self._fast_plots()
        found = {}
        wanted = {"shadems": drawing.shadems, "ragavi": drawing.ragavi or bool(pages)}
        for name in [name for name, is_wanted in wanted.items() if is_wanted]:
            tool = TOOLS[name]
            program = find_program(tool, self._tools)
            if program is None:
                self.problems.append(Problem(f"{tool.title} is not installed", tool.remedy))
            else:
                installed = is_installed(tool, self._tools)
                found[name] = (program, tool.version if installed else program_version(program, drawing.timeout_s))
        drawers = [name for name in found if getattr(drawing, name)]
        quicklooks = plan_quicklooks(self._columns, drawers, drawing.max_plots)
        runs = (*runs_of(quicklooks, self._ms, drawing.n_threads), *(gains_runs(pages) if "ragavi" in found else ()))
        for k, run in enumerate(runs):
            self._progress(k / len(runs))
            self._run(run, *found[run.tool])

    def _fast_plots(self) -> None:
        # Imported here: it takes numba along.
        from dsa110_contimg.qa.fast_plots import make_fast_plots

        try:
            made = make_fast_plots(
                self._ms,
                self._page,
                include_residual="MODEL_DATA" in self._columns,
                workers=self._drawing.n_threads,
            )
        except ContimgError as error:
            self.problems.append(Problem(f"Fast plots failed: {error.message}", error.remedy or "see the log"))
            return
        except Exception as error:
            log.warning("fast plots failed", exc_info=True)
            self.problems.append(Problem(f"Fast plots failed: {error}", "see the log"))
            return
        for path in made:
            name = parse_fast_plot_name(path.name)
            of = "" if name.visibilities is None else f", {name.visibilities}"
            caption = f"{_CAPTIONS[name.kind]}{of}"
            self.figures.append(Figure(path.name, "Fast plots", caption, f"dsa110-contimg {__version__}"))

    def _run(self, run: Run, program: Path, version: str) -> None:
        """Run a tool, take what it drew, and note what it did not."""
        tool = TOOLS[run.tool]
        words = self._page / LOGS / f"{run.name}.log"
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
            Figure(q.name, f"{tool.title}: {q.section}", q.caption, title) for q in run.quicklooks if q not in missing
        ]
        if missing:
            why = why or "it ended without having drawn"
            lacks = ", ".join(q.what for q in missing)
            self.problems.append(
                Problem(
                    f"{title} did not draw {lacks} ({missing[0].section}): {why}",
                    self._remedy(run, why),
                    f"{LOGS}/{words.name}",
                    _last_words(words),
                )
            )

    def _remedy(self, run: Run, why: str) -> str:
        if why.startswith("it was ended after"):
            return f"give it more time (--timeout, now {self._drawing.timeout_s:g} s), or have less drawn (--max)"
        tool = TOOLS[run.tool]
        if not is_installed(tool, self._tools):
            return f"that on PATH may not fit its libraries: {tool.remedy}"
        return f"see {LOGS}/{run.name}.log beside the page"

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
