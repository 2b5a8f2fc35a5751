"""Which solutions a verb applies: those of tables, of registered sets, or of the sets that serve a Measurement Set."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from dsa110_contimg.cli.ledger import open_existing

if TYPE_CHECKING:
    from dsa110_contimg.calibration.solutions import Solutions
    from dsa110_contimg.cli.context import Session

Tables = Annotated[
    list[Path] | None,
    typer.Option(metavar="PATH", help="A calibration table, or a directory of K.tab, B.tab, G.tab; may be repeated."),
]
"""The type of the ``--table`` option."""
SetNames = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME", help="A registered set; two are interpolated between.")
]
"""The type of the ``--set`` option."""


class Chosen(NamedTuple):
    """Solutions, what they are called, and why they; what a Measurement Set so calibrated would say of it, if known."""

    solutions: "tuple[Solutions, ...]"
    source: str
    why: str
    facts: dict[str, Any] | None = None


def choose_solutions(
    session: "Session", state: Path | None, ms: Path, tables: list[Path] | None, names: list[str] | None
) -> Chosen:
    """Read the solutions that `tables` or `names` mean; with neither, those of the sets that serve the Measurement Set.

    Raises
    ------
    UsageError
        Both are given; or neither, and the Measurement Set does not say how the telescope stood.
    NoCalibrationError, UnknownCalibrationError, CalibrationError
        There are none, or they cannot be read.
    """
    # Imported here: a help text needs none of it.
    from dsa110_contimg.calibration.casa_tables import read_caltables
    from dsa110_contimg.errors import UsageError

    if tables and names:
        raise UsageError("--table and --set both say what to apply", remedy="Give one of them.")
    if tables:
        said = ", ".join(map(str, tables))
        return Chosen(read_caltables(tables), said, "as told", _as_told([path.name for path in tables]))
    return _from_ledger(session, state, ms, names or [])


def _from_ledger(session: "Session", state: Path | None, ms: Path, names: list[str]) -> Chosen:
    """Read registered sets: those that are named, or those that serve the Measurement Set."""
    from dsa110_contimg.calibration.casa_tables import read_caltables
    from dsa110_contimg.errors import UsageError
    from dsa110_contimg.ms.columns import read_info
    from dsa110_contimg.pipeline.calibration_records import applied_facts, standing
    from dsa110_contimg.pipeline.measurement_set import facts_of
    from dsa110_contimg.telescope.correlator import CorrelatorState

    with open_existing(session, state) as ledger:
        if names:
            found = [ledger.calibration(name) for name in names]
            said = _as_told(names) | {"scale_error": max(float(item.facts["flux_scale"]["error"]) for item in found)}
            return Chosen(read_caltables([item.path for item in found]), ", ".join(names), "as told", said)
        facts = facts_of(ms)
        if "correlator" not in facts:
            raise UsageError(
                f"{ms.name} does not say how the telescope stood", remedy="Say what to apply: --table or --set."
            )
        times_mjd = read_info(ms).times_mjd
        around = standing(ledger, times_mjd[0], times_mjd[-1])
        chosen = around.choose(float(times_mjd.mean()), CorrelatorState.from_json(facts["correlator"]))
    source = ", ".join(record.name for record in chosen.sets)
    tables = read_caltables([Path(record.path) for record in chosen.sets])
    return Chosen(tables, source, chosen.why, applied_facts(chosen))


def _as_told(names: list[str]) -> dict[str, Any]:
    return {"sets": names, "rung": "as-told", "stale": False, "why": f"as told: {', '.join(names)}", "tie": None}
