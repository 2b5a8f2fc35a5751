"""``dsa110-contimg scratch``: copies on a fast disk, archived back and cleaned."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dsa110_contimg.cli.context import Json, Session, begin, emit_json
from dsa110_contimg.cli.lazy import LightGroup
from dsa110_contimg.cli.options import DryRun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dsa110_contimg.storage.mirroring import Limits, Watch
    from dsa110_contimg.storage.scratch import Done
    from dsa110_contimg.storage.scratch_roots import Place, Roots
    from dsa110_contimg.storage.scratch_status import ScratchStatus, Staged

app = typer.Typer(cls=LightGroup, no_args_is_help=True, add_completion=False, rich_markup_mode=None)

Paths = Annotated[list[str], typer.Argument(metavar="PATH...", help="Products: paths below the roots.")]
SomePaths = Annotated[list[str] | None, typer.Argument(metavar="[PATH]...", help="Only these: paths below the roots.")]
DataRoot = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Where data are kept; $DATA_ROOT, or scratch.data_root.")
]
ScratchRoot = Annotated[
    Path | None, typer.Option(metavar="DIR", help="The fast disk; $SCRATCH_ROOT, or paths.scratch.")
]
Reserve = Annotated[
    float | None, typer.Option(metavar="GB", min=0, help="Free space to leave on the root file system.")
]
Workers = Annotated[int | None, typer.Option(metavar="N", min=1, help="Threads that copy; one per core.")]


@app.callback()
def scratch() -> None:
    """Copy products to a fast disk, archive what was made of them, and clean up.

    PATH is a product (a directory or a file) by its path below both roots: data-samples/ms/run123.
    """


@app.command()
def stage(
    ctx: typer.Context,
    paths: Paths,
    dry_run: DryRun = False,
    data_root: DataRoot = None,
    scratch_root: ScratchRoot = None,
    reserve: Reserve = None,
    workers: Workers = None,
    as_json: Json = False,
) -> None:
    """Copy products from the data root to the scratch root; a killed copy goes on where it stopped."""
    session = begin(ctx)
    from dsa110_contimg.storage.scratch import stage as stage_one

    roots, limits = roots_of(session, data_root, scratch_root), _limits(session, reserve, workers)
    _each(
        session,
        [roots.place(path) for path in paths],
        lambda place, watch: stage_one(place, limits, watch, dry_run=dry_run),
        dry_run=dry_run,
        as_json=as_json,
    )


@app.command()
def archive(
    ctx: typer.Context,
    paths: Paths,
    delete: Annotated[
        bool, typer.Option("--delete", help="Remove from the archive what is no longer in the staged copy.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace also what has changed in the archive since staging.")
    ] = False,
    dry_run: DryRun = False,
    data_root: DataRoot = None,
    scratch_root: ScratchRoot = None,
    reserve: Reserve = None,
    workers: Workers = None,
    as_json: Json = False,
) -> None:
    """Copy products from the scratch root back to the data root."""
    session = begin(ctx)
    from dsa110_contimg.storage.scratch import archive as archive_one
    from dsa110_contimg.storage.scratch_status import products_below

    roots, limits = roots_of(session, data_root, scratch_root), _limits(session, reserve, workers)
    _each(
        session,
        [item for path in paths for item in products_below(roots.place(path))],
        lambda place, watch: archive_one(place, limits, watch, delete=delete, force=force, dry_run=dry_run),
        dry_run=dry_run,
        as_json=as_json,
    )


@app.command()
def clean(
    ctx: typer.Context,
    paths: Paths,
    force: Annotated[bool, typer.Option("--force", help="Remove the staged copy whatever the archive has.")] = False,
    dry_run: DryRun = False,
    data_root: DataRoot = None,
    scratch_root: ScratchRoot = None,
    workers: Workers = None,
    as_json: Json = False,
) -> None:
    """Remove staged copies whose archived copies are the same: both are read again and compared."""
    session = begin(ctx)
    from dsa110_contimg.storage.scratch import clean as clean_one
    from dsa110_contimg.storage.scratch_status import products_below

    roots, limits = roots_of(session, data_root, scratch_root), _limits(session, None, workers)
    _each(
        session,
        [item for path in paths for item in products_below(roots.place(path))],
        lambda place, watch: clean_one(place, limits, watch, force=force, dry_run=dry_run),
        dry_run=dry_run,
        as_json=as_json,
    )


@app.command()
def status(
    ctx: typer.Context,
    paths: SomePaths = None,
    data_root: DataRoot = None,
    scratch_root: ScratchRoot = None,
    dry_run: DryRun = False,  # noqa: ARG001 - it changes nothing anyhow
    as_json: Json = False,
) -> None:
    """Say what is staged, changed or archived, and how much room there is."""
    session = begin(ctx)
    from dsa110_contimg.storage.scratch_status import status as status_of

    roots, limits = roots_of(session, data_root, scratch_root), _limits(session, None, None)
    found = status_of(roots, limits.reserve_bytes, [roots.place(path) for path in paths or ()])
    if as_json:
        emit_json(found)
        return
    _print_status(found)


@app.command("list")
def list_entries(
    ctx: typer.Context,
    paths: SomePaths = None,
    data_root: DataRoot = None,
    scratch_root: ScratchRoot = None,
    dry_run: DryRun = False,  # noqa: ARG001 - it changes nothing anyhow
    as_json: Json = False,
) -> None:
    """List what is in a directory below the data root and below the scratch root."""
    session = begin(ctx)
    from dsa110_contimg.storage.scratch_status import listing

    roots = roots_of(session, data_root, scratch_root)
    found = [
        item for place in ([roots.place(path) for path in paths] if paths else [None]) for item in listing(roots, place)
    ]
    if as_json:
        emit_json({"data_root": roots.data, "scratch_root": roots.scratch, "entries": found})
        return
    for item in found:
        kind = item.data or item.scratch
        typer.echo(
            f"{'data' if item.data else '-':5s} {'scratch' if item.scratch else '-':8s} "
            f"{item.path}{'/' if kind == 'directory' else ''}"
        )


def roots_of(session: Session, data: Path | None = None, scratch: Path | None = None) -> Roots:
    """Say where the roots are: as given, by the environment, by the settings, or the observatory's."""
    from dsa110_contimg.storage.scratch_roots import DEFAULT_SCRATCH_ROOT, Roots

    settings = session.settings
    data = data or _from_environment("DATA_ROOT") or settings.scratch.data_root
    scratch = scratch or _from_environment("SCRATCH_ROOT") or settings.paths.scratch or DEFAULT_SCRATCH_ROOT
    return Roots(data.absolute(), scratch.absolute())


def _from_environment(variable: str) -> Path | None:
    text = os.environ.get(variable)
    return Path(text).expanduser() if text else None


def _limits(session: Session, reserve_gb: float | None, workers: int | None) -> Limits:
    from dsa110_contimg.storage.mirroring import Limits

    settings = session.settings.scratch
    return Limits(workers or settings.n_workers, int((settings.reserve_gb if reserve_gb is None else reserve_gb) * 1e9))


def _each(
    session: Session, places: list[Place], work: Callable[[Place, Watch], Done], *, dry_run: bool, as_json: bool
) -> None:
    """Do one product after the other; one that fails does not keep the others from being done."""
    from dsa110_contimg.errors import ContimgError, CopiesDifferError, UsageError

    report: list[dict[str, Any]] = []
    worst = 0
    for place in places:
        try:
            with _progress(session, place.path) as watch:
                done = work(place, watch)
        except ContimgError as error:
            differences = error.differences if isinstance(error, CopiesDifferError) else ()
            report.append({"path": place.path, "outcome": "failed", "kind": type(error).__name__, "error": str(error)})
            report[-1]["differences"] = differences
            worst = max(worst, 2 if isinstance(error, UsageError) else 1)
            typer.echo(f"error: {error}", err=True)
            if not as_json:
                for line in differences:
                    typer.echo(f"  {line}", err=True)
        else:
            report.append(done._asdict())
            if not as_json:
                typer.echo(_sentence(done, dry_run=dry_run))
    if as_json:
        emit_json({"dry_run": dry_run, "products": report})
    if worst:
        raise typer.Exit(worst)


def _sentence(done: Done, *, dry_run: bool) -> str:
    from dsa110_contimg.config.logs import human_bytes
    from dsa110_contimg.storage.scratch import Outcome

    whole = f"{done.n_files} files, {human_bytes(done.size_bytes)}"
    if done.outcome is Outcome.NOTHING_TO_DO:
        return f"{done.path}: nothing to do ({whole})"
    text = f"{done.path}: {'would be ' if dry_run else ''}{done.outcome.value} ({whole}"
    if done.outcome is not Outcome.CLEANED:
        text += f"; {done.n_copied} files, {human_bytes(done.copied_bytes)} copied"
    if done.removed:
        text += f"; removed from the archive: {', '.join(done.removed[:5])}"
        text += f" and {len(done.removed) - 5} more" if len(done.removed) > 5 else ""
    return text + ")"


def _print_status(found: ScratchStatus) -> None:
    from dsa110_contimg.config.logs import human_bytes

    for name, space in (("data root", found.data), ("scratch root", found.scratch), ("root file system", found.root)):
        if space.free_bytes is None or space.total_bytes is None:
            typer.echo(f"{name:17s} {space.path}: {space.problem}")
            continue
        used = space.total_bytes - space.free_bytes
        typer.echo(
            f"{name:17s} {space.path}: {human_bytes(used)} of {human_bytes(space.total_bytes)} used, "
            f"{human_bytes(space.free_bytes)} free"
        )
    if found.root.free_bytes is not None and found.root.free_bytes < found.reserve_bytes:
        typer.echo(f"the root file system has less than the {human_bytes(found.reserve_bytes)} that are to stay free")
    for item in found.products:
        size = f"{human_bytes(item.size_bytes)}, {item.n_files} files"
        typer.echo(f"{item.state.value:10s} {item.path} ({size})" + "".join(f"; {text}" for text in _remarks(item)))
    if not found.products:
        typer.echo("nothing is staged")


def _remarks(item: Staged) -> list[str]:
    remarks = []
    if item.staged_utc:
        remarks.append(f"staged {item.staged_utc}")
    if item.archived_utc:
        remarks.append(f"archived {item.archived_utc}")
    if item.changed:
        remarks.append(f"{len(item.changed)} changed, as {item.changed[0]}")
    if item.behind:
        remarks.append("the archive has changed since")
    if item.at_work:
        remarks.append("a command is at work")
    return remarks


@contextmanager
def _progress(session: Session, name: str) -> Iterator[Watch]:
    from rich.markup import escape
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    from dsa110_contimg.storage.mirroring import Watch

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    shown = session.console.is_terminal and not session.log_json
    with Progress(
        *columns, TimeRemainingColumn(), console=session.console, transient=True, disable=not shown
    ) as progress:
        task = progress.add_task(escape(name), total=None)
        yield Watch(lambda nbytes: progress.update(task, total=nbytes), lambda nbytes: progress.advance(task, nbytes))
