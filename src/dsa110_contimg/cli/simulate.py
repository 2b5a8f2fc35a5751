"""``dsa110-contimg simulate``: write what the telescope would, with a known sky."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dsa110_contimg.cli.context import Json, begin, emit_json

if TYPE_CHECKING:
    from dsa110_contimg.simulation.options import SimulationOptions


def simulate(
    ctx: typer.Context,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Directory for the files; made if need be.")],
    start: Annotated[str | None, typer.Option(metavar="T", help="Start of the first group (UTC, ISO 8601).")] = None,
    dec: Annotated[float | None, typer.Option(metavar="D", help="Apparent declination of the pointing [deg].")] = None,
    groups: Annotated[int | None, typer.Option(metavar="N", help="Groups, without a gap between them.")] = None,
    antennas: Annotated[
        str | None, typer.Option(metavar="N|LIST", help="How many stations, or which (24,103,11) in correlator order.")
    ] = None,
    integrations: Annotated[int | None, typer.Option(metavar="N", help="Integrations in a group (24).")] = None,
    subbands: Annotated[str | None, typer.Option(metavar="LIST", help="Which to write: 0,3,8-11.")] = None,
    sky: Annotated[
        str | None, typer.Option(metavar="FILE|random:N", help="Sources: ra, dec [deg], flux [Jy at 1.4 GHz], alpha.")
    ] = None,
    noise: Annotated[
        str | None, typer.Option(metavar="auto|0|JY", help="Rms of a sample's component; auto is from the SEFD.")
    ] = None,
    gains: Annotated[int | None, typer.Option(metavar="SEED", help="Antenna gains; without, files are in Jy.")] = None,
    rfi: Annotated[bool, typer.Option("--rfi", help="Add interference.")] = False,
    jitter: Annotated[float | None, typer.Option(metavar="S", help="Names are up to so many seconds late (2).")] = None,
    faults: Annotated[
        str | None,
        typer.Option(metavar="LIST", help="KIND:SUBBAND[@GROUP], for example missing:3,truncated:5@1."),
    ] = None,
    oversample: Annotated[
        int | None, typer.Option(metavar="N", help="Samples in an integration: time smearing.")
    ] = None,
    dead: Annotated[str | None, typer.Option(metavar="LIST", help="Stations without power.")] = None,
    one_pol_dead: Annotated[str | None, typer.Option(metavar="LIST", help="Stations without power in XX.")] = None,
    deaf: Annotated[str | None, typer.Option(metavar="LIST", help="Stations with noise but no sky.")] = None,
    swapped: Annotated[str | None, typer.Option(metavar="A,B", help="Stations whose cables are exchanged.")] = None,
    site: Annotated[str | None, typer.Option(metavar="LAT,LON,H", help="Site in the header [deg, deg, m].")] = None,
    beam: Annotated[
        str | None, typer.Option(metavar="MODEL", help="airy, tapered or gaussian:FWHM (deg at 1.4 GHz).")
    ] = None,
    beam_offset: Annotated[
        str | None, typer.Option(metavar="EAST,NORTH", help="Beam relative to the header's pointing [deg].")
    ] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Of all that is random but the gains.")] = None,
    as_json: Json = False,
) -> None:
    """Write subband files with a known sky as the telescope would, and truth.json beside them.

    Kinds of --faults: missing, short, truncated, zeroed, lost-packets, duplicate, conflict, bogus-mjd55000, restarted,
    mismatched-order, off-grid, declination, delays, late-name, incomplete, hidden.
    """
    session = begin(ctx)
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from dsa110_contimg.simulation.run import simulate as run

    options = _options(
        start=start,
        dec_deg=dec,
        groups=groups,
        antennas=antennas,
        integrations=integrations,
        subbands=subbands,
        sky=sky,
        noise=noise,
        gains=gains,
        rfi=rfi,
        jitter_s=jitter,
        faults=faults,
        oversample=oversample,
        dead=dead,
        one_pol_dead=one_pol_dead,
        deaf=deaf,
        swapped=swapped,
        site=site,
        beam=beam,
        beam_offset_deg=beam_offset,
        seed=seed,
    )
    columns = (TextColumn("simulate"), BarColumn(), MofNCompleteColumn(), TextColumn("files"), TimeElapsedColumn())
    with Progress(*columns, console=session.console, transient=True) as progress:
        bar = progress.add_task("", total=options.groups * len(options.subbands))
        result = run(out, options, on_file=lambda _: progress.advance(bar))
    if as_json:
        emit_json({"groups": result.groups, "sky": result.sky, "options": options})
        return
    for group in result.groups:
        typer.echo(f"{group.id}: {len(group.files)} files, truth in {group.truth}")


def _options(**given: Any) -> "SimulationOptions":
    """Read what is written as text, and check everything; what is not given keeps its default."""
    from pydantic import ValidationError

    from dsa110_contimg.errors import NamingError, UsageError
    from dsa110_contimg.naming import parse_utc
    from dsa110_contimg.simulation.faults import parse_faults
    from dsa110_contimg.simulation.options import SimulationOptions, parse_antennas, parse_floats, parse_numbers

    readers = {
        "start": parse_utc,
        "antennas": parse_antennas,
        "faults": parse_faults,
        "site": lambda text: parse_floats(text, 3),
        "beam_offset_deg": lambda text: parse_floats(text, 2),
        **dict.fromkeys(("subbands", "dead", "one_pol_dead", "deaf", "swapped"), parse_numbers),
    }
    try:
        values = {
            name: readers[name](value) if name in readers else value
            for name, value in given.items()
            if value is not None
        }
        return SimulationOptions(**values)
    except NamingError as error:
        raise UsageError(str(error)) from error
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "options"
        raise UsageError(f"--{name.replace('_', '-')}: {first['msg']}") from error
