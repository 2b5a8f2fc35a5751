"""``dsa110-contimg cal``: the calibration sets there are, which one serves when, and an end to a bad one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dsa110_contimg.cli.context import Json, begin, emit_json, operator, time_given
from dsa110_contimg.cli.lazy import LightGroup
from dsa110_contimg.cli.ledger import OutputDir, StateDir, open_existing
from dsa110_contimg.cli.options import Why

if TYPE_CHECKING:
    from dsa110_contimg.calibration.validity import Validity
    from dsa110_contimg.ledger.calibrations import Calibrated, Calibration

app = typer.Typer(cls=LightGroup, no_args_is_help=True, add_completion=False, rich_markup_mode=None)

Name = Annotated[str, typer.Argument(metavar="SET", help="Name of a set: 20251005T123000_3C286_7.cal.")]


@app.callback()
def cal() -> None:
    """List calibration sets, ask which one serves a time, and retire bad ones."""


@app.command("list")
def list_sets(
    ctx: typer.Context,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="Sets measured from this time on (UTC).")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Sets measured up to this time (UTC).")] = None,
    dec: Annotated[float | None, typer.Option(metavar="D", help="Only of this declination strip [deg].")] = None,
    retired: Annotated[bool, typer.Option("--retired", help="Retired sets too.")] = False,
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """List the registered sets, the newest first."""
    session = begin(ctx)
    from dsa110_contimg.pipeline.calibration_records import validity_of
    from dsa110_contimg.telescope.correlator import STRIP_DEG
    from dsa110_contimg.telescope.transits import mjd_of

    first, last = (mjd_of(time_given(text)) if text else None for text in (since, until))
    with open_existing(session, state) as ledger:
        sets = ledger.calibrations(first, last, retired=retired)
        found = [
            (item, validity_of(ledger, item)) for item in sets if dec is None or abs(item.dec_deg - dec) <= STRIP_DEG
        ]
    if as_json:
        emit_json({"sets": [_report(*each) for each in found]})
        return
    for item, valid in found:
        end = f"retired by {item.retired_by}: {item.retired_why}" if item.retired_utc else _range(valid)
        typer.echo(f"{item.name:34s} {item.dec_deg:+7.2f} {item.grade:7s} {_scale(item):9s} {end}")


@app.command()
def show(ctx: typer.Context, name: Name, state: StateDir = None, as_json: Json = False) -> None:
    """Show all that is known of a set: its grade and why, its scale, its range, and what it calibrated."""
    session = begin(ctx)
    from dsa110_contimg.pipeline.calibration_records import validity_of

    with open_existing(session, state) as ledger:
        item = ledger.calibration(name)
        valid, used = validity_of(ledger, item), ledger.calibrated_with(name)
    if as_json:
        emit_json(_report(item, valid) | {"calibrated": used})
    else:
        _print(item, valid, used)


@app.command("for")
def for_time(
    ctx: typer.Context,
    time: Annotated[str, typer.Argument(metavar="TIME", help="A time, or a group id (UTC): 2025-10-05T12:30:00.")],
    dec: Annotated[
        float | None,
        typer.Option(metavar="D", help="Apparent declination of the pointing [deg]; else as it stood then."),
    ] = None,
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """Say which sets serve a time, and why not the others.

    Exit status: 0 there are some, 1 there is none.
    """
    session = begin(ctx)
    from dsa110_contimg.errors import UsageError
    from dsa110_contimg.pipeline.calibration_records import standing
    from dsa110_contimg.telescope.transits import mjd_of

    mjd = mjd_of(time_given(time))
    with open_existing(session, state) as ledger:
        around = standing(ledger, mjd, mjd)
    states = [item for item in around.states if dec is None or abs(item.dec_deg - dec) < 0.5]
    states += [record.state for record in around.records if dec is not None and abs(record.state.dec_deg - dec) < 0.5]
    if not states:
        raise UsageError(
            "it is not known how the telescope stood then", remedy="Give a time near a group that is published."
        )
    earlier = [item for item in states if item.start_mjd <= mjd] or states
    chosen = around.choose(mjd, min(earlier, key=lambda item: abs(item.start_mjd - mjd)))
    if as_json:
        emit_json({"sets": chosen.sets, "rung": chosen.rung, "why": chosen.why, "refused": chosen.refused})
        return
    typer.echo(chosen.why)
    for line in chosen.refused:
        typer.echo(f"  not {line}")


@app.command()
def register(
    ctx: typer.Context,
    ms: Annotated[Path, typer.Argument(metavar="CAL_MS", help="Measurement Set of a calibrator, flagged.")],
    catalogue: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Other sources of the field; sets.catalogue.")
    ] = None,
    state: StateDir = None,
    output_dir: OutputDir = None,
    as_json: Json = False,
) -> None:
    """Solve CAL_MS, judge the solutions, and register them as a set, as the stream does.

    Exit status: 0 registered, 1 bad (it is not registered, and the last good set stays).
    """
    session = begin(ctx)
    from dsa110_contimg.pipeline.register_set import register_set

    settings = session.settings
    with open_existing(session, state, output_dir) as ledger:
        made = register_set(
            ledger, ms, output_dir or settings.paths.ms, settings.calibrate, catalogue or settings.sets.catalogue
        )
    if as_json:
        emit_json({"set": made.path, "grade": made.grade.as_json(), "scale": made.scale})
    else:
        typer.echo(f"{made.path or 'not registered'}: {made.grade}")
        typer.echo(made.scale.text)
        for antenna, said in made.grade.judged.antennas.items():
            typer.echo(f"  antenna {antenna:4s} {'; '.join(said)}")
    if made.path is None:
        raise typer.Exit(1)


@app.command()
def retire(
    ctx: typer.Context,
    name: Name,
    why: Why = "",
    state: StateDir = None,
    output_dir: OutputDir = None,
    as_json: Json = False,
) -> None:
    """Let a set not be used any more; what it calibrated is named, and `recalibrate` does it again."""
    session = begin(ctx)
    who = operator()
    with open_existing(session, state, output_dir) as ledger:
        used = ledger.retire_calibration(name, who, why)
    groups = sorted({item.group_id for item in used})
    if as_json:
        emit_json({"set": name, "groups": groups})
        return
    typer.echo(f"{name} is retired; it calibrated {len(groups)} groups that stand")
    for group in groups:
        typer.echo(f"  {group}")


def _report(item: "Calibration", valid: "Validity") -> dict[str, Any]:
    return item._asdict() | {"validity": valid._asdict()}


def _print(item: "Calibration", valid: "Validity", used: "list[Calibrated]") -> None:
    facts = item.facts
    typer.echo(f"{item.name}  {item.grade}: {item.calibrator} in {item.group_id}, {item.kind}")
    typer.echo(f"  at        {item.path}")
    typer.echo(f"  figures   {item.path / 'figures'}")
    typer.echo(f"  strip     {item.dec_deg:+.2f} deg")
    typer.echo(f"  valid     {_range(valid)}: from there {valid.start_why}; to there {valid.end_why}")
    typer.echo(f"  scale     {facts['flux_scale'].get('text', '')}")
    for reason in item.reasons:
        typer.echo(f"  reason    {reason}")
    for name, value in facts["grade"].get("measures", {}).items():
        typer.echo(f"  {name:24s} {'unknown' if value is None else f'{value:.4g}'}")
    for antenna, said in facts["grade"].get("antennas", {}).items():
        typer.echo(f"  antenna {antenna:4s} {'; '.join(said)}")
    for key in ("choice", "reference_chosen"):
        if key in facts:
            typer.echo(f"  {key:9s} {facts[key]}")
    if item.retired_utc is not None:
        typer.echo(f"  retired   {item.retired_utc:%FT%TZ} by {item.retired_by}: {item.retired_why}")
    for use in used:
        typer.echo(f"  used      {use.product}  {use.rung}{' (stale)' if use.stale else ''}")


def _range(valid: "Validity") -> str:
    from dsa110_contimg.telescope.transits import utc_of

    return f"{utc_of(valid.start_mjd):%FT%T} to {utc_of(valid.end_mjd):%FT%T}"


def _scale(item: "Calibration") -> str:
    return f"{100 * item.facts['flux_scale']['error']:.0f}% flux"
