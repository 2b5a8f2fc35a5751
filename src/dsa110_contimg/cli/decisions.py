"""What ``groups`` and ``epochs`` have in common: decisions about each of several, attempts and events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from dsa110_contimg.cli.context import emit_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from enum import StrEnum

    from dsa110_contimg.ledger.records import Attempt, Event, Stage


def decide_each(noun: str, ids: Sequence[str], decide: Callable[[str], StrEnum], line: str, *, as_json: bool) -> None:
    """Take one decision about each group or epoch, and say so; those that refuse it do not keep the others from it.

    Parameters
    ----------
    noun : str
        ``group`` or ``epoch``.
    ids : sequence of str
    decide : callable
        Takes an id, and gives the state that it is then in.
    line : str
        What is said of each: a format of `id` and `state`.
    as_json : bool

    Raises
    ------
    typer.Exit
        With 1: one refused.
    """
    from dsa110_contimg.errors import GroupStateError, UnknownEpochError, UnknownGroupError

    report: list[dict[str, str]] = []
    for name in ids:
        try:
            report.append({noun: name, "state": decide(name).value})
        except (GroupStateError, UnknownEpochError, UnknownGroupError) as error:
            report.append({noun: name, "error": str(error)})
    if as_json:
        emit_json({f"{noun}s": report})
    for item in report:
        if "error" in item:
            typer.echo(f"error: {item['error']}", err=True)
        elif not as_json:
            typer.echo(line.format(id=item[noun], state=item["state"]))
    if any("error" in item for item in report):
        raise typer.Exit(1)


def print_attempts(attempts: Iterable[Attempt], describe: Callable[[Stage], str]) -> None:
    """Print attempts, how each ended, its stages and its log."""
    for attempt in attempts:
        outcome = attempt.failure_kind or (
            "committed" if attempt.committed else "interrupted" if attempt.ended_utc else "running"
        )
        typer.echo(f"  attempt  {attempt.number}  {attempt.started_utc:%FT%TZ}  {outcome}  {attempt.message}".rstrip())
        for stage in attempt.stages:
            typer.echo(f"    {stage.name}: {describe(stage)}")
        if attempt.log_path is not None:
            typer.echo(f"    log: {attempt.log_path}")


def print_events(events: Iterable[Event]) -> None:
    """Print events, a line each."""
    for event in events:
        typer.echo(f"  event    {event.when_utc:%FT%TZ}  {event.kind}: {event.text}")
