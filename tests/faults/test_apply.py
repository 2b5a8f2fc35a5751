"""A disk on which CORRECTED_DATA cannot be written: the Measurement Set stays as it was."""

import os
import subprocess
from pathlib import Path

import pytest

from convert_process import fingerprints
from dsa110_contimg.calibration.apply_in_place import apply_in_place
from dsa110_contimg.errors import ContimgError, DiskFullError
from dsa110_contimg.ms.checks import check_ms
from dsa110_contimg.ms.layout import create_ms
from made_solutions import make
from small_disk import mounted
from small_ms import describe

DESCRIPTION = describe(n_times=4, n_antennas=8, n_channels=96, tile_channels=48)


@pytest.fixture
def ms(tmp_path):
    """A Measurement Set on a file system of its own."""
    with mounted(tmp_path / "disk", "24m") as disk:
        create_ms(disk / "a.ms", DESCRIPTION)
        yield disk / "a.ms"


def contents(ms):
    return {name: mark for name, mark in fingerprints(ms).items() if Path(name).name != "table.lock"}


def test_a_full_disk(ms):
    before = contents(ms)
    free = os.statvfs(ms).f_bavail * os.statvfs(ms).f_frsize
    (ms.parent / "ballast").write_bytes(bytes(free - (1 << 20)))
    with pytest.raises(DiskFullError, match="are needed"):
        apply_in_place(ms, [make("G", DESCRIPTION)])
    assert contents(ms) == before
    check_ms(ms)


def test_a_disk_that_may_not_be_written(ms):
    before = contents(ms)
    subprocess.run(["mount", "-o", "remount,ro", str(ms.parent)], check=True)
    with pytest.raises(ContimgError) as caught:
        apply_in_place(ms, [make("G", DESCRIPTION)])
    assert str(ms) in str(caught.value)
    assert contents(ms) == before
    check_ms(ms)
