"""``dsa110-contimg image``: a calibrated Measurement Set to images, a catalogue and a report."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dsa110_contimg.cli.context import Json, Session, begin, emit_json
from dsa110_contimg.cli.ledger import StateDir
from dsa110_contimg.cli.solutions import SetNames, Tables

if TYPE_CHECKING:
    from dsa110_contimg.config.settings import Settings
    from dsa110_contimg.pipeline.by_hand import ImagedGroup, Visibilities


class Weighting(StrEnum):
    """Weighting of the uv plane."""

    NATURAL = "natural"
    UNIFORM = "uniform"
    BRIGGS = "briggs"


class Stokes(StrEnum):
    """Of which samples Stokes I is made."""

    BOTH = "both"
    EITHER = "either"


class Engine(StrEnum):
    """What makes the images."""

    OWN = "own"
    WSCLEAN = "wsclean"


def image(
    ctx: typer.Context,
    ms: Annotated[Path, typer.Argument(metavar="MS", help="Measurement Set; it is not changed.")],
    output_dir: Annotated[Path, typer.Argument(metavar="OUT", help="Directory in which <MS>-images appears.")],
    table: Tables = None,
    set_name: SetNames = None,
    column: Annotated[
        str | None, typer.Option(metavar="NAME", help="Image this column as it is: DATA, CORRECTED_DATA, MODEL_DATA.")
    ] = None,
    size: Annotated[int | None, typer.Option(metavar="N", help="Pixels on a side.")] = None,
    cell: Annotated[float | None, typer.Option(metavar="ARCSEC", help="Pixel size.")] = None,
    weighting: Annotated[Weighting | None, typer.Option(help="Weighting of the uv plane.")] = None,
    robust: Annotated[float | None, typer.Option(metavar="X", help="Of Briggs weighting, -2 to 2.")] = None,
    taper: Annotated[float | None, typer.Option(metavar="ARCSEC", help="Gaussian taper to this beam.")] = None,
    min_uv: Annotated[float | None, typer.Option(metavar="M", help="Leave out shorter baselines.")] = None,
    max_uv: Annotated[float | None, typer.Option(metavar="M", help="Leave out longer baselines.")] = None,
    stokes: Annotated[Stokes | None, typer.Option(help="Samples with both XX and YY good, or either.")] = None,
    difference: Annotated[bool | None, typer.Option("--difference", help="Image (XX - YY)/2, too.")] = None,
    smearing: Annotated[float | None, typer.Option(metavar="X", help="Loss allowed at the image's edge.")] = None,
    epsilon: Annotated[float | None, typer.Option(metavar="X", help="Accuracy of gridding.")] = None,
    iterations: Annotated[int | None, typer.Option(metavar="N", help="Minor iterations; 0: the dirty image.")] = None,
    major_cycles: Annotated[int | None, typer.Option(metavar="N", help="The most major cycles.")] = None,
    threshold: Annotated[float | None, typer.Option(metavar="JY", help="Stop at this residual peak.")] = None,
    auto_mask: Annotated[float | None, typer.Option(metavar="X", help="Find components above X sigma.")] = None,
    auto_threshold: Annotated[float | None, typer.Option(metavar="X", help="Clean them to X sigma.")] = None,
    multiscale: Annotated[bool | None, typer.Option("--multiscale", help="Components may be extended.")] = None,
    channels_out: Annotated[int | None, typer.Option(metavar="N", help="Sub-bands imaged apart.")] = None,
    terms: Annotated[int | None, typer.Option(metavar="N", help="Terms of the components' spectra.")] = None,
    beam: Annotated[str | None, typer.Option(metavar="MODEL", help="airy, tapered, gaussian:FWHM, or a file.")] = None,
    drift: Annotated[bool | None, typer.Option(help="Whether the model drifts through the beam.")] = None,
    outliers: Annotated[bool | None, typer.Option(help="Whether bright sources outside are subtracted.")] = None,
    half_bands: Annotated[bool | None, typer.Option(help="Whether halves of the band are imaged, too.")] = None,
    seed: Annotated[Path | None, typer.Option(metavar="CAT", help="Clean where this table has sources.")] = None,
    reference: Annotated[
        Path | None, typer.Option(metavar="CAT", help="Compare with this table; its sources may be outliers.")
    ] = None,
    threads: Annotated[int | None, typer.Option(metavar="N", min=1, help="Threads; one per core.")] = None,
    engine: Annotated[Engine, typer.Option(help="Ours, or the WSClean that is installed.")] = Engine.OWN,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """Image MS, find the sources, judge the image, and write a report of it all into OUT.

    What is imaged is --column; else DATA calibrated by --table or --set; with none of them CORRECTED_DATA if MS has it,
    else DATA calibrated by the sets that `cal for` names. Exit status: 0 done, 1 failed, 2 wrong usage.
    """
    session = begin(ctx)
    # Imported here: a help text needs none of it.
    from dsa110_contimg.config.changes import with_changes
    from dsa110_contimg.pipeline.by_hand import image_by_hand

    given: dict[str, Any] = {
        "size": size,
        "cell_arcsec": cell,
        "weighting": weighting and weighting.value,
        "robust": robust,
        "taper_arcsec": taper,
        "min_uv_m": min_uv,
        "max_uv_m": max_uv,
        "stokes": stokes and stokes.value,
        "difference": difference,
        "smearing": smearing,
        "epsilon": epsilon,
        "iterations": iterations,
        "major_cycles": major_cycles,
        "threshold_jy": threshold,
        "auto_mask": auto_mask,
        "auto_threshold": auto_threshold,
        "multiscale": multiscale,
        "channels_out": channels_out,
        "terms": terms,
        "beam": beam,
        "drift": drift,
        "outliers": outliers,
        "half_bands": half_bands,
        "seed": seed,
        "threads": threads,
    }
    settings = with_changes(session.settings, image=given, catalogue={"reference": reference, "workers": threads})
    visibilities = _visibilities(session, settings, ms, column, table, set_name, state)
    made = image_by_hand(
        visibilities, output_dir, settings, engine=engine.value, command=_command(), overwrite=overwrite
    )
    if as_json:
        emit_json(made._asdict())
    else:
        _print(made)


def _visibilities(
    session: Session,
    settings: "Settings",
    ms: Path,
    column: str | None,
    tables: list[Path] | None,
    names: list[str] | None,
    state: Path | None,
) -> "Visibilities":
    """Say how MS is read, and what its visibilities are calibrated by."""
    from dsa110_contimg.calibration.apply import ApplyOptions
    from dsa110_contimg.cli.solutions import choose_solutions
    from dsa110_contimg.errors import UsageError
    from dsa110_contimg.pipeline.by_hand import Visibilities, has_column
    from dsa110_contimg.pipeline.imaging import Calibrated

    if column is not None and (tables or names):
        raise UsageError("--column, --table and --set say different things", remedy="Give one of them.")
    if column is None and not tables and not names and has_column(ms, "CORRECTED_DATA"):
        column = "CORRECTED_DATA"
    if column is not None:
        return Visibilities(Calibrated(ms, column=column), None)
    chosen = choose_solutions(session, state, ms, tables, names)
    return Visibilities(Calibrated(ms, chosen.solutions, ApplyOptions(**settings.apply.model_dump())), chosen.facts)


def _command() -> str:
    """Give the command as it was typed."""
    import shlex
    import sys

    return "dsa110-contimg " + shlex.join(sys.argv[1:])


def _print(made: "ImagedGroup") -> None:
    typer.echo(f"{made.quality}; {made.n_sources} sources, {made.rms_jy * 1e3:.3g} mJy/beam")
    for reason in made.reasons:
        typer.echo(f"  {reason}")
    typer.echo(str(made.report))
