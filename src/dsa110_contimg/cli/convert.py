"""``dsa110-contimg convert``: subband files to Measurement Sets."""

from __future__ import annotations

from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from dsa110_contimg.cli.context import Json, Session, begin, emit_json, time_given

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.progress import Progress, TaskID
    from rich.table import Table

    from dsa110_contimg.conversion.batch import FailedGroup
    from dsa110_contimg.conversion.calibrators import CalibratorGroup
    from dsa110_contimg.conversion.group import ConvertedMs
    from dsa110_contimg.conversion.grouping import GroupListing, SubbandGroup
    from dsa110_contimg.errors import NoGroupsError


class ModelName(StrEnum):
    """What MODEL_DATA of a calibrator holds."""

    APPARENT = "apparent"
    INTRINSIC = "intrinsic"


class QaName(StrEnum):
    """What is drawn of a Measurement Set that was written."""

    NONE = "none"
    FAST = "fast"
    SHADEMS = "shadems"
    ALL = "all"


class WriterName(StrEnum):
    """How a Measurement Set is written."""

    DIRECT = "direct-subband"
    PYUVDATA = "pyuvdata"


SCRATCH_ROOT = Path("-")
"""What ``--scratch`` without a directory is read as."""


class ConvertCommand(TyperCommand):
    """The verb; its option ``--scratch`` may be without a value."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments."""
        bare = [
            arg == "--scratch" and (after is None or (after.startswith("-") and after != "-"))
            for arg, after in zip(args, [*args[1:], None], strict=True)
        ]
        given = (f"{arg}={SCRATCH_ROOT}" if is_bare else arg for arg, is_bare in zip(args, bare, strict=True))
        return super().parse_args(ctx, list(given))


app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command("convert", cls=ConvertCommand)
def convert(
    ctx: typer.Context,
    input_dir: Annotated[Path, typer.Argument(metavar="INPUT", help="Directory of subband files.")],
    output_dir: Annotated[Path, typer.Argument(metavar="OUTPUT", help="Directory of Measurement Sets.")],
    start: Annotated[str | None, typer.Option(metavar="TIME", help="Groups from this start on (UTC).")] = None,
    end: Annotated[str | None, typer.Option(metavar="TIME", help="Groups up to this start (UTC).")] = None,
    writer: Annotated[WriterName | None, typer.Option(help="Fast and small, or the reference.")] = None,
    phase_centre: Annotated[
        str | None, typer.Option(metavar="CENTRE", help='meridian, drift, or "RA,DEC" (ICRS degrees).')
    ] = None,
    antenna_positions: Annotated[
        Path | None, typer.Option(metavar="CSV", help="Station positions instead of those in the files.")
    ] = None,
    min_subbands: Annotated[int | None, typer.Option(min=1, max=16, help="Fewest of the 16 subbands.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Threads; default: one per core.")] = None,
    average_channels: Annotated[int, typer.Option(metavar="N", help="Average N channels (divides 48).")] = 1,
    average_times: Annotated[int, typer.Option(metavar="N", help="Average N integrations (divides the group's).")] = 1,
    calibrator: Annotated[
        str | None, typer.Option(metavar="NAME|auto", help="Write <group>_<name>.ms too where it transits.")
    ] = None,
    calibrator_only: Annotated[
        bool, typer.Option("--calibrator-only", help="Write the calibrator's Measurement Sets alone.")
    ] = False,
    model: Annotated[
        ModelName, typer.Option(help="MODEL_DATA of the calibrator: through the drifting beam, or without it.")
    ] = ModelName.APPARENT,
    transit_window: Annotated[
        float | None, typer.Option(metavar="S", min=0, help="Length of the window around a transit; half a group.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace Measurement Sets that are there.")] = False,
    scratch: Annotated[
        Path | None,
        typer.Option(
            metavar="[DIR]",
            help="Write and validate on a fast disk, archive to OUTPUT, clean; without DIR on the scratch root.",
        ),
    ] = None,
    qa: Annotated[
        QaName | None, typer.Option(help="Draw each one after it was written: a page in <paths.state>/qa.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the groups, and write nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Convert every group of subband files in INPUT into a Measurement Set in OUTPUT.

    Exit status: 0 every group is converted (partial ones too), 1 any failed or none found, 2 wrong usage.
    """
    session = begin(ctx)
    settings = session.settings
    # Imported here: a help text needs none of it.
    from dsa110_contimg.conversion.batch import FailedGroup, convert_groups
    from dsa110_contimg.conversion.calibrators import convert_calibrator_groups
    from dsa110_contimg.conversion.group import ConversionOptions
    from dsa110_contimg.conversion.grouping import find_groups
    from dsa110_contimg.conversion.helpers import parse_phase_centre
    from dsa110_contimg.conversion.plan import Averaging
    from dsa110_contimg.telescope.stations import read_stations

    on_root = scratch == SCRATCH_ROOT
    positions = antenna_positions or settings.telescope.antenna_positions
    options = ConversionOptions(
        writer=writer or settings.convert.writer,
        phase_centre=parse_phase_centre(phase_centre or settings.convert.phase_centre),
        stations=read_stations(positions) if positions else None,
        min_subbands=min_subbands or settings.convert.min_subbands,
        workers=workers or settings.convert.n_workers,
        averaging=Averaging(average_channels, average_times),
        overwrite=overwrite,
        scratch=_scratch_root(session) if on_root else scratch or settings.paths.scratch,
        reserve_bytes=int(settings.scratch.reserve_gb * 1e9) if on_root else 0,
    )
    listing = find_groups(
        input_dir,
        time_given(start) if start else None,
        time_given(end) if end else None,
        tolerance_s=settings.convert.tolerance_s,
        min_subbands=options.min_subbands,
    )
    listing.require_groups()
    crossed, reason = _calibrator_groups(listing, calibrator, transit_window, only=calibrator_only)
    report = listing.as_dict() | {"calibrators": [item.as_dict() for item in crossed]}
    if dry_run:
        _show(session, as_json=as_json, report=report, table=_listing_table(listing, crossed))
        if reason:
            raise reason
        return
    groups = () if calibrator_only else listing.groups
    pages: list[Path] = []
    with _progress(session, len(groups) + len(crossed), _drawer(session, qa, pages)) as watcher:
        outcomes = [
            *convert_groups(groups, output_dir, options, watcher),
            *convert_calibrator_groups(crossed, output_dir, options, model.value, watcher),
        ]
    report["groups"] = [outcome.as_dict() for outcome in outcomes]
    report["pages"] = pages
    _show(session, as_json=as_json, report=report, table=_outcome_table(outcomes))
    if reason:
        raise reason
    if any(isinstance(outcome, FailedGroup) for outcome in outcomes):
        raise typer.Exit(1)


def _calibrator_groups(
    listing: GroupListing, name: str | None, window_s: float | None, *, only: bool
) -> tuple[list[CalibratorGroup], NoGroupsError | None]:
    """Find the groups that the calibrator crosses; if there is none, the groups themselves are converted first."""
    from dsa110_contimg.conversion.calibrators import find_calibrator_groups
    from dsa110_contimg.errors import NoGroupsError, UsageError

    if name is None:
        if only:
            raise UsageError("--calibrator-only without a calibrator", remedy="Add --calibrator NAME, or auto.")
        return [], None
    try:
        return find_calibrator_groups(listing.groups, name, window_s), None
    except NoGroupsError as error:
        if only:
            raise
        return [], error


def _scratch_root(session: Session) -> Path:
    """Give the scratch root of staging, which is there."""
    from dsa110_contimg.cli.scratch import roots_of
    from dsa110_contimg.storage.scratch_roots import make_scratch_root

    roots = roots_of(session)
    make_scratch_root(roots)
    return roots.scratch


def _show(session: Session, *, as_json: bool, report: dict[str, Any], table: Table) -> None:
    if as_json:
        emit_json(report)
    else:
        session.output.print(table)


def _drawer(session: Session, qa: QaName | None, pages: list[Path]) -> Callable[[Path], None]:
    """Give what is done with a Measurement Set that was written: it is drawn, if that is wanted."""
    what = qa or session.settings.convert.qa
    if what == "none":
        return lambda ms: None
    from dsa110_contimg.qa.quicklooks import draw_converted

    def draw(ms: Path) -> None:
        page = draw_converted(ms, what, session.settings)
        if page is not None:
            pages.append(page)

    return draw


class _Bars:
    """Two progress bars: groups done, and bytes of the present one."""

    def __init__(self, progress: Progress, n_groups: int, draw: Callable[[Path], None]) -> None:
        self._progress, self._draw = progress, draw
        self._all: TaskID = progress.add_task("groups", total=n_groups, rate="")
        self._one: TaskID = progress.add_task("", total=None, rate="")

    def begin(self, group: SubbandGroup) -> None:
        self._progress.reset(self._one, description=group.id, total=group.size_bytes, rate="")

    def advance(self, nbytes: int) -> None:
        self._progress.advance(self._one, nbytes)
        task = self._progress.tasks[1]
        if task.elapsed:
            self._progress.update(self._one, rate=f"{task.completed / task.elapsed / 1e6:.0f} MB/s")

    def end(self, outcome: ConvertedMs | FailedGroup) -> None:
        from dsa110_contimg.conversion.group import ConvertedMs

        if isinstance(outcome, ConvertedMs) and outcome.outcome != "exists":
            self._draw(outcome.ms)
        self._progress.advance(self._all)


@contextmanager
def _progress(session: Session, n_groups: int, draw: Callable[[Path], None]) -> Iterator[_Bars]:
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = ("{task.description}", BarColumn(), "{task.percentage:>3.0f}%", TextColumn("{task.fields[rate]}"))
    shown = session.console.is_terminal and not session.log_json
    with Progress(*columns, TimeRemainingColumn(), console=session.console, disable=not shown) as progress:
        yield _Bars(progress, n_groups, draw)


def _table(*headings: str) -> Table:
    """Return an empty table whose first column, the group, is never broken."""
    from rich.table import Table

    table = Table(box=None)
    table.add_column(headings[0], no_wrap=True)
    for heading in headings[1:]:
        table.add_column(heading, overflow="fold")
    return table


def _listing_table(listing: GroupListing, crossed: list[CalibratorGroup]) -> Table:
    from dsa110_contimg.config.logs import human_bytes

    table = _table("group", "verdict", "subbands", "missing", "size", "remarks")
    for group in listing.groups:
        remarks = [*group.warnings, *(f"{item.path.name}: {item.outcome}" for item in group.set_aside)]
        remarks += [f"{item.candidate.calibrator.label} transits" for item in crossed if item.group.id == group.id]
        missing = ", ".join(map(str, group.missing))
        table.add_row(
            group.id, group.verdict, str(len(group.present)), missing, human_bytes(group.size_bytes), "\n".join(remarks)
        )
    for item in listing.incomplete:
        table.add_row(item.path.name, "still being written", "", "", "", f"for {item.age_s:.0f} s")
    return table


def _outcome_table(outcomes: list[ConvertedMs | FailedGroup]) -> Table:
    from dsa110_contimg.conversion.group import ConvertedMs

    table = _table("group", "outcome", "missing", "seconds", "MB/s", "Measurement Set, or reason")
    for outcome in outcomes:
        if isinstance(outcome, ConvertedMs):
            rate = f"{outcome.bytes_in / outcome.seconds / 1e6:.0f}" if outcome.seconds else ""
            seconds = f"{outcome.seconds:.1f}" if outcome.seconds else ""
            missing = ", ".join(map(str, outcome.missing))
            table.add_row(outcome.group, outcome.outcome, missing, seconds, rate, str(outcome.ms))
        else:
            table.add_row(outcome.group, outcome.outcome, "", "", "", str(outcome.error))
    return table
