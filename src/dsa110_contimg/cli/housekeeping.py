"""``dsa110-contimg housekeeping``: what FUSE left of deleted files, stale scratch directories, and litter of CASA."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dsa110_contimg.cli.context import Json, Session, begin, emit_json
from dsa110_contimg.cli.lazy import LightGroup
from dsa110_contimg.cli.options import DryRun

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dsa110_contimg.storage.holders import HolderPlan, Stopped
    from dsa110_contimg.storage.leftover_removal import Removed
    from dsa110_contimg.storage.leftovers import LeftoverScan, Trouble
    from dsa110_contimg.storage.temporaries import TemporaryScan, Tidied

app = typer.Typer(cls=LightGroup, no_args_is_help=True, add_completion=False, rich_markup_mode=None)
fuse_app = typer.Typer(cls=LightGroup, no_args_is_help=True, add_completion=False, rich_markup_mode=None)
temp_app = typer.Typer(cls=LightGroup, no_args_is_help=True, add_completion=False, rich_markup_mode=None)
app.add_typer(fuse_app, name="fuse")
app.add_typer(temp_app, name="temp")

Roots = Annotated[
    list[Path] | None,
    typer.Argument(metavar="ROOT", help="Where to look; the directories of the settings (paths)."),
]
LeftoverAge = Annotated[
    float | None,
    typer.Option("--older-than", metavar="S", min=0, help="Age of what may go; housekeeping.leftover_age_s."),
]
TemporaryAge = Annotated[
    float | None,
    typer.Option("--older-than", metavar="H", min=0, help="Age of what is stale; housekeeping.temporary_age_h."),
]
_LINE = "{:>8}  {:>8}  {:6}  {:12}  {}"


@app.callback()
def housekeeping() -> None:
    """Find and remove what is left over."""


@fuse_app.callback()
def fuse() -> None:
    """Files that were deleted while they were open, which FUSE keeps as .fuse_hidden* (docs/housekeeping.md)."""


@temp_app.callback()
def temp() -> None:
    """Stale partial products and scratch directories, and CASA's logs."""


@fuse_app.command("scan")
def fuse_scan(
    ctx: typer.Context,
    roots: Roots = None,
    older_than: LeftoverAge = None,
    as_json: Json = False,
) -> None:
    """List what FUSE has left: size, age, who holds it, and whether it may go.

    Exit status: 0 all was looked at, 1 not (a dead mount, no permission), 2 wrong usage.
    """
    session = begin(ctx)
    found = _scan_leftovers(session, roots, older_than, with_input=True)
    if as_json:
        emit_json(found.as_dict())
    else:
        _print_leftovers(session, found)
    if found.troubles:
        raise typer.Exit(1)


@fuse_app.command("clean")
def fuse_clean(
    ctx: typer.Context,
    roots: Roots = None,
    older_than: LeftoverAge = None,
    stop_holders: Annotated[
        bool, typer.Option("--stop-holders", help="Stop the processes that hold the others; it asks first.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Remove what FUSE has left and nobody holds, and the directories that are empty then.

    What is held is never deleted: it goes when its holder ends. The incoming directory is left alone unless it is
    named. Exit status: 0 done, 1 something failed, 2 wrong usage (--stop-holders where nobody can be asked).
    """
    session = begin(ctx)
    from dsa110_contimg.storage.holders import plan_stops
    from dsa110_contimg.storage.leftover_removal import Removed, remove_orphans

    age_s = _age_s(session, older_than)
    found = _scan_leftovers(session, roots, older_than, with_input=False)
    plans = plan_stops(found, min_age_s=age_s) if stop_holders else []
    if not as_json:
        _print_leftovers(session, found)
    _name_holders(session, plans)
    if dry_run:
        removed, stopped = Removed(), []
    else:
        stopped = _stop(session, plans, found, yes=yes)
        gone = {item.process.pid for item in stopped if item.gone}
        released = [item for plan in plans if plan.process.pid in gone for item in plan.leftovers]
        removed = remove_orphans(found, min_age_s=age_s, released=released)
    if as_json:
        emit_json(
            found.as_dict()
            | {"holders": [plan.as_dict() for plan in plans], "stopped": [item.as_dict() for item in stopped]}
            | {"dry_run": dry_run, "removed": removed}
        )
    elif not dry_run:
        _print_removed(session, removed)
    not_stopped = any(plan.refusal for plan in plans) or not all(item.gone for item in stopped)
    if found.troubles or not_stopped or removed.failures:
        raise typer.Exit(1)


@temp_app.command("scan")
def temp_scan(
    ctx: typer.Context,
    roots: Roots = None,
    older_than: TemporaryAge = None,
    as_json: Json = False,
) -> None:
    """List partial products, scratch directories and CASA's logs: size, age, and whether they are stale.

    Exit status: 0 all was looked at, 1 not (a dead mount, no permission), 2 wrong usage.
    """
    session = begin(ctx)
    found = _scan_temporaries(session, roots, older_than, with_input=True)
    if as_json:
        emit_json(found)
    else:
        _print_temporaries(session, found)
    if found.troubles:
        raise typer.Exit(1)


@temp_app.command("clean")
def temp_clean(
    ctx: typer.Context,
    roots: Roots = None,
    older_than: TemporaryAge = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Remove stale partial products and scratch directories, and move CASA's logs to the state directory.

    Whatever may have an owner stays. The incoming directory is left alone unless it is named. Exit status: 0 done,
    1 something failed, 2 wrong usage.
    """
    session = begin(ctx)
    from dsa110_contimg.storage.temporaries import Tidied, tidy

    found = _scan_temporaries(session, roots, older_than, with_input=False)
    done = Tidied() if dry_run else tidy(found, _logs(session))
    if as_json:
        emit_json({"scan": found, "dry_run": dry_run, "done": done})
    else:
        _print_temporaries(session, found)
        if not dry_run:
            _print_tidied(session, found, done)
    unforeseen = set(done.kept) & {item.path for item in found.stale}
    if found.troubles or unforeseen:
        raise typer.Exit(1)


def _roots(session: Session, roots: list[Path] | None, *, with_input: bool) -> list[Path]:
    """Give the directories that were typed, or those of the settings."""
    if roots:
        return roots
    paths = session.settings.paths
    named = (paths.input if with_input else None, paths.ms, paths.qa, paths.scratch, paths.state)
    return [path for path in named if path is not None]


def _age_s(session: Session, older_than: float | None) -> float:
    return session.settings.housekeeping.leftover_age_s if older_than is None else older_than


def _logs(session: Session) -> Path:
    return session.settings.paths.state.absolute() / "logs"


def _scan_leftovers(
    session: Session, roots: list[Path] | None, older_than: float | None, *, with_input: bool
) -> LeftoverScan:
    from dsa110_contimg.storage.leftovers import scan_leftovers

    with _looking(session):
        return scan_leftovers(
            _roots(session, roots, with_input=with_input),
            min_age_s=_age_s(session, older_than),
            all_exist=bool(roots),
        )


def _scan_temporaries(
    session: Session, roots: list[Path] | None, older_than: float | None, *, with_input: bool
) -> TemporaryScan:
    from dsa110_contimg.storage.temporaries import Patience, scan_temporaries

    settings = session.settings.housekeeping
    hours = settings.temporary_age_h if older_than is None else older_than
    patience = Patience(hours * 3600.0, settings.leftover_age_s, _current_attempts(session))
    with _looking(session):
        places = _roots(session, roots, with_input=with_input)
        return scan_temporaries(places, _logs(session), patience, all_exist=bool(roots))


def _current_attempts(session: Session) -> frozenset[str] | None:
    """Name the partial directories of attempts that the stream may still publish; None: there is no ledger to ask."""
    from dsa110_contimg.cli.ledger import ledger_path, open_existing
    from dsa110_contimg.pipeline.commit import current_partials

    if not ledger_path(session, None).exists():
        return None
    with open_existing(session, None) as ledger:
        return current_partials(ledger)


@contextmanager
def _looking(session: Session) -> Iterator[None]:
    """Show on a terminal that something is going on."""
    if session.console.is_terminal and not session.log_json:
        with session.console.status("looking through the directories"):
            yield
    else:
        yield


def _name_holders(session: Session, plans: Sequence[HolderPlan]) -> None:
    """Say on stderr who would be stopped, and who not and why."""
    from dsa110_contimg.config.logs import human_bytes

    for plan in plans:
        what = f"{plan.process} holds {human_bytes(plan.held_bytes)} in {len(plan.leftovers)} files"
        _say(session, f"{what}: left alone: {plan.refusal}" if plan.refusal else f"{what}: to be stopped")


def _stop(session: Session, plans: Sequence[HolderPlan], found: LeftoverScan, *, yes: bool) -> list[Stopped]:
    """Ask, and stop those that may be stopped.

    Raises
    ------
    UsageError
        There is nobody to ask.
    """
    from dsa110_contimg.errors import UsageError
    from dsa110_contimg.storage.holders import stop_process

    wanted = [plan for plan in plans if not plan.refusal]
    if not wanted:
        return []
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError(
                f"{len(wanted)} processes would be stopped, and nobody can be asked", remedy="Add --yes, or --dry-run."
            )
        if not typer.confirm(f"Stop {len(wanted)} processes?", err=True):
            return []
    wait_s = session.settings.housekeeping.stop_wait_s
    stopped = [stop_process(plan, found.roots, wait_s=wait_s) for plan in wanted]
    for item in stopped:
        _say(session, f"process {item.process.pid}: {item.outcome}")
    return stopped


def _say(session: Session, text: str) -> None:
    """Print a line on stderr as it is, not broken; those who read JSON there find all of it on stdout."""
    if not session.log_json:
        typer.echo(text, err=True)


def _print_troubles(session: Session, troubles: Sequence[Trouble]) -> None:
    for trouble in troubles:
        _say(session, f"{trouble.path}: {trouble.reason}")


def _print_leftovers(session: Session, found: LeftoverScan) -> None:
    from dsa110_contimg.config.logs import human_bytes, human_span
    from dsa110_contimg.storage.leftovers import LeftoverState

    _print_troubles(session, found.troubles)
    if not found.leftovers:
        typer.echo("FUSE has left nothing here")
        return
    lines = [_LINE.format("size", "age", "state", "file system", "file")]
    for item in found.leftovers:
        size, age = human_bytes(item.size_bytes), human_span(item.age_s)
        system = item.mount.fstype + (" (FUSE)" if item.mount.is_fuse else "")
        lines.append(_LINE.format(size, age, item.state.value, system, item.path))
        users = [holder for holder in item.holders if not holder.is_fuse_daemon]
        lines += [f"    {said}" for said in ([f"held by {holder}" for holder in users] or [item.said])]
    parts = [f"{human_bytes(found.bytes_of(state))} {state.value}" for state in LeftoverState]
    total = sum(item.size_bytes for item in found.leftovers)
    typer.echo("\n".join([*lines, f"{len(found.leftovers)} files, {human_bytes(total)}: {', '.join(parts)}"]))
    if found.n_unseen:
        _say(session, f"{found.n_unseen} processes cannot be looked into, and may hold what nobody seems to")


def _print_removed(session: Session, removed: Removed) -> None:
    from dsa110_contimg.config.logs import human_bytes

    for path, reason in removed.failures.items():
        _say(session, f"{path}: {reason}")
    n_stay = len(removed.kept) + len(removed.failures)
    typer.echo(
        f"removed {len(removed.files)} files and {len(removed.directories)} empty directories: "
        f"{human_bytes(removed.freed_bytes)} freed; {n_stay} files stay"
    )


def _print_temporaries(session: Session, found: TemporaryScan) -> None:
    from dsa110_contimg.config.logs import human_bytes, human_span

    _print_troubles(session, found.troubles)
    if not found.found:
        typer.echo("nothing temporary is here")
        return
    lines = [_LINE.format("size", "age", "state", "kind", "path")]
    for item in found.found:
        size, age = human_bytes(item.size_bytes), human_span(item.age_s)
        lines.append(_LINE.format(size, age, "stays" if item.owner else "stale", item.kind.value, item.path))
        lines += [f"    {item.owner}"] if item.owner else []
    stale_bytes = sum(item.size_bytes for item in found.stale)
    typer.echo("\n".join([*lines, f"{len(found.stale)} of {len(found.found)} are stale, {human_bytes(stale_bytes)}"]))


def _print_tidied(session: Session, found: TemporaryScan, done: Tidied) -> None:
    from dsa110_contimg.config.logs import human_bytes

    for item in found.stale:
        if item.path in done.kept:
            _say(session, f"{item.path}: {done.kept[item.path]}")
    typer.echo(
        f"removed {len(done.removed)}, moved {len(done.moved)} logs to {_logs(session)}: "
        f"{human_bytes(done.freed_bytes)} freed"
    )
