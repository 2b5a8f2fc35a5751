"""``dsa110-contimg apply``: write calibrated data into a Measurement Set, for people and CASA."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dsa110_contimg.cli.context import Json, Session, begin, emit_json
from dsa110_contimg.cli.ledger import StateDir
from dsa110_contimg.cli.solutions import Chosen, SetNames, Tables, choose_solutions

if TYPE_CHECKING:
    from dsa110_contimg.calibration.apply import ApplyOptions
    from dsa110_contimg.calibration.apply_in_place import Applied


def apply(
    ctx: typer.Context,
    ms: Annotated[Path, typer.Argument(metavar="MS", help="Measurement Set; DATA stay as they are.")],
    table: Tables = None,
    set_name: SetNames = None,
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

    options = _options(session, missing)
    chosen = choose_solutions(session, state, ms, table, set_name)
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


def _print(applied: "Applied", chosen: Chosen) -> None:
    kinds = ", ".join(f"{item.kind} ({item.times_mjd.size} times)" for item in chosen.solutions)
    typer.echo(f"{applied.ms}: {kinds} of {chosen.source}, {chosen.why}")
    typer.echo(f"flagged {100 * applied.flagged_before:.2f}% before, {100 * applied.flagged_after:.2f}% now")
