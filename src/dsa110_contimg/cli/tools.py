"""``dsa110-contimg tools``: external programs that draw, each in an environment of its own."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from dsa110_contimg.cli.context import Json, begin, emit_json
from dsa110_contimg.cli.lazy import LightGroup
from dsa110_contimg.cli.progress import progress_bar

app = typer.Typer(cls=LightGroup, no_args_is_help=True, add_completion=False, rich_markup_mode=None)

Names = Annotated[list[str], typer.Argument(metavar="NAME...", help="shadems, ragavi.")]


@app.callback()
def tools() -> None:
    """Install the external programs that draw: shadeMS and ragavi, each in an environment of its own."""


@app.command()
def install(
    ctx: typer.Context,
    names: Names,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be installed, and change nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make the environments of tools, with pinned versions, in the state directory (or quicklooks.tools).

    What is there already stays. Needs a network, or a mirror that pip knows.
    """
    session = begin(ctx)
    from dsa110_contimg.qa.tool_installation import install as make
    from dsa110_contimg.qa.tool_installation import plan_installation
    from dsa110_contimg.qa.tools import find_tool, tools_directory

    directory = tools_directory(session.settings)
    wanted = [find_tool(name) for name in dict.fromkeys(names)]
    plans = []
    for tool in wanted:
        if dry_run:
            plan = plan_installation(tool, directory)
        else:
            with progress_bar(session, tool.title) as tell:
                plan = make(tool, directory, tell)
        plans.append(plan)
        if not as_json:
            what = f"{tool.title} {tool.version}"
            if plan.python is None:
                typer.echo(f"{what} is there: {plan.environment}")
            else:
                done = "would be installed" if dry_run else "installed"
                typer.echo(f"{what} {done} with {plan.python}, {plan.packages} packages: {plan.environment}")
    if as_json:
        emit_json(
            [
                {
                    "tool": plan.tool.name,
                    "version": plan.tool.version,
                    "environment": plan.environment,
                    "was_there": plan.python is None,
                    "python": plan.python,
                    "dry_run": dry_run,
                }
                for plan in plans
            ]
        )


@app.command("list")
def list_tools(ctx: typer.Context, as_json: Json = False) -> None:
    """List the tools: which version is pinned, and where each program is found."""
    session = begin(ctx)
    from dsa110_contimg.qa.tools import TOOLS, find_program, is_installed, python_of, tools_directory

    directory = tools_directory(session.settings)
    found: list[dict[str, Any]] = [
        {
            "tool": tool.name,
            "version": tool.version,
            "installed": is_installed(tool, directory),
            "python": python_of(tool, directory),
            "programs": {program: find_program(tool, directory, program) for program in tool.programs},
        }
        for tool in TOOLS.values()
    ]
    if as_json:
        emit_json({"directory": directory, "tools": found})
        return
    for tool, facts in zip(TOOLS.values(), found, strict=True):
        state = f"installed (Python {facts['python']})" if facts["installed"] else f"not installed: {tool.remedy}"
        typer.echo(f"{tool.title} {tool.version}: {state}")
        for program, path in facts["programs"].items():
            typer.echo(f"  {program:13s} {path or 'not found'}")


@app.command()
def remove(
    ctx: typer.Context,
    names: Names,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be removed, and change nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Remove the environments of tools; programs on PATH stay."""
    session = begin(ctx)
    from dsa110_contimg.qa.tool_installation import uninstall
    from dsa110_contimg.qa.tools import find_tool, tools_directory

    directory = tools_directory(session.settings)
    removed = [
        path for tool in map(find_tool, dict.fromkeys(names)) for path in uninstall(tool, directory, dry_run=dry_run)
    ]
    if as_json:
        emit_json({"removed": removed, "dry_run": dry_run})
        return
    for path in removed:
        typer.echo(f"{'would remove' if dry_run else 'removed'} {path}")
    if not removed:
        typer.echo("none of them is installed")
