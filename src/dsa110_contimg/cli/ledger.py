"""``dsa110-contimg ledger``: check it against the disks, make it anew, bring its tables up to date."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dsa110_contimg.cli.context import Json, Session, begin, emit_json
from dsa110_contimg.cli.lazy import LightGroup
from dsa110_contimg.naming import DECISIONS_NAME, LEDGER_NAME

if TYPE_CHECKING:
    from dsa110_contimg.ledger.ledger import Ledger

app = typer.Typer(cls=LightGroup, no_args_is_help=True, add_completion=False, rich_markup_mode=None)

StateDir = Annotated[Path | None, typer.Option("--state", metavar="DIR", help="Where the ledger is; paths.state.")]
"""The type of the ``--state`` option of all verbs that need the ledger."""
InputDir = Annotated[Path | None, typer.Option("--input", metavar="DIR", help="Subband files; paths.input.")]
OutputDir = Annotated[Path | None, typer.Option("--output", metavar="DIR", help="Measurement Sets; paths.ms.")]


def ledger_path(session: Session, state: Path | None) -> Path:
    """Name the ledger that an option or the settings mean."""
    return (state or session.settings.paths.state) / LEDGER_NAME


def open_existing(session: Session, state: Path | None, output: Path | None = None) -> "Ledger":
    """Open the ledger that an option or the settings mean; it must be there."""
    from dsa110_contimg.ledger.opening import open_ledger

    decisions = (output or session.settings.paths.ms) / DECISIONS_NAME
    return open_ledger(ledger_path(session, state), create=False, decisions=decisions)


@app.callback()
def ledger() -> None:
    """Look after the ledger, in which the stream remembers what it did."""


@app.command()
def check(
    ctx: typer.Context,
    input_dir: InputDir = None,
    output_dir: OutputDir = None,
    state: StateDir = None,
    checksums: Annotated[bool, typer.Option("--checksums", help="Read every product, too: minutes to hours.")] = False,
    as_json: Json = False,
) -> None:
    """Compare the ledger with the products, the incoming directory and itself; change nothing.

    Exit status: 0 they agree, 1 they differ.
    """
    session = begin(ctx)
    from dsa110_contimg.pipeline.differences import differences

    paths = session.settings.paths
    with open_existing(session, state, output_dir) as opened:
        lines = differences(opened, input_dir or paths.input, output_dir or paths.ms, checksums=checksums)
        where = opened.path
    if as_json:
        emit_json({"ledger": where, "differences": lines})
    else:
        typer.echo("\n".join(lines) or f"{where} agrees with the disks.")
    if lines:
        raise typer.Exit(1)


@app.command()
def rebuild(
    ctx: typer.Context,
    input_dir: InputDir = None,
    output_dir: OutputDir = None,
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """Make the ledger anew from the products, the incoming directory and the operators' decisions.

    The old one is kept beside it. The stream must not be running.
    """
    session = begin(ctx)
    from dsa110_contimg.pipeline.rebuild import rebuild_ledger

    paths = session.settings.paths
    output = output_dir or paths.ms
    made = rebuild_ledger(
        ledger_path(session, state),
        input_dir or paths.input,
        output,
        output / DECISIONS_NAME,
        min_subbands=session.settings.convert.min_subbands,
    )
    if as_json:
        emit_json(made)
    else:
        typer.echo(
            f"{made.n_groups} groups, {made.n_files} files, {made.n_products} products, {made.n_decisions} decisions"
        )
        if made.former is not None:
            typer.echo(f"The old ledger is {made.former}.")
    for line in made.not_understood:
        typer.echo(f"a decision is not understood: {line}", err=True)
    if made.not_understood:
        raise typer.Exit(1)


@app.command()
def upgrade(ctx: typer.Context, state: StateDir = None, as_json: Json = False) -> None:
    """Bring the ledger's tables up to date, as the stream does by itself when it starts."""
    session = begin(ctx)
    from dsa110_contimg.ledger.migrate import HEAD

    with open_existing(session, state) as opened:
        where = opened.path
    if as_json:
        emit_json({"ledger": where, "revision": HEAD})
    else:
        typer.echo(f"{where} is at revision {HEAD}.")
