"""Options that several verbs share."""

import typer
from typer.testing import CliRunner

from dsa110_contimg.cli.options import DryRun, LightcurvesDir, Limit, ReplaceFiles, Why


def test_they_are_typed_as_they_are_called():
    app, seen = typer.Typer(), []

    @app.command()
    def verb(
        dry_run: DryRun = False,
        why: Why = "",
        limit: Limit = 100,
        replace: ReplaceFiles = False,
        directory: LightcurvesDir = None,
    ) -> None:
        seen.append((dry_run, why, limit, replace, str(directory)))

    typed = ["--dry-run", "--why", "a test", "--limit", "3", "--replace", "--directory", "curves"]
    assert CliRunner().invoke(app, typed).exit_code == 0
    assert CliRunner().invoke(app, []).exit_code == 0
    assert seen == [(True, "a test", 3, True, "curves"), (False, "", 100, False, "None")]
    assert CliRunner().invoke(app, ["--limit", "0"]).exit_code == 2
