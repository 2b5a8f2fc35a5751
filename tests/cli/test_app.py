import pytest
from typer.testing import CliRunner

from dsa110_contimg import __version__
from dsa110_contimg.cli.app import VERBS, app, main
from dsa110_contimg.cli.lazy import load_verb


@pytest.fixture
def run(in_tmp):
    """Run the command line in an empty directory."""
    return lambda *arguments: CliRunner().invoke(app, arguments)


def test_version(run):
    result = run("--version")
    assert (result.exit_code, result.stdout) == (0, f"dsa110-contimg {__version__}\n")


def test_help_says_the_exit_statuses_and_every_verb(run):
    result = run("--help")
    assert result.exit_code == 0
    assert "0 done, 1 failed" in result.stdout
    assert all(f"\n  {name} " in result.stdout for name in VERBS)


def test_there_is_no_option_config(run):
    """A process with ``--config X`` that imports casatools executes X."""
    assert run("--config", "x", "settings", "show").exit_code == 2
    assert "--config" not in run("--help").stdout


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["--nonsense"], ["--log-level", "loud", "settings", "show"]])
def test_wrong_usage_is_2(run, arguments):
    assert run(*arguments).exit_code == 2


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_is_there_and_has_a_help(run, name):
    assert load_verb(name, VERBS[name]).name == name
    result = run(name, "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: root {name} ")


def test_main_runs_it(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["dsa110-contimg", "--version"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 0
    assert __version__ in capsys.readouterr().out
