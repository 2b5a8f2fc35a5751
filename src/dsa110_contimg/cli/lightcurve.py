"""``dsa110-contimg lightcurve``: what was measured of a source, how it varies, and a picture of it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dsa110_contimg.cli.context import Json, begin, emit_json
from dsa110_contimg.cli.options import LightcurvesDir, ReplaceFiles

if TYPE_CHECKING:
    import pyarrow as pa

    from dsa110_contimg.config.settings import Settings
    from dsa110_contimg.lightcurves.lookup import Found

_KINDS = ("mosaic", "group")
_BANDS = ("full", "lower", "upper")


def lightcurve(
    ctx: typer.Context,
    source: Annotated[
        str,
        typer.Argument(metavar="SOURCE|RA,DEC", help="A source's number or name (J123456.7+543210), or its position."),
    ],
    strip: Annotated[str | None, typer.Option(metavar="STRIP", help="Look in this strip only: +54.6.")] = None,
    radius: Annotated[float, typer.Option(metavar="ARCSEC", min=0.0, help="How far from the position it may be.")] = 30,
    kind: Annotated[str, typer.Option(metavar="KIND", help="mosaic, or group: single images.")] = "mosaic",
    band: Annotated[str | None, typer.Option(metavar="BAND", help="full, lower or upper; all, if not given.")] = None,
    plot: Annotated[Path | None, typer.Option(metavar="PNG", help="Draw it, with the sky on some days.")] = None,
    export: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the measurements: .csv, .parquet or .vot.")
    ] = None,
    replace: ReplaceFiles = False,
    directory: LightcurvesDir = None,
    as_json: Json = False,
) -> None:
    """Print the measurements of a source and what they say of its variability; draw them, or export them.

    Flux densities are those on the scale of steady sources. Rows with flags that make them unusable are printed and
    exported, but do not count.
    """
    session = begin(ctx)
    from dsa110_contimg.errors import LightcurveError, UsageError
    from dsa110_contimg.lightcurves.exports import measurements_table, require_export, require_new, write_export
    from dsa110_contimg.lightcurves.lookup import find_source
    from dsa110_contimg.lightcurves.query import light_curve, open_store

    for word, given, known in (("kind", kind, _KINDS), ("band", band or "full", _BANDS)):
        if given not in known:
            raise UsageError(f"no {word} {given!r}", remedy=f"It is one of {', '.join(known)}.")
    if export is not None:
        require_export(export, replace=replace)
    if plot is not None:
        require_new(plot, replace=replace)
    root = directory or session.settings.lightcurves_directory
    found = find_source(root, source, strip, radius)
    with open_store(root, found.strip) as store:
        rows = light_curve(store, found.numbers, kind=kind, band=band)
    if not rows.num_rows:
        raise LightcurveError(
            f"the source {found.name} was not measured in images of that kind and band",
            path=root,
            remedy="leave --kind or --band out",
        )
    report = _report(session.settings, found, rows, band or "full")
    if export is not None:
        write_export(export, measurements_table(rows))
        report["export"] = export
    if plot is not None:
        _draw(session.settings, found, rows, plot, band or "full")
        report["plot"] = plot
    if as_json:
        emit_json(report | {"measurements": rows.to_pylist()})
        return
    _print(report, rows)


def _report(settings: "Settings", found: "Found", rows: "pa.Table", band: str) -> dict[str, Any]:
    """Say what is known of the source: statistics of one band."""
    import numpy as np

    from dsa110_contimg.lightcurves.variability import variability

    days = _days(settings, found, rows, band)
    report: dict[str, Any] = {"source": found._asdict(), "n_measurements": rows.num_rows, "statistics": None}
    if days.source_id.size:
        statistics = variability(days)
        numbers = {
            name: values[0] for name, values in statistics._asdict().items() if np.ndim(values) == 1 and name != "lag_d"
        }
        lags = [
            {"lag_d": lag, "structure": value, "pairs": pairs}
            for lag, value, pairs in zip(
                statistics.lag_d, statistics.structure[0], statistics.structure_pairs[0], strict=True
            )
        ]
        report["statistics"] = {"band": band} | numbers | {"structure_function": lags}
    return report


def _days(settings: "Settings", found: "Found", rows: "pa.Table", band: str) -> Any:
    import pyarrow.compute as pc

    from dsa110_contimg.lightcurves.variables import half_days

    one = rows.filter(pc.equal(rows["band"].cast("string"), band))
    return half_days(one, settings.lightcurves.bin_days, dict.fromkeys(found.also, found.source_id))


def _draw(settings: "Settings", found: "Found", rows: "pa.Table", plot: Path, band: str) -> None:
    from dsa110_contimg.lightcurves.events import find_events
    from dsa110_contimg.qa.light_curve_figure import draw_light_curve, take_snapshots

    days = {each: _days(settings, found, rows, each) for each in _BANDS}
    one = days[band]
    events = find_events(one, lambda _: (days["lower"], days["upper"]), false_alarms=settings.lightcurves.false_alarms)
    event = events[0] if events else None
    snapshots = take_snapshots(rows, settings.paths.ms, found.ra_deg, found.dec_deg, event)
    title = f"{found.name}  strip {found.strip}  {found.ra_deg:.5f} {found.dec_deg:+.5f} deg"
    if event is not None:
        title += f"   {event.shape}, {event.width_d:.0f} d, {event.size:.0%}"
    draw_light_curve(plot, rows, title, event=event, snapshots=snapshots)


def _print(report: dict[str, Any], rows: "pa.Table") -> None:
    from dsa110_contimg.photometry.measurements import Flag

    source, told = report["source"], report["statistics"]
    merged = f", with {len(source['also'])} merged into it" if source["also"] else ""
    typer.echo(
        f"{source['name']}  {source['source_id']}  {source['ra_deg']:.6f} {source['dec_deg']:+.6f} deg  "
        f"strip {source['strip']}{merged}"
    )
    if told is None:
        typer.echo("no usable measurement")
    else:
        typer.echo(
            f"{told['band']} band: {told['n']} measurements on {told['n_days']} days, "
            f"mean {told['mean'] * 1e3:.3f} +- {told['e_mean'] * 1e3:.3f} mJy, eta {told['eta']:.2f}, V {told['v']:.3f}"
        )
        typer.echo(
            f"most different days: Vs {told['vs']:.1f}, m {told['m']:.3f}; longest excursion "
            f"{told['excursion_d']:.0f} d, {told['excursion']:+.0%}"
        )
    typer.echo("# MJD          band   image                      corrected     error  measured  flags      (mJy)")
    for row in rows.to_pylist():
        flags = ",".join(str(flag.name).lower() for flag in Flag(row["flags"])) or "-"
        typer.echo(
            f"{row['mjd']:.5f}  {row['band']:5s}  {row['image']:24s}  {row['corrected'] * 1e3:10.3f} "
            f"{row['e_corrected'] * 1e3:9.3f} {row['flux'] * 1e3:9.3f}  {flags}"
        )
    for what in ("plot", "export"):
        if what in report:
            typer.echo(f"{what}: {report[what]}")
