"""``dsa110-contimg epochs``: what became of each hour, and having one made again."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dsa110_contimg.cli.context import Json, begin, emit_json, operator
from dsa110_contimg.cli.lazy import LightGroup
from dsa110_contimg.cli.ledger import StateDir, open_existing

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
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="At most so many, the newest.")] = 100,
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """List epochs, the newest first: open, running, done, bad, thin or failed."""
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
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason, for those who come later.")] = "",
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """Have epochs made again of the images that there are now, be they few, as soon as their groups are finished.

    Failures are forgotten; what is published stays until the new one is there.
    """
    session = begin(ctx)
    from dsa110_contimg.errors import GroupStateError, UnknownEpochError

    ids = [_epoch_id(text) for text in epoch_ids]
    report: list[dict[str, str]] = []
    with open_existing(session, state) as ledger:
        for name in ids:
            try:
                after = ledger.retry_epoch(name, operator(), why)
            except (GroupStateError, UnknownEpochError) as error:
                report.append({"epoch": name, "error": str(error)})
            else:
                report.append({"epoch": name, "state": after.value})
    if as_json:
        emit_json({"epochs": report})
    for item in report:
        if "error" in item:
            typer.echo(f"error: {item['error']}", err=True)
        elif not as_json:
            typer.echo(f"{item['epoch']}  {item['state']}, to be made again")
    if any("error" in item for item in report):
        raise typer.Exit(1)


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
    for attempt in attempts:
        outcome = attempt.failure_kind or (
            "committed" if attempt.committed else "interrupted" if attempt.ended_utc else "running"
        )
        typer.echo(f"  attempt  {attempt.number}  {attempt.started_utc:%FT%TZ}  {outcome}  {attempt.message}".rstrip())
        for stage in attempt.stages:
            typer.echo(f"    {stage.name}: {stage.seconds:.1f} s")
        if attempt.log_path is not None:
            typer.echo(f"    log: {attempt.log_path}")
    for event in events:
        typer.echo(f"  event    {event.when_utc:%FT%TZ}  {event.kind}: {event.text}")
