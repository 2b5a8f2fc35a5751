"""The doctor as an operator runs it, in good installations and in broken ones."""

import json
import os
import subprocess
import sys
from pathlib import Path

import dsa110_contimg
from dsa110_contimg.doctor.examination import _guarded, _settings
from dsa110_contimg.doctor.findings import Level, ok

SOURCE = str(Path(dsa110_contimg.__file__).parents[1])


def doctor(*arguments, cwd, path=()):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([*map(str, path), SOURCE])}
    command = [sys.executable, "-m", "dsa110_contimg.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, timeout=120)


def test_everything_is_looked_at_and_each_trouble_has_a_remedy(tmp_path):
    (tmp_path / "contimg.toml").write_text("[stream]\nreserve_gb = 0\n[paths]\ninput = '.'\n")
    done = doctor("doctor", "--json", cwd=tmp_path)
    said = json.loads(done.stdout)
    subjects = [finding["subject"] for finding in said["findings"]]
    for subject in ("python", "casacore", "Earth orientation", "memory", "clock", "ms", "HDF5 in ms", "wsclean"):
        assert subject in subjects
    assert all(bool(finding["remedy"]) == (finding["level"] != "ok") for finding in said["findings"])
    assert said["fail"] == sum(finding["level"] == "fail" for finding in said["findings"])
    assert done.returncode == int(said["fail"] > 0)
    assert "could not be looked at" not in done.stdout
    assert not (tmp_path / "contimg-data").exists()


def test_it_runs_where_the_libraries_of_the_command_line_are_missing(tmp_path):
    broken = tmp_path / "broken"
    broken.mkdir()
    for name in ("typer", "pydantic", "casacore"):
        (broken / f"{name}.py").write_text(f"raise ImportError('no {name} here')\n")
    done = doctor("doctor", cwd=tmp_path, path=[broken])
    assert done.returncode == 1
    assert f"PYTHONPATH: takes casacore from {broken}, pydantic from {broken}, typer from {broken}" in done.stdout
    assert "fail  casacore: ImportError: no casacore here" in done.stdout
    assert "fail  settings: ImportError: no pydantic here" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    other = doctor("status", cwd=tmp_path, path=[broken])
    assert other.returncode == 1
    assert other.stderr == "error: dsa110-contimg cannot start: no typer here. Type: dsa110-contimg doctor\n"


def test_settings_that_are_wrong_are_said(tmp_path):
    (tmp_path / "contimg.toml").write_text("[stream]\nreserve_gb = 'much'\n")
    settings, finding = _settings(tmp_path / "contimg.toml")
    assert settings is None
    assert finding.level is Level.FAIL
    assert "reserve_gb" in finding.said


def test_a_check_that_breaks_is_said():
    def look():
        yield ok("one", "well")
        raise ZeroDivisionError("division by zero")

    one, two = _guarded("two", look)
    assert one == ok("one", "well")
    assert two.said == "could not be looked at: ZeroDivisionError: division by zero"
