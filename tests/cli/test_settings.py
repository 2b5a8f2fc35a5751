import json
import tomllib

import pytest
from typer.testing import CliRunner

from dsa110_contimg.cli.app import app
from dsa110_contimg.config.sources import setting_keys

TEXT = """\
[paths]
ms = "/data/\\"ms\\""
[convert]
workers = 2
"""


@pytest.fixture
def run(in_tmp):
    """Run the command line where a ``contimg.toml`` is."""
    (in_tmp / "contimg.toml").write_text(TEXT)
    return lambda *arguments: CliRunner().invoke(app, arguments)


def test_show_is_a_settings_file_with_the_sources(run, monkeypatch):
    monkeypatch.setenv("DSA110_CONTIMG_LOGGING__LEVEL", "warning")
    result = run("settings", "show")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "# contimg.toml"
    values = tomllib.loads(result.stdout)
    assert values["paths"]["ms"] == '/data/"ms"'
    assert values["convert"]["workers"] == 2
    assert values["logging"]["level"] == "warning"
    source = {line.split()[0]: line.rpartition("  # ")[2] for line in reversed(lines) if "  # " in line}
    assert source["ms"] == "contimg.toml:2"
    assert source["workers"] == "contimg.toml:4"
    assert source["input"] == "default"
    assert source["level"] == "$DSA110_CONTIMG_LOGGING__LEVEL"


def test_what_show_prints_gives_the_same_settings(run, in_tmp):
    first = run("settings", "show").stdout
    (in_tmp / "copy.toml").write_text(first)
    second = run("--settings", "copy.toml", "settings", "show").stdout
    assert tomllib.loads(second) == tomllib.loads(first)


def test_show_in_json(run):
    result = run("settings", "show", "--json")
    report = json.loads(result.stdout)
    assert report["file"] == "contimg.toml"
    assert report["settings"]["convert"]["workers"] == {"value": 2, "source": "contimg.toml:4"}
    assert report["settings"]["paths"]["scratch"] == {"value": None, "source": "default"}
    assert [(section, key) for section in report["settings"] for key in report["settings"][section]] == setting_keys()


def test_without_a_file(run, in_tmp):
    (in_tmp / "contimg.toml").unlink()
    assert run("settings", "show").stdout.startswith("# no settings file")


def test_a_wrong_setting_is_usage_and_one_line(run, in_tmp):
    (in_tmp / "contimg.toml").write_text("[convert]\nworker = 2\n")
    result = run("settings", "show")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == ("error: contimg.toml:2: there is no setting 'convert.worker'. Did you mean 'workers'?\n")


def test_help_does_not_read_the_settings(run, in_tmp):
    (in_tmp / "contimg.toml").write_text("wrong")
    assert run("settings", "show", "--help").exit_code == 0


def test_a_table_of_settings_is_shown_as_toml(run, in_tmp):
    (in_tmp / "contimg.toml").write_text("[stream]\nstages = ['convert']\ntimeouts_s = {convert = 20}\n")
    values = tomllib.loads(run("settings", "show").stdout)
    assert values["stream"]["timeouts_s"] == {"convert": 20}
    assert values["stream"]["stages"] == ["convert"]
