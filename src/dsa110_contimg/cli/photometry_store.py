"""``dsa110-contimg photometry collect`` and ``compact``: epochs' measurements into the store of light curves."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dsa110_contimg.cli.context import Json, Session, begin, emit_json
from dsa110_contimg.cli.options import DryRun

if TYPE_CHECKING:
    from dsa110_contimg.lightcurves.compaction import Joined


def collect(
    ctx: typer.Context,
    directories: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[DIRECTORY...]", help="Epochs (*-epoch), or directories that have some; else paths.ms."
        ),
    ] = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="First set aside files of the store that cannot be read (*.damaged).")
    ] = False,
    withdraw: Annotated[
        bool,
        typer.Option("--withdraw", help="Take epochs out of the store that are not in these directories any more."),
    ] = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Take epochs' measurements into the light curves: those that are new, or were measured again.

    What is in the store already is left as it is, so this can be run at any time. The epochs stay as they are.
    """
    session = begin(ctx)
    from rich.progress import track

    from dsa110_contimg.errors import NoGroupsError
    from dsa110_contimg.lightcurves import store

    root, settings = session.settings.lightcurves_directory, session.settings.lightcurves
    places = directories or [session.settings.paths.ms]
    epochs = store.find_epochs(places)
    if not epochs:
        raise NoGroupsError(
            "no epoch with measurements",
            path=places[0],
            remedy="make one: dsa110-contimg photometry epoch",
        )
    aside = store.set_aside_damaged(root) if rebuild and not dry_run else []
    wanted = store.outdated(root, epochs)
    # Listed again, and afterwards: what the stream has published since is in both, and is not withdrawn.
    stored, there = store.stored_epochs(root), store.find_epochs(places)
    missing = [epoch for epoch in stored if epoch not in there]
    joined: list[Joined] = []
    if not dry_run:
        console = session.console
        for epoch in track(wanted, "collecting", console=console, transient=True, disable=not console.is_terminal):
            store.add_epoch(root, epochs[epoch], settings)
        for epoch in missing if withdraw else []:
            store.remove_epoch(root, epoch)
        joined = _join(session, None)
    if as_json:
        emit_json(
            {
                "directory": root,
                "epochs": len(epochs),
                "taken_in": wanted,
                "not_found": missing,
                "withdrawn": missing if withdraw else [],
                "set_aside": aside,
                "joined": joined,
                "dry_run": dry_run,
            }
        )
        return
    for path in aside:
        typer.echo(f"set aside {path}")
    would = "would be " if dry_run else ""
    typer.echo(f"{len(wanted)} of {len(epochs)} epochs {would}taken into {root}; the others are in it already")
    if missing:
        typer.echo(f"{len(missing)} in it were not found there" + (f", and {would}withdrawn" if withdraw else ""))
    _print(joined)


def compact(
    ctx: typer.Context,
    strip: Annotated[str | None, typer.Option(metavar="STRIP", help="Only this strip, as +54.6.")] = None,
    every: Annotated[
        bool, typer.Option("--all", help="All months: puts every flux on the scale of the steady sources of now.")
    ] = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Join the epochs of a month to one file, in which a source is found at once.

    Steady sources are looked for again on the way, and the month's fluxes put on their scale. The stream does it
    whenever lightcurves.join_epochs epochs have come.
    """
    session = begin(ctx)
    from dsa110_contimg.errors import NamingError, UsageError
    from dsa110_contimg.naming import strip_dec

    if strip is not None:
        try:
            strip_dec(strip)
        except NamingError as error:
            raise UsageError(error.message, remedy=error.remedy) from None
    months = _months(session, strip, every=every)
    if dry_run:
        if as_json:
            emit_json({"months": [{"strip": name, "month": month} for name, month in months], "dry_run": True})
        for name, month in [] if as_json else months:
            typer.echo(f"{name} {month} would be joined")
        return
    joined = _join(session, months)
    if as_json:
        emit_json({"months": joined, "dry_run": False})
        return
    _print(joined)
    if not joined:
        typer.echo("nothing to join")


def _months(session: Session, strip: str | None, *, every: bool) -> list[tuple[str, str]]:
    """List strips and months that are to be joined."""
    from dsa110_contimg.lightcurves.compaction import due
    from dsa110_contimg.lightcurves.files import months, strips

    root = session.settings.lightcurves_directory
    if every:
        found = [(name, month.month) for name in strips(root) for month in months(root, name)]
    else:
        found = due(root, session.settings.lightcurves)
    return [(name, month) for name, month in found if strip in (None, name)]


def _join(session: Session, months: list[tuple[str, str]] | None) -> "list[Joined]":
    """Join some months, or those that are due."""
    from rich.progress import track

    from dsa110_contimg.lightcurves.compaction import compact as join

    root, settings, console = session.settings.lightcurves_directory, session.settings.lightcurves, session.console
    if months is None:
        months = _months(session, None, every=False)
    shown = track(months, "joining", console=console, transient=True, disable=not console.is_terminal)
    joined = [join(root, strip, month, settings) for strip, month in shown]
    return [one for one in joined if one is not None]


def _print(joined: "list[Joined]") -> None:
    for one in joined:
        typer.echo(f"{one.strip} {one.month}: {one.n_epochs} epochs, {one.n_rows} rows in one file")
