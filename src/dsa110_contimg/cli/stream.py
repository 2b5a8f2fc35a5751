"""The verbs ``stream`` and ``drain``."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from dsa110_contimg.cli.context import begin


class Executor(StrEnum):
    """Where jobs run."""

    PROCESS = "process"
    DASK = "dask"


class Late(StrEnum):
    """What is done with a group to which files come late."""

    REDO = "redo"
    KEEP = "keep"


def stream(
    ctx: typer.Context,
    input_dir: Annotated[Path | None, typer.Option("--input", metavar="DIR", help="Subband files.")] = None,
    output: Annotated[Path | None, typer.Option("--output", metavar="DIR", help="Published products.")] = None,
    state: Annotated[Path | None, typer.Option("--state", metavar="DIR", help="Ledger and logs; a local disk.")] = None,
    scratch: Annotated[Path | None, typer.Option("--scratch", metavar="DIR", help="A fast disk.")] = None,
    stages: Annotated[str | None, typer.Option(metavar="LIST", help="Stages, with commas between.")] = None,
    deadline: Annotated[float | None, typer.Option(metavar="S", min=0, help="Wait so long for subbands.")] = None,
    executor: Annotated[Executor | None, typer.Option(help="Child processes, or a Dask cluster.")] = None,
    dask_address: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Of the Dask scheduler.")] = None,
    workers: Annotated[int | None, typer.Option(metavar="N", min=1, help="Jobs at once.")] = None,
    late: Annotated[Late | None, typer.Option(help="Groups to which files come late.")] = None,
    poll: Annotated[bool, typer.Option("--poll", help="List the input again and again, as on FUSE and NFS.")] = False,
    reserve: Annotated[
        float | None, typer.Option(metavar="GB", min=0, help="Pause below so much free space on the root file system.")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, max=65535, help="Of /healthz, /metrics, /epochs on 127.0.0.1; 0: any."),
    ] = None,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="Replay: groups from this start on (UTC).")] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="Replay: groups up to this start (UTC); then end.")
    ] = None,
) -> None:
    """Watch for subband files, and take every group through the stages, once.

    Exit status: 0 stopped, 1 failed, 2 wrong usage, 3 drained. SIGTERM stops within 30 s, a second one at once.
    """
    session = begin(ctx)
    # Imported here: a help text needs none of it.
    from dsa110_contimg.config.changes import with_changes
    from dsa110_contimg.naming import parse_utc
    from dsa110_contimg.pipeline.daemon import Daemon
    from dsa110_contimg.web.server import HealthServer

    paths: dict[str, Any] = {"input": input_dir, "ms": output, "state": state, "scratch": scratch}
    options: dict[str, Any] = {
        "stages": tuple(stages.split(",")) if stages else None,
        "deadline_s": deadline,
        "executor": executor and executor.value,
        "dask_address": dask_address,
        "workers": workers,
        "late": late and late.value,
        "poll": poll or None,
        "reserve_gb": reserve,
        "http_port": port,
    }
    settings = with_changes(session.settings, paths=paths, stream=options)
    daemon = Daemon(settings, parse_utc(since) if since else None, parse_utc(until) if until else None)
    daemon.take_signals()
    server = HealthServer(settings.stream.http_port, daemon.health, settings.paths.state, settings.paths.ms)
    code = daemon.run(server)
    if code:
        raise typer.Exit(code)


def drain(
    ctx: typer.Context,
    state: Annotated[Path | None, typer.Option("--state", metavar="DIR", help="Of the daemon to drain.")] = None,
    wait: Annotated[bool, typer.Option(help="Wait until it has stopped.")] = True,
) -> None:
    """Have the daemon finish what is under way, begin nothing new, and stop."""
    session = begin(ctx)
    from dsa110_contimg.naming import LEDGER_NAME
    from dsa110_contimg.pipeline.drain import drain_daemon

    owner = drain_daemon((state or session.settings.paths.state) / LEDGER_NAME, wait=wait)
    session.output.print(f"{'drained' if wait else 'draining'}: {owner}")
