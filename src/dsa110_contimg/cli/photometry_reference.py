"""``dsa110-contimg photometry reference``: the sources of a strip that are measured; build, add, list."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dsa110_contimg.cli.context import Json, Session, begin, emit_json
from dsa110_contimg.cli.lazy import LightGroup

if TYPE_CHECKING:
    from dsa110_contimg.photometry.reference import ReferenceList

app = typer.Typer(cls=LightGroup, no_args_is_help=True, add_completion=False, rich_markup_mode=None)

Sources = Annotated[
    list[Path],
    typer.Argument(
        metavar="SOURCES...",
        help="Directories *-epoch or *-mosaic, tables with ra, dec, flux, catalogues that were fetched (nvss).",
    ),
]
Dec = Annotated[
    float | None,
    typer.Option(metavar="D", min=-90, max=90, help="Declination of the strip (of date, deg); that of an epoch."),
]
Width = Annotated[
    float, typer.Option(metavar="W", min=0, help="Sources of a catalogue in so wide a strip count [deg].")
]
Least = Annotated[float, typer.Option(metavar="MJY", min=0, help="... that are at least so bright.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be added.")]


@app.callback()
def reference() -> None:
    """Look after the lists of sources that are measured in every image of a strip.

    The stream's epochs add to them by themselves; versions are kept, and the highest counts.
    """


@app.command()
def build(
    ctx: typer.Context,
    sources: Sources,
    dec: Dec = None,
    width: Width = 5.0,
    least: Least = 10.0,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Begin the list of a strip: of the deepest mosaic or epoch, of a catalogue, or of both; the first counts most."""
    _extend(begin(ctx), sources, dec, (width, least), first=True, dry_run=dry_run, as_json=as_json)


@app.command()
def add(
    ctx: typer.Context,
    sources: Sources,
    dec: Dec = None,
    width: Width = 5.0,
    least: Least = 10.0,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Add to the list of a strip what is in an epoch, a mosaic or a catalogue, and not in it."""
    _extend(begin(ctx), sources, dec, (width, least), first=False, dry_run=dry_run, as_json=as_json)


@app.command("list")
def list_references(
    ctx: typer.Context,
    dec: Dec = None,
    version: Annotated[int | None, typer.Option(metavar="N", help="An older version; the current one.")] = None,
    as_json: Json = False,
) -> None:
    """List the strips that have one; with --dec, the sources of that strip."""
    session = begin(ctx)
    from dsa110_contimg.errors import UsageError
    from dsa110_contimg.naming import strip_name
    from dsa110_contimg.photometry.reference import read_reference, strips_with_lists

    root = session.settings.lightcurves_directory
    if dec is not None:
        _show(read_reference(root, strip_name(dec), version), as_json=as_json)
        return
    if version is not None:
        raise UsageError("--version is of one strip", remedy="Say which: --dec.")
    lists = [read_reference(root, strip) for strip in strips_with_lists(root)]
    if as_json:
        emit_json({"directory": root, "lists": [_facts(one) for one in lists]})
        return
    for one in lists:
        facts = _facts(one)
        origins = ", ".join(f"{count} {origin}" for origin, count in facts["origins"].items())
        typer.echo(f"{one.strip}  version {one.version:4d}  {facts['sources']:6d} sources: {origins}")
    if not lists:
        typer.echo(f"none in {root}")


def _extend(
    session: Session,
    sources: list[Path],
    dec: float | None,
    limits: tuple[float, float],
    *,
    first: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    from dsa110_contimg.errors import UsageError
    from dsa110_contimg.naming import strip_name
    from dsa110_contimg.photometry.reference import read_reference
    from dsa110_contimg.pipeline.reference_lists import extend, read_offer, strip_among

    strip = strip_among(sources) if dec is None else strip_name(dec)
    if strip is None:
        raise UsageError("which strip is it?", remedy="Say its declination: --dec 54.6.")
    root, settings = session.settings.lightcurves_directory, session.settings
    if not first:
        read_reference(root, strip)  # that there is none is said before anything is searched
    width_deg, least_mjy = limits
    offers = [read_offer(source, strip, width_deg, least_mjy / 1e3, settings) for source in sources]
    made, taken = extend(root, strip, offers, settings, begin=first, dry_run=dry_run)
    if as_json:
        emit_json(_facts(made) | {"taken": taken})
        return
    for one in taken:
        typer.echo(f"{one.origin}: {one.offered} sources, {one.known} known already, {one.added} added")
    written = f"version {made.version}" if not dry_run else "not written"
    typer.echo(f"{strip}: {_facts(made)['sources']} sources, {written}")


def _facts(made: "ReferenceList") -> dict[str, Any]:
    from dsa110_contimg.photometry.reference import alive
    from dsa110_contimg.pipeline.reference_lists import origins

    n_sources = len(alive(made).source_id)
    merged = len(made.source_id) - n_sources
    return {
        "strip": made.strip,
        "version": made.version,
        "sources": n_sources,
        "merged": merged,
        "origins": origins(made),
    }


def _show(made: "ReferenceList", *, as_json: bool) -> None:
    columns = {name: value for name, value in made._asdict().items() if name not in {"strip", "version"}}
    rows = [
        dict(zip(columns, row, strict=True))
        for row in zip(*(value.tolist() for value in columns.values()), strict=True)
    ]
    if as_json:
        emit_json(_facts(made) | {"list": rows})
        return
    for row in rows:
        now = f"  is {row['same_as']}" if row["same_as"] else ""
        typer.echo(
            f"{row['source_id']:<17d} {row['name']:19s} {row['ra_deg']:10.5f} {row['dec_deg']:+9.5f} "
            f"{1e3 * row['flux_jy']:9.2f} mJy  {row['origin']}{now}"
        )
