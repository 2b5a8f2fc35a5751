"""``dsa110-contimg beam``: the primary beam, fitted to sources that cross it; its versions."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dsa110_contimg.cli.context import Json, begin, emit_json
from dsa110_contimg.cli.lazy import LightGroup
from dsa110_contimg.cli.progress import progress_bar

if TYPE_CHECKING:
    from dsa110_contimg.telescope.fitted_beams import FittedBeam

app = typer.Typer(cls=LightGroup, no_args_is_help=True, add_completion=False, rich_markup_mode=None)

Directory = Annotated[
    Path | None, typer.Option("--directory", metavar="DIR", help="Where fitted beams are kept; beams.directory.")
]


@app.callback()
def beam() -> None:
    """Fit the primary beam to sources that cross it, and look at its versions."""


@app.command()
def fit(
    ctx: typer.Context,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[PATHS]...",
            help="Directories *-epoch, or images of groups: *-images, or what has them below it (paths.ms).",
        ),
    ] = None,
    catalogue: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Fluxes of sources: a table, or a survey fetched; catalogue.reference."),
    ] = None,
    base: Annotated[
        str | None, typer.Option(metavar="MODEL", help="What is stretched and moved: airy, tapered, ...; the images'.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(metavar="PNG", help="Draw it here, too.")] = None,
    directory: Directory = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Fit, and say what was found, but keep nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Fit width, ellipticity, squint and pointing of the beam in each half of the band, and keep it as a version.

    The images are of one strip, of groups that follow one another: sources have to cross the beam.
    """
    session = begin(ctx)
    from dsa110_contimg.pipeline.beam import draw, fit_from, keep

    settings = session.settings
    with progress_bar(session, "measuring") as tell:
        fitted = fit_from(paths or [settings.paths.ms], settings, catalogue, base, tell)
    kept = None if dry_run else keep(fitted, directory or settings.beams_directory)
    if plot is not None:
        draw(fitted, plot, *([] if kept is None else [kept.stem]))
    from dsa110_contimg.photometry.beam_fit import fitted_beam

    made = fitted_beam(fitted.fit, "not kept" if kept is None else kept.stem, fitted.facts)
    if as_json:
        emit_json({"path": kept} | _report(made))
        return
    _print(made)
    if kept is not None:
        typer.echo(f"{kept}: to use it, set image.beam (and calibrate.beam) to this path")


@app.command("list")
def list_beams(ctx: typer.Context, directory: Directory = None, as_json: Json = False) -> None:
    """List the versions that there are."""
    session = begin(ctx)
    from dsa110_contimg.photometry.beam_keeping import read_beams

    found = read_beams(directory or session.settings.beams_directory)
    if as_json:
        emit_json([{"path": path} | _report(one) for path, one in found])
        return
    for path, one in found:
        facts = one.facts
        typer.echo(f"{one.description}; strip {facts.get('strip', '?')}, {facts.get('made_utc', '?')}  {path}")


@app.command()
def show(
    ctx: typer.Context,
    version: Annotated[str, typer.Argument(metavar="VERSION", help="beam-0003, 3, a file, or latest.")] = "latest",
    directory: Directory = None,
    as_json: Json = False,
) -> None:
    """Say all that is known of a version: its shape with errors, what it was fitted to, how it differs."""
    session = begin(ctx)
    from dsa110_contimg.photometry.beam_keeping import find_beam
    from dsa110_contimg.telescope.fitted_beams import read_fitted_beam

    path = Path(version).expanduser()
    if not version.endswith(".json"):
        path = find_beam(directory or session.settings.beams_directory, version)
    one = read_fitted_beam(path)
    if as_json:
        emit_json({"path": path} | _report(one))
        return
    typer.echo(str(path))
    _print(one)
    figure = path.with_suffix(".png")
    if figure.exists():
        typer.echo(f"figure: {figure}")


def _report(one: "FittedBeam") -> dict[str, Any]:
    from dsa110_contimg.telescope.fitted_beams import beam_document

    return {"description": one.description} | beam_document(one)


def _print(one: "FittedBeam") -> None:
    """Print a table for people: a line a parameter, with its error in each band."""
    import numpy as np

    from dsa110_contimg.telescope.fitted_beams import Shape

    facts = one.facts
    typer.echo(one.description)
    typer.echo(
        f"strip {facts.get('strip', '?')}, pointing {facts.get('pointing_dec_deg', float('nan')):.3f} deg, "
        f"{facts.get('images', '?')} images, {facts.get('sources', '?')} sources, "
        f"{facts.get('known', '?')} of them in {facts.get('catalogue', '?')}; "
        f"images made with {facts.get('model', '?')}"
    )
    errors = np.sqrt(np.diag(one.covariance)).reshape(one.shapes.shape)
    names = {
        "width": ("width over that of the base, less 1 [%]", 100.0),
        "stretch": ("east over north width, less 1 [%]", 200.0),
        "shear": ("north-east over north-west width, less 1 [%]", 200.0),
        "east_deg": ("axis east of the pointing [deg]", 1.0),
        "north_deg": ("axis north of the pointing [deg]", 1.0),
    }
    head = "".join(
        f"{f'{name} {freq_hz / 1e6:.0f} MHz':>24s}" for name, freq_hz in zip(one.bands, one.freq_hz, strict=True)
    )
    typer.echo(f"{'':46s}{head}")
    for k, name in enumerate(Shape._fields):
        text, unit = names[name]
        cells = "".join(
            f"{f'{unit * value[k]:+.3f} +- {unit * error[k]:.3f}':>24s}"
            for value, error in zip(one.shapes, errors, strict=True)
        )
        note = "   not measured" if name in facts.get("not_measured", ()) else ""
        typer.echo(f"{text:46s}{cells}{note}")
    for line in facts.get("warnings", ()):
        typer.echo(f"warning: {line}")
    if not facts.get("warnings"):
        typer.echo("no difference from the beam of the images that would matter")
