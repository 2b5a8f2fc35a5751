"""``dsa110-contimg qa``: pictures of Measurement Sets."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from dsa110_contimg.cli.context import Json, begin, emit_json
from dsa110_contimg.cli.lazy import LightGroup
from dsa110_contimg.cli.progress import progress_bar
from dsa110_contimg.naming import PlotKind

app = typer.Typer(cls=LightGroup, no_args_is_help=True, add_completion=False, rich_markup_mode=None)


class Column(StrEnum):
    """Visibilities that can be drawn."""

    DATA = "DATA"
    CORRECTED_DATA = "CORRECTED_DATA"
    MODEL_DATA = "MODEL_DATA"


@app.callback()
def qa() -> None:
    """Draw Measurement Sets, to see at a glance what is in them."""


@app.command("fast-plots")
def fast_plots(
    ctx: typer.Context,
    ms: Annotated[Path, typer.Option("--ms", metavar="MS", help="Measurement Set; it is only read.")],
    output_dir: Annotated[
        Path | None, typer.Option("--output-dir", metavar="DIR", help="Where the pictures go; <paths.qa>/<MS>.")
    ] = None,
    column: Annotated[
        list[Column] | None,
        typer.Option(help="What is drawn; may be given again. CORRECTED_DATA where there is one, else DATA."),
    ] = None,
    include_residual: Annotated[
        bool, typer.Option("--include-residual", help="CORRECTED_DATA or DATA minus MODEL_DATA, too.")
    ] = False,
    plot: Annotated[list[PlotKind] | None, typer.Option(help="Draw this; may be given again. All.")] = None,
    threads: Annotated[int | None, typer.Option(metavar="N", min=1, help="Threads; one per core.")] = None,
    as_json: Json = False,
) -> None:
    """Draw MS in seconds, every sample counted: amplitudes, phases, waterfall, autos, uv coverage, flags.

    Exit status: 0 done, 1 failed, 2 wrong usage.
    """
    session = begin(ctx)
    # Imported here: a help text needs none of it.
    from dsa110_contimg.qa.fast_plots import make_fast_plots, plots_directory

    with progress_bar(session, ms.name) as tell:
        made = make_fast_plots(
            ms,
            output_dir or plots_directory(ms, session.settings.paths.qa),
            columns=[each.value for each in column] if column else None,
            include_residual=include_residual,
            kinds=plot,
            workers=threads,
            progress=tell,
        )
    if as_json:
        emit_json(list(made))
    else:
        typer.echo("\n".join(map(str, made)))


@app.command()
def quicklooks(
    ctx: typer.Context,
    ms: Annotated[Path, typer.Option("--ms", metavar="MS", help="Measurement Set; it is only read.")],
    ragavi: Annotated[bool, typer.Option("--ragavi", help="Interactive pages of ragavi-vis, too.")] = False,
    with_fast_plots: Annotated[bool, typer.Option("--fast-plots", help="Fast plots, too.")] = False,
    table: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="TABLE", help="A page of ragavi-gains of it (or of all in a set), too; may be given again."
        ),
    ] = None,
    shadems: Annotated[bool, typer.Option(help="Plots of shadeMS.")] = True,
    state_dir: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The page goes to DIR/qa/<MS>; paths.state.")
    ] = None,
    max_plots: Annotated[
        int | None, typer.Option("--max", metavar="N", min=1, help="At most N plots of shadeMS and ragavi-vis.")
    ] = None,
    timeout: Annotated[float | None, typer.Option(metavar="S", help="Seconds that one run of them is given.")] = None,
    as_json: Json = False,
) -> None:
    """Make a page of plots of MS, by shadeMS (and ragavi, and fast plots): <paths.state>/qa/<MS>/index.html.

    A tool that is missing, fails or is too slow costs a warning. Exit status: 0 done, 1 nothing drawn, 2 wrong usage.
    """
    session = begin(ctx)
    # Imported here: a help text needs none of it.
    from dsa110_contimg.errors import UsageError
    from dsa110_contimg.qa.quicklooks import drawing_of, make_quicklooks
    from dsa110_contimg.qa.tools import tools_directory

    if timeout is not None and not timeout > 0:
        raise UsageError("--timeout is not more than 0")
    settings = session.settings
    drawing = drawing_of("shadems", settings)._replace(
        shadems=shadems, ragavi=ragavi, fast_plots=with_fast_plots, tables=tuple(table or ())
    )
    if max_plots is not None:
        drawing = drawing._replace(max_plots=max_plots)
    if timeout is not None:
        drawing = drawing._replace(timeout_s=timeout)
    with progress_bar(session, ms.name) as tell:
        made = make_quicklooks(
            ms,
            state_dir or settings.paths.state,
            tools_directory(settings),
            drawing,
            progress=tell,
        )
    if as_json:
        emit_json(made)
    else:
        typer.echo(str(made.page))
