"""What is installed, held against what was tested; and what ``PYTHONPATH`` puts before it."""

import importlib
import os
import sys

import pytest

from dsa110_contimg.doctor import installation
from dsa110_contimg.doctor.findings import Level
from dsa110_contimg.doctor.installation import (
    look_at_package,
    look_at_packages,
    look_at_python,
    look_at_pythonpath,
    requirements,
)


def test_this_python_serves():
    (first, *_) = look_at_python()
    assert first.level is Level.OK
    assert sys.executable in first.said


def test_this_package_says_where_it_is():
    (finding,) = look_at_package()
    assert finding.level in {Level.OK, Level.WARN}
    assert "dsa110_contimg" in finding.said


def test_every_requirement_has_a_tested_version():
    names = requirements()
    assert {"numpy", "python-casacore", "h5py", "typer"} <= set(names)
    tested = installation.tested_versions()
    assert [name for name in names if name.lower() not in tested] == []


def test_another_version_is_a_warning_and_none_a_failure(tmp_path, monkeypatch):
    (tmp_path / "numpy-0.0.1.dist-info").mkdir()
    (tmp_path / "numpy-0.0.1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 0.0.1\n")
    (tmp_path / "dsa110_contimg-0.0.0.dist-info").mkdir()
    lines = ["Metadata-Version: 2.1", "Name: dsa110-contimg", "Version: 0.0.0", "Requires-Dist: numpy>=1"]
    lines += ["Requires-Dist: no-such-package", "Requires-Dist: ruff; extra == 'dev'", ""]
    (tmp_path / "dsa110_contimg-0.0.0.dist-info" / "METADATA").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    found = {finding.subject: finding for finding in look_at_packages()}
    assert found["numpy"].level is Level.WARN
    assert found["numpy"].said == f"0.0.1, tested with {installation.tested_versions()['numpy']}"
    assert found["no-such-package"].level is Level.FAIL
    assert found["no-such-package"].remedy.startswith("pip install 'no-such-package'")
    (elsewhere,) = look_at_package()
    assert elsewhere.level is Level.WARN
    assert "0.0.0 is what is installed" in elsewhere.said


@pytest.mark.parametrize("what", ["numpy", "dsa110_contimg", "casacore"])
def test_what_pythonpath_hides_is_named(tmp_path, what):
    (tmp_path / what).mkdir()
    (tmp_path / "mine.py").touch()
    (finding,) = look_at_pythonpath(str(tmp_path))
    assert finding.level is Level.WARN
    assert finding.said == f"takes {what} from {tmp_path}"


def test_a_pythonpath_of_others_is_well_and_one_that_is_not_there_is_said(tmp_path):
    (tmp_path / "mine.py").touch()
    (finding,) = look_at_pythonpath(str(tmp_path))
    assert finding.level is Level.OK
    (gone, _) = look_at_pythonpath(os.pathsep.join([str(tmp_path / "gone"), str(tmp_path)]))
    assert gone.level is Level.WARN
    assert [finding.level for finding in look_at_pythonpath("")] == [Level.OK]
