"""``dsa110-contimg calibrate``: solve for the gains of the antennas on a calibrator."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dsa110_contimg.cli.context import Json, begin, emit_json

if TYPE_CHECKING:
    from dsa110_contimg.calibration.calibrate import SolutionSet
    from dsa110_contimg.calibration.sky_model import ModelSource
    from dsa110_contimg.config.settings import CalibrateSettings


def calibrate(
    ctx: typer.Context,
    ms: Annotated[Path, typer.Argument(metavar="CAL_MS", help="Measurement Set of a calibrator, flagged.")],
    output: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Directory of the tables; CAL_MS with .cal for .ms if not given.")
    ] = None,
    catalogue: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Other sources of the field: ra, dec, flux[, alpha].")
    ] = None,
    calibrator: Annotated[
        str | None, typer.Option(metavar="NAME", help="What the calibrator is; else the Measurement Set says it.")
    ] = None,
    flux: Annotated[
        float | None, typer.Option(metavar="JY", help="Flux density at 1.4 GHz in place of the list's.")
    ] = None,
    reference: Annotated[
        str | None, typer.Option(metavar="LIST", help="Stations preferred as reference: 103,104.")
    ] = None,
    min_uv: Annotated[float | None, typer.Option(metavar="M", help="Leave out shorter baselines (50 m).")] = None,
    max_uv: Annotated[float | None, typer.Option(metavar="M", help="Leave out longer baselines.")] = None,
    interval: Annotated[float | None, typer.Option(metavar="S", help="Length of a phase solution (60 s).")] = None,
    min_snr: Annotated[
        float | None, typer.Option(metavar="X", help="An antenna below it is marked as weak (3).")
    ] = None,
    smooth_snr: Annotated[
        float | None, typer.Option(metavar="X", help="Smooth bandpasses below it over channels (120; 0 never).")
    ] = None,
    beam: Annotated[
        str | None, typer.Option(metavar="MODEL", help="airy, tapered or gaussian:FWHM (deg at 1.4 GHz).")
    ] = None,
    robust: Annotated[
        bool | None, typer.Option("--robust/--least-squares", help="How to weigh what fits badly.")
    ] = None,
    weights: Annotated[str | None, typer.Option(metavar="autos|uniform", help="Where weights come from.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace tables that are there.")] = False,
    as_json: Json = False,
) -> None:
    """Solve CAL_MS for delays (K), bandpass (B) and gains (G), and write them as CASA's calibration tables.

    They are K.tab, B.tab and G.tab of the directory. Antennas that ail are named with what ails them.
    """
    session = begin(ctx)
    # Imported here: a help text needs none of it.
    from dsa110_contimg.calibration.calibrate import calibrate as solve
    from dsa110_contimg.calibration.calibrate import write_tables
    from dsa110_contimg.catalogue.tables import read_sources
    from dsa110_contimg.errors import OutputExistsError

    settings = _settings(
        session.settings.calibrate,
        reference=None if reference is None else tuple(reference.split(",")),
        min_uv_m=min_uv,
        max_uv_m=max_uv,
        gain_interval_s=interval,
        min_snr=min_snr,
        smooth_snr=smooth_snr,
        beam=beam,
        robust=robust,
        weights=weights,
    )
    directory = output or ms.with_suffix(".cal")
    if directory.exists() and not overwrite:
        raise OutputExistsError("is there already", path=directory, remedy="Give --overwrite to replace it.")
    found = solve(ms, settings, _source(calibrator, flux), None if catalogue is None else read_sources(catalogue))
    written = write_tables(found, ms, directory, overwrite=overwrite)
    if as_json:
        emit_json({"tables": written, "seconds": found.seconds, "facts": found.bandpass.facts})
        return
    _print(found, written)


def _settings(settings: "CalibrateSettings", **given: Any) -> "CalibrateSettings":
    """Put what was given on the command line in place of the settings."""
    from pydantic import ValidationError

    from dsa110_contimg.errors import UsageError

    values = settings.model_dump() | {name: value for name, value in given.items() if value is not None}
    try:
        return type(settings)(**values)
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"{first['loc'][0]}: {first['msg']}") from error


def _source(name: str | None, flux_jy: float | None) -> "ModelSource | None":
    from dsa110_contimg.calibration.calibrate import named_calibrator
    from dsa110_contimg.errors import UsageError

    if name is None:
        if flux_jy is not None:
            raise UsageError("--flux without --calibrator", remedy="Say whose flux density it is.")
        return None
    return named_calibrator(name, flux_jy)


def _print(found: "SolutionSet", written: tuple[Path, ...]) -> None:
    facts, bandpass = found.bandpass.facts, found.bandpass
    good = ~bandpass.flags[:, bandpass.working]
    typer.echo(
        f"{facts['calibrator']['name']}: {bandpass.working.size} antennas, reference {facts['reference_antenna']}, "
        f"{100 * good.mean():.1f}% of their bandpasses solved, residuals {facts['residual_ratio']:.2f} of thermal, "
        f"{found.seconds:.1f} s"
    )
    for line in (*found.ailments, *(str(path) for path in written)):
        typer.echo(line)
