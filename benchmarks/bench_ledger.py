"""The ledger at its limit: 100,000 groups of 16 files. Rates of registering, committing, and time to resume.

Usage: python benchmarks/bench_ledger.py [GROUPS]
"""

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dsa110_contimg.ledger import FileSeen, GroupSeen, Product, Stage, open_ledger
from dsa110_contimg.ledger.records import mjd_of
from dsa110_contimg.ledger.summary import summarize
from dsa110_contimg.naming import group_id

BATCH = 200
START = datetime(2024, 1, 1, tzinfo=UTC)
GROUP = timedelta(seconds=309.237645)


@contextmanager
def timed(what: str, n: int | None = None, unit: str = "") -> Iterator[None]:
    """Print how long something takes, and how many of it that is in a second."""
    began = time.perf_counter()
    yield
    took = time.perf_counter() - began
    print(f"{what:44s} {took:8.3f} s" + (f"  {n / took:10.0f} {unit}/s" if n else ""), flush=True)


def seen(i: int) -> tuple[GroupSeen, list[FileSeen]]:
    """Make up group i and its files."""
    start = START + i * GROUP
    gid, mjd = group_id(start), mjd_of(start)
    group = GroupSeen(gid, mjd, start, start + timedelta(minutes=10))
    files = [
        FileSeen(Path(f"/data/incoming/{gid}_sb{sb:02d}.hdf5"), sb, 144000000, i, start, gid, mjd) for sb in range(16)
    ]
    return group, files


def main() -> None:
    """Fill a ledger, then open it again as a daemon does when it starts."""
    n_groups = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    n_done = n_groups * 9 // 10
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "ledger.sqlite"
        with open_ledger(path) as ledger:
            with timed("register in batches of 200 groups", n_groups * 16, "files"):
                for first in range(0, n_groups, BATCH):
                    some = [seen(i) for i in range(first, min(first + BATCH, n_groups))]
                    ledger.register([group for group, _ in some], [file for _, files in some for file in files])
            n_one = 100
            with timed("register group by group", n_one, "groups"):
                for i in range(n_groups, n_groups + n_one):
                    group, files = seen(i)
                    ledger.register([group], files)
            with timed("begin and commit", n_one, "groups"):
                for i in range(n_one):
                    gid = seen(i)[0].id
                    attempt = ledger.begin_attempt(gid)
                    product = Product(Path(f"/data/ms/{gid}.ms"), "ms", "0" * 32, 2310000000)
                    ledger.commit_products(attempt.id, [product], range(16), stages=[Stage("convert", 4.2, 1, 1)])
            with ledger.writing() as connection:  # most are done in a ledger of this size
                connection.exec_driver_sql(
                    "INSERT INTO attempts (group_id, number, started_utc, ended_utc, committed, stages) SELECT id, 1, "
                    "first_seen_utc, deadline_utc, 1, "
                    """'[{"name": "convert", "seconds": 4.2, "bytes_in": 1, "bytes_out": 1}]' """
                    f"FROM groups WHERE n_attempts = 0 ORDER BY start_mjd LIMIT {n_done}"
                )
                connection.exec_driver_sql(
                    "UPDATE groups SET published = 65535, n_attempts = 1 WHERE id IN (SELECT group_id FROM attempts)"
                )
        print(f"{n_groups} groups: {path.stat().st_size / 1e6:.0f} MB")
        with timed("resume: open, current, ready, counts, deadline"):
            with timed("  open"):
                ledger = open_ledger(path)
            with timed("  current attempts"):
                ledger.current_attempts()
            with timed("  ready groups"):
                assert len(ledger.ready_groups(limit=100)) == 100
            with timed("  counts by state"):
                counts = ledger.counts_by_state()
            with timed("  next deadline, late groups"):
                ledger.next_deadline()
                ledger.late_groups()
        with timed("status: newest, lag, states, rate, failures"):
            summarize(path)
        with timed("set aside"):
            ledger.set_aside()
        with timed("stage totals, ever"):
            ledger.stage_totals()
        with timed("groups list (100), show"):
            gid = ledger.groups(limit=100)[50].id
            ledger.group(gid)
        ledger.close()
        print({state.value: n for state, n in counts.items() if n})


if __name__ == "__main__":
    main()
