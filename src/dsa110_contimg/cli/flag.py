"""``dsa110-contimg flag``: flag what is not sky, and keep the flags that were there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dsa110_contimg.cli.context import Json, Session, begin, emit_json
from dsa110_contimg.cli.progress import progress_bar

if TYPE_CHECKING:
    from rich.table import Table

    from dsa110_contimg.config.settings import FlagSettings
    from dsa110_contimg.flagging.history import History
    from dsa110_contimg.flagging.tables import FlagTable


def flag(
    ctx: typer.Context,
    ms: Annotated[Path | None, typer.Argument(metavar="MS", help="A Measurement Set.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be flagged; write nothing.")] = False,
    restore: Annotated[
        str | None, typer.Option(metavar="NAME", help="Make the flags what they were when NAME was kept.")
    ] = None,
    list_kept: Annotated[bool, typer.Option("--list", help="List the versions of flags that are kept.")] = False,
    history: Annotated[
        Path | None, typer.Option(metavar="PNG", help="Draw how the band was occupied, over all groups flagged.")
    ] = None,
    rfi: Annotated[bool | None, typer.Option("--rfi/--no-rfi", help="Whether to look for interference.")] = None,
    min_uv: Annotated[float | None, typer.Option(metavar="M", help="Flag baselines projected shorter.")] = None,
    max_uv: Annotated[float | None, typer.Option(metavar="M", help="Flag baselines projected longer.")] = None,
    shadow: Annotated[
        bool | None, typer.Option("--shadow/--no-shadow", help="Whether to flag antennas in another's light.")
    ] = None,
    workers: Annotated[int | None, typer.Option(metavar="N", help="Processes at once; one per core.")] = None,
    qa: Annotated[Path | None, typer.Option(metavar="DIR", help="Where the record and its figure go.")] = None,
    as_json: Json = False,
) -> None:
    """Flag zeros, sick antennas, interference, and baselines outside limits.

    The flags of before are kept, as CASA's flagmanager does; the record of what was flagged by what (JSON, CSV, PNG) is
    left in the directory of QA.
    """
    session = begin(ctx)
    from dsa110_contimg.config.changes import with_changes
    from dsa110_contimg.errors import UsageError

    if history is not None:
        _show_history(session, qa or session.settings.paths.qa, history, as_json=as_json)
        return
    if ms is None:
        raise UsageError("no Measurement Set is given", remedy="Give a Measurement Set, or --history PNG.")
    if list_kept:
        _show_versions(session, ms, as_json=as_json)
    elif restore is not None:
        _restore(ms, restore, as_json=as_json)
    else:
        given = {"rfi": rfi, "min_uv_m": min_uv, "max_uv_m": max_uv, "shadow": shadow, "workers": workers}
        settings = with_changes(session.settings, flag=given, paths={"qa": qa})
        _flag(session, ms, settings.flag, None if dry_run else settings.paths.qa, as_json=as_json)


def _flag(session: Session, ms: Path, settings: FlagSettings, qa: Path | None, *, as_json: bool) -> None:
    """Flag a Measurement Set; without a directory for the record, only say what would be flagged."""
    from dsa110_contimg.flagging.flags import find_flags, write_flags
    from dsa110_contimg.flagging.history import leave_record
    from dsa110_contimg.flagging.tables import record, tabulate

    with progress_bar(session, "flag") as tell:
        found = find_flags(ms, settings, tell)
    table = tabulate(found, settings.n_workers)
    used = settings.model_dump()
    done: dict[str, Any] = {"kept": None, "files": []}
    if qa is not None:
        done["kept"] = write_flags(found, "before dsa110-contimg flag", settings.n_workers)
        done["files"] = leave_record(found, table, used, qa)
    if as_json:
        emit_json(record(found, table, used) | done)
        return
    session.output.print(_reasons(table))
    for ailment in found.ailments:
        typer.echo(str(ailment))
    for remark in found.remarks:
        typer.echo(remark)
    if qa is None:
        typer.echo("nothing was written")
    else:
        typer.echo(f"the flags of before are kept as {done['kept']}; record and figure are {done['files'][0]} and .png")


def _reasons(table: FlagTable) -> Table:
    from rich.table import Table as RichTable

    from dsa110_contimg.flagging.reasons import Reason

    shown = RichTable("reason", "samples", box=None)
    for reason in Reason:
        if table.total[reason] > 0 or reason is Reason.GOOD:
            shown.add_row(reason.title, f"{table.total[reason]:.2%}")
    return shown


def _show_versions(session: Session, ms: Path, *, as_json: bool) -> None:
    from rich.table import Table as RichTable

    from dsa110_contimg.flagging.versions import list_versions

    versions = list_versions(_existing(ms))
    if as_json:
        emit_json({"ms": ms, "versions": versions})
        return
    shown = RichTable("version", "comment", box=None)
    for version in versions:
        shown.add_row(*version)
    session.output.print(shown if versions else "no flags are kept")


def _restore(ms: Path, name: str, *, as_json: bool) -> None:
    from dsa110_contimg.flagging.versions import restore_version
    from dsa110_contimg.ms.columns import OpenMs

    with OpenMs(_existing(ms), writable=True) as opened:
        restore_version(opened, name)
    if as_json:
        emit_json({"ms": ms, "restored": name})
    else:
        typer.echo(f"the flags are {name} again")


def _show_history(session: Session, directory: Path, picture: Path, *, as_json: bool) -> None:
    from rich.table import Table as RichTable

    from dsa110_contimg.flagging.figures import draw_history
    from dsa110_contimg.flagging.history import read_history
    from dsa110_contimg.storage.files import output_errors

    history: History = read_history(directory)
    with output_errors(picture), picture.open("wb") as file:
        draw_history(history, file)
    if as_json:
        emit_json({"groups": history.groups, "freq_hz": history.freq_hz, "mean": history.mean, "figure": picture})
        return
    shown = RichTable("MHz", "occupied", box=None)
    for first in range(0, history.freq_hz.size, 48):
        part = slice(first, first + 48)
        low, high = history.freq_hz[part][0] / 1e6, history.freq_hz[part][-1] / 1e6
        values = [value for value in history.mean[part].tolist() if value == value]  # noqa: PLR0124 - NaN is not
        shown.add_row(f"{low:.0f}-{high:.0f}", f"{sum(values) / len(values):.1%}" if values else "no data")
    session.output.print(shown)
    typer.echo(f"{len(history.groups)} groups are drawn in {picture}")


def _existing(ms: Path) -> Path:
    from dsa110_contimg.errors import MeasurementSetError

    if not (ms / "table.dat").is_file():
        raise MeasurementSetError("is not a Measurement Set", path=ms)
    return ms
