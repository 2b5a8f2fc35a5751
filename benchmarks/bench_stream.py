"""What the stream costs by itself, and how far it is behind the sky.

    python benchmarks/bench_stream.py [--data DIR] [--quick]

With tiny groups, so that little else is measured: how many groups a second are sighted and registered, the daemon's own
time for each, and groups per minute. With full-size ones, which arrive one after the other: the time from the arrival
of a group's last file to its published Measurement Set.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from dsa110_contimg.conversion.grouping import find_groups
from dsa110_contimg.conversion.streaming import Incoming
from dsa110_contimg.ledger import open_ledger
from dsa110_contimg.pipeline.register import register
from dsa110_contimg.pipeline.sightings import FileSighted, GroupSighted, Sightings
from stream_daemon import Stream, id_of

N_SIGHTED = 100
N_RUN = 24
N_FULL = 2
SKY_S = 309.2


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("contimg-data/bench"), help="default: %(default)s")
    parser.add_argument("--quick", action="store_true", help="tiny groups throughout: whether it runs, not how fast")
    options = parser.parse_args()
    options.data.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="stream-", dir=options.data) as name:
        base = Path(name).resolve()
        sighting(Stream(base / "sighting"), 10 if options.quick else N_SIGHTED)
        running(Stream(base / "running", workers=2), 4 if options.quick else N_RUN)
        arriving(Stream(base / "arriving", deadline_s=60), quick=options.quick)


def sighting(stream: Stream, n_groups: int) -> None:
    """Time the lookout's work and the daemon's registering, for groups that are all there."""
    for number in range(n_groups):
        stream.write(number)
    incoming = Incoming(stream.incoming, settle_s=0.0)
    begun = time.perf_counter()
    seen = incoming.judge(incoming.whole())
    judged = time.perf_counter()
    stream.state.mkdir()
    with open_ledger(stream.state / "ledger.sqlite") as ledger:
        opened = time.perf_counter()
        for group in seen.groups:
            files = tuple(FileSighted(str(path), 1, 1, "good", "") for path in group.files.values())
            register(ledger, [Sightings((GroupSighted(group.id, group.start_mjd, files),), ())], 600, 12)
        done = time.perf_counter()
    print(f"seen by the lookout      {len(seen.groups) / (judged - begun):7.0f} groups/s (16 headers each)")
    print(f"registered, one by one   {len(seen.groups) / (done - opened):7.0f} groups/s")


def running(stream: Stream, n_groups: int) -> None:
    """Time the whole stream."""
    for number in range(n_groups):
        stream.write(number)
    with stream:
        stream.wait_for({0: "done"})
        daemon = psutil.Process(stream.process.pid)
        before, begun = sum(daemon.cpu_times()[:2]), time.perf_counter()
        n_before = sum(state == "done" for state in stream.states().values())
        stream.wait(lambda: set(stream.states().values()) == {"done"}, 900, every_s=1.0)
        seconds, n = time.perf_counter() - begun, n_groups - n_before
        cpu_ms = 1000 * (sum(daemon.cpu_times()[:2]) - before) / n
        with stream.ledger() as ledger:
            waits_s = [ledger.group(id_of(number)).attempts[0].stages[0].seconds for number in range(n_groups)]
    print(f"through all stages       {60 * n / seconds:7.1f} groups/min, 2 workers")
    print(f"the daemon's own time    {cpu_ms:7.1f} ms a group")
    print(f"stage convert            {sum(waits_s) / len(waits_s):7.2f} s a group, most of it the start of a process")


def arriving(stream: Stream, *, quick: bool) -> None:
    """Time from the arrival of a group's last file to its product, for groups of full size."""
    made = stream.base / "made"
    size = ("--antennas", "6", "--integrations", "2") if quick else ("--sky", "random:10")
    simulate = [sys.executable, "-m", "dsa110_contimg.cli", "simulate", str(made), "--groups", str(N_FULL), *size]
    subprocess.run(simulate, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    groups = find_groups(made).groups
    with stream:
        stream.wait(lambda: "watching" in stream.log)
        for group in groups:
            for path in group.files.values():
                path.rename(stream.incoming / path.name)
            arrived = datetime.now(UTC)
            stream.wait(lambda gid=group.id: stream.states().get(gid) == "done", 900, every_s=0.5)
            with stream.ledger() as ledger:
                (attempt,) = ledger.group(group.id).attempts
            (convert,) = attempt.stages
            lag_s = (attempt.ended_utc - arrived).total_seconds()
            print(
                f"lag of a full group      {lag_s:7.1f} s, of which convert {convert.seconds:.1f} s"
                f" ({convert.bytes_in / 1e9:.2f} GB in); {SKY_S / lag_s:.0f} times faster than the sky"
            )


if __name__ == "__main__":
    main()
