"""``dsa110-contimg apply``: write calibrated data into a Measurement Set, for people and CASA."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from dsa110_contimg.cli.context import Json, Session, begin, emit_json
from dsa110_contimg.cli.ledger import StateDir, open_existing

if TYPE_CHECKING:
    from dsa110_contimg.calibration.apply import ApplyOptions
    from dsa110_contimg.calibration.apply_in_place import Applied
    from dsa110_contimg.calibration.solutions import Solutions


class _Chosen(NamedTuple):
    """Solutions, what they are called, and why they."""

    solutions: "tuple[Solutions, ...]"
    source: str
    why: str


def apply(
    ctx: typer.Context,
    ms: Annotated[Path, typer.Argument(metavar="MS", help="Measurement Set; DATA stay as they are.")],
    table: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="PATH", help="A calibration table, or a directory of K.tab, B.tab, G.tab; may be repeated."
        ),
    ] = None,
    set_name: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME", help="A registered set; two are interpolated between.")
    ] = None,
    missing: Annotated[
        str | None, typer.Option(metavar="flag|pass", help="What becomes of samples without a solution.")
    ] = None,
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """Write CORRECTED_DATA, and the weights and flags that go with it.

    Tables of one kind are joined in time. With neither --table nor --set, it is the set that `cal for` names. To apply
    again replaces CORRECTED_DATA and WEIGHT; flags are only added to.
    """
    session = begin(ctx)
    # Imported here: a help text needs none of it.
    from dsa110_contimg.calibration.apply_in_place import apply_in_place
    from dsa110_contimg.errors import UsageError

    if table and set_name:
        raise UsageError("--table and --set both say what to apply", remedy="Give one of them.")
    options = _options(session, missing)
    if table:
        from dsa110_contimg.calibration.casa_tables import read_caltables

        chosen = _Chosen(read_caltables(table), ", ".join(map(str, table)), "as told")
    else:
        chosen = _from_ledger(session, state, ms, set_name or [])
    n_workers = session.settings.convert.n_workers
    applied = apply_in_place(ms, chosen.solutions, options, source=chosen.source, workers=n_workers)
    if as_json:
        emit_json(applied._asdict() | {"source": chosen.source, "why": chosen.why})
    else:
        _print(applied, chosen)


def _options(session: Session, missing: str | None) -> "ApplyOptions":
    """Put what was given on the command line in place of the settings."""
    from dsa110_contimg.calibration.apply import ApplyOptions
    from dsa110_contimg.errors import UsageError

    values = session.settings.apply.model_dump()
    if missing is not None:
        if missing not in {"flag", "pass"}:
            raise UsageError(f"--missing is flag or pass, not {missing!r}")
        values["missing"] = missing
    return ApplyOptions(**values)


def _from_ledger(session: Session, state: Path | None, ms: Path, names: list[str]) -> _Chosen:
    """Read registered sets: those that are named, or those that serve the Measurement Set."""
    from dsa110_contimg.calibration.casa_tables import read_caltables
    from dsa110_contimg.errors import UsageError
    from dsa110_contimg.ms.columns import read_info
    from dsa110_contimg.pipeline.calibration_records import standing
    from dsa110_contimg.pipeline.measurement_set import facts_of
    from dsa110_contimg.telescope.correlator import CorrelatorState

    with open_existing(session, state) as ledger:
        if names:
            paths, why = [ledger.calibration(name).path for name in names], "as told"
        else:
            facts = facts_of(ms)
            if "correlator" not in facts:
                raise UsageError(
                    f"{ms.name} does not say how the telescope stood", remedy="Say what to apply: --table or --set."
                )
            times_mjd = read_info(ms).times_mjd
            around = standing(ledger, times_mjd[0], times_mjd[-1])
            chosen = around.choose(float(times_mjd.mean()), CorrelatorState.from_json(facts["correlator"]))
            names, why = [record.name for record in chosen.sets], chosen.why
            paths = [Path(record.path) for record in chosen.sets]
    return _Chosen(read_caltables(paths), ", ".join(names), why)


def _print(applied: "Applied", chosen: _Chosen) -> None:
    kinds = ", ".join(f"{item.kind} ({item.times_mjd.size} times)" for item in chosen.solutions)
    typer.echo(f"{applied.ms}: {kinds} of {chosen.source}, {chosen.why}")
    typer.echo(f"flagged {100 * applied.flagged_before:.2f}% before, {100 * applied.flagged_after:.2f}% now")
