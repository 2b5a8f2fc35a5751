"""Optional tools: on PATH, in an environment of their own, broken, missing."""

import pytest

from dsa110_contimg.doctor.findings import Level
from dsa110_contimg.doctor.tools import TOOLS, look_at_tools


def program(path, script):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def found(tmp_path, monkeypatch):
    """Look with these alone: one on PATH, one in an environment of its own, one that is broken."""
    program(tmp_path / "bin" / "wsclean", "echo; echo WSClean version 3.1 '(2022)'; exit 1")
    program(tmp_path / "bin" / "ragavi-vis", "echo cannot import bokeh >&2; exit 1")
    program(tmp_path / "tools" / "shadems" / "bin" / "shadems", "touch log-shadems.txt; echo shadems 0.5.5")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/bin:/usr/sbin")
    monkeypatch.chdir(tmp_path)
    return {finding.subject: finding for finding in look_at_tools(tmp_path / "tools")}


def test_each_tool_with_its_version_and_place(found, tmp_path):
    assert found["wsclean"].said == f"3.1 at {tmp_path}/bin/wsclean"
    assert found["shadems"].said == f"0.5.5 at {tmp_path}/tools/shadems/bin/shadems"
    assert found["wsclean"].level is found["shadems"].level is Level.OK
    assert not (tmp_path / "log-shadems.txt").exists()


def test_one_that_does_not_run_says_what_it_says(found):
    assert found["ragavi-vis"].level is Level.WARN
    assert found["ragavi-vis"].said.endswith("does not run: cannot import bokeh")


def test_what_is_missing_costs_a_warning_with_its_remedy(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    found = {finding.subject: finding for finding in look_at_tools(None)}
    for tool in TOOLS:
        assert found[tool.command].level is Level.WARN
        assert found[tool.command].remedy == tool.remedy
