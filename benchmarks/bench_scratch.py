#!/usr/bin/env python3
"""Time ``dsa110-contimg scratch stage`` beside ``cp -a`` on the same disk.

    python benchmarks/bench_scratch.py [--runs N] [--data DIR] [--ms MS] [--quick]

What is copied: one big file; a tree of thousands of small files; a Measurement Set (of ``--ms``, or files of the sizes
that one of a full group has). Every run is a process of its own, start of Python included, and includes writing all to
the disk: ``cp -a`` is followed by ``sync -f`` of the file system. The contenders take turns, the source stays in the
page cache, dirty pages are written out before each run, and every run writes to a new place: ext4 is slow to reuse
inodes that were freed a moment ago. Ours also sums up what it reads and what it wrote, and keeps a journal.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
CLI = (sys.executable, "-m", "dsa110_contimg.cli", "--log-level", "warning", "scratch")
RECOVERY_S = 6.0
console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)


def main() -> None:
    """Make the sources, time, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3, help="runs of each contender")
    parser.add_argument("--data", type=Path, default=ROOT / "contimg-data" / "bench", help="a directory on the disk")
    parser.add_argument("--ms", type=Path, help="a Measurement Set to copy")
    parser.add_argument("--quick", action="store_true", help="small sources: for a test of this script")
    options = parser.parse_args()
    options.data.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="scratch-", dir=options.data) as name:
        base = Path(name)
        sources = make_sources(base / "data", quick=options.quick, ms=options.ms)
        table = Table("copied", "files", "MB", "cp -a [s]", "ours [s]", "speed, x cp -a", box=None)
        for source in sources:
            table.add_row(*compare(base, source, options.runs, 0.0 if options.quick else RECOVERY_S))
        console.print(table)


def make_sources(root: Path, *, quick: bool, ms: Path | None) -> list[Path]:
    """Write what is to be copied."""
    scale = 100 if quick else 1
    big, small, like_ms = root / "big-file", root / "small-files", root / "measurement-set"
    write(big / "file", 2_000_000_000 // scale)
    for number in range(5000 // scale):
        write(small / f"directory{number % 50}" / f"file{number}", 40_000)
    if ms is not None:
        shutil.copytree(ms, like_ms)
    else:
        for number, size in enumerate([1_400_000_000 // scale, 86_000_000 // scale, *[40_000] * 70]):
            write(like_ms / f"table{number % 14}" / f"table.f{number}", size)
    return [big, small, like_ms]


def write(path: Path, size: int) -> None:
    """Write a file of this size [bytes]."""
    path.parent.mkdir(parents=True, exist_ok=True)
    block = os.urandom(1 << 20)
    with path.open("wb") as file:
        for at in range(0, size, len(block)):
            file.write(block[: size - at])


def compare(base: Path, source: Path, runs: int, recovery_s: float) -> tuple[str, ...]:
    """Let both copy a source in turn; give a row of the table."""
    files = [path for path in source.rglob("*") if path.is_file()]
    times: dict[str, list[float]] = {"cp": [], "ours": []}
    for number in range(runs):
        for name, seconds in times.items():
            target = base / f"{name}-{source.name}-{number}"
            target.mkdir()
            os.sync()
            began = time.monotonic()
            if name == "cp":
                subprocess.run(["cp", "-a", str(source), str(target)], check=True)
                subprocess.run(["sync", "-f", str(target)], check=True)
            else:
                roots = ("--data-root", str(source.parent), "--scratch-root", str(target), "--reserve", "0")
                subprocess.run([*CLI, "stage", source.name, *roots], check=True, stdout=subprocess.DEVNULL)
            seconds.append(time.monotonic() - began)
    for target in base.glob(f"*-{source.name}-*"):
        shutil.rmtree(target)
    time.sleep(recovery_s)
    cp, ours = (statistics.median(seconds) for seconds in times.values())
    size_mb = sum(path.stat().st_size for path in files) / 1e6
    return source.name, str(len(files)), f"{size_mb:.0f}", f"{cp:.2f}", f"{ours:.2f}", f"{cp / ours:.2f}"


if __name__ == "__main__":
    main()
