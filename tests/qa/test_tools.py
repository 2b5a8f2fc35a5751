"""Which external tools there are, and where they are found."""

import json
import re

import pytest

from dsa110_contimg.config.settings import Settings
from dsa110_contimg.errors import UsageError
from dsa110_contimg.naming import TOOL_MARK, parse_tool_environment_name
from dsa110_contimg.qa.tools import (
    TOOLS,
    environment_of,
    find_program,
    find_tool,
    is_installed,
    python_of,
    tools_directory,
)
from stand_in_tools import only_path, stand_ins

TOOL = TOOLS["shadems"]


@pytest.mark.parametrize("tool", TOOLS.values(), ids=TOOLS)
class TestPins:
    def test_are_exact_and_name_no_place(self, tool):
        assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line) for line in tool.pins.splitlines())

    def test_are_each_said_once(self, tool):
        names = [line.partition("==")[0].lower().replace("_", "-") for line in tool.pins.splitlines()]
        assert len(names) == len(set(names))

    def test_have_the_tool_and_what_builds_it(self, tool):
        assert re.fullmatch(r"[0-9.]+", tool.version)
        assert "setuptools==" in tool.pins


def test_shadems_has_a_dask_of_before_2025():
    assert "\ndask==2024." in TOOL.pins


def test_there_are_no_others():
    assert find_tool("ragavi").programs == ("ragavi-vis", "ragavi-gains")
    with pytest.raises(UsageError, match="It is one of shadems, ragavi"):
        find_tool("casaviewer")


def test_they_are_in_the_state_directory_or_where_the_settings_say(in_tmp):
    assert tools_directory(Settings()) == in_tmp / "contimg-data" / "state" / "tools"
    assert str(tools_directory(Settings(quicklooks={"tools": "/opt/tools"}))) == "/opt/tools"


@pytest.fixture
def installed(tmp_path):
    """An environment that looks whole."""
    environment = environment_of(TOOL, tmp_path)
    (environment / "bin").mkdir(parents=True)
    python = environment / "bin" / "python"
    python.write_text("#!/bin/sh\n")
    python.chmod(0o755)
    (environment / TOOL_MARK).write_text(json.dumps({"python": "3.11.7"}))
    return environment


def test_the_name_of_an_environment_changes_with_its_pins(tmp_path):
    assert parse_tool_environment_name(environment_of(TOOL, tmp_path).name) == ("shadems", TOOL.digest)


def test_the_environment_comes_before_path(tmp_path, monkeypatch, installed):
    only_path(monkeypatch, stand_ins(tmp_path / "bin"))
    assert find_program(TOOL, tmp_path) == installed / "bin" / "shadems"
    assert python_of(TOOL, tmp_path) == "3.11.7"


@pytest.mark.parametrize("lost", [TOOL_MARK, "bin/python"])
def test_an_environment_that_is_not_whole_does_not_count(tmp_path, monkeypatch, installed, lost):
    (installed / lost).unlink()
    assert not is_installed(TOOL, tmp_path)
    assert python_of(TOOL, tmp_path) is None
    only_path(monkeypatch, stand_ins(tmp_path / "bin"))
    assert find_program(TOOL, tmp_path) == tmp_path / "bin" / "shadems"
    assert find_program(TOOLS["ragavi"], tmp_path, "ragavi-gains") == tmp_path / "bin" / "ragavi-gains"


def test_what_is_nowhere_is_not_found(tmp_path, monkeypatch):
    only_path(monkeypatch, tmp_path)
    assert find_program(TOOL, tmp_path) is None
