"""casacore itself, from Python and by its command, reads all of it."""

import re
import shutil
import subprocess
import sys

import casacore.tables as ct
import numpy as np
import pytest

SUBTABLES = (
    *("ANTENNA", "DATA_DESCRIPTION", "FEED", "FIELD", "FLAG_CMD", "HISTORY", "OBSERVATION", "POINTING"),
    *("POLARIZATION", "PROCESSOR", "SOURCE", "SPECTRAL_WINDOW", "STATE"),
)

TAKE_LOCK = """
import sys
import casacore.tables as ct
with ct.table(sys.argv[1], readonly=False, lockoptions="user", ack=False) as ms:
    ms.lock(write=True, nattempts=1)
    assert ms.haslock(write=True)
    ms.unlock()
"""


def test_every_cell_of_every_subtable_that_is_filled_can_be_read(observed):
    with ct.table(str(observed.ms), ack=False) as ms:
        linked = set(ms.keywordnames())
    assert set(SUBTABLES) <= linked
    for name in SUBTABLES:
        with ct.table(f"{observed.ms}::{name}", ack=False) as table:
            for column in table.colnames():
                defined = [row for row in range(table.nrows()) if table.iscelldefined(column, row)]
                cells = [table.getcell(column, row) for row in defined]
                assert len(cells) == len(defined)


def test_every_column_that_is_filled_can_be_read(observed):
    with ct.table(str(observed.ms), ack=False) as ms:
        for column in ms.colnames():
            if ms.iscelldefined(column, 0):
                assert len(ms.getcol(column)) == ms.nrows()


def test_subtables_lie_inside_it_wherever_it_is_moved(observed, tmp_path):
    moved = shutil.copytree(observed.ms, tmp_path / "elsewhere.ms")
    with ct.table(str(moved), ack=False) as ms:
        places = {name: ms.getkeyword(name).removeprefix("Table: ") for name in SUBTABLES}
    assert places == {name: str(moved / name) for name in SUBTABLES}


def test_query_by_baseline_and_channel(observed):
    n_times = len(observed.truth["mjd"])
    with ct.table(str(observed.ms), ack=False) as ms:
        with ms.query("ANTENNA1 == 13 && ANTENNA2 == 29") as rows:
            assert rows.nrows() == n_times
            np.testing.assert_array_equal(np.diff(rows.getcol("TIME")) > 0, True)
        whole = ms.getcol("DATA")
        part = ms.getcolslice("DATA", [100, 1], [199, 1], startrow=7, nrow=200, rowincr=3)
    np.testing.assert_array_equal(part, whole[7:607:3, 100:200, 1:2])


def test_nobody_holds_a_lock(observed):
    """The process that converted it, which is this one, still lives."""
    subprocess.run([sys.executable, "-c", TAKE_LOCK, str(observed.ms)], check=True, timeout=60, capture_output=True)


@pytest.mark.skipif(shutil.which("taql") is None, reason="casacore's command taql is not installed")
def test_taql_from_the_shell(observed):
    n_antennas = len(observed.truth["antennas"])
    query = f"SELECT gcount() AS n, gsum(ntrue(FLAG)) AS bad FROM '{observed.ms}' WHERE ANTENNA1 == ANTENNA2"
    done = subprocess.run(["taql", query], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    n_rows = n_antennas * len(observed.truth["mjd"])
    assert done.stdout.split()[-2:] == [str(n_rows), str(n_rows * 48 * 2)]


@pytest.mark.skipif(shutil.which("showtableinfo") is None, reason="casacore's command showtableinfo is not installed")
def test_showtableinfo_from_the_shell(observed):
    done = subprocess.run(["showtableinfo", f"in={observed.ms}"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert re.search(r"TiledColumnStMan file=table\.f\d+ +name=TiledDATA", done.stdout)
