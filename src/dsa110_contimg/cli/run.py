"""``dsa110-contimg run``: what the stream does, for a directory of files, in one go."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dsa110_contimg.cli.context import Json, Session, begin, emit_json, operator, time_given

if TYPE_CHECKING:
    from dsa110_contimg.pipeline.once import Outcome


def run(
    ctx: typer.Context,
    input_dir: Annotated[Path, typer.Argument(metavar="INPUT", help="Directory of subband files; never written to.")],
    output_dir: Annotated[Path, typer.Argument(metavar="OUTPUT", help="Directory of all that is made.")],
    start: Annotated[str | None, typer.Option(metavar="TIME", help="Groups from this start on (UTC).")] = None,
    end: Annotated[str | None, typer.Option(metavar="TIME", help="Groups up to this start (UTC).")] = None,
    stages: Annotated[str | None, typer.Option(metavar="LIST", help="Stages, with commas between.")] = None,
    workers: Annotated[int | None, typer.Option(metavar="N", min=1, help="Jobs at once.")] = None,
    scratch: Annotated[Path | None, typer.Option(metavar="DIR", help="A fast disk.")] = None,
    state: Annotated[
        Path | None, typer.Option("--state", metavar="DIR", help="Ledger and logs, on a local disk; OUTPUT/state.")
    ] = None,
    reserve: Annotated[
        float, typer.Option(metavar="GB", min=0, help="Pause below so much free space on the root file system.")
    ] = 0.0,
    as_json: Json = False,
) -> None:
    """Take every group of subband files in INPUT through the stages of the stream, and end; no daemon is needed.

    Groups in which a calibrator transits come first, so that the others are calibrated by them. What is done already is
    left alone and what failed is tried again: the same line may be typed after any failure. Exit status: 0 every group
    has its products (partial ones too), 1 any has not, or there are none, 2 wrong usage.
    """
    session = begin(ctx)
    # Imported here: a help text needs none of it.
    from dsa110_contimg.config.changes import with_changes
    from dsa110_contimg.pipeline.once import run_once

    paths: dict[str, Any] = {
        "input": input_dir,
        "ms": output_dir,
        "state": state or output_dir / "state",
        "qa": output_dir / "qa",
        "scratch": scratch,
    }
    options = {"stages": tuple(stages.split(",")) if stages else None, "workers": workers, "reserve_gb": reserve}
    settings = with_changes(session.settings, paths=paths, stream=options)
    first, last = (time_given(text) if text else None for text in (start, end))
    outcomes = run_once(settings, first, last, who=operator())
    if as_json:
        emit_json({"groups": [outcome._asdict() for outcome in outcomes]})
    else:
        _print(session, outcomes)
    if any(outcome.failed for outcome in outcomes):
        raise typer.Exit(1)


def _print(session: Session, outcomes: "list[Outcome]") -> None:
    """Print a row for each group: its images if it has any, else why not."""
    from rich.table import Table

    table = Table(box=None)
    table.add_column("group", no_wrap=True)
    for heading in ("state", "products, or reason"):
        table.add_column(heading, overflow="fold")
    for outcome in outcomes:
        said = "\n".join(map(str, outcome.products)) if outcome.products else outcome.reason
        table.add_row(outcome.group, outcome.state.value, said)
    session.output.print(table)
