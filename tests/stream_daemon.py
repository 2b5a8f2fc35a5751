"""A stream as a process, on directories of a test, and what the ledger says of it."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import casacore.tables as ct
import numpy as np
import psutil

import dsa110_contimg
from dsa110_contimg.errors import LedgerError
from dsa110_contimg.ledger import open_ledger
from dsa110_contimg.naming import LEDGER_NAME
from subband_files import START, write_group

SOURCE = Path(dsa110_contimg.__file__).parents[1]
GAP_S = 400.0


def time_of(number):
    """Start of the group with this number."""
    return START + timedelta(seconds=GAP_S * number)


def id_of(number):
    """Its id."""
    return f"{time_of(number):%Y-%m-%dT%H:%M:%S}"


def ms_of(number):
    """The name of its Measurement Set."""
    return f"{time_of(number):%Y%m%dT%H%M%S}.ms"


def digests(directory):
    """What the files of a directory hold."""
    return {
        path.relative_to(directory).as_posix(): hashlib.blake2b(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


class Stream:
    """Directories, settings, and the process that runs on them."""

    def __init__(self, base, **settings):
        self.base = base
        self.incoming, self.ms, self.state, self.scratch = (base / name for name in ("in", "ms", "state", "scratch"))
        self.incoming.mkdir(parents=True, exist_ok=True)
        self.settings = {
            "reserve_gb": 0, "http_port": 0, "retry_s": 0.2, "deadline_s": 600, "settle_s": 0.3, "workers": 2,
            "stages": '["convert"]',
        } | settings  # fmt: skip
        self.process = None
        self.arguments = []
        self.covered = True  # coverage slows everything down

    def write(self, number, **kwargs):
        """Write a group straight under its names."""
        return write_group(self.incoming, time_of(number), **kwargs)

    def drop(self, number, **kwargs):
        """Write a group elsewhere, then rename its files into the incoming directory."""
        aside = self.base / "aside"
        files = write_group(aside, time_of(number), **kwargs)
        return {subband: path.rename(self.incoming / path.name) for subband, path in files.items()}

    def environment(self):
        said = {f"DSA110_CONTIMG_STREAM__{key.upper()}": str(value) for key, value in self.settings.items()}
        shell = {key: value for key, value in os.environ.items() if self.covered or not key.startswith("COV")}
        return shell | said | {"PYTHONPATH": str(SOURCE), "NUMBA_NUM_THREADS": "1"}

    def command(self, *more):
        places = ("--input", self.incoming, "--output", self.ms, "--state", self.state, "--scratch", self.scratch)
        return [sys.executable, "-m", "dsa110_contimg.cli", "stream", *map(str, places), *self.arguments, *more]

    def start(self, *more):
        self.base.mkdir(exist_ok=True)
        with (self.base / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(*more), stdout=log, stderr=log, env=self.environment(), cwd=self.base
            )
        return self

    @property
    def log(self):
        return (self.base / "log").read_text()

    def jobs(self):
        """The job processes under way."""
        return [
            child
            for child in psutil.Process(self.process.pid).children(recursive=True)
            if "dsa110_contimg.pipeline.job" in " ".join(_command_of(child))
        ]

    def kill(self):
        """End it as a power cut does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, seconds=30):
        """End it as systemd does; give the exit status and how long that took [s]."""
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds), time.monotonic() - begun

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        try:
            if self.process.poll() is None:
                self.stop()
        finally:
            if self.process.poll() is None:  # no other test is to live with it
                self.kill()

    def ledger(self):
        return open_ledger(self.state / LEDGER_NAME, create=False)

    def states(self):
        """States by group id."""
        if not (self.state / LEDGER_NAME).exists():
            return {}
        with self.ledger() as ledger:
            return {group.id: group.state.value for group in ledger.groups()}

    def history(self, number):
        with self.ledger() as ledger:
            return ledger.group(id_of(number))

    def wait_for(self, states, seconds=120.0):
        """Wait until the groups (by number) are in these states."""
        wanted = {id_of(number): state for number, state in states.items()}
        self.wait(lambda: wanted.items() <= self.states().items(), seconds, lambda: f"{self.states()}, not {wanted}")

    def attempts(self, number):
        """The attempts at a group that have ended; of one that is not known yet, none."""
        try:
            return [attempt for attempt in self.history(number).attempts if attempt.ended_utc is not None]
        except LedgerError:
            return []

    def wait(self, condition, seconds=120.0, say=lambda: "not in time", every_s=0.1):
        end = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, self.log
            assert time.monotonic() < end, f"{say()}\n{self.log}"
            time.sleep(every_s)

    def strays(self):
        """What should not be left anywhere."""
        places = (self.ms, self.scratch, self.state / "jobs")
        return [path for place in places if place.is_dir() for path in place.iterdir() if _is_stray(path)]

    def products(self):
        return sorted(path.name for path in self.ms.glob("*.ms"))


def _is_stray(path):
    return path.name.startswith(".partial") or path.parent.name == "jobs"


def _command_of(process):
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@contextmanager
def unchanged(directory):
    """Assert that the files that are there before are the same afterwards."""
    before = digests(directory)
    yield
    after = digests(directory)
    assert {name: after.get(name) for name in before} == before


def manifest(stream, number):
    return json.loads((stream.ms / "manifests" / f"{ms_of(number).removesuffix('.ms')}.json").read_text())


def data_of(path):
    with ct.table(str(path), ack=False) as ms:
        return {name: ms.getcol(name) for name in ("DATA", "FLAG", "UVW", "TIME", "SIGMA")}


def same_products(one, other, numbers):
    for number in numbers:
        ours, theirs = data_of(one / ms_of(number)), data_of(other / ms_of(number))
        for name in ours:
            np.testing.assert_array_equal(ours[name], theirs[name], err_msg=f"{ms_of(number)} {name}")
