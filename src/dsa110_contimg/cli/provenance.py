"""``dsa110-contimg provenance``: from a product back to the subband files."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dsa110_contimg.cli.context import Json, Session, begin, emit_json
from dsa110_contimg.cli.ledger import StateDir, ledger_path

if TYPE_CHECKING:
    from rich.text import Text
    from rich.tree import Tree

    from dsa110_contimg.pipeline.origins import Origin

_WIDE = 4000


def provenance(
    ctx: typer.Context,
    product: Annotated[
        str,
        typer.Argument(
            metavar="PRODUCT",
            help="Epoch, mosaic, images, Measurement Set, calibration set, a file of one; FILE#ROW; SOURCE@EPOCH.",
        ),
    ],
    places: Annotated[
        list[Path] | None, typer.Option("--in", metavar="DIR", help="Look for products here, too; may be repeated.")
    ] = None,
    files: Annotated[bool, typer.Option("--files", help="Name every subband file.")] = False,
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """Say what PRODUCT was made of, and what that was made of, back to the subband files.

    It is read from the products themselves, and from the ledger where there is one. What is missing is named.
    Exit status: 0 said, with whatever is missing; 1 failed; 2 there is no such product.
    """
    session = begin(ctx)
    from contextlib import ExitStack

    from dsa110_contimg.ledger.opening import open_ledger
    from dsa110_contimg.pipeline.origins import Trail, missing_links
    from dsa110_contimg.pipeline.provenance import trace

    ledger = ledger_path(session, state)
    with ExitStack() as open_files:
        opened = open_files.enter_context(open_ledger(ledger, create=False)) if ledger.exists() else None
        found = trace(product, Trail(_directories(session, places or []), opened))
    if as_json:
        emit_json({"origin": found, "missing": missing_links(found)})
        return
    if session.output.is_terminal:
        session.output.print(_tree(found, files))
    else:
        from rich.console import Console

        # One line a line, for grep.
        Console(width=_WIDE).print(_tree(found, files), overflow="ignore", no_wrap=True, crop=False)
    for line in missing_links(found):
        typer.echo(f"missing: {line}", err=True)


def _directories(session: Session, given: list[Path]) -> tuple[Path, ...]:
    """List where products may be: what was said, and the directories of the settings."""
    paths = session.settings.paths
    usual = (paths.ms, paths.qa, paths.input, session.settings.lightcurves_directory)
    return tuple(path.absolute() for path in (*given, *usual) if path.exists())


def _tree(origin: "Origin", files: bool) -> "Tree":
    from rich.tree import Tree

    made = Tree(_label(origin))
    _fill(made, origin, files)
    return made


def _fill(tree: "Tree", origin: "Origin", files: bool) -> None:
    from rich.text import Text

    whole = [one for one in origin.of if one.kind == "subband" and not one.missing and not one.facts.get("outcome")]
    if whole and not files:
        places = sorted({str(one.path.parent) for one in whole if one.path is not None})
        tree.add(Text(f"{len(whole)} subband files in {', '.join(places)}"))
    for one in origin.of:
        if files or one not in whole:
            _fill(tree.add(_label(one)), one, files)


def _label(origin: "Origin") -> "Text":
    from rich.text import Text

    label = Text(f"{origin.kind} ")
    label.append(origin.name, style="bold")
    if origin.again:
        label.append("  (above)", style="dim")
    if origin.missing:
        label.append(f"  {origin.missing}", style="red")
    for line in origin.says:
        label.append(f"\n  {line}", style="dim")
    return label
