"""A year of light curves (24 epochs a day, 5,000 sources, 44 million rows): one source, all sources, and a day more.

Usage: python benchmarks/bench_lightcurves.py [--days 365] [--sources 5000] [--directory DIR]

Needs 2 GB of disk for a year, which it removes at the end. The rows of all days but the last are written straight as
months that were joined; the epochs of the last day are added and joined as the stream does it.
"""

import argparse
import multiprocessing
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from dsa110_contimg.config.settings import LightcurveSettings
from dsa110_contimg.lightcurves.compaction import compact
from dsa110_contimg.lightcurves.query import light_curve, open_store, variability_sums
from dsa110_contimg.lightcurves.rows import write_rows
from dsa110_contimg.lightcurves.store import add_epoch
from dsa110_contimg.lightcurves.variables import find_variables
from dsa110_contimg.naming import MEASUREMENTS_NAME, epoch_directory_name, epoch_id, epoch_month, month_rows_name
from dsa110_contimg.photometry.measurements import COLUMNS, SCHEMA, source_id

STRIP = "+54.6"
START = datetime(2025, 1, 1, tzinfo=UTC)
START_MJD = 60676.0
SIDEREAL_HOUR = timedelta(seconds=3590.170)
N_ASKED = 50
COLD = (
    "import sys; from pathlib import Path; "
    "from dsa110_contimg.lightcurves.query import light_curve, open_store\n"
    "with open_store(Path(sys.argv[1]), sys.argv[2]) as store: print(light_curve(store, int(sys.argv[3])).num_rows)"
)


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Print how long something takes."""
    began, cpu = time.perf_counter(), cpu_s()
    yield
    row(what, time.perf_counter() - began, cpu_s() - cpu)


def row(what: str, wall_s: float, used_s: float) -> None:
    """Print how long something took."""
    print(f"{what:62s} {wall_s:8.3f} s, {used_s:8.3f} s of CPU", flush=True)


def cpu_s() -> float:
    """Give the CPU time of this process, and of those that it started and that ended."""
    return time.process_time() + sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])


def peak_memory_gb() -> float:
    """Give the most memory that this process had (getrusage counts that of the one that started it, too)."""
    told = Path("/proc/self/status").read_text().split("VmHWM:")[1]
    return int(told.split()[0]) * 1024 / 1e9


def made_rows(sources: np.ndarray, numbers: np.ndarray, rng: np.random.Generator) -> pa.Table:
    """Make up the measurements of all sources in some epochs, by source and time."""
    n_sources, n_epochs = sources.size, numbers.size
    shape = (n_sources, n_epochs)
    names = [epoch_id(START + int(i) * SIDEREAL_HOUR, STRIP) for i in numbers]
    true = np.geomspace(0.001, 1.0, n_sources)[:, None]
    noise = rng.uniform(2e-4, 4e-4, shape)
    gain = rng.normal(1.0, 0.03, n_epochs)
    flux = true * gain + noise * rng.normal(size=shape)
    mjd = START_MJD + numbers * SIDEREAL_HOUR.total_seconds() / 86400 + rng.uniform(0.0, 0.01, (n_sources, 1))
    words = {"epoch": names, "image": names, "kind": ["mosaic"], "band": ["full"], "beam_version": ["airy"]}
    values = {
        "source_id": np.broadcast_to(sources[:, None], shape),
        "mjd": mjd,
        "freq_hz": np.full(shape, 1.405e9),
        "flux": flux,
        "e_flux": noise,
        "e_beam": 0.02 * true * np.ones(shape),
        "e_calibration": 0.03 * flux,
        "scale": np.broadcast_to(1.0 / gain, shape),
        "e_scale": np.full(shape, 0.001),
        "corrected": flux / gain,
        "e_corrected": np.hypot(noise / gain, 0.001 * flux),
        "upper_limit": np.where(flux < 5 * noise, np.maximum(flux, 0) + 3 * noise, np.nan),
        "rms": rng.uniform(2e-4, 4e-4, shape),
        "pb": np.ones(shape),
        "chi2": rng.chisquare(20, shape) / 20,
        "neighbours": np.zeros(shape),
        "flags": 16 * (flux < 5 * noise),
    }
    columns = []
    for name, column in COLUMNS.items():
        if name in words:
            codes = np.tile(np.arange(n_epochs, dtype=np.int32) % len(words[name]), n_sources)
            columns.append(pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(words[name])))
        else:
            columns.append(pa.array(values[name].astype(column.dtype.to_pandas_dtype()).ravel()))
    return pa.table(columns, schema=SCHEMA)


def fill(root: Path, sources: np.ndarray, n_epochs: int) -> None:
    """Write the rows of the first epochs as months that were joined."""
    rng = np.random.default_rng(2025)
    months: dict[str, list[int]] = {}
    for i in range(n_epochs):
        months.setdefault(epoch_month(epoch_id(START + i * SIDEREAL_HOUR, STRIP)), []).append(i)
    for month, numbers in months.items():
        table = made_rows(sources, np.array(numbers), rng)
        known = dict.fromkeys(table["epoch"].unique().to_pylist(), "made")
        write_rows(root / STRIP / month_rows_name(month, 1), [table], known)


def ask(root: Path, sources: np.ndarray, asked: int, settings: LightcurveSettings) -> None:
    """Ask for light curves, and for the variability of all."""
    rng = np.random.default_rng(7)
    began = time.perf_counter()
    with open_store(root, STRIP, memory_gb=settings.memory_gb) as store:
        rows = light_curve(store, asked).num_rows
        first = time.perf_counter() - began
        took = []
        for source in rng.choice(sources, min(N_ASKED, sources.size), replace=False):
            began, cpu = time.perf_counter(), cpu_s()
            light_curve(store, int(source))
            took.append((time.perf_counter() - began, cpu_s() - cpu))
        medians = map(statistics.median, zip(*took, strict=True))
        row(f"light curve of a source ({rows} points), warm: median of {N_ASKED}", *medians)
        print(f"  slowest {max(took)[0]:.3f} s; the first, with opening the store {first:.3f} s")
        with timed("all sources' variability: mean, eta, V"):
            n = variability_sums(store).num_rows
        with timed("all sources' variability: day by day, compared, with events"):
            find_variables(store, STRIP, settings)
    peak_gb = peak_memory_gb()
    print(
        f"  {n} sources; peak memory of the process that asked {peak_gb:.2f} GB (queries may use {settings.memory_gb})"
    )


def grow(root: Path, place: Path, sources: np.ndarray, first: int, n_epochs: int, settings: LightcurveSettings) -> None:
    """Add the epochs of a day, and join them to their month."""
    rng = np.random.default_rng(11)
    took = []
    for i in range(first, first + n_epochs):
        table = made_rows(sources, np.array([i]), rng)
        directory = place / epoch_directory_name(table["epoch"][0].as_py())
        directory.mkdir(parents=True)
        parquet.write_table(table, directory / MEASUREMENTS_NAME)
        began, cpu = time.perf_counter(), cpu_s()
        add_epoch(root, directory, settings)
        took.append((time.perf_counter() - began, cpu_s() - cpu))
    row(f"add an epoch, median of {n_epochs}", *map(statistics.median, zip(*took, strict=True)))
    month = epoch_month(epoch_id(START + first * SIDEREAL_HOUR, STRIP))
    with timed("join a day to its month, with the strip's ensemble"):
        joined = compact(root, STRIP, month, settings)
    peak_gb = peak_memory_gb()
    print(f"  {joined.n_rows if joined else 0} rows; peak memory of that process {peak_gb:.2f} GB")


def main() -> None:
    """Fill a store, ask it, let it grow, ask again."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--sources", type=int, default=5000)
    parser.add_argument("--directory", type=Path, help="where to make the store; the system's temporary directory")
    options = parser.parse_args()
    settings = LightcurveSettings()
    rng = np.random.default_rng(1)
    sources = np.sort(source_id(rng.uniform(0, 360, options.sources), rng.uniform(53.1, 56.1, options.sources)))
    n_epochs = options.days * 24
    own = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="bench-lightcurves-", dir=options.directory) as made:
        root, place = Path(made) / "lightcurves", Path(made) / "epochs"
        with timed(f"write {n_epochs * sources.size / 1e6:.1f} M rows"):
            fill(root, sources, n_epochs - 24)
        size_gb = sum(file.stat().st_size for file in root.rglob("*.parquet")) / 1e9
        print(f"  {size_gb:.2f} GB, {1e9 * size_gb / ((n_epochs - 24) * sources.size):.0f} bytes a row")
        asked = int(sources[sources.size // 3])
        for work in (
            (grow, (root, place, sources, n_epochs - 24, 24, settings)),
            (ask, (root, sources, asked, settings)),
        ):
            child = own.Process(target=work[0], args=work[1])
            child.start()
            child.join()
            if child.exitcode:
                sys.exit(child.exitcode)
        with timed("light curve of a source, cold: a process of its own"):
            run("-c", COLD, str(root), STRIP, str(asked))
        with timed("  the verb: lightcurve SOURCE, with its statistics"):
            run("-m", "dsa110_contimg.cli", "lightcurve", str(asked), f"--strip={STRIP}", f"--directory={root}")


def run(*arguments: str) -> None:
    """Run Python; what it prints is not shown."""
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
