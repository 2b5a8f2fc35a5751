"""What the stream costs by itself: tiny groups, so that little else is measured.

Prints how many groups a second are sighted and registered, the daemon's own time for each, and groups per minute.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from dsa110_contimg.conversion.streaming import Incoming
from dsa110_contimg.ledger import open_ledger
from dsa110_contimg.pipeline.register import register
from dsa110_contimg.pipeline.sightings import FileSighted, GroupSighted, Sightings
from stream_daemon import Stream, id_of

N_SIGHTED = 100
N_RUN = 24


def main() -> None:
    """Run it."""
    with tempfile.TemporaryDirectory(prefix="bench-stream-") as name:
        sighting(Stream(Path(name) / "sighting"))
        running(Stream(Path(name) / "running", workers=2))


def sighting(stream: Stream) -> None:
    """Time the lookout's work and the daemon's registering, for groups that are all there."""
    for number in range(N_SIGHTED):
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


def running(stream: Stream) -> None:
    """Time the whole stream."""
    for number in range(N_RUN):
        stream.write(number)
    with stream:
        stream.wait_for({0: "done"})
        daemon = psutil.Process(stream.process.pid)
        before, begun = sum(daemon.cpu_times()[:2]), time.perf_counter()
        n_before = sum(state == "done" for state in stream.states().values())
        stream.wait_for(dict.fromkeys(range(N_RUN), "done"), 900)
        seconds, n = time.perf_counter() - begun, N_RUN - n_before
        cpu_ms = 1000 * (sum(daemon.cpu_times()[:2]) - before) / n
        with stream.ledger() as ledger:
            waits_s = [ledger.group(id_of(number)).attempts[0].stages[0].seconds for number in range(N_RUN)]
    print(f"through all stages       {60 * n / seconds:7.1f} groups/min, 2 workers")
    print(f"the daemon's own time    {cpu_ms:7.1f} ms a group")
    print(f"stage convert            {sum(waits_s) / len(waits_s):7.2f} s a group, most of it the start of a process")


if __name__ == "__main__":
    main()
