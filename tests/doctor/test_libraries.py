"""Whether a library that does not work is told from one that does."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import astropy_iers_data

from dsa110_contimg.doctor import libraries
from dsa110_contimg.doctor.findings import Level


def test_a_broken_library_fails_and_the_others_do_not(tmp_path, monkeypatch):
    (tmp_path / "casacore").mkdir()
    (tmp_path / "casacore" / "__init__.py").write_text("raise ImportError('libcasa_tables.so.7: cannot open')\n")
    (tmp_path / "bdsf.py").write_text("import os\nos.abort()\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = {finding.subject: finding for finding in libraries.look_at_libraries()}
    assert found["casacore"].level is Level.FAIL
    assert found["casacore"].said == "ImportError: libcasa_tables.so.7: cannot open"
    assert found["bdsf"].said == "killed by SIGABRT"
    assert found["numba"].level is found["ducc0"].level is found["radler"].level is Level.OK


def test_the_age_of_the_earth_orientation(tmp_path, monkeypatch):
    (finding,) = libraries.look_at_earth_orientation()
    assert "measured until" in finding.said or "ended" in finding.said
    # A table that ended long ago: what an installation that nobody upgrades comes to.
    table = Path(astropy_iers_data.IERS_A_FILE).read_text().splitlines()
    (tmp_path / "short.all").write_text("\n".join(table[:4000]))
    (tmp_path / "astropy_iers_data.py").write_text(f"IERS_A_FILE = {str(tmp_path / 'short.all')!r}\n")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{':'.join(sys.path[1:])}")
    (old,) = libraries.look_at_earth_orientation()
    assert old.level is Level.FAIL
    assert int(old.said.split()[3]) > (datetime.now(UTC) - datetime(1985, 1, 1, tzinfo=UTC)).days
