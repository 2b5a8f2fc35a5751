"""``dsa110-contimg status``: whether it keeps up, and what failed."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dsa110_contimg.cli.context import Json, Session, begin, emit_json
from dsa110_contimg.cli.ledger import StateDir, ledger_path
from dsa110_contimg.naming import DAEMON_NAME

if TYPE_CHECKING:
    from dsa110_contimg.ledger.epoch_summary import EpochSummary
    from dsa110_contimg.storage.free_space import FreeSpace, Space

_PROBE_S = 0.2
"""So long a path may take to say how much room it has."""
_WATCH_S = 2.0
_N_FAILURES = 10


def status(
    ctx: typer.Context,
    watch: Annotated[bool, typer.Option("--watch", help="Again every two seconds, until interrupted.")] = False,
    state: StateDir = None,
    as_json: Json = False,
) -> None:
    """Show the newest data, backlog, lag behind the sky, groups by state, rate, failures, workers, days until full.

    It reads the ledger alone, and no dead mount delays it. With --watch --json it prints one report after the other.
    """
    session = begin(ctx)
    from dsa110_contimg.storage.free_space import FreeSpace

    probe = FreeSpace()
    ledger = ledger_path(session, state)
    probe.ask(watched_paths(session, ledger.parent).values(), 0.0)  # those that take time have it from here on
    while True:
        report = report_of(ledger, probe, watched_paths(session, ledger.parent))
        if as_json:
            emit_json(report)
        else:
            typer.echo(("\x1b[H\x1b[2J" if watch and session.output.is_terminal else "") + as_text(report))
        if not watch:
            return
        time.sleep(_WATCH_S)


def watched_paths(session: Session, state: Path) -> dict[str, Path]:
    """Name the directories whose free space matters."""
    paths = session.settings.paths
    named = {"input": paths.input, "ms": paths.ms, "scratch": paths.scratch, "state": state, "root": Path("/")}
    return {name: path for name, path in named.items() if path is not None}


def report_of(ledger: Path, probe: "FreeSpace", paths: dict[str, Path]) -> dict[str, Any]:
    """Say how it goes, for JSON."""
    from dsa110_contimg.ledger.lock import owner_of
    from dsa110_contimg.ledger.summary import summarize

    now = datetime.now(UTC)
    found = summarize(ledger, now, _N_FAILURES)
    room = probe.ask(paths.values(), _PROBE_S)
    owner = owner_of(ledger)
    return {
        "time_utc": now,
        "ledger": ledger,
        "daemon": owner,
        "said": _said(ledger.parent, owner.pid) if owner else None,
        **found._asdict(),
        "backlog": found.backlog,
        "groups": {state.value: count for state, count in found.groups.items()},
        "failed_attempts": {kind.value: count for kind, count in found.failed_attempts.items()},
        "workers": [
            {
                "group": attempt.group_id,
                "attempt": attempt.number,
                "pid": attempt.pid,
                "host": attempt.host,
                "seconds": (now - attempt.started_utc).total_seconds(),
            }
            for attempt in found.attempts
        ],
        "space": _filling(
            dict(zip(paths, room, strict=True)),
            {"input": found.raw_bytes_per_day, "ms": found.product_bytes_per_day},
        ),
    }


def _filling(room: "dict[str, Space]", bytes_per_day: dict[str, float]) -> list[dict[str, Any]]:
    """Say of each path how fast its file system fills, and when it is full: with what goes to the paths on it."""
    lines = []
    for name, space in room.items():
        system = space.file_system
        rate = sum(
            value
            for other, value in bytes_per_day.items()
            if system is not None and other in room and room[other].file_system == system
        )
        days = space.free_bytes / rate if rate > 0 and space.free_bytes is not None else None
        lines.append({"name": name} | space._asdict() | {"bytes_per_day": rate, "days_until_full": days})
    return lines


def _said(state: Path, pid: int) -> dict[str, Any] | None:
    """Read what the daemon says of itself; None if that is of another process, or cannot be read."""
    try:
        said: dict[str, Any] = json.loads((state / DAEMON_NAME).read_text())
    except (OSError, ValueError):
        return None
    return said if said.get("pid") == pid else None


def as_text(report: dict[str, Any]) -> str:
    """Say the same for people."""
    from dsa110_contimg.config.logs import human_bytes, human_span

    lag = "nothing is published yet" if report["lag_s"] is None else f"{human_span(report['lag_s'])} behind the sky"
    lines = [
        f"daemon   {report['daemon'] or 'not running'}",
        f"newest   data {_time(report['newest_data_utc'])}, product {_time(report['newest_product_utc'])}: {lag}",
        f"backlog  {report['backlog']} groups; {report['groups_per_hour']:.0f} published in the last hour",
        "groups   " + ", ".join(f"{count} {state}" for state, count in report["groups"].items() if count),
    ]
    lines += _epoch_lines(report["epochs"])
    said = report["said"] or {}
    lines += [f"{key.upper():8s} {said[key]}" for key in ("paused", "trouble") if said.get(key)]
    for place, found in (said.get("leftovers") or {}).items():
        if found["files"]:
            size = human_bytes(found["bytes"])
            lines.append(f"leftover {size} in {found['files']} .fuse_hidden files below {place}: see housekeeping fuse")
    if said.get("draining"):
        lines.append("draining no new group is begun")
    for worker in report["workers"]:
        where = f"process {worker['pid']} on {worker['host']}" if worker["pid"] else "starting"
        lines.append(f"worker   {worker['group']}, attempt {worker['attempt']}, {where}, {worker['seconds']:.0f} s")
    for space in report["space"]:
        free = space["problem"] or f"{human_bytes(space['free_bytes'])} free of {human_bytes(space['total_bytes'])}"
        if space["days_until_full"] is not None:
            rate = human_bytes(round(space["bytes_per_day"]))
            free += f"; full in {space['days_until_full']:.1f} days at {rate} a day"
        lines.append(f"space    {space['name']}: {space['path']}: {free}")
    lines += [f"again    {item.group_id}: from {_time(item.when_utc)}: {item.reason}" for item in report["waiting"]]
    lines += [f"{item.state.value:11s} {item.group_id}: {item.reason}" for item in report["failures"]]
    return "\n".join(lines)


def _epoch_lines(found: "EpochSummary") -> list[str]:
    """Say how it goes with epochs; nothing if there are none."""
    if not found.states:
        return []
    counts = ", ".join(f"{count} {state}" for state, count in found.states.items() if count)
    unkept = f"; {found.n_unkept} not in the light curves yet" if found.n_unkept else ""
    lines = [f"epochs   {counts}{unkept}"]
    lines += [f"epoch    {name}: is being made" for name in found.running]
    for item in found.newest:
        reasons = "".join(f"; {reason}" for reason in item.reasons)
        lines.append(f"epoch    {item.id}: {item.verdict}, {item.n_images} images, {_time(item.when_utc)}{reasons}")
    return lines + [f"failed   epoch {item.id}: {item.reasons[0]}" for item in found.failures]


def _time(time_utc: datetime | None) -> str:
    return "none" if time_utc is None else f"{time_utc:%Y-%m-%dT%H:%M:%SZ}"
