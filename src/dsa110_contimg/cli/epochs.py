"""``dsa110-contimg epochs``: what became of each hour, and having one made again."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dsa110_contimg.cli.context import Json, begin, emit_json, operator
from dsa110_contimg.cli.decisions import decide_each, print_attempts, print_events
from dsa110_contimg.cli.lazy import LightGroup
from dsa110_contimg.cli.ledger import OutputDir, StateDir, open_existing
from dsa110_contimg.cli.options import Limit, Why

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dsa110_contimg.ledger.epoch_states import Epoch
    from dsa110_contimg.ledger.records import Attempt, Event

app = typer.Typer(cls=LightGroup, no_args_is_help=True, add_completion=False, rich_markup_mode=None)


class StateName(StrEnum):
    """The states of an epoch."""

    OPEN = "open"
    RUNNING = "running"
    DONE = "done"
    BAD = "bad"
    THIN = "thin"
    BY_HAND = "by-hand"
    FAILED = "failed"


@app.callback()
def epochs() -> None:
    """List the hours that the stream joins and measures, and have some made again."""


@app.command("list")
def list_epochs(
    ctx: typer.Context,
    states: Annotated[list[StateName] | None, typer.Argument(metavar="[STATE]...", help="Only these states.")] = None,
    strip: Annotated[str | None, typer.Option(metavar="DEC", help="Only this strip: +54.6.")] = None,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="Hours that end after this (UTC).")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Hours that begin up to this (UTC).")] = None,
    limit: Limit = 100,
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """List epochs, the newest first: open, running, done, bad, thin, by-hand or failed."""
    session = begin(ctx)
    from dsa110_contimg.ledger.epoch_states import EpochState
    from dsa110_contimg.naming import parse_utc

    with open_existing(session, state) as ledger:
        found = ledger.epochs(
            [EpochState(name.value) for name in states or ()],
            strip=strip,
            since=parse_utc(since) if since else None,
            until=parse_utc(until) if until else None,
            limit=limit,
        )
    if as_json:
        emit_json({"epochs": found})
        return
    for epoch in found:
        typer.echo(_line(epoch))


@app.command()
def show(
    ctx: typer.Context,
    epoch: Annotated[str, typer.Argument(metavar="EPOCH", help="Its id: 20251005T123456+54.6.")],
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """Show all that is known of an epoch: images, verdict, attempts, events."""
    session = begin(ctx)
    with open_existing(session, state) as ledger:
        found = ledger.epoch(_epoch_id(epoch))
        attempts = ledger.epoch_attempts(found.id)
        events = ledger.events(group_id=found.id)[::-1]
    if as_json:
        emit_json({"epoch": found, "attempts": attempts, "events": events})
        return
    _print(found, attempts, events)


@app.command()
def retry(
    ctx: typer.Context,
    epoch_ids: Annotated[list[str], typer.Argument(metavar="EPOCH...", help="Ids: 20251005T123456+54.6.")],
    why: Why = "",
    state: StateDir = None,
    output_dir: OutputDir = None,
    as_json: Json = False,
) -> None:
    """Have epochs made again of the images that there are now, be they few, as soon as their groups are finished.

    Failures are forgotten; what is published stays until the new one is there.
    """
    session = begin(ctx)
    ids, who = [_epoch_id(text) for text in epoch_ids], operator()
    with open_existing(session, state, output_dir) as ledger:
        decide_each(
            "epoch",
            ids,
            lambda name: ledger.retry_epoch(name, who, why),
            "{id}  {state}, to be made again",
            as_json=as_json,
        )


def _epoch_id(text: str) -> str:
    """Accept an epoch's id; anything else is wrong usage."""
    from dsa110_contimg.errors import NamingError, UsageError
    from dsa110_contimg.naming import parse_epoch_id

    try:
        parse_epoch_id(text)
    except NamingError as error:
        raise UsageError(error.message, remedy=error.remedy) from None
    return text


def _line(epoch: "Epoch") -> str:
    n_images = len(epoch.inputs or epoch.tried)
    said = "; ".join(epoch.facts.get("reasons", ())) or epoch.reason
    more = [word for word, there in [("again", epoch.again), ("removed", epoch.retired_utc is not None)] if there]
    if epoch.published_utc is not None and epoch.kept_utc is None and epoch.retired_utc is None:
        more.append("not in the light curves yet")
    words = f"{epoch.id} {epoch.state.value:8s} {epoch.verdict:7s} {n_images:3d} images  {', '.join([*more, said])}"
    return words.rstrip(" ,")


def _print(epoch: "Epoch", attempts: "Sequence[Attempt]", events: "Sequence[Event]") -> None:
    from dsa110_contimg.ledger.records import utc_of

    typer.echo(_line(epoch))
    typer.echo(f"  hour     {utc_of(epoch.start_mjd):%FT%TZ} to {utc_of(epoch.end_mjd):%FT%TZ}")
    if epoch.path is not None:
        typer.echo(f"  product  {epoch.path}" + ("  (removed)" if epoch.retired_utc else ""))
    facts: dict[str, Any] = {key: value for key, value in epoch.facts.items() if key.startswith("n_")}
    if facts:
        typer.echo("  holds    " + ", ".join(f"{value} {key.removeprefix('n_')}" for key, value in facts.items()))
    for reason in epoch.facts.get("reasons", ()):
        typer.echo(f"  reason   {reason}")
    for group in sorted(epoch.inputs):
        typer.echo(f"  image    {group}  {epoch.inputs[group]}")
    print_attempts(attempts, lambda stage: f"{stage.seconds:.1f} s")
    print_events(events)
