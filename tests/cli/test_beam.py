"""``dsa110-contimg beam``, where there is nothing to fit or to show: what it says, and its exit status."""

import json

import pytest
from typer.testing import CliRunner

from dsa110_contimg.cli.app import app


def run(*words):
    return CliRunner().invoke(app, ["--log-level", "error", "beam", *words])


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_nothing_is_there():
    assert (run("list").exit_code, run("list").stdout) == (0, "")
    assert json.loads(run("list", "--json").stdout) == []
    missing = run("show")
    assert missing.exit_code == 2
    assert "there is no beam latest" in missing.stderr
    empty = run("fit")
    assert empty.exit_code == 2
    assert "Name *-images or *-epoch directories" in empty.stderr


def test_what_is_no_beam(tmp_path):
    (tmp_path / "other.json").write_text("[]")
    shown = run("show", "other.json")
    assert shown.exit_code == 2
    assert "cannot read the fitted beam" in shown.stderr
    assert "Traceback" not in shown.stderr
    (tmp_path / "image.fits").write_text("no image")
    assert run("fit", "image.fits").exit_code == 1
    assert "there is no such directory" in run("fit", "gone-images").stderr
    (tmp_path / "nothing").mkdir()
    assert "there are no images" in run("fit", "nothing").stderr
