"""A long run that is disturbed all the time: groups with faults of every kind, killed daemons and killed jobs.

``python benchmarks/soak_stream.py [--groups 200] [--kills 100] [--workers 2] [--seed 1]`` writes small groups, of which
10% lack subbands and 2% each have a truncated, duplicate, zero-filled, bogus-time or late file, interleaved;
runs the stream over them once undisturbed and once with ``kill -9`` at random moments; and compares: states, products
(DATA and FLAG equal), inputs (unchanged to the byte), strays (none), commits (one a group, two where a file came late).
It prints how the memory and the descriptors of the undisturbed daemon grow. Exit status 1 if anything differs.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from stream_daemon import Stream, digests, id_of, same_products

KINDS = ["truncated", "duplicate", "zero-filled", "bogus-time", "late"]
STATE = {"duplicate": "done", "late": "done", "whole": "done"}
_FINAL = {"done", "partial", "quarantined", "failed"}


def write_inputs(stream: Stream, n_groups: int, rng: random.Random) -> dict[int, str]:
    """Write all files aside, and give what is wrong with each group."""
    faults = {}
    for number in range(n_groups):
        draw = rng.random()
        fault = "missing" if draw < 0.1 else KINDS[int((draw - 0.1) / 0.02)] if draw < 0.2 else "whole"
        faults[number] = fault
        subbands = rng.sample(range(16), 13) if fault == "missing" else list(range(16))
        jitter_s = {subband: float(rng.randrange(3)) for subband in range(16)}
        files = stream.write(number, subbands=sorted(subbands), jitter_s=jitter_s)
        spoil(files[rng.choice(sorted(files))], fault, stream)
    return faults


def spoil(path: Path, fault: str, stream: Stream) -> None:
    """Make one file of a group as the fault says."""
    if fault == "truncated":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif fault == "duplicate":
        shutil.copy2(path, path.with_name(path.name.replace("_sb", ".25_sb")))
    elif fault == "late":
        late = stream.base / "late"
        late.mkdir(exist_ok=True)
        path.rename(late / path.name)
    elif fault in {"zero-filled", "bogus-time"}:
        with h5py.File(path, "r+") as file:
            if fault == "zero-filled":
                file["Data/visdata"][...] = np.zeros(file["Data/visdata"].shape, np.complex64)
            else:
                times = file["Header/time_array"]
                times[...] = times[:] - times[0] + 2455000.5


def feed(source: Path, target: Path, rng: random.Random) -> None:
    """Bring the files in an interleaved order, each under its name when it is whole."""
    names = sorted(path.name for path in source.iterdir())
    order = sorted(range(len(names)), key=lambda at: at + rng.uniform(-40, 40))
    for at in order:
        partial = target / f".{names[at]}.soak"
        shutil.copy2(source / names[at], partial)
        partial.rename(target / names[at])


def expected(faults: dict[int, str]) -> dict[str, str]:
    """State of each group in the end."""
    return {id_of(number): STATE.get(fault, "partial") for number, fault in faults.items()}


def run(stream: Stream, source: Path, faults: dict[int, str], n_kills: int, rng: random.Random) -> float:
    """Run to the end, with so many kills on the way; give the seconds."""
    begun = time.monotonic()
    wanted, kills, next_kill = expected(faults), 0, time.monotonic() + 3
    stream.start()
    feed(source, stream.incoming, rng)
    late = stream.base.parent / "inputs" / "late"
    fed_late = False
    while stream.states() != wanted or kills < n_kills:
        if time.monotonic() - begun > 3600 * 3:
            raise SystemExit(f"not done: {sorted(set(wanted.items()) ^ set(stream.states().items()))}")
        states = stream.states()
        if not fed_late and len(states) == len(wanted) and set(states.values()) <= _FINAL and late.is_dir():
            feed(late, stream.incoming, rng)
            fed_late = True
        if kills < n_kills and time.monotonic() > next_kill:
            kill_one(stream, rng)
            kills += 1
            next_kill = time.monotonic() + rng.uniform(0.2, 4.0)
        if states == wanted and kills >= n_kills:
            break
        if states == wanted:
            n_kills = kills  # it is done: there is nothing left to disturb
        time.sleep(0.2)
    print(f"  {kills} kills, {time.monotonic() - begun:.0f} s, {len(wanted)} groups")
    return time.monotonic() - begun


def kill_one(stream: Stream, rng: random.Random) -> None:
    """Kill the daemon or a job."""
    jobs = stream.jobs()
    if jobs and rng.random() < 0.6:
        try:
            rng.choice(jobs).kill()
        except psutil.NoSuchProcess:
            return
    else:
        stream.kill()
        stream.start()


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--groups", type=int, default=200)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    rng = random.Random(asked.seed)
    with tempfile.TemporaryDirectory(prefix="soak-stream-") as name:
        base = Path(name)
        settings = {"deadline_s": 5, "retry_s": 0.1, "workers": asked.workers}
        inputs = Stream(base / "inputs")
        faults = write_inputs(inputs, asked.groups, rng)
        calm, wild = (Stream(base / kind, **settings) for kind in ("calm", "wild"))
        print("undisturbed:")
        seconds = run(calm, inputs.incoming, faults, 0, rng)
        daemon = psutil.Process(calm.process.pid)
        with daemon.oneshot():
            print(
                f"  {60 * asked.groups / seconds:.1f} groups/min, {daemon.memory_info().rss / 1e6:.0f} MB,"
                f" {daemon.num_fds()} descriptors, {daemon.cpu_times().user + daemon.cpu_times().system:.1f} s of CPU"
            )
        calm.stop()
        print("disturbed:")
        run(wild, inputs.incoming, faults, asked.kills, rng)
        time.sleep(3)
        wild.stop()
        wrong = compare(calm, wild, inputs, faults)
    print("\n".join(wrong) or "the same products, no stray, inputs unchanged, no group twice")
    return 1 if wrong else 0


def compare(calm: Stream, wild: Stream, inputs: Stream, faults: dict[int, str]) -> list[str]:
    """Say what differs."""
    wrong = []
    for stream in (calm, wild):
        if strays := stream.strays():
            wrong.append(f"left behind: {strays}")
        late = inputs.base / "late"
        given = digests(inputs.incoming) | (digests(late) if late.is_dir() else {})
        if digests(stream.incoming) != given:
            wrong.append(f"inputs changed: {stream.incoming}")
        with stream.ledger() as ledger:
            for number, fault in faults.items():
                commits = sum(attempt.committed for attempt in ledger.group(id_of(number)).attempts)
                if commits != 1 + (fault == "late"):
                    wrong.append(f"{id_of(number)} ({fault}): committed {commits} times")
    if calm.products() != wild.products():
        wrong.append("other products")
    try:
        same_products(calm.ms, wild.ms, faults)
    except AssertionError as error:
        wrong.append(str(error))
    return wrong


if __name__ == "__main__":
    sys.exit(main())
