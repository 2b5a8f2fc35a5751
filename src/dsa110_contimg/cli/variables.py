"""``dsa110-contimg variables``: which sources vary, and which events stand out."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dsa110_contimg.cli.context import Json, begin, emit_json
from dsa110_contimg.cli.lazy import LightGroup
from dsa110_contimg.cli.options import LightcurvesDir, ReplaceFiles

if TYPE_CHECKING:
    from astropy.table import QTable, Row

    from dsa110_contimg.lightcurves.variables import Variables

app = typer.Typer(cls=LightGroup, no_args_is_help=True, add_completion=False, rich_markup_mode=None)


@app.callback()
def variables() -> None:
    """Find the sources that vary."""


@app.command("list")
def list_variables(
    ctx: typer.Context,
    strip: Annotated[str | None, typer.Option(metavar="STRIP", help="This strip only: +54.6.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Steady sources, too.")] = False,
    events: Annotated[bool, typer.Option("--events", help="Only sources with an event as a lens makes it.")] = False,
    sigma: Annotated[
        float | None, typer.Option(metavar="X", help="How far above the steady ones; lightcurves.variable_sigma.")
    ] = None,
    false_alarms: Annotated[
        float | None, typer.Option(metavar="X", help="Events expected by chance; lightcurves.false_alarms.")
    ] = None,
    export: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write all that is known of them: .csv, .parquet or .vot.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="PNG", help="Draw eta against V, candidates named; needs one strip.")
    ] = None,
    replace: ReplaceFiles = False,
    directory: LightcurvesDir = None,
    as_json: Json = False,
) -> None:
    """List the sources that vary more than others of like flux density, and those with an event.

    Events as a plasma lens makes them come first, then other events, then what varies otherwise.
    """
    session = begin(ctx)
    from astropy.table import vstack

    from dsa110_contimg.config.changes import with_changes
    from dsa110_contimg.errors import UsageError
    from dsa110_contimg.lightcurves.exports import require_export, require_new, write_export
    from dsa110_contimg.lightcurves.lookup import merged_in
    from dsa110_contimg.lightcurves.query import open_store
    from dsa110_contimg.lightcurves.variables import find_variables

    settings = with_changes(
        session.settings, lightcurves={"variable_sigma": sigma, "false_alarms": false_alarms}
    ).lightcurves
    root = directory or session.settings.lightcurves_directory
    if export is not None:
        require_export(export, replace=replace)
    wanted = _strips(root, strip)
    if plot is not None:
        require_new(plot, replace=replace)
        if len(wanted) > 1:
            raise UsageError("a picture is of one strip", remedy=f"Add --strip: {', '.join(wanted)}.")
    tables, reports = [], []
    for one in wanted:
        with (
            session.console.status(f"strip {one}"),
            open_store(root, one, threads=settings.threads, memory_gb=settings.memory_gb) as store,
        ):
            found = find_variables(store, one, settings, merged_in(root, one))
        tables.append(_chosen(found, everything=everything, events=events))
        reports.append(_summary(found))
        if plot is not None:
            from dsa110_contimg.qa.variables_figure import draw_variables

            draw_variables(plot, found)
    table = vstack(tables, metadata_conflicts="silent")
    if export is not None:
        write_export(export, table)
    if as_json:
        files = {"export": export, "plot": plot}
        emit_json({"strips": reports, "sources": _plain(table)} | {k: v for k, v in files.items() if v is not None})
        return
    for report in reports:
        typer.echo(
            f"strip {report['strip']}: {report['sources']} sources, {report['days']:.0f} days, "
            f"{report['variable']} vary, {report['lenses']} with an event as a lens makes it, "
            f"{report['events'] - report['lenses']} with another"
        )
    for row in table:
        typer.echo(_line(row))
    for what, path in (("plot", plot), ("export", export)):
        if path is not None:
            typer.echo(f"{what}: {path}")


def _strips(root: Path, strip: str | None) -> list[str]:
    """List the strips that are asked for."""
    from dsa110_contimg.errors import LightcurveError
    from dsa110_contimg.lightcurves.files import strips

    known = strips(root)
    wanted = known if strip is None else [one for one in known if one == strip]
    if not wanted:
        raise LightcurveError(
            "there are no light curves" + (f" of the strip {strip}" if strip else ""),
            path=root,
            remedy=f"It has {', '.join(known)}." if known else "Measure epochs: dsa110-contimg photometry collect.",
        )
    return wanted


def _chosen(found: "Variables", *, everything: bool, events: bool) -> "QTable":
    """Give the table of those that are asked for, in order, each with its strip."""
    import numpy as np

    from dsa110_contimg.lightcurves.variables import variables_table

    lenses = {event.source_id for event in found.events if event.is_lens}
    striking = {event.source_id for event in found.events} | set(found.days.source_id[found.variable].tolist())
    order = found.order()
    if events or not everything:
        keep = lenses if events else striking
        order = order[np.isin(found.days.source_id[order], list(keep))]
    table = variables_table(found, order)
    table.add_column(np.full(len(table), found.strip), index=0, name="strip")
    table["strip"].info.description = "strip of declination"
    return table


def _summary(found: "Variables") -> dict[str, Any]:
    mjd = found.days.mjd
    return {
        "strip": found.strip,
        "sources": int(found.variable.size),
        "days": float(mjd[-1] - mjd[0] + found.days.bin_d) if mjd.size else 0.0,
        "variable": int(found.variable.sum()),
        "events": len(found.events),
        "lenses": sum(event.is_lens for event in found.events),
    }


def _plain(table: "QTable") -> list[dict[str, Any]]:
    return [{name: getattr(row[name], "value", row[name]) for name in table.colnames} for row in table]


def _line(row: "Row") -> str:
    text = (
        f"{row['name']:18s} {row['source_id']:18d}  {row['mean'].to_value('mJy'):9.2f} mJy  eta {row['eta']:9.2f}  "
        f"V {row['v']:.3f}  {row['significance']:6.1f} sigma"
    )
    if row["event"]:
        chance = row["event_false_alarms"]
        text += (
            f"  {row['event']} {row['event_size']:.0%} at MJD {row['event_mjd'].value:.1f} for "
            f"{row['event_width_d'].value:.0f} d: {row['event_verdict']}, "
            f"{'under 1e-06' if chance < 1e-6 else f'{chance:.1g}'} by chance"
        )
        if row["event_reasons"]:
            text += f" ({row['event_reasons']})"
    elif not row["variable"]:
        text += "  steady"
    return text
