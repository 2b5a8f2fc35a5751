"""``dsa110-contimg photometry epoch``: an hour's images of a strip joined, searched, judged and measured."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dsa110_contimg.cli.context import Json, Session, begin, emit_json, time_given
from dsa110_contimg.cli.progress import progress_bar

if TYPE_CHECKING:
    from datetime import datetime

    from dsa110_contimg.mosaic.inputs import Input


def epoch(
    ctx: typer.Context,
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="[IMAGES]... OUT",
            help="Directories *-images, or what has them below it (paths.ms); where the epoch's directory appears.",
        ),
    ],
    hour: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="The hour of sidereal time in which this moment is (UTC); else the images'."),
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep/--no-keep", help="Take it into the strip's list and into the light curves.")
    ] = True,
    replace: Annotated[bool, typer.Option("--replace", help="Replace an epoch that is there already.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be joined to which epoch.")] = False,
    as_json: Json = False,
) -> None:
    """Join the images of an hour, find its sources, judge it, and measure all that the strip's list has.

    What is found and not yet in the list is added to it, and the measurements go into the light curves, as the stream
    does it. Of a bad epoch nothing is added, and its measurements are flagged. Exit status 0 says that it was made.
    """
    session = begin(ctx)
    from dsa110_contimg.errors import OutputExistsError, UsageError
    from dsa110_contimg.mosaic.epochs import name_epoch
    from dsa110_contimg.mosaic.inputs import find_inputs, require_alike
    from dsa110_contimg.naming import epoch_directory_name
    from dsa110_contimg.photometry.reference import strips_with_lists
    from dsa110_contimg.telescope.band import HEADER_SITE

    *places, output = paths
    if not places and hour is None:
        raise UsageError("no images are named", remedy="Name some, or a time: --hour.")
    moment = None if hour is None else time_given(hour)
    found = find_inputs(places or [session.settings.paths.ms])
    chosen, which = _of_hour(found, moment)
    require_alike([one for one in chosen if one.verdict != "bad"])
    name = name_epoch(chosen, which, HEADER_SITE, strips_with_lists(session.settings.lightcurves_directory))
    final = output / epoch_directory_name(name)
    report: dict[str, Any] = {
        "epoch": name,
        "directory": final,
        "images": [{"group": one.group, "image": one.image, "verdict": one.verdict} for one in chosen],
    }
    if not as_json:
        for one in chosen:
            typer.echo(f"{one.group}  {one.verdict:7s} {one.image}" + ("  not joined" if one.verdict == "bad" else ""))
    if not dry_run:
        if final.exists() and not replace:
            raise OutputExistsError("is there already", path=final, remedy="Give --replace to make it again.")
        report |= _make(session, name, chosen, final, keep=keep, replace=replace)
    if as_json:
        emit_json(report)
    elif dry_run:
        typer.echo(f"{final}")
    else:
        typer.echo(
            f"{final}: {report['verdict']}; {report['n_sources']} sources, {report['n_new']} of them new to the list; "
            f"{report['n_measurements']} measurements"
        )
        for reason in report["reasons"]:
            typer.echo(f"  {reason}")


def _of_hour(found: "list[Input]", moment: "datetime | None") -> "tuple[list[Input], Any]":
    """Choose the images of an hour, and say which that is."""
    from dsa110_contimg.ledger.records import mjd_of
    from dsa110_contimg.mosaic.epochs import common_epoch, epoch_at, in_epoch
    from dsa110_contimg.mosaic.inputs import require_alike
    from dsa110_contimg.telescope.band import HEADER_SITE

    longitude = HEADER_SITE.longitude_deg
    if moment is None:
        require_alike(found)
        return found, common_epoch(found, longitude)
    which = epoch_at(mjd_of(moment), longitude)
    return in_epoch(found, which, longitude), which


def _make(
    session: Session, name: str, chosen: "list[Input]", final: Path, *, keep: bool, replace: bool
) -> dict[str, Any]:
    from dsa110_contimg.pipeline.epoch import keep_epoch, make_epoch
    from dsa110_contimg.storage.publish import clear_dead_partials, partial_directory, publish

    settings, root = session.settings, session.settings.lightcurves_directory
    clear_dead_partials(final.parent)
    with (
        partial_directory(final.parent, chosen[0].group) as partial,
        progress_bar(session, name) as tell,
    ):
        images = [one.image.parent for one in chosen]
        made = make_epoch(name, images, root, partial, settings, progress=tell)
        publish(made.directory, final, replace=replace)
    if keep:
        keep_epoch(final, root, settings)
    return made._asdict() | {"directory": final, "kept": keep}
