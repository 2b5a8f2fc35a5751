"""``dsa110-contimg catalogue``: surveys of the sky to compare images with; fetch them, and list what is there."""

from pathlib import Path
from typing import Annotated

import typer

from dsa110_contimg.cli.context import Json, begin, emit_json
from dsa110_contimg.cli.lazy import LightGroup

app = typer.Typer(cls=LightGroup, no_args_is_help=True, add_completion=False, rich_markup_mode=None)

Directory = Annotated[
    Path | None, typer.Option("--directory", metavar="DIR", help="Where catalogues are kept; catalogue.directory.")
]


@app.callback()
def catalogue() -> None:
    """Fetch surveys of the sky, and list what was fetched."""


@app.command()
def fetch(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A survey: nvss, first, racs-low, racs-mid.")],
    dec: Annotated[
        float, typer.Option(metavar="D", min=-90, max=90, help="Middle of the range of declinations [deg].")
    ],
    width: Annotated[float, typer.Option(metavar="W", min=0.01, max=180, help="Its full width [deg].")] = 6.0,
    directory: Directory = None,
    server: Annotated[
        str | None, typer.Option(metavar="HOST", help="A VizieR server, or the address of one; the CDS's.")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Fetch what is there already, too.")] = False,
    as_json: Json = False,
) -> None:
    """Fetch a survey around a declination from VizieR, a degree at a time (needs astroquery and a network).

    What is there is not fetched again; what was fetched when the network fails stays. Name the survey as
    catalogue.reference to have images compared with it.
    """
    session = begin(ctx)
    from dsa110_contimg.catalogue.fetch import SERVER, fetch_survey
    from dsa110_contimg.catalogue.surveys import find_survey

    survey = find_survey(name)
    place = directory or session.settings.catalogue.directory
    strips = []
    for strip in fetch_survey(survey, dec, width, place, server=server or SERVER, again=again):
        strips.append(strip)
        if not as_json:
            was = ", was there" if strip.was_there else ""
            typer.echo(
                f"{survey.name} {strip.dec_deg:+03d} to {strip.dec_deg + 1:+03d}: {strip.n_sources} sources{was}"
            )
    if as_json:
        emit_json({"survey": survey.facts(), "directory": place / survey.name, "strips": strips})
    else:
        typer.echo(f"in {place / survey.name}")


@app.command("list")
def list_catalogues(ctx: typer.Context, directory: Directory = None, as_json: Json = False) -> None:
    """List the surveys that were fetched, and those that can be."""
    session = begin(ctx)
    from dsa110_contimg.catalogue.strips import find_strips
    from dsa110_contimg.catalogue.surveys import SURVEYS

    place = directory or session.settings.catalogue.directory
    found = find_strips(place)
    if as_json:
        there = [each.facts | {"directory": each.directory, "strips": each.fetched} for each in found]
        emit_json({"directory": place, "fetched": there, "surveys": [survey.facts() for survey in SURVEYS.values()]})
        return
    for each in found:
        n_sources = sum(told["sources"] for told in each.fetched.values())
        typer.echo(f"{each.directory.name:9s} {n_sources:8d} sources, declinations {_ranges(sorted(each.fetched))}")
    names = {each.directory.name for each in found}
    for survey in SURVEYS.values():
        if survey.name not in names:
            reach = f"{survey.south_deg:+.0f} to {survey.north_deg:+.0f}"
            typer.echo(f"{survey.name:9s} not fetched: {survey.title}, {reach} deg")


def _ranges(numbers: list[int]) -> str:
    """Say ``+50 to +57, +70 to +71`` of the strips that begin at some declinations."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and ranges[-1][1] == number:
            ranges[-1][1] = number + 1
        else:
            ranges.append([number, number + 1])
    return ", ".join(f"{south:+d} to {north:+d}" for south, north in ranges) or "none"
