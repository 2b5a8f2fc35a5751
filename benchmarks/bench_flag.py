#!/usr/bin/env python3
"""Time the flagging of a full group against the aoflagger command on the same Measurement Set.

    python benchmarks/bench_flag.py [--runs N] [--antennas N] [--data DIR] [--results FILE] [--quick]

Every run is a process of its own, start of Python included, on a Measurement Set whose flags are as converted, in the
page cache. The contenders take turns. What is run:

ours
    ``dsa110-contimg flag`` with 1 and 2 workers: antennas judged, interference, the former flags kept, flags written,
    table and figure.
aoflagger
    The command with its default strategy and 2 threads, if it is on PATH: flags written.

What each finds is held against the truth of the simulation: samples where an emitter is on, and where none is.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import casacore.tables as ct
import numpy as np
from bench_convert import CLI, Run, console, cpu_model, measure
from rich.table import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent
COLUMNS = ("", "runs", "wall [s]", "CPU [s]", "peak RSS [MB]", "emitters flagged", "clean lost")
START = "20251005T123000"


class Scene(NamedTuple):
    """A Measurement Set, the flags that it came with, and where something transmits (T, C)."""

    ms: Path
    flags: Path
    transmits: NDArray[np.bool_]


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--antennas", type=int, default=96, help="default: %(default)s")
    parser.add_argument("--data", type=Path, default=Path("contimg-data/bench"), help="default: %(default)s")
    parser.add_argument(
        "--results", type=Path, help="table to keep; default: benchmarks/RESULTS_FLAG.md, none if quick"
    )
    parser.add_argument("--quick", action="store_true", help="6 antennas: whether it runs, not how fast")
    options = parser.parse_args()
    n_antennas = 6 if options.quick else options.antennas
    options.data.mkdir(parents=True, exist_ok=True)
    rows = []
    with tempfile.TemporaryDirectory(dir=options.data, prefix="flag-") as work:
        scene = make_scene(Path(work), n_antennas)
        contenders = {
            f"ours, {n} worker{'s' * (n > 1)}": (
                *(*CLI, "--log-level", "error", "flag", str(scene.ms)),
                *("--workers", str(n), "--qa", f"{work}/qa"),
            )
            for n in (1, 2)
        }
        if shutil.which("aoflagger"):
            contenders["aoflagger"] = ("aoflagger", "-j", "2", str(scene.ms))
        else:
            console.print("aoflagger is not on PATH: ours alone")
        runs: dict[str, list[Run]] = {name: [] for name in contenders}
        for turn in range(options.runs):
            for name, command in contenders.items():
                reset(scene)
                runs[name].append(measure(command))
                if turn == options.runs - 1:
                    rows.append(row(name, runs[name], *judged(scene)))
    table = Table(*COLUMNS, box=None)
    for one in rows:
        table.add_row(*one)
    console.print(table)
    results = options.results or (None if options.quick else HERE / "RESULTS_FLAG.md")
    if results:
        keep(results, rows, n_antennas)
        console.print(f"kept in {results}")
    return 0


def make_scene(work: Path, n_antennas: int) -> Scene:
    """Simulate a group with interference, and convert it."""
    console.print(f"simulating a group of {n_antennas} antennas with interference")
    size = ("--antennas", str(n_antennas), "--gains", "1", "--rfi")
    subprocess.run([*CLI, "simulate", f"{work}/group", *size], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([*CLI, "convert", f"{work}/group", f"{work}/ms"], check=True, stdout=subprocess.DEVNULL)
    (ms,) = (work / "ms").glob("*.ms")
    (truth,) = (json.loads(path.read_text()) for path in (work / "group").glob("*truth*.json"))
    with ct.table(f"{ms}::SPECTRAL_WINDOW", ack=False) as table:
        freq_hz = table.getcell("CHAN_FREQ", 0)
    transmits = np.zeros((len(truth["mjd"]), freq_hz.size), bool)
    for emitter in truth["rfi"]:
        inside = (freq_hz > emitter["low_hz"]) & (freq_hz < emitter["high_hz"])
        transmits[np.ix_(emitter["integrations"], inside)] = True
    shutil.rmtree(work / "group")
    return Scene(ms, work / "flags", transmits)


def reset(scene: Scene) -> None:
    """Make the flags what they were, and read the data once."""
    with ct.table(str(scene.ms), readonly=False, ack=False) as table:
        n_rows = table.nrows() // scene.transmits.shape[0]
        for first in range(0, table.nrows(), n_rows):
            table.putcol("FLAG", np.zeros((n_rows, scene.transmits.shape[1], 2), bool), first, n_rows)
            table.getcol("DATA", first, n_rows)
        table.putcol("FLAG_ROW", np.zeros(table.nrows(), bool))
    shutil.rmtree(f"{scene.ms}.flagversions", ignore_errors=True)


def judged(scene: Scene) -> tuple[float, float]:
    """Fractions of the cross-correlations that are flagged where something transmits, and where nothing does."""
    n_times = scene.transmits.shape[0]
    flagged = np.zeros(scene.transmits.shape)
    with ct.table(str(scene.ms), ack=False) as table:
        n_rows = table.nrows() // n_times
        for time_ in range(n_times):
            names = ("ANTENNA1", "ANTENNA2", "FLAG")
            first, second, flags = (table.getcol(name, time_ * n_rows, n_rows) for name in names)
            flagged[time_] = flags[first != second].mean(axis=(0, 2))
    return float(flagged[scene.transmits].mean()), float(flagged[~scene.transmits].mean())


def row(name: str, runs: list[Run], found: float, lost: float) -> tuple[str, ...]:
    """Lay out what is said of one contender."""
    wall_s, cpu_s, peak = (statistics.median(values) for values in zip(*runs, strict=True))
    return (
        name, str(len(runs)), f"{wall_s:.1f}", f"{cpu_s:.1f}", f"{peak / 1e6:.0f}", f"{found:.2%}", f"{lost:.2%}",
    )  # fmt: skip


def keep(results: Path, rows: list[tuple[str, ...]], n_antennas: int) -> None:
    """Write the table that is kept."""
    lines = [
        "# Flagging, timed",
        "",
        f"{time.strftime('%Y-%m-%d')}, {n_antennas} antennas, 24 x 768 x 2, with interference, on {cpu_model()}.",
        "",
        *("| " + " | ".join(one) + " |" for one in (COLUMNS, ("---", *["---:"] * (len(COLUMNS) - 1)), *rows)),
    ]
    results.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
