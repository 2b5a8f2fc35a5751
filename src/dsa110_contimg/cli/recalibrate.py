"""``dsa110-contimg recalibrate``: have groups done again that a set registered since calibrates better."""

import getpass
import platform
from typing import Annotated

import typer

from dsa110_contimg.cli.context import Json, begin, emit_json, time_given
from dsa110_contimg.cli.ledger import OutputDir, StateDir, open_existing


def recalibrate(
    ctx: typer.Context,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="Groups from this start on (UTC).")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Groups up to this start (UTC).")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say which, and why.")] = False,
    state: StateDir = None,
    output_dir: OutputDir = None,
    as_json: Json = False,
) -> None:
    """Have groups done again that would be calibrated better now; without a range, those of the last three days.

    They are the ones that found no set, or a stale or lesser one, or one on one side alone, or one retired since. The
    stream makes their products anew from the subband files; what is published stands until then.
    """
    session = begin(ctx)
    from dsa110_contimg.errors import GroupStateError, UnknownGroupError
    from dsa110_contimg.ledger.connection import utc_now
    from dsa110_contimg.ledger.states import DecisionKind
    from dsa110_contimg.pipeline.calibration_records import find_failed, find_improvable
    from dsa110_contimg.telescope.transits import mjd_of

    last = mjd_of(time_given(until)) if until else mjd_of(utc_now())
    first = mjd_of(time_given(since)) if since else last - 3.0
    who = f"{getpass.getuser()}@{platform.node()}"
    report = []
    with open_existing(session, state, output_dir) as ledger:
        for group, why in [*find_improvable(ledger, first, last), *find_failed(ledger, first, last)]:
            said = "would be done again"
            if not dry_run:
                try:
                    said = ledger.decide(group, DecisionKind.RETRY, who, f"recalibrate: {why}").value
                except (GroupStateError, UnknownGroupError) as error:
                    said = str(error)
            report.append({"group": group, "why": why, "state": said})
    if as_json:
        emit_json({"groups": report})
        return
    for item in report:
        typer.echo(f"{item['group']:20s} {item['state']}: {item['why']}")
    if not report:
        typer.echo("Nothing would be calibrated better now.")
