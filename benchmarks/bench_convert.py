#!/usr/bin/env python3
"""Time the conversion of a full group against copying its bytes, and against pyuvdata.

    python benchmarks/bench_convert.py [--runs N] [--pyuvdata-runs N] [--data DIR] [--results FILE] [--quick]

Every run is a process of its own, start of Python included. The contenders take turns, the input stays in the page
cache, and dirty pages are written out before each run. What is run:

byte copy
    Reads all input files and writes as many bytes as the Measurement Set has, then one fsync; one thread.
direct-subband
    ``dsa110-contimg convert`` with 1 and 2 workers; the Measurement Set is checked, flushed and renamed.
pyuvdata
    The same command with ``--writer pyuvdata``: pyuvdata reads, combines, phases and writes. The peer, and the oracle.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import psutil
from rich.console import Console
from rich.markup import escape
from rich.table import Table

HERE = Path(__file__).resolve().parent
CLI = (sys.executable, "-m", "dsa110_contimg.cli")
COPY, PYUVDATA = "byte copy", "pyuvdata"
FULL_GB, QUICK_GB = 10.0, 0.5
PYUVDATA_MEMORY_GB = 10.0
COLUMNS = (
    "",
    "runs",
    "wall [s]",
    "from..to",
    "MB/s",
    "CPU [s]",
    "peak RSS [MB]",
    "x byte copy",
    "x faster than pyuvdata",
)
PACKAGES = ("dsa110-contimg", "numpy", "h5py", "python-casacore", "pyuvdata", "numba")
console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)


class Run(NamedTuple):
    """One run: wall and CPU time [s], and the largest sum of resident memory over its processes [bytes]."""

    wall_s: float
    cpu_s: float
    peak_bytes: int


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--pyuvdata-runs", type=int, default=3, help="of the slow peer; default: %(default)s")
    parser.add_argument("--data", type=Path, default=Path("contimg-data/bench"), help="default: %(default)s")
    parser.add_argument("--results", type=Path, help="table to keep; default: benchmarks/RESULTS.md, none with --quick")
    parser.add_argument("--note", default="", help="a remark for the table")
    parser.add_argument("--quick", action="store_true", help="a tiny group: whether it runs, not how fast")
    options = parser.parse_args()
    data = options.data / ("quick" if options.quick else "full")
    data.mkdir(parents=True, exist_ok=True)
    require_disk(data, QUICK_GB if options.quick else FULL_GB)
    group = make_group(data / "group", quick=options.quick)
    bytes_in = sum(path.stat().st_size for path in group.glob("*.hdf5"))
    with tempfile.TemporaryDirectory(dir=data, prefix="out-") as out:
        runs, bytes_out = race(group, Path(out), options)
    if options.runs > 1:
        console.print("medians; memory is resident, summed over all processes of a run")
    rows = table_rows(runs, bytes_in)
    console.print(rich_table(rows))
    results = options.results or (None if options.quick else HERE / "RESULTS.md")
    if results:
        keep(results, rows, facts(data, bytes_in, bytes_out, options))
        console.print(f"kept in {results}")
    return 0


def require_disk(data: Path, needed_gb: float) -> None:
    """Stop where there is not room enough."""
    free_gb = shutil.disk_usage(data).free / 1e9
    if free_gb < needed_gb:
        sys.exit(f"{data} has {free_gb:.1f} GB free, and this needs {needed_gb:g} GB: give --data on a larger disk")


def make_group(group: Path, *, quick: bool) -> Path:
    """Simulate the group if an earlier benchmark has not."""
    if not group.exists():
        console.print(f"simulating a {'tiny' if quick else 'full'} group in {group}, once")
        with tempfile.TemporaryDirectory(dir=group.parent, prefix="making-") as making:
            size = ("--antennas", "6", "--integrations", "2") if quick else ()
            subprocess.run([*CLI, "simulate", f"{making}/group", *size], check=True, stdout=subprocess.DEVNULL)
            Path(making, "group").rename(group)
    return group


def race(group: Path, out: Path, options: argparse.Namespace) -> tuple[dict[str, list[Run]], int]:
    """Let the contenders take turns; return their runs, and the size of the Measurement Set."""
    convert = (*CLI, "--log-level", "warning", "convert", str(group), str(out))
    # Not timed: compiles the kernels, brings the input into the page cache, and shows how large the product is.
    measure(convert)
    bytes_out = empty(out)
    contenders: dict[str, tuple[tuple[str, ...], int]] = {
        COPY: ((sys.executable, "-c", COPY_PROGRAM, str(group), str(out / "copy"), str(bytes_out)), options.runs),
        "direct-subband, 1 worker": ((*convert, "--workers", "1"), options.runs),
        "direct-subband, 2 workers": ((*convert, "--workers", "2"), options.runs),
        PYUVDATA: ((*convert, "--writer", "pyuvdata"), options.pyuvdata_runs),
    }
    free_gb = psutil.virtual_memory().available / 1e9
    if not options.quick and free_gb < PYUVDATA_MEMORY_GB:
        console.print(f"pyuvdata is left out: it takes {PYUVDATA_MEMORY_GB:g} GB of memory, and {free_gb:.1f} are free")
        del contenders[PYUVDATA]
    runs: dict[str, list[Run]] = {name: [] for name in contenders}
    for turn in range(max(options.runs, options.pyuvdata_runs)):
        for name, (command, n_runs) in contenders.items():
            if turn < n_runs:
                run = measure(command)
                runs[name].append(run)
                empty(out)
                console.print(f"run {turn + 1} of {n_runs}  {name:<26} {run.wall_s:7.2f} s", style="dim")
    return {name: done for name, done in runs.items() if done}, bytes_out


# In a process of its own, as the others are.
COPY_PROGRAM = """
import os, sys
from pathlib import Path
group, target, left = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
buffer = memoryview(bytearray(8 << 20))
with open(target, "wb", buffering=0) as out:
    for path in sorted(group.glob("*.hdf5")):
        with open(path, "rb", buffering=0) as file:
            while n := file.readinto(buffer):
                left -= out.write(buffer[: min(n, left)])
    while left:
        left -= out.write(buffer[: min(len(buffer), left)])
    os.fsync(out.fileno())
"""


def measure(command: tuple[str, ...]) -> Run:
    """Run a command to its end; stop everything if it fails."""
    os.sync()
    before = os.times()
    begun = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        watch = MemoryWatch(process.pid)
        watch.start()
        _, complaints = process.communicate()
        wall_s = time.perf_counter() - begun
        watch.stop()
    if process.returncode:
        sys.exit(f"{' '.join(command[:8])} failed:\n{complaints}")
    after = os.times()
    cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
    return Run(wall_s, cpu_s, watch.peak_bytes)


class MemoryWatch(threading.Thread):
    """Looks at the resident memory of a process and its descendants 50 times a second."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.peak_bytes = 0
        self._pid = pid
        self._done = threading.Event()

    def run(self) -> None:
        """Look until told to stop, or the process ends."""
        try:
            root = psutil.Process(self._pid)
            while not self._done.wait(0.02):
                family = [root, *root.children(recursive=True)]
                self.peak_bytes = max(self.peak_bytes, sum(map(resident_bytes, family)))
        except psutil.NoSuchProcess:
            return

    def stop(self) -> None:
        """Stop looking."""
        self._done.set()
        self.join()


def resident_bytes(process: psutil.Process) -> int:
    """Memory of a process; 0 if it has just ended."""
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def empty(out: Path) -> int:
    """Remove all that a run wrote, and say how many bytes that were."""
    n_bytes = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    for entry in out.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    return n_bytes


def table_rows(runs: dict[str, list[Run]], bytes_in: int) -> list[tuple[str, ...]]:
    """Work out what the table says of each contender."""
    walls = {name: statistics.median(run.wall_s for run in done) for name, done in runs.items()}
    rows = []
    for name, done in runs.items():
        every = sorted(run.wall_s for run in done)
        faster = f"{walls[PYUVDATA] / walls[name]:.1f}" if PYUVDATA in walls else "-"
        rows.append(
            (
                name,
                str(len(done)),
                f"{walls[name]:.2f}",
                f"{every[0]:.2f}..{every[-1]:.2f}",
                f"{bytes_in / 1e6 / walls[name]:.0f}",
                f"{statistics.median(run.cpu_s for run in done):.1f}",
                f"{statistics.median(run.peak_bytes for run in done) / 1e6:.0f}",
                f"{walls[name] / walls[COPY]:.2f}",
                faster,
            )
        )
    return rows


def rich_table(rows: list[tuple[str, ...]]) -> Table:
    """Lay the table out for a terminal."""
    table = Table(box=None)
    for k, heading in enumerate(COLUMNS):
        table.add_column(escape(heading), justify="right" if k else "left")
    for row in rows:
        table.add_row(*row)
    return table


def facts(data: Path, bytes_in: int, bytes_out: int, options: argparse.Namespace) -> list[str]:
    """Say what was measured, with what, and on what kind of machine."""
    memory_gb = psutil.virtual_memory().total / 1e9
    group = f"{'tiny' if options.quick else 'full'} group: {bytes_in / 1e9:.3g} GB in, {bytes_out / 1e9:.3g} GB out"
    machine = f"{os.cpu_count()} cores ({cpu_model()}), {memory_gb:.0f} GB of memory, {file_system(data)}"
    software = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    lines = [f"{time.strftime('%Y-%m-%d')}; {group}", machine, f"Python {platform.python_version()}, {software}"]
    return [*lines, options.note] if options.note else lines


def cpu_model() -> str:
    """Name the processor as /proc does."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def file_system(path: Path) -> str:
    """Name the kind of file system that a path is on."""
    mounts = {Path(part.mountpoint): part.fstype for part in psutil.disk_partitions(all=True)}
    return next((mounts[parent] for parent in (path.resolve(), *path.resolve().parents) if parent in mounts), "unknown")


def keep(results: Path, rows: list[tuple[str, ...]], lines: list[str]) -> None:
    """Put the table into the file, in place of an earlier one of the same release."""
    heading = f"## {version('dsa110-contimg')}"
    section = [heading, "", *(f"- {line}" for line in lines), ""]
    section += ["| " + " | ".join(row) + " |" for row in (COLUMNS, ("---", *["---:"] * (len(COLUMNS) - 1)), *rows)]
    text = results.read_text() if results.exists() else PREAMBLE
    preamble, *sections = text.split("\n## ")
    others = [f"## {old.strip()}" for old in sections if old.splitlines()[0] != heading.removeprefix("## ")]
    results.write_text("\n\n".join([preamble.strip(), "\n".join(section), *others]) + "\n")


PREAMBLE = """# Conversion, timed

`make bench` converts one full simulated group and keeps a table per release here: wall time of a whole process (start
of Python included), median of the runs; MB/s are of input bytes; memory is resident and summed over the process tree,
pages shared between processes counted in each. The input is in the page cache; outputs are flushed to the disk.
**byte copy** reads all input and writes as many bytes as the Measurement Set has, with one fsync. **pyuvdata** is
`--writer pyuvdata`: the reference that reads, combines, phases and writes with pyuvdata alone.
"""


if __name__ == "__main__":
    sys.exit(main())
