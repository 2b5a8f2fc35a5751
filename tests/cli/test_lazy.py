"""The root of the command line with verbs of the test's own."""

import json
import sys
import types

import pytest
import typer
from typer.testing import CliRunner

from dsa110_contimg.cli.context import Session, begin
from dsa110_contimg.cli.lazy import LazyGroup, Verb
from dsa110_contimg.errors import NoGroupsError, SettingsError, UsageError


def _raising(error):
    def verb(ctx: typer.Context) -> None:
        begin(ctx)
        raise error

    return verb


FAILURES = {
    "nogroups": NoGroupsError("no groups", path="/data", remedy="Look elsewhere."),
    "usage": UsageError("--min-subbands 17 is too many"),
    "badsettings": SettingsError("contimg.toml:1: no"),
    "unexpected": ZeroDivisionError("division\nby zero"),
    "silent": RuntimeError(),
    "system": PermissionError(13, "Permission denied", "/data"),
    "interrupt": KeyboardInterrupt(),
    "parameter": typer.BadParameter("not a number"),
    "leave": typer.Exit(7),
}


@pytest.fixture
def run(monkeypatch, in_tmp):
    """Run the command line with verbs that fail, each in its own way."""
    module = types.ModuleType("verbs_of_the_test")
    for name, error in FAILURES.items():
        setattr(module, name, _raising(error))
    monkeypatch.setitem(sys.modules, module.__name__, module)

    class Verbs(LazyGroup):
        verbs = {name: Verb(module.__name__, name, f"Fail: {name}.") for name in FAILURES} | {
            "missing": Verb("dsa110_contimg.no_such_module", "missing", "A verb whose module is not there.")
        }

    app = typer.Typer(cls=Verbs, rich_markup_mode=None, add_completion=False)

    @app.callback()
    def root(ctx: typer.Context, log_level: str = "info", log_json: bool = False) -> None:
        ctx.obj = Session(None, log_level, log_json)

    return lambda *arguments: CliRunner().invoke(app, arguments)


@pytest.mark.parametrize(
    ("verb", "status", "said"),
    [
        ("nogroups", 1, "error: no groups: /data. Look elsewhere.\n"),
        ("usage", 2, "error: --min-subbands 17 is too many\n"),
        ("badsettings", 2, "error: contimg.toml:1: no\n"),
        (
            "unexpected",
            1,
            "error: ZeroDivisionError: division by zero (unexpected; run with --log-level debug for the traceback)\n",
        ),
        ("silent", 1, "error: RuntimeError (unexpected; run with --log-level debug for the traceback)\n"),
        ("system", 1, "error: [Errno 13] Permission denied: '/data'\n"),
        ("interrupt", 130, "interrupted\n"),
        ("leave", 7, ""),
    ],
)
def test_an_error_is_one_line_and_a_status(run, verb, status, said):
    result = run(verb)
    assert (result.exit_code, result.stderr, result.stdout) == (status, said, "")


def test_the_traceback_is_there_for_who_asks(run):
    assert "Traceback" not in run("unexpected").stderr
    assert "Traceback" in run("--log-level", "debug", "unexpected").stderr
    assert "Traceback" in run("--log-level", "debug", "nogroups").stderr


def test_an_error_is_a_json_line_where_the_log_is(run):
    result = run("--log-json", "nogroups")
    assert json.loads(result.stderr) == {"level": "error", "message": "no groups: /data. Look elsewhere."}


def test_a_wrong_parameter_is_told_by_typer(run):
    result = run("parameter")
    assert result.exit_code == 2
    assert "not a number" in result.stderr


def test_help_lists_the_verbs_without_importing_them(run):
    result = run("--help")
    assert result.exit_code == 0
    assert "A verb whose module is not there." in result.stdout
    assert "Fail: usage." in result.stdout


def test_a_verb_is_imported_when_it_is_called(run):
    result = run("missing")
    assert result.exit_code == 1
    assert "no_such_module" in result.stderr


def test_a_misspelt_verb_is_guessed(run):
    result = run("nogroup")
    assert result.exit_code == 2
    assert "'nogroups'" in result.stderr
