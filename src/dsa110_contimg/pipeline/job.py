"""The job: one process that runs the stages of a group or an epoch and leaves its products in a partial directory.

``python -m dsa110_contimg.pipeline.job DESCRIPTION.json [FD]``: started by a supervisor (`attempt`), it reports through
the descriptor FD, a line of JSON each: ``{"beat": stage}`` every two seconds, ``{"result": ...}`` at the end. Its
standard input is its lifeline: when that closes, its supervisor is dead, and it dies too. By hand it runs without.
"""

from __future__ import annotations

import ctypes
import fcntl
import gc
import json
import logging
import os
import shutil
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dsa110_contimg.config.logs import configure_logging
from dsa110_contimg.errors import OutputExistsError
from dsa110_contimg.pipeline.description import MANIFEST_NAME, JobDescription, Manifest, ProductMade, StageTime
from dsa110_contimg.pipeline.failures import is_disk_full, kind_of, message_of
from dsa110_contimg.pipeline.stages import JobContext, stage_named
from dsa110_contimg.storage.checksums import tree_checksum
from dsa110_contimg.storage.files import output_errors, sync_directory, sync_tree
from dsa110_contimg.storage.publish import publish

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dsa110_contimg.pipeline.stages import Made

log = logging.getLogger("dsa110_contimg.pipeline.job")  # it runs as __main__

BEAT_S = 2.0
_NICE = 5
_PR_SET_PDEATHSIG = 1


class Reporter:
    """Tells the supervisor what the job is doing."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()
        self._stage = "start"
        self.times: list[StageTime] = []

    def enter(self, stage: str) -> None:
        """Say that a stage begins."""
        self._stage = stage
        self.beat()

    def beat(self) -> None:
        """Say that the job is alive."""
        self.send({"beat": self._stage})

    def send(self, message: dict[str, Any]) -> None:
        """Send one line."""
        if self._descriptor is None:
            return
        data = (json.dumps(message) + "\n").encode()
        with self._lock:
            while data:
                data = data[os.write(self._descriptor, data) :]

    def beat_for_ever(self) -> None:
        """Be a thread that beats."""
        while True:
            time.sleep(BEAT_S)
            self.beat()


def run_job(description: JobDescription, reporter: Reporter) -> Manifest:
    """Run the stages, and leave what they made in the partial directory, whole and on the disk.

    Raises
    ------
    Exception
        Whatever a stage raises; nothing is left behind then.
    """
    partial, work = description.partial, description.work
    try:
        with _locked(partial):
            work.mkdir(parents=True)
            context = JobContext(description, work, times=reporter.times)
            for name in description.stages:
                reporter.enter(name)
                begun = time.monotonic()
                moved = stage_named(name).load()(context)
                reporter.times.append(StageTime(name, round(time.monotonic() - begun, 3), *moved))
            reporter.enter("publish")
            manifest = _hand_over(description, context, reporter.times)
            shutil.rmtree(work)
            return manifest
    except OutputExistsError:
        raise  # somebody else's directory
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        shutil.rmtree(partial, ignore_errors=True)
        raise


@contextmanager
def _locked(partial: Path) -> Iterator[None]:
    """Make the directory, and hold its lock, which tells others that its maker lives."""
    with output_errors(partial):
        partial.parent.mkdir(parents=True, exist_ok=True)
        try:
            partial.mkdir()
        except FileExistsError as error:
            raise OutputExistsError("the attempt has been made already", path=partial) from error
        lock = os.open(partial, os.O_RDONLY | os.O_CLOEXEC)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    try:
        yield
    finally:
        os.close(lock)


def _hand_over(description: JobDescription, context: JobContext, times: Sequence[StageTime]) -> Manifest:
    """Move the products into the partial directory, and write the manifest last."""
    partial = description.partial

    def hand_over(made: Made) -> ProductMade:
        publish(made.path, partial / made.path.name)
        return ProductMade(made.path.name, made.kind, *tree_checksum(partial / made.path.name))

    with output_errors(partial):
        with ThreadPoolExecutor(description.threads) as pool:  # while one is flushed, another is summed up
            products = tuple(pool.map(hand_over, context.made))
        manifest = Manifest(
            group=description.group,
            start_mjd=description.start_mjd,
            attempt_id=description.attempt_id,
            subbands=context.subbands,
            files={subband: description.files[subband] for subband in context.subbands},
            set_aside=(*description.set_aside, *context.set_aside),
            products=products,
            stages=tuple(times),
            made_utc=datetime.now(UTC).isoformat(timespec="seconds"),
            inputs=description.inputs,
            facts=context.facts,
        )
        written = partial / f".{MANIFEST_NAME}"
        written.write_text(json.dumps(manifest.as_dict(), indent=1) + "\n")
        sync_tree(written)  # the products have been, and the directory is with the name that says so
        written.rename(partial / MANIFEST_NAME)
        sync_directory(partial)
    return manifest


def _die_with_supervisor() -> None:
    """Be killed when the supervisor's thread ends, and when the lifeline closes."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    def wait() -> None:
        while os.read(0, 1):
            pass
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=wait, daemon=True, name="lifeline").start()


def main(arguments: Sequence[str]) -> int:
    """Run the job of a description."""
    reporter = Reporter(int(arguments[1]) if len(arguments) > 1 else None)
    if len(arguments) > 1:
        _die_with_supervisor()
        os.nice(_NICE)  # the daemon, and who asks how it goes, come first
        threading.Thread(target=reporter.beat_for_ever, daemon=True, name="heartbeat").start()
    description = JobDescription.read(Path(arguments[0]))
    configure_logging("info", json=bool(description.options.get("logging", {}).get("json")))
    try:
        manifest = run_job(description, reporter)
    except Exception as error:
        kind, message = kind_of(error), message_of(error)
        log.exception("%s: %s (%s)", description.group, message, kind, extra={"attempt": description.attempt_id})
        reporter.send({"failed": kind, "message": message, "alone": not is_disk_full(error), "stages": reporter.times})
        return 1
    reporter.send({"made": manifest.as_dict()})
    return 0


if __name__ == "__main__":
    status = main(sys.argv[1:])
    gc.freeze()  # Python would look through all that was imported once more, half a second, while others wait
    sys.exit(status)
