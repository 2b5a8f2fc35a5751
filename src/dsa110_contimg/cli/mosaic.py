"""``dsa110-contimg mosaic``: images of many groups joined to one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dsa110_contimg.cli.context import Json, Session, begin, emit_json, time_given
from dsa110_contimg.cli.progress import progress_bar

if TYPE_CHECKING:
    from dsa110_contimg.config.settings import MosaicSettings
    from dsa110_contimg.mosaic.inputs import Input


def mosaic(
    ctx: typer.Context,
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="[IMAGES]... OUT",
            help="Images (*-image.fits), *-images directories or what has them below it (paths.ms); where it appears.",
        ),
    ],
    hour: Annotated[
        str | None, typer.Option(metavar="TIME", help="The hour of sidereal time in which this moment is (UTC).")
    ] = None,
    time_range: Annotated[
        tuple[str, str] | None, typer.Option("--range", metavar="TIME TIME", help="From one moment to another (UTC).")
    ] = None,
    utc_hour: Annotated[
        str | None, typer.Option(metavar="TIME", help="The hour of UTC in which this moment is.")
    ] = None,
    window: Annotated[
        float | None,
        typer.Option(
            metavar="HOURS", help="A mosaic of each window of so many hours (UTC), one after another over all images."
        ),
    ] = None,
    step: Annotated[
        float | None, typer.Option(metavar="HOURS", help="How far a window is from the next; half of it.")
    ] = None,
    cell: Annotated[float | None, typer.Option(metavar="ARCSEC", help="Pixel size.")] = None,
    floor: Annotated[float | None, typer.Option(metavar="X", help="Blank below this part of the beam's peak.")] = None,
    convolve: Annotated[
        bool | None, typer.Option("--convolve/--no-convolve", help="Smooth images to a common beam first.")
    ] = None,
    bad: Annotated[bool, typer.Option("--bad", help="Take images that were judged bad, too.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Replace a mosaic that is there already.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say which images would be joined.")] = False,
    as_json: Json = False,
) -> None:
    """Join the images of one declination strip, weighted with beam^2 / noise^2, corrected for the beam.

    Leaves a directory with the mosaic, its noise, its weight, and a record of what is in it. Without a time all
    images that are named are joined.
    """
    session = begin(ctx)
    from dsa110_contimg.config.changes import with_changes
    from dsa110_contimg.errors import UsageError
    from dsa110_contimg.mosaic.inputs import find_inputs, require_alike

    timed = _check_times({"--hour": hour, "--range": time_range, "--utc-hour": utc_hour}, window, step)
    *places, output = paths
    if not places:
        if not timed:
            raise UsageError("no images are named", remedy="Name some, or a time: --hour, --range, --utc-hour.")
        places = [session.settings.paths.ms]
    changes = {"cell_arcsec": cell, "floor": floor, "convolve": convolve}
    settings = with_changes(session.settings, mosaic=changes).mosaic
    found = _in_time(find_inputs(places), hour, time_range, utc_hour)
    chosen = [one for one in found if bad or one.verdict != "bad"]
    require_alike(chosen)
    left_out = [{"group": one.group, "why": "its image is bad"} for one in found if one not in chosen]
    reports = []
    for some in _windows(chosen, window, step):
        report: dict[str, Any] = {
            "inputs": [{"group": one.group, "image": one.image, "verdict": one.verdict} for one in some],
            "left_out": left_out,
        }
        if not dry_run:
            report |= _make(session, some, output, settings, {"left_out": left_out}, replace=replace)
        reports.append(report)
        if not as_json:
            _print(report, dry_run=dry_run)
    if as_json:
        emit_json(reports[0] if window is None else {"mosaics": reports})


def _check_times(times: dict[str, Any], window: float | None, step: float | None) -> bool:
    """See that times are some, and do not contradict one another; say whether there is one."""
    from dsa110_contimg.errors import UsageError

    said = {name: value for name, value in times.items() if value is not None}
    if len(said) > 1:
        raise UsageError(f"{' and '.join(said)} cannot both be said")
    for value in said.values():
        for text in [value] if isinstance(value, str) else value:
            time_given(text)
    if step is not None and window is None:
        raise UsageError("--step says how far a --window is from the next", remedy="Give both, or neither.")
    for name, hours in {"--window": window, "--step": step}.items():
        if hours is not None and not 0 < hours < float("inf"):
            raise UsageError(f"{name} is a number of hours above 0, not {hours:g}")
    return bool(said)


def _print(report: dict[str, Any], *, dry_run: bool) -> None:
    for one in report["inputs"]:
        typer.echo(f"{one['group']}  {one['verdict']:7s} {one['image']}")
    for one in report["left_out"]:
        typer.echo(f"{one['group']}  left out: {one['why']}")
    if not dry_run:
        typer.echo(
            f"{report['directory']}: {report['area_deg2']:.1f} deg2, noise {report['best_rms_jy'] * 1e3:.3f} mJy"
        )


def _in_time(
    found: "list[Input]", hour: str | None, time_range: tuple[str, str] | None, utc_hour: str | None
) -> "list[Input]":
    """Choose those of a time."""
    from dsa110_contimg.ledger.records import mjd_of
    from dsa110_contimg.mosaic.epochs import epoch_at, in_epoch, in_range, in_utc_hour
    from dsa110_contimg.telescope.band import HEADER_SITE

    if hour is not None:
        longitude = HEADER_SITE.longitude_deg
        return in_epoch(found, epoch_at(mjd_of(time_given(hour)), longitude), longitude)
    if time_range is not None:
        start, end = (mjd_of(time_given(text)) for text in time_range)
        return in_range(found, start, end)
    if utc_hour is not None:
        return in_utc_hour(found, mjd_of(time_given(utc_hour)))
    return found


def _windows(chosen: "list[Input]", window: float | None, step: float | None) -> "list[list[Input]]":
    """Give what is joined to one mosaic each."""
    from dsa110_contimg.mosaic.epochs import windows

    return [chosen] if window is None else list(windows(chosen, window, window / 2 if step is None else step))


def _make(
    session: Session,
    chosen: "list[Input]",
    output: Path,
    settings: "MosaicSettings",
    facts: dict[str, Any],
    *,
    replace: bool,
) -> dict[str, Any]:
    from dsa110_contimg.mosaic.joining import join
    from dsa110_contimg.mosaic.products import write_mosaic
    from dsa110_contimg.qa.preview import draw_mosaic

    with progress_bar(session, "joining") as tell:
        joint = join(chosen, settings, tell)
        return write_mosaic(joint, chosen, output, settings, facts, replace=replace, draw=draw_mosaic)._asdict()
