"""``dsa110-contimg groups``: what became of each group, and what an operator decides about it."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dsa110_contimg.cli.context import Json, begin, emit_json, operator
from dsa110_contimg.cli.decisions import decide_each, print_attempts, print_events
from dsa110_contimg.cli.lazy import LightGroup
from dsa110_contimg.cli.ledger import OutputDir, StateDir, open_existing
from dsa110_contimg.cli.options import Limit, Why

if TYPE_CHECKING:
    from pathlib import Path

    from dsa110_contimg.ledger.records import GroupHistory, Stage

app = typer.Typer(cls=LightGroup, no_args_is_help=True, add_completion=False, rich_markup_mode=None)


class StateName(StrEnum):
    """The states of a group."""

    COLLECTING = "collecting"
    READY = "ready"
    RUNNING = "running"
    DONE = "done"
    PARTIAL = "partial"
    FAILED = "failed"
    QUARANTINED = "quarantined"
    IGNORED = "ignored"


GroupIds = Annotated[list[str], typer.Argument(metavar="GROUP...", help="Group ids: 2025-10-05T12:30:00.")]


@app.callback()
def groups() -> None:
    """List groups, and decide about them."""


@app.command("list")
def list_groups(
    ctx: typer.Context,
    states: Annotated[list[StateName] | None, typer.Argument(metavar="[STATE]...", help="Only these states.")] = None,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="Groups from this start on (UTC).")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Groups up to this start (UTC).")] = None,
    limit: Limit = 100,
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """List groups, the newest first: collecting, ready, running, done, partial, failed, quarantined or ignored."""
    session = begin(ctx)
    from dsa110_contimg.ledger.states import GroupState
    from dsa110_contimg.naming import parse_utc

    with open_existing(session, state) as ledger:
        found = ledger.groups(
            [GroupState(name.value) for name in states or ()],
            since=parse_utc(since) if since else None,
            until=parse_utc(until) if until else None,
            limit=limit,
        )
    if as_json:
        emit_json({"groups": found})
        return
    for group in found:
        typer.echo(f"{group.id:20s} {group.state.value:11s} {len(group.present):2d}/16  {group.reason}".rstrip())


@app.command()
def show(
    ctx: typer.Context,
    group: Annotated[str, typer.Argument(metavar="GROUP", help="Group id: 2025-10-05T12:30:00.")],
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """Show all that is known of a group: files, attempts, products, decisions, events."""
    session = begin(ctx)
    with open_existing(session, state) as ledger:
        history = ledger.group(_group_id(group))
        flagging = ledger.flagging(history.group.id)
    if as_json:
        emit_json(history._asdict() | {"flagging": flagging})
        return
    _print(history)
    if flagging is not None:
        by_reason = {name: share for name, share in flagging.record["by_reason"].items() if share and name != "good"}
        typer.echo(f"  flagged  {flagging.flagged:.1%}: " + ", ".join(f"{k} {v:.1%}" for k, v in by_reason.items()))
        for ailment in flagging.record["ailments"]:
            typer.echo(f"    station {ailment['name']} {ailment['polarization']}: {ailment['kind']}")


def _verb(what: str, says: str) -> None:
    """Add a verb that takes one decision about groups."""

    def decide(
        ctx: typer.Context,
        group_ids: GroupIds,
        why: Why = "",
        state: StateDir = None,
        output_dir: OutputDir = None,
        as_json: Json = False,
    ) -> None:
        _decide(ctx, what, group_ids, why, state, output_dir, as_json=as_json)

    app.command(what, help=says)(decide)


_verb(
    "retry",
    "Have groups done again: their failures are forgotten, their products replaced when the new ones are there.",
)
_verb("ignore", "Want nothing of groups.")
_verb("quarantine", "Keep groups from being tried, until they are told to be retried.")
_verb("retire", "Count the products of groups as gone, and want no new ones; their files stay where they are.")


def _decide(
    ctx: typer.Context, what: str, group_ids: list[str], why: str, state: Any, output_dir: Any, *, as_json: bool
) -> None:
    """Take one decision about each group; those that refuse it do not keep the others from it."""
    session = begin(ctx)
    from dsa110_contimg.ledger.states import DecisionKind

    ids, who = [_group_id(text) for text in group_ids], operator()
    with open_existing(session, state, output_dir) as ledger:
        decide_each(
            "group",
            ids,
            lambda gid: ledger.decide(gid, DecisionKind(what), who, why),
            "{id:20s} {state}",
            as_json=as_json,
        )


def _group_id(text: str) -> str:
    """Accept a group id in either form; anything else is wrong usage."""
    from dsa110_contimg.errors import NamingError, UsageError
    from dsa110_contimg.naming import compact, expand

    try:
        return expand(compact(text)) if ":" in text else expand(text)
    except NamingError as error:
        raise UsageError(error.message, remedy=error.remedy) from None


def _print(history: "GroupHistory") -> None:
    group = history.group
    typer.echo(f"{group.id}  {group.state.value}" + (f": {group.reason}" if group.reason else ""))
    typer.echo(f"wanted {group.wanted.value}; seen {group.first_seen_utc:%FT%TZ}, deadline {group.deadline_utc:%FT%TZ}")
    for file in history.files:
        typer.echo(f"  file     {file.path}  {file.outcome} {file.reason}".rstrip())
    print_attempts(history.attempts, _moved)
    for product in history.products:
        typer.echo(f"  product  {product.path}" + ("  (retired)" if product.retired_utc else ""))
        if product.kind == "images" and product.path.is_dir():
            _print_quality(product.path)
    for decision in history.decisions:
        typer.echo(f"  decision {decision.when_utc:%FT%TZ}  {decision.what.value} by {decision.who}: {decision.why}")
    print_events(history.events)


def _moved(stage: "Stage") -> str:
    """Say what a stage read in which time."""
    from dsa110_contimg.config.logs import human_bytes

    rate = f", {human_bytes(int(stage.bytes_in / stage.seconds))}/s" if stage.bytes_in and stage.seconds else ""
    return f"{human_bytes(stage.bytes_in)} in {stage.seconds:.1f} s{rate}"


def _print_quality(directory: "Path") -> None:
    """Say what the images in a directory are worth, and where the page about them is."""
    import json

    for path in sorted(directory.glob("*-quality.json")):
        said = json.loads(path.read_text())
        typer.echo(f"    {said['verdict']}" + "".join(f"; {reason}" for reason in said["reasons"]))
    for page in sorted(directory.glob("*-report.html")):
        typer.echo(f"    report: {page}")
