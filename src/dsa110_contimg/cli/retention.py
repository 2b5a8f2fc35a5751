"""``dsa110-contimg retention``: what may go by the rules, and its removal."""

import sys
from itertools import count
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dsa110_contimg.cli.context import Json, begin, emit_json
from dsa110_contimg.cli.lazy import LightGroup
from dsa110_contimg.cli.ledger import InputDir, OutputDir, StateDir, open_existing
from dsa110_contimg.cli.progress import progress_bar

if TYPE_CHECKING:
    from pathlib import Path

    from dsa110_contimg.cli.context import Session
    from dsa110_contimg.ledger.ledger import Ledger
    from dsa110_contimg.pipeline.retention import KindPlan, Removal

app = typer.Typer(cls=LightGroup, no_args_is_help=True, add_completion=False, rich_markup_mode=None)


@app.callback()
def retention() -> None:
    """Plan what may go (subband files, Measurement Sets, images, epochs), and remove what was planned."""


@app.command()
def plan(
    ctx: typer.Context,
    input_dir: InputDir = None,
    output_dir: OutputDir = None,
    state: StateDir = None,
    groups: Annotated[bool, typer.Option("--groups", help="List each group, too.")] = False,
    as_json: Json = False,
) -> None:
    """Say what may go by the rules of the settings, and what that would free; remove nothing.

    The plan is kept for a day, for `retention apply`.
    """
    session = begin(ctx)
    from dsa110_contimg.pipeline.retention import save_plan

    with open_existing(session, state, output_dir) as ledger:
        plans = _plan(session, ledger, input_dir, output_dir)
        save_plan(plans, ledger.path.parent)
    if as_json:
        emit_json(_as_dict(plans))
    else:
        _print_plans(plans, groups=groups)


@app.command()
def apply(
    ctx: typer.Context,
    input_dir: InputDir = None,
    output_dir: OutputDir = None,
    state: StateDir = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go; remove nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Remove what the last plan said, where it may still go.

    It asks first; where nobody can be asked it wants --yes. Each subband file is compared with two copies before it
    goes, which takes as long as reading it three times. Exit status: 0 done, 1 something stays, 2 wrong usage.
    """
    session = begin(ctx)
    from dsa110_contimg.errors import UsageError
    from dsa110_contimg.pipeline.retention import carry_out, read_plan

    paths, settings = session.settings.paths, session.settings.retention
    with open_existing(session, state, output_dir) as ledger:
        planned = read_plan(ledger.path.parent)
        plans = _planned_only(_plan(session, ledger, input_dir, output_dir), planned)
        if not as_json:
            _print_plans(plans, groups=False)
        n_items = sum(len(one.items) for one in plans)
        removals: list[Removal] = []
        if n_items and not dry_run:
            if not yes:
                if not sys.stdin.isatty():
                    raise UsageError("nobody can be asked whether to remove this", remedy="Add --yes.")
                if not typer.confirm(f"Remove the data of {n_items} groups?", err=True):
                    raise typer.Exit(1)
            with progress_bar(session, "removing") as tell:
                gone = count(1)
                where = (input_dir or paths.input).absolute(), (output_dir or paths.ms).absolute()
                removals = carry_out(ledger, plans, planned, *where, settings, lambda item: tell(next(gone) / n_items))
    if as_json:
        emit_json(_as_dict(plans) | {"dry_run": dry_run, "removals": removals})
    elif not dry_run:
        _print_removals(removals)
    if any(removal.problem for removal in removals):
        raise typer.Exit(1)


def _plan(
    session: "Session", ledger: "Ledger", input_dir: "Path | None", output_dir: "Path | None"
) -> "list[KindPlan]":
    from dsa110_contimg.pipeline.retention import make_plan

    paths = session.settings.paths
    return make_plan(ledger, input_dir or paths.input, output_dir or paths.ms, session.settings.retention)


def _planned_only(plans: "list[KindPlan]", planned: "set[Path]") -> "list[KindPlan]":
    return [one._replace(items=tuple(item for item in one.items if planned.issuperset(item.paths))) for one in plans]


def _as_dict(plans: "list[KindPlan]") -> dict[str, Any]:
    return {
        "kinds": [one._asdict() | {"freed_bytes": one.freed_bytes} for one in plans],
        "freed_bytes": sum(one.freed_bytes for one in plans),
    }


def _print_plans(plans: "list[KindPlan]", *, groups: bool) -> None:
    from dsa110_contimg.config.logs import human_bytes

    for one in plans:
        typer.echo(
            f"{one.kind:7s} {len(one.items)} of {one.n_groups} groups may go: {human_bytes(one.freed_bytes)} of "
            f"{human_bytes(one.size_bytes)}"
        )
        typer.echo(f"        {one.kept}")
        for item in one.items if groups else ():
            typer.echo(f"        {item.group_id}  {human_bytes(item.size_bytes):>9s}  {item.paths[0]}")
    typer.echo(f"in all  {human_bytes(sum(one.freed_bytes for one in plans))} would be free")


def _print_removals(removals: "list[Removal]") -> None:
    from dsa110_contimg.config.logs import human_bytes

    for removal in removals:
        if removal.problem:
            typer.echo(f"stays   {removal.item.group_id} {removal.item.kind}: {removal.problem}", err=True)
    gone = sum(not removal.problem for removal in removals)
    freed = human_bytes(sum(removal.freed_bytes for removal in removals))
    typer.echo(f"removed {gone} of {len(removals)}: {freed} freed")
