"""The converter as a process of its own, and what may be said of its inputs and products afterwards."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import casacore.tables as ct
import numpy as np

from dsa110_contimg.ms.checks import check_ms

PARTIAL = ".partial-*"
TIMEOUT_S = 120


def convert_command(incoming: Path, products: Path, *options: object) -> list[str]:
    """Return the command line of a conversion."""
    return [sys.executable, "-m", "dsa110_contimg.cli", "convert", *map(str, (incoming, products, *options))]


def start_convert(incoming: Path, products: Path, *options: object) -> subprocess.Popen[str]:
    """Start a conversion."""
    return subprocess.Popen(
        convert_command(incoming, products, *options),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def run_convert(
    incoming: Path, products: Path, *options: object, prefix: Sequence[str] = (), **env: str
) -> subprocess.CompletedProcess[str]:
    """Run a conversion to its end; whatever comes of it, it may not show a traceback."""
    inherited = dict(os.environ)
    if prefix:
        # As somebody else it cannot write coverage's files.
        inherited = {name: value for name, value in inherited.items() if not name.startswith("COVERAGE")}
    done = subprocess.run(
        [*prefix, *convert_command(incoming, products, *options)],
        env=inherited | env,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def report(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """Return what ``--json`` printed."""
    return json.loads(done.stdout)


def fingerprints(directory: Path) -> dict[str, tuple[str, int, int]]:
    """Checksum, time of change and inode of every file below a directory."""
    found = {}
    for path in sorted(directory.rglob("*")):
        if path.is_file():
            status = path.stat()
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            found[str(path.relative_to(directory))] = (digest, status.st_mtime_ns, status.st_ino)
    return found


def partials(*directories: Path) -> list[Path]:
    """List what attempts have left."""
    return [path for directory in directories for path in directory.glob(".*")]


def assert_same_data(one: Path, other: Path) -> None:
    """Both are whole, and every column of the one is the other's to the bit."""
    assert check_ms(one) == check_ms(other)
    with ct.table(str(one), ack=False) as ours, ct.table(str(other), ack=False) as theirs:
        for column in ours.colnames():
            if ours.iscelldefined(column, 0):
                np.testing.assert_array_equal(ours.getcol(column), theirs.getcol(column), err_msg=column)
